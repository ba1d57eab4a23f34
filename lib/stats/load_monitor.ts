import { type Clock, systemClock, type Timer } from "../clock.ts";
import type { StatsNumbers, StatsProducer } from "./producer.ts";

const INTERVAL_MS = 1000;
const SAMPLES = 60;

/**
 * How late the event loop runs: each second a timer is set, and how much later than due it fires
 * is one sample. The last 60 make the statistics, in seconds:
 * - `load_monitor.avg_load`, their mean;
 * - `load_monitor.max_load`, the greatest of them.
 *
 * Both are absent until the first sample, after one second: not known is not nought. Names and
 * figures are those of Tahoe-LAFS. Its timer does not keep the process running.
 */
export class LoadMonitor implements StatsProducer, Disposable {
  #clock: Clock;
  #timer?: Timer;
  #samples: number[] = [];

  /**
   * A monitor that does nothing until it is started.
   * @param options.clock The machine's by default.
   */
  constructor(options: { clock?: Clock } = {}) {
    this.#clock = options.clock ?? systemClock;
  }

  /** Begins to sample; changes nothing while it runs. */
  start(): void {
    if (!this.#timer) this.#setTimer();
  }

  /** Ends sampling and forgets the samples; {@linkcode start} begins anew. */
  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#samples = [];
  }

  /** The same as {@linkcode stop}, for `using`. */
  [Symbol.dispose](): void {
    this.stop();
  }

  /** Mean and greatest delay, in seconds, or nothing before the first sample. */
  getStats(): StatsNumbers {
    if (this.#samples.length === 0) return {};
    const sum = this.#samples.reduce((sum, delay) => sum + delay, 0);
    return {
      "load_monitor.avg_load": sum / this.#samples.length,
      "load_monitor.max_load": Math.max(...this.#samples),
    };
  }

  #setTimer(): void {
    const due = this.#clock.monotonic() + INTERVAL_MS;
    this.#timer = this.#clock.setTimer(
      () => {
        // A timer may be a fraction of a millisecond early.
        const delay = Math.max(0, this.#clock.monotonic() - due) / 1000;
        if (this.#samples.push(delay) > SAMPLES) this.#samples.shift();
        this.#setTimer();
      },
      INTERVAL_MS,
      { keepAlive: false },
    );
  }
}
