import { type Clock, systemClock } from "../clock.ts";
import type { StatsNumbers, StatsProducer } from "./producer.ts";

/**
 * `node.uptime`: seconds since this was made, which a program does when it starts. A jump of the
 * wall clock does not change it.
 */
export class Uptime implements StatsProducer {
  #clock: Clock;
  #began: number;

  /**
   * Begins to count now.
   * @param options.clock The machine's by default.
   */
  constructor(options: { clock?: Clock } = {}) {
    this.#clock = options.clock ?? systemClock;
    this.#began = this.#clock.monotonic();
  }

  /** The seconds up to now. */
  getStats(): StatsNumbers {
    return { "node.uptime": (this.#clock.monotonic() - this.#began) / 1000 };
  }
}
