/**
 * The state of a node: the one place where it is decided, and the one rule for whether figures
 * still count. Everything that shows whether a node is well follows from here; what runs in
 * another process and has only the snapshot, such as the Munin plugin, from
 * {@linkcode isPresentAge}.
 *
 * @module
 */

/** The states of a node, from well to forgotten. */
export type NodeState = "attached" | "late" | "silent" | "gone" | "retired";

/**
 * For so many seconds after they came the figures of a node are its present ones; then it is
 * silent. Tahoe-LAFS's Munin plugin has shown figures for so long.
 */
export const SILENT_SECONDS = 300;

/** A state, with the reason for it in words. */
export interface NodeStatus {
  readonly state: NodeState;
  readonly reason: string;
  /** Since when, on the monotonic clock, in milliseconds; `undefined`: not known. */
  readonly since: number | undefined;
  /**
   * Whether its latest figures are taken for the present ones. That outlasts a connection: a node
   * that is gone may be back before anybody misses a figure.
   */
  readonly isPresent: boolean;
}

/** What is known of a node's life; its state follows from these and the time alone. */
export interface NodeLife {
  /** When the node attached, on the monotonic clock; `undefined` while it is not attached. */
  readonly attachedAt: number | undefined;
  /**
   * When its last answer came, on the monotonic clock, also if that was in an earlier life of this
   * program; `undefined`: there is none.
   */
  readonly answeredAt: number | undefined;
  /** Why the last poll failed; `undefined` if it did not. */
  readonly failure: string | undefined;
  /** When polls began to fail, on the monotonic clock; kept when they no longer do. */
  readonly failedAt?: number;
  /** Since when it has answered again, after it was late or silent; left out: it always did. */
  readonly wellSince?: number;
  /** Why the node is not attached. */
  readonly detachReason: string | undefined;
  /** When it ceased to be; left out: not known. */
  readonly detachedAt?: number;
  /** Why an operator took the node out; `undefined` if none did. */
  readonly retireReason: string | undefined;
}

/** The two ages that part the states, in milliseconds. */
export interface StateLimits {
  /** A node without an answer for longer than this is late. */
  readonly lateMs: number;
  /** And from this age on it is silent. */
  readonly silentMs: number;
}

/**
 * The limits for nodes that are polled one by one: late is who has missed a whole poll.
 * @param intervalMs Milliseconds from one poll to the next.
 * @param timeoutMs Milliseconds that an answer may take.
 */
export function pollLimits(intervalMs: number, timeoutMs: number): StateLimits {
  return { lateMs: intervalMs + timeoutMs, silentMs: SILENT_SECONDS * 1000 };
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
  const { attachedAt, answeredAt = -Infinity, failure, retireReason } = life;
  if (retireReason !== undefined) {
    return {
      state: "retired",
      reason: retireReason,
      since: undefined,
      isPresent: false,
    };
  }
  const isPresent = now - answeredAt < limits.silentMs;
  if (attachedAt === undefined) {
    const reason = life.detachReason ?? "not attached";
    return { state: "gone", reason, since: life.detachedAt, isPresent };
  }
  const heard = Math.max(answeredAt, attachedAt);
  const silentAt = heard + limits.silentMs;
  const lateAt = Math.min(heard + limits.lateMs, silentAt);
  if (now <= lateAt && now < silentAt && failure === undefined) {
    const since = life.wellSince ?? attachedAt;
    return { state: "attached", reason: "answers", since, isPresent };
  }
  const reason = failure ??
    `no answer for ${Math.round((now - heard) / 1000)} s`;
  if (now >= silentAt) {
    return { state: "silent", reason, since: silentAt, isPresent };
  }
  const failedAt = failure === undefined ? undefined : life.failedAt;
  const since = now < lateAt ? failedAt : Math.min(failedAt ?? lateAt, lateAt);
  return { state: "late", reason, since, isPresent };
}

/**
 * Whether figures of that age, in seconds, are taken for the present ones by somebody who has
 * nothing but their time: the Munin plugin, `gatherer dump`. A time that is not known is old.
 */
export function isPresentAge(seconds: number): boolean {
  return seconds <= SILENT_SECONDS;
}

/** What becomes of a life when the node attaches. */
export function onAttach(now: number): Partial<NodeLife> {
  return {
    attachedAt: now,
    failure: undefined,
    wellSince: undefined,
    detachReason: undefined,
    detachedAt: undefined,
  };
}

/** What becomes of a life with an answer. */
export function onAnswer(
  life: NodeLife,
  limits: StateLimits,
  now: number,
): Partial<NodeLife> {
  const wasWell = statusOf(life, limits, now).state === "attached";
  return {
    answeredAt: now,
    failure: undefined,
    ...(wasWell ? {} : { wellSince: now }),
  };
}

/** What becomes of a life when a poll fails. */
export function onFailure(
  life: NodeLife,
  reason: string,
  now: number,
): Partial<NodeLife> {
  return {
    failure: reason,
    ...(life.failure === undefined ? { failedAt: now } : {}),
  };
}

/** What becomes of a life when the node is no longer attached. */
export function onDetach(reason: string, now: number): Partial<NodeLife> {
  return { attachedAt: undefined, detachReason: reason, detachedAt: now };
}
