/** How something that is done again and again goes. Times are in milliseconds since the epoch. */
export interface Doing {
  readonly lastSuccess: number | null;
  /** What went wrong last, also when it is over. */
  readonly lastError: { readonly at: number; readonly reason: string } | null;
  /** Whether it went wrong the last time. */
  readonly failing: boolean;
  /** Time that it has taken in all, in milliseconds. */
  readonly usedMs: number;
}

/** How a source is. */
export interface SourceStatus extends Doing {
  readonly name: string;
  readonly kind: "foolscap" | "gmond" | "statistics" | "otlp";
  /** Where it is asked; empty where nodes come to us. */
  readonly host: string;
  readonly polls: number;
  readonly failures: number;
}

/** Something that brings observations into the tree, and does not know who reads them. */
export interface Source {
  readonly status: SourceStatus;
  /** Begins; what it gets then comes as it comes. */
  start(): void;
  /** Ends; resolves when nothing is under way any more. What it has brought stays. */
  stop(): Promise<void>;
  /** It will not come back: what it has brought is taken out of the tree. Called after `stop`. */
  retract?(): void;
}
