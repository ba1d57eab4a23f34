import { getLogger } from "@logtape/logtape";
import type { Clock, Timer } from "../clock.ts";
import { oneLine } from "../text.ts";

const logger = getLogger(["gatherer", "rrd"]);

/** How long failures are gathered for one line, in milliseconds. */
const GATHER_MS = 5000;
/** Files that are known to fail; beyond that they are counted only. */
const MAX_KNOWN = 10_000;
/** Lines at a time. */
const MAX_LINES = 10;

/**
 * Says which RRDs cannot be written: each once, until it could be written again, and those that
 * fail for the same reason together in one line.
 */
export class FailureLog {
  readonly #clock: Clock;
  readonly #known = new Set<string>();
  readonly #gathered = new Map<
    string,
    { path: string; reason: string; more: number }
  >();
  #isFull = false;
  #unnamed = 0;
  #timer: Timer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Something could not be written. */
  failed(path: string, reason: string): void {
    if (this.#known.has(path)) return;
    if (this.#known.size >= MAX_KNOWN) {
      if (!this.#isFull) {
        logger.warn(
          "more than {count} RRDs cannot be written; further ones are only counted",
          { count: MAX_KNOWN },
        );
      }
      this.#isFull = true;
      return;
    }
    this.#known.add(path);
    // Reasons differ in times and values where they do not differ.
    const key = reason.replaceAll(/\d+/g, "0");
    const alike = this.#gathered.get(key);
    if (alike) alike.more++;
    else if (this.#gathered.size < MAX_LINES) {
      this.#gathered.set(key, { path, reason, more: 0 });
    } else this.#unnamed++;
    this.#timer ??= this.#clock.setTimer(() => this.flush(), GATHER_MS, {
      keepAlive: false,
    });
  }

  /** Something has been written. */
  worked(path: string): void {
    if (!this.#known.delete(path) || this.#known.size > 0) return;
    this.#isFull = false;
    this.flush();
    logger.info("all RRDs can be written again");
  }

  /** Says what has been gathered. */
  flush(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    for (const { path, reason, more } of this.#gathered.values()) {
      logger.warn("cannot write {path}: {reason}{more}", {
        path: oneLine(path, 500),
        reason: oneLine(reason, 500),
        more: more > 0 ? `; and ${more} like it` : "",
      });
    }
    if (this.#unnamed > 0) {
      logger.warn("cannot write {count} RRDs more, for other reasons", {
        count: this.#unnamed,
      });
    }
    this.#gathered.clear();
    this.#unnamed = 0;
  }
}
