import type { Observation } from "./metric.ts";

/** The states of a node, from well to forgotten. */
export type NodeState = "attached" | "late" | "silent" | "gone" | "retired";

/** A state, with the reason for it in words. */
export interface NodeStatus {
  readonly state: NodeState;
  readonly reason: string;
}

/** What is known of a node's life; its state follows from these and the time alone. */
export interface NodeLife {
  /** When the node attached, on the monotonic clock; `undefined` while it is not attached. */
  readonly attachedAt: number | undefined;
  /** When its last answer came, on the monotonic clock; `undefined`: none in this program's life. */
  readonly answeredAt: number | undefined;
  /** Why the last poll failed; `undefined` if it did not. */
  readonly failure: string | undefined;
  /** Why the node is not attached. */
  readonly detachReason: string | undefined;
  /** Why an operator took the node out; `undefined` if none did. */
  readonly retireReason: string | undefined;
}

/** The two ages that part the states, in milliseconds. */
export interface StateLimits {
  /** A node without an answer for longer than this is late: one interval and the poll's time-out. */
  readonly lateMs: number;
  /** And for longer than this it is silent: Munin's 300 s. */
  readonly silentMs: number;
}

/**
 * The one place where a node's state is decided. Pure: the facts, the limits and the time.
 * @param now The monotonic clock's milliseconds.
 */
export function statusOf(
  life: NodeLife,
  limits: StateLimits,
  now: number,
): NodeStatus {
  if (life.retireReason !== undefined) {
    return { state: "retired", reason: life.retireReason };
  }
  if (life.attachedAt === undefined) {
    return { state: "gone", reason: life.detachReason ?? "not attached" };
  }
  const heard = Math.max(life.answeredAt ?? life.attachedAt, life.attachedAt);
  const age = now - heard;
  if (age <= limits.lateMs && life.failure === undefined) {
    return { state: "attached", reason: "answers" };
  }
  const reason = life.failure ?? `no answer for ${Math.round(age / 1000)} s`;
  return { state: age > limits.silentMs ? "silent" : "late", reason };
}

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
