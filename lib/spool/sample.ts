import type { StatGroup } from "../snapshot/scan.ts";
import type { Value } from "../value.ts";

/** A figure of a node, and when it had been received. */
export interface Sample {
  /** Seconds since the epoch, whole milliseconds. */
  readonly time: number;
  /** `null`: the node said that it does not know. */
  readonly value: Value;
  /**
   * The incarnation of the program that said so; counters of another began anew. Left out where it
   * is not known.
   */
  readonly incarnation?: string;
}

/** When a node reported, and which incarnation of it. */
export type ReportMark = Omit<Sample, "value">;

/** Figures of the recent past, of which the snapshot has only the last. */
export interface Earlier {
  /** When each round was whole, in seconds since the epoch, growing. */
  readonly rounds: readonly number[];
  /**
   * One statistic's figures by node (tubid), each node's with growing times. Only what a node
   * reported is there: a node that did not answer in a round has no figure of it.
   */
  series(
    group: StatGroup,
    stat: string,
  ): ReadonlyMap<string, readonly Sample[]>;
  /** When each node (tubid) reported, whatever it was, in seconds since the epoch, growing. */
  reports(): ReadonlyMap<string, readonly number[]>;
  /**
   * The last report of a node (tubid) that is older than all of these, as far as that is known. If
   * the node was restarted just before, the last of before the restart: a statistic that is only
   * seen again after it may have had its last figure then.
   */
  before(key: string): ReportMark | undefined;
  /** The names of all statistics that some node may have had a figure of. */
  names(group: StatGroup): readonly string[];
}

/** Nothing is known of the past. */
export const noEarlier: Earlier = {
  rounds: [],
  series: () => new Map(),
  reports: () => new Map(),
  before: () => undefined,
  names: () => [],
};
