import type { Condition, Facts } from "./evaluate.ts";

/** When an alert is raised and cleared. */
export interface Criteria {
  readonly raise: Condition;
  /** Left out: it is cleared when `raise` no longer holds. */
  readonly clear?: Condition;
  /** Milliseconds for which `raise` must hold. */
  readonly forMs: number;
  /** Milliseconds after which it is said again; 0: never. */
  readonly repeatMs: number;
}

/** How one thing that a rule watches is. Times are on the monotonic clock, in milliseconds. */
export type AlertState =
  | { readonly phase: "quiet" }
  /** `raise` holds, but not for long enough. */
  | { readonly phase: "pending"; readonly since: number }
  | {
    readonly phase: "raised";
    /** When `raise` began to hold. */
    readonly since: number;
    /** When it was said last. */
    readonly toldAt: number;
    /** Since when the thing has been gone; `undefined`: it is there. */
    readonly goneSince?: number;
  };

/** What is to be said of one thing. `gone`: it is cleared, because it is no longer reported. */
export type AlertEvent = "raise" | "repeat" | "clear" | "gone";

export const QUIET: AlertState = { phase: "quiet" };

/** After so many milliseconds without it, a thing is taken to be gone for good. */
export const GONE_MS = 600_000;

/**
 * Decides what becomes of an alert. Pure.
 *
 * It is raised once when `raise` has held at every look for `forMs`, and cleared once: when `clear`
 * holds and `raise` does not. What is not known neither raises nor clears, and ends the time for which
 * `raise` has held.
 *
 * @param facts What the conditions are about; `undefined`: the thing was not reported.
 * @param now The monotonic clock's milliseconds.
 */
export function decide(
  rule: Criteria,
  facts: Facts | undefined,
  state: AlertState,
  now: number,
): { readonly state: AlertState; readonly events: readonly AlertEvent[] } {
  const raise = facts && rule.raise.holds(facts);
  if (state.phase !== "raised") {
    if (!raise) return { state: QUIET, events: [] };
    const since = state.phase === "pending" ? state.since : now;
    return now - since < rule.forMs
      ? { state: { phase: "pending", since }, events: [] }
      : { state: { phase: "raised", since, toldAt: now }, events: ["raise"] };
  }
  if (!facts) {
    const goneSince = state.goneSince ?? now;
    return now - goneSince < GONE_MS
      ? { state: { ...state, goneSince }, events: [] }
      : { state: QUIET, events: ["gone"] };
  }
  const isClear = rule.clear
    ? !raise && rule.clear.holds(facts) === true
    : raise === false;
  if (isClear) return { state: QUIET, events: ["clear"] };
  const { since, toldAt } = state;
  return rule.repeatMs > 0 && now - toldAt >= rule.repeatMs
    ? { state: { phase: "raised", since, toldAt: now }, events: ["repeat"] }
    : { state: { phase: "raised", since, toldAt }, events: [] };
}
