import { getLogger } from "@logtape/logtape";
import type { Clock } from "../clock.ts";
import { oneLine } from "../text.ts";
import { heartbeat } from "./shape.ts";

const logger = getLogger(["gatherer", "rrd"]);

/** What tells the time of a cluster or a grid. */
export interface TimedSource {
  /** What it is, for the log too; unique. */
  readonly id: string;
  /** Its own clock when it was asked, in seconds since the epoch; it may tell none. */
  readonly localtime: number | undefined;
  readonly step: number;
  /** Whether a clock that is off is worth a line in the log (default true). */
  readonly complain?: boolean;
}

/**
 * The times that values of clusters and grids are stored under: those of the sources' own clocks,
 * as in gmetad, unless one is so far off that its values could not be told from older ones.
 */
export class SourceClock {
  readonly #clock: Clock;
  readonly #last = new Map<string, number>();
  readonly #isOff = new Set<string>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Our own time, in seconds since the epoch. */
  now(): number {
    return Math.floor(this.#clock.now() / 1000);
  }

  /**
   * The time of a source's newest figures, in seconds since the epoch.
   * @returns `undefined` when it has been told for this moment already.
   */
  tell({ id, localtime, step, complain }: TimedSource): number | undefined {
    const now = this.now();
    let time = now;
    if (localtime !== undefined && localtime > 0) {
      const off = Math.abs(localtime - now);
      const isOff = off > heartbeat(step);
      if (!isOff) time = Math.floor(localtime);
      if (complain ?? true) this.#note(id, isOff, off);
    }
    if (this.#last.get(id) === time) return undefined;
    this.#last.set(id, time);
    return time;
  }

  /** A source is there no more. */
  forget(id: string): void {
    this.#last.delete(id);
    this.#isOff.delete(id);
  }

  #note(id: string, isOff: boolean, seconds: number): void {
    if (this.#isOff.has(id) === isOff) return;
    const details = { id: oneLine(id, 100), seconds: Math.round(seconds) };
    if (isOff) {
      this.#isOff.add(id);
      logger.warn(
        "the clock of {id} is off by {seconds} s: its figures are stored under our own time",
        details,
      );
    } else {
      this.#isOff.delete(id);
      logger.info("the clock of {id} is right again", details);
    }
  }
}
