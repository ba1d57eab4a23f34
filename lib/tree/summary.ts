import type { MetricDetail, Slope } from "./metric.ts";

/** What the hosts of a cluster, or the clusters of a grid, are together. */
export interface Summary {
  /** Hosts that are up. */
  readonly up: number;
  /** Hosts that are down. */
  readonly down: number;
  /** By name, in order of appearance. */
  readonly metrics: ReadonlyMap<string, SummaryMetric>;
}

/** One numeric metric of many hosts. */
export interface SummaryMetric {
  readonly sum: number;
  /** How many hosts have it. */
  readonly num: number;
  readonly slope: Slope;
  /** Of the first host that has it; left out where its source says nothing. */
  readonly detail?: MetricDetail;
}
