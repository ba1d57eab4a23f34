import type { Observation } from "./metric.ts";
import type { NodeLife } from "./state.ts";

export type { NodeLife, NodeState } from "./state.ts";

/** One node: who it is, its latest figures, and what is known of its life. */
export interface Host {
  /** The node's key, unique in the whole grid: its tubid, or `CLUSTER/NAME` where it has none. */
  readonly key: string;
  /** What the node calls itself; any text, not unique. */
  readonly nickname: string;
  /** The latest figures; `undefined` before the first. Kept when the node is gone. */
  readonly observation: Observation | undefined;
  readonly life: NodeLife;
  /** What else its source says of it; left out by sources that say nothing. */
  readonly detail?: HostDetail;
}

/** What Ganglia says of a host. */
export interface HostDetail {
  readonly ip: string;
  /** When the host was heard of last, in seconds since the epoch, on its cluster's clock. */
  readonly reported: number;
  /** How long ago that was when this was received, in seconds. */
  readonly tn: number;
  /** Seconds within which it is to be heard of again. */
  readonly tmax: number;
  /** Seconds after which it is to be forgotten; 0: never. */
  readonly dmax: number;
  readonly location: string;
  /** When its gmond was started, in seconds since the epoch. */
  readonly gmondStarted: number;
  readonly tags: string;
}
