import type { Clock, Timer } from "../lib/clock.ts";

/** A clock that stands still until a test moves it. */
export class FakeClock implements Clock {
  #wall: number;
  #elapsed = 0;
  #timers = new Set<{ at: number; order: number; fn: () => void }>();
  #order = 0;

  /** @param wall Milliseconds since the epoch at which the clock starts. */
  constructor(wall = 1_700_000_000_000) {
    this.#wall = wall;
  }

  now(): number {
    return this.#wall;
  }

  monotonic(): number {
    return this.#elapsed;
  }

  /** How many timers are set. */
  get pending(): number {
    return this.#timers.size;
  }

  setTimer(fn: () => void, ms: number): Timer {
    const timer = {
      at: this.#elapsed + Math.max(0, ms),
      order: this.#order++,
      fn,
    };
    this.#timers.add(timer);
    return { cancel: () => void this.#timers.delete(timer) };
  }

  /** Moves on by `ms`, firing what falls due in order and letting promises settle in between. */
  async advance(ms: number): Promise<void> {
    const end = this.#elapsed + ms;
    await settle();
    while (true) {
      const due = [...this.#timers].filter((timer) => timer.at <= end)
        .sort((a, b) => a.at - b.at || a.order - b.order)[0];
      if (!due) break;
      this.#timers.delete(due);
      this.#move(due.at);
      due.fn();
      await settle();
    }
    this.#move(end);
  }

  /** Makes the wall clock jump, as an administrator or NTP does; durations are not touched. */
  jump(ms: number): void {
    this.#wall += ms;
  }

  #move(elapsed: number) {
    this.#wall += elapsed - this.#elapsed;
    this.#elapsed = elapsed;
  }
}

/** Lets every promise reaction that is already due run. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}
