import type { Value } from "../value.ts";

/** How a metric moves; Ganglia's word and Ganglia's values. */
export type Slope = "zero" | "positive" | "negative" | "both" | "unspecified";

/** One figure of a host. Immutable: a new observation brings new metrics. */
export interface Metric {
  readonly name: string;
  readonly value: Value;
  /** `positive` for a node's counters, `both` for its stats. */
  readonly slope: Slope;
}

/** All that one host reported at one moment. Immutable. */
export interface Observation {
  /**
   * The node's incarnation, new with each process: the one honest sign that its counters began
   * anew. Empty if the node names none.
   */
  readonly incarnation: string;
  /** 1, 2, 3 … for each host, since this program started; 0 for what was read from a snapshot. */
  readonly sequence: number;
  /** When the figures were measured, in milliseconds since the epoch, on our clock. */
  readonly measuredAt: number;
  /** When they had been received, in milliseconds since the epoch. */
  readonly receivedAt: number;
  readonly metrics: readonly Metric[];
}
