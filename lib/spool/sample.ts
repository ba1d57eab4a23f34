import type { StatGroup } from "../snapshot/scan.ts";
import type { Value } from "../value.ts";

/** A figure of a node, and when it had been received. */
export interface Sample {
  /** Seconds since the epoch, whole milliseconds. */
  readonly time: number;
  /** `null`: the node said that it does not know. */
  readonly value: Value;
}

/** Figures of the recent past, of which the snapshot has only the last. */
export interface Earlier {
  /**
   * One statistic's figures by node (tubid), each node's with growing times. Only what a node
   * reported is there: a node that did not answer in a round has no figure of it.
   */
  series(
    group: StatGroup,
    stat: string,
  ): ReadonlyMap<string, readonly Sample[]>;
}

/** Nothing is known of the past. */
export const noEarlier: Earlier = { series: () => new Map() };
