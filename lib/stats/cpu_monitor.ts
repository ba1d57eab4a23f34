import process from "node:process";
import { type Clock, systemClock, type Timer } from "../clock.ts";
import type { StatsNumbers, StatsProducer } from "./producer.ts";

const INTERVAL_MS = 60_000;
const AVERAGES = [1, 5, 15];
/** As many minutes as the longest average needs, and the moment at which they begin. */
const SAMPLES = 15 + 1;

/**
 * How much CPU time the process takes, user and system together:
 * - `cpu_monitor.total`, seconds since the monitor was made;
 * - `cpu_monitor.1min_avg`, `5min_avg` and `15min_avg`, CPU seconds a second between the newest
 *   sample and that of 1, 5 or 15 minutes before it: 1 is one core fully busy.
 *
 * A sample is taken at the start and then each minute; an average is absent until there are enough.
 * Names and figures are those of Tahoe-LAFS. Its timer does not keep the process running.
 */
export class CpuMonitor implements StatsProducer, Disposable {
  #clock: Clock;
  #cpuSeconds: () => number;
  #initial: number;
  #timer?: Timer;
  /** Oldest first. */
  #samples: { at: number; cpu: number }[] = [];

  /**
   * A monitor whose `total` begins at 0 now, and which samples once it is started.
   * @param options.clock The machine's by default.
   * @param options.cpuSeconds CPU seconds that the process has taken so far; by default what the
   *   system says of this process, for which no permission is needed.
   */
  constructor(options: { clock?: Clock; cpuSeconds?: () => number } = {}) {
    this.#clock = options.clock ?? systemClock;
    this.#cpuSeconds = options.cpuSeconds ?? processCpuSeconds;
    this.#initial = this.#cpuSeconds();
  }

  /** Begins to sample; changes nothing while it runs. */
  start(): void {
    if (!this.#timer) this.#sample();
  }

  /** Ends sampling and forgets the samples; `total` goes on. {@linkcode start} begins anew. */
  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#samples = [];
  }

  /** The same as {@linkcode stop}, for `using`. */
  [Symbol.dispose](): void {
    this.stop();
  }

  /** The averages for which there are samples enough, and the total. */
  getStats(): StatsNumbers {
    const stats: StatsNumbers = {};
    const newest = this.#samples.at(-1);
    for (const minutes of AVERAGES) {
      const before = this.#samples.at(-1 - minutes);
      if (!newest || !before) continue;
      stats[`cpu_monitor.${minutes}min_avg`] = (newest.cpu - before.cpu) /
        ((newest.at - before.at) / 1000);
    }
    stats["cpu_monitor.total"] = this.#cpuSeconds() - this.#initial;
    return stats;
  }

  #sample(): void {
    try {
      const sample = { at: this.#clock.monotonic(), cpu: this.#cpuSeconds() };
      if (this.#samples.push(sample) > SAMPLES) this.#samples.shift();
    } catch {
      // getStats() meets the same error and reports it. A gap would stretch the averages.
      this.#samples = [];
    }
    this.#timer = this.#clock.setTimer(() => this.#sample(), INTERVAL_MS, {
      keepAlive: false,
    });
  }
}

function processCpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}
