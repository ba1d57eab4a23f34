import type { Value } from "../value.ts";

/** How a metric moves; Ganglia's word and Ganglia's values. */
export type Slope =
  | "zero"
  | "positive"
  | "negative"
  | "both"
  | "derivative"
  | "unspecified";

/** One figure of a host. Immutable: a new observation brings new metrics. */
export interface Metric {
  readonly name: string;
  /** `null`: not known, or no number. */
  readonly value: Value;
  /** `positive` for a node's counters, `both` for its stats. */
  readonly slope: Slope;
  /** The value as its source wrote it, where the source writes text. */
  readonly text?: string;
  /** How old it was when it was received, in seconds; left out: 0. */
  readonly tn?: number;
  /** What else its source says of it; left out by sources that say nothing. */
  readonly detail?: MetricDetail;
}

/** What Ganglia says of a metric besides its value. Of metrics that are alike, one object. */
export interface MetricDetail {
  /** `string`, `int8` to `uint32`, `float`, `double`, `timestamp`; or what the source says. */
  readonly type: string;
  readonly units: string;
  /** Seconds within which a new value is to be expected. */
  readonly tmax: number;
  /** Seconds after which it is to be forgotten; 0: never. */
  readonly dmax: number;
  /** The kind of program that measured it: `gmond`. */
  readonly source: string;
  /** EXTRA_ELEMENTs, such as GROUP, DESC and TITLE, in order. */
  readonly extra: readonly (readonly [name: string, value: string])[];
}

/** All that one host reported at one moment. Immutable. */
export interface Observation {
  /**
   * The node's incarnation, new with each process: the one honest sign that its counters began
   * anew; see `incarnation.ts`. Empty if the node names none.
   */
  readonly incarnation: string;
  /**
   * When this incarnation began, in milliseconds since the epoch, as far as that is known; left
   * out: not at all.
   */
  readonly began?: number;
  /** 1, 2, 3 … for each host, since this program started; 0 for what was read from a snapshot. */
  readonly sequence: number;
  /** When the figures were measured, in milliseconds since the epoch, on our clock. */
  readonly measuredAt: number;
  /** When they had been received, in milliseconds since the epoch. */
  readonly receivedAt: number;
  readonly metrics: readonly Metric[];
  /**
   * What it reported earlier, and not this time, but has not taken back yet: to be shown with its
   * age. It is no figure of this moment. Left out: nothing.
   */
  readonly held?: readonly Metric[];
}

/** All metrics of an observation, those last that were not reported this time. */
export function withHeld(
  { metrics, held }: Observation,
): readonly Metric[] {
  return held ? [...metrics, ...held] : metrics;
}
