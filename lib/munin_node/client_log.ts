import { getLogger } from "@logtape/logtape";
import type { Clock, Timer } from "../clock.ts";
import { oneLine } from "../text.ts";
import type { Limits } from "./limits.ts";

const logger = getLogger(["gatherer", "munin-node"]);

/** Stands for every text that comes when too many others are remembered. */
const OTHERS = "other Munin clients: refused or cut off";

/**
 * Warnings about clients. What is said of an address is logged at once, and then, for as long as
 * it goes on, once a minute with how many more there were. Memory is bounded: when too many
 * different ones go on at once, the rest are counted together.
 */
export class ClientLog {
  readonly #clock: Clock;
  readonly #limits: Limits;
  readonly #entries = new Map<string, { more: number; timer: Timer }>();

  constructor(clock: Clock, limits: Limits) {
    this.#clock = clock;
    this.#limits = limits;
  }

  /** Says what happened with a client. Texts that differ are different happenings. */
  warn(address: string, what: string): void {
    const text = oneLine(`Munin client ${address}: ${what}`);
    const known = this.#entries.has(text) ||
      this.#entries.size < this.#limits.loggedAtOnce;
    const key = known ? text : OTHERS;
    const entry = this.#entries.get(key);
    if (entry) entry.more++;
    else this.#say(key, 0);
  }

  /** Says what was counted and not said yet, and stops the timers. */
  close(): void {
    for (const [text, { more, timer }] of this.#entries) {
      timer.cancel();
      if (more > 0) write(text, more);
    }
    this.#entries.clear();
  }

  #say(text: string, more: number): void {
    write(text, more);
    const timer = this.#clock.setTimer(
      () => {
        const { more } = this.#entries.get(text)!;
        this.#entries.delete(text);
        if (more > 0) this.#say(text, more);
      },
      this.#limits.logMs,
      { keepAlive: false },
    );
    this.#entries.set(text, { more: 0, timer });
  }
}

function write(text: string, more: number): void {
  if (more === 0) logger.warn("{text}", { text });
  else logger.warn("{text}, and {more} more", { text, more });
}
