import type { Clock, Timer } from "../clock.ts";

/** How a {@linkcode Rhythm} is set up. */
export interface RhythmOptions {
  readonly clock: Clock;
  /** Milliseconds from one poll to the next. */
  readonly intervalMs: number;
  /** One poll; it is not to reject. */
  readonly poll: () => Promise<void>;
  /** From 0 to 1, for the spread of polls. */
  readonly random?: () => number;
}

/** The most that a poll is early or late, in milliseconds. */
const JITTER_MS = 5000;
/** Within how many milliseconds of the start the first poll comes: not all sources at once. */
const FIRST_MS = 1000;

/**
 * Has a source polled in its rhythm, a little early or late: many sources are no herd. One poll is
 * under way at a time.
 */
export class Rhythm {
  readonly #options: RhythmOptions;
  readonly #random: () => number;
  /** When the next poll is due but for the jitter, on the monotonic clock. */
  #due = 0;
  #timer: Timer | undefined;
  #polling: Promise<void> | undefined;
  #first: PromiseWithResolvers<void> | undefined;
  #isStopped = false;

  constructor(options: RhythmOptions) {
    this.#options = options;
    this.#random = options.random ?? Math.random;
  }

  /** Whether it was started. */
  get isStarted(): boolean {
    return this.#first !== undefined;
  }

  /** Starts polling, once; resolves when the first poll is over. */
  start(): Promise<void> {
    if (this.#first) return this.#first.promise;
    this.#first = Promise.withResolvers();
    this.#due = this.#options.clock.monotonic();
    this.#schedule(this.#random() * Math.min(FIRST_MS, this.#jitterMs));
    return this.#first.promise;
  }

  /** Ends polling; resolves when the poll under way is over, which is the caller's to hasten. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.cancel();
    await this.#polling;
    this.#first?.resolve();
  }

  get #jitterMs(): number {
    return Math.min(JITTER_MS, this.#options.intervalMs / 3);
  }

  #schedule(wait: number): void {
    this.#timer = this.#options.clock.setTimer(() => {
      this.#polling = this.#options.poll().finally(() => {
        this.#polling = undefined;
        this.#first!.resolve();
        if (!this.#isStopped) this.#scheduleNext();
      });
    }, wait);
  }

  #scheduleNext(): void {
    const { clock, intervalMs } = this.#options;
    const now = clock.monotonic();
    const jitter = (2 * this.#random() - 1) * this.#jitterMs;
    // The rhythm stays whatever the polls take and the jitter adds: no drift, no catching up.
    this.#due += intervalMs;
    const late = now - this.#due - jitter;
    if (late > 0) this.#due += Math.ceil(late / intervalMs) * intervalMs;
    this.#schedule(Math.max(0, this.#due + jitter - now));
  }
}
