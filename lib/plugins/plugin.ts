import type { ChildGrid, Cluster } from "../tree/tree.ts";

/**
 * A listener to all that is gathered. Those of others, which are files in a directory, have an
 * interface of their own, `author.ts`, and together they are one of these.
 */
export interface Plugin {
  /** Its name in logs and configuration. */
  readonly id: string;
  /**
   * What it has done: numbers, or groups of numbers. In the gatherer's own statistics they are
   * counters, `gatherer.ID_NAME`, with `_` for dashes.
   */
  readonly counts?: object;
  /** What is not well with it although it works, in words that name it. */
  readonly troubles?: readonly string[];
  /** Where others reach it, as `HOST:PORT`, by what it is to them. */
  readonly addresses?: Readonly<Record<string, string | undefined>>;
  /** Whether it wants a cluster's summary with it: to make them costs time. */
  readonly wantsSummary?: boolean;
  /** Called once before the first `notify`; what it throws keeps the gatherer from starting. */
  start?(): void | Promise<void>;
  /**
   * A transaction on a cluster is whole. The cluster is a moment that does not change; calls do
   * not overlap, and while one is under way only the newest moment of each cluster is kept.
   */
  notify(cluster: Cluster): void | Promise<void>;
  /** Something new is known of a grid below ours. In all else as `notify`. */
  notifyGrid?(grid: ChildGrid): void | Promise<void>;
  /** A grid below ours is no longer there. In all else as `notify`. */
  forgetGrid?(name: string): void | Promise<void>;
  /**
   * The gatherer begins to stop and nothing more will come, but what this plugin was told it may
   * still be dealing with: one that waits for others no longer does so at leisure. Must not throw.
   */
  stopping?(): void;
  /** Called once, after the last `notify` has ended. */
  stop?(): void | Promise<void>;
}
