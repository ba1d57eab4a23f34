import type { Logger } from "@logtape/logtape";
import type { Clock, Timer } from "../clock.ts";
import { oneLine } from "../text.ts";

/** How a {@linkcode ClientLog} is set up. */
export interface ClientLogOptions {
  /** What clients are called: `Ganglia client`. */
  readonly who: string;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Milliseconds in which the same is logged of the same address only once. */
  readonly logMs: number;
  /** How many such things are remembered; the rest are taken together. */
  readonly loggedAtOnce: number;
}

/**
 * Warnings about clients. What is said of an address is logged at once, and then, for as long as
 * it goes on, once in a while with how many more there were. Memory is bounded: when too many
 * different ones go on at once, the rest are counted together.
 */
export class ClientLog {
  readonly #options: ClientLogOptions;
  readonly #entries = new Map<string, { more: number; timer: Timer }>();

  constructor(options: ClientLogOptions) {
    this.#options = options;
  }

  /** Says what happened with a client. Texts that differ are different happenings. */
  warn(address: string, what: string): void {
    const { who, loggedAtOnce } = this.#options;
    const text = oneLine(`${who} ${address}: ${what}`);
    const known = this.#entries.has(text) || this.#entries.size < loggedAtOnce;
    const key = known ? text : `other ${who}s: refused or cut off`;
    const entry = this.#entries.get(key);
    if (entry) entry.more++;
    else this.#say(key, 0);
  }

  /** Says what was counted and not said yet, and stops the timers. */
  close(): void {
    for (const [text, { more, timer }] of this.#entries) {
      timer.cancel();
      if (more > 0) this.#write(text, more);
    }
    this.#entries.clear();
  }

  #say(text: string, more: number): void {
    this.#write(text, more);
    const timer = this.#options.clock.setTimer(
      () => {
        const { more } = this.#entries.get(text)!;
        this.#entries.delete(text);
        if (more > 0) this.#say(text, more);
      },
      this.#options.logMs,
      { keepAlive: false },
    );
    this.#entries.set(text, { more: 0, timer });
  }

  #write(text: string, more: number): void {
    const { logger } = this.#options;
    if (more === 0) logger.warn("{text}", { text });
    else logger.warn("{text}, and {more} more", { text, more });
  }
}
