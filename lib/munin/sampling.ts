/**
 * Which of the figures that are known Munin is handed, and how they are written.
 *
 * @module
 */
import type { SnapshotNode } from "../snapshot/codec.ts";
import type { Portion } from "../spool/portion.ts";
import {
  type Earlier,
  noEarlier,
  type ReportMark,
  type Sample,
} from "../spool/sample.ts";
import { isRestart } from "../tree/incarnation.ts";
import { isPresentAge, SILENT_SECONDS } from "../tree/state.ts";
import type { Value } from "../value.ts";

/**
 * How far back figures are handed on with their own time, in seconds: two of Munin's intervals, so
 * that one fetch that comes late, or not at all, loses nothing. What Munin has already, it skips.
 */
export const window = 600;

/**
 * How far before the past that is needed it is to be known whether a node was restarted, in
 * seconds: for RRD's heartbeat, which in Munin is two intervals. What is farther apart it does not
 * connect.
 */
export const heartbeat = 600;

/**
 * From which time on the past is needed to hand on the figures of the {@linkcode window}: at its
 * beginning, those count that were present then.
 *
 * @param now Seconds since the epoch.
 */
export function pastFrom(now: number): number {
  return Math.floor(now - window - SILENT_SECONDS);
}

/** One way of handing figures on. */
export interface Sampling {
  /** The present, in seconds since the epoch. */
  readonly now: number;
  /** What is known of the past. */
  readonly earlier: Earlier;
  /** Whether the figures of the present are handed on. */
  readonly present: boolean;
  /** The time for what is told of the present only; `undefined`: it is not told. */
  readonly moment: number | undefined;
  /**
   * The times at which all nodes together are told of, in seconds since the epoch, growing.
   * @param newest When a node was heard from last.
   */
  rounds(newest: number): readonly number[];
  /** Whether a figure of that time is handed on. */
  takes(time: number): boolean;
  /** What stands after `.value`. */
  write(time: number, text: string): string;
}

/** As the original plugin did: the present figures, without their time. */
export function plainly(now: number): Sampling {
  return {
    now,
    earlier: noEarlier,
    present: true,
    moment: now,
    rounds: () => [now],
    takes: (time) => isPresentAge(now - time),
    write: (_time, text) => text,
  };
}

/** All figures of the last while, each with its time. */
export function dated(now: number, earlier: Earlier = noEarlier): Sampling {
  const takes = (time: number) => now - time <= window;
  return {
    now,
    earlier,
    present: true,
    moment: now,
    rounds: (newest) => {
      const rounds = earlier.rounds.filter(takes);
      const last = rounds.at(-1) ?? -Infinity;
      return newest > last && takes(newest) ? [...rounds, newest] : rounds;
    },
    takes,
    write: writeDated,
  };
}

/**
 * A portion of the past: all of it, and nothing else. With a present figure Munin would ask only
 * for what comes after that, and what lies between would be lost.
 */
export function inPortion(now: number, portion: Portion): Sampling {
  const { rounds } = portion;
  const last = rounds.at(-1);
  return {
    now,
    earlier: portion,
    present: false,
    moment: portion.complete && last !== undefined
      ? Math.min(last, now)
      : undefined,
    rounds: () => rounds,
    takes: () => true,
    write: writeDated,
  };
}

function writeDated(time: number, text: string): string {
  return `${Math.floor(time)}:${text}`;
}

/** A figure that is handed on. */
export interface PickedSample {
  /** Seconds since the epoch. */
  readonly time: number;
  readonly value: Value;
  /**
   * When the node was last heard from before it was restarted, if that was between this figure and
   * the one before; in seconds since the epoch.
   */
  readonly restartAfter?: number;
}

/**
 * All figures that are handed on of one statistic of one node, with growing times in different
 * seconds.
 *
 * @param before The node's last report before all these.
 */
export function pick(
  { now, present, takes }: Sampling,
  latest: Sample | undefined,
  earlier: readonly Sample[] | undefined,
  before?: ReportMark,
): readonly PickedSample[] {
  const samples: PickedSample[] = [];
  let last = -Infinity;
  let mark = before;
  let restartAfter: number | undefined;
  const take = (sample: Sample) => {
    if (mark && isRestart(mark.incarnation, sample.incarnation)) {
      restartAfter ??= Math.min(mark.time, now);
    }
    if (sample.incarnation || !mark?.incarnation) mark = sample;
    if (!takes(sample.time)) {
      restartAfter = undefined;
      return;
    }
    // A clock that was ahead for a while must not stop a series until its time has come.
    const time = Math.min(sample.time, now);
    const second = Math.floor(time);
    if (second < last) return;
    if (second === last) {
      restartAfter = samples.pop()!.restartAfter ?? restartAfter;
    }
    const { value } = sample;
    samples.push(
      restartAfter === undefined
        ? { time, value }
        : { time, value, restartAfter },
    );
    restartAfter = undefined;
    last = second;
  };
  earlier?.forEach(take);
  if (latest && present) take(latest);
  return samples;
}

/** When a node was heard from last, in seconds since the epoch; `-Infinity` without any. */
export function newestOf(nodes: readonly SnapshotNode[]): number {
  let newest = -Infinity;
  for (const { timestamp } of nodes) {
    if (timestamp > newest) newest = timestamp;
  }
  return newest;
}
