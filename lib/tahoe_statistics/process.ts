/**
 * Whether a node was restarted between two of its answers. A page names no incarnation, so this is
 * what its figures show.
 *
 * @module
 */
import type { Value } from "../value.ts";

/** Seconds that the program has run. */
const UPTIME = "node.uptime";
/** Seconds of CPU time that the program has taken; it never falls. */
const CPU = "cpu_monitor.total";
/** How far two clocks may drift apart between two answers, in milliseconds. */
const TOLERANCE_MS = 1000;

/** A moment on one clock or on both, in milliseconds. */
export interface Moment {
  /** Since the epoch. */
  readonly now: number;
  /** Since an arbitrary moment; left out: of an earlier life of this program. */
  readonly monotonic?: number;
}

/** An answer of a node: its figures, and when they were asked for and had been received. */
export interface Sighting {
  readonly counters: ReadonlyMap<string, Value>;
  readonly stats: ReadonlyMap<string, Value>;
  readonly asked: Moment;
  readonly received: Moment;
}

/**
 * Whether another process than before has answered. Any of these shows it:
 *
 * - It began after the answer before: its `node.uptime` is no longer than the time since, and shorter
 *   than that of the process before would be now. (That it is shorter alone does not: the node
 *   measures it with its wall clock, which may be set back.)
 * - A counter, or the CPU time that it has taken, has fallen.
 *
 * A counter that has overtaken its former value is no sign of anything.
 */
export function isOtherProcess(before: Sighting, after: Sighting): boolean {
  return beganSince(before, after) ||
    hasFallen(before.stats.get(CPU), after.stats.get(CPU)) ||
    [...before.counters].some(([name, value]) =>
      hasFallen(value, after.counters.get(name))
    );
}

/** The uptime that figures tell, in milliseconds; `undefined`: none, or none that can be. */
export function uptimeOf(
  { stats }: Pick<Sighting, "stats">,
): number | undefined {
  const uptime = Number(stats.get(UPTIME) ?? NaN) * 1000;
  return uptime >= 0 && uptime < Infinity ? uptime : undefined;
}

function beganSince(before: Sighting, after: Sighting): boolean {
  const earlier = uptimeOf(before);
  const uptime = uptimeOf(after);
  if (earlier === undefined || uptime === undefined) return false;
  // A clock may have jumped, and a machine's sleep is not counted by the other one.
  const longest = Math.max(...between(before.asked, after.received));
  const shortest = Math.min(...between(before.received, after.asked));
  return uptime <= longest + TOLERANCE_MS &&
    uptime < earlier + shortest - TOLERANCE_MS;
}

/** The time from one moment to another by each clock that has both. */
function between(from: Moment, to: Moment): number[] {
  const times = [to.now - from.now];
  if (from.monotonic !== undefined && to.monotonic !== undefined) {
    times.push(to.monotonic - from.monotonic);
  }
  return times;
}

function hasFallen(before: Value | undefined, after: Value | undefined) {
  return before !== undefined && before !== null && after !== undefined &&
    after !== null && after < before;
}
