import { getLogger } from "@logtape/logtape";
import { messageOf } from "../errors.ts";
import { oneLine } from "../text.ts";
import type { Notice } from "./notice.ts";

const logger = getLogger(["gatherer", "alert"]);

/** Notices that wait for one action. */
const MOST_WAITING = 100;
const MOST_REASON = 300;

/** Something that is done with a notice. */
export interface Action {
  /** As rules name it. */
  readonly name: string;
  /**
   * @param signal Aborts when it must end now.
   * @throws Whatever went wrong; its message goes into the log.
   */
  deliver(notice: Notice, signal: AbortSignal): Promise<void> | void;
}

/**
 * Has one action deal with notices, one after another and in order, so that nobody hears that
 * something is over before it has begun. When too many wait, the oldest are lost, and that is said.
 */
export class Outbox {
  readonly #action: Action;
  readonly #ending = new AbortController();
  #waiting: Notice[] = [];
  #lost = 0;
  #failing = false;
  #running: Promise<void> | undefined;

  constructor(action: Action) {
    this.#action = action;
  }

  /** Takes a notice. */
  put(notice: Notice): void {
    if (this.#ending.signal.aborted) return;
    this.#waiting.push(notice);
    if (this.#waiting.length > MOST_WAITING) {
      this.#waiting.shift();
      this.#lost++;
    }
    this.#running ??= this.#run();
  }

  /** Waits until nothing waits any more. */
  async idle(): Promise<void> {
    await this.#running;
  }

  /** Gives up what is under way and what waits. */
  async abort(): Promise<void> {
    const lost = this.#waiting.length + this.#lost;
    this.#waiting = [];
    this.#lost = 0;
    if (this.#running) {
      logger.warn(
        "{action} was not done with its notices in time: one is given up, and {lost} that waited",
        { action: this.#action.name, lost },
      );
    }
    this.#ending.abort(new Error("the gatherer stops"));
    await this.#running;
  }

  async #run(): Promise<void> {
    for (let notice; (notice = this.#waiting.shift());) {
      const { name } = this.#action;
      try {
        await this.#action.deliver(notice, this.#ending.signal);
        if (this.#failing) {
          logger.info("{action} works again", { action: name });
        }
        this.#failing = false;
      } catch (error) {
        if (this.#ending.signal.aborted) break;
        if (!this.#failing) {
          logger.error("{action} failed: {reason}", {
            action: name,
            reason: oneLine(messageOf(error), MOST_REASON),
          });
        }
        this.#failing = true;
      }
      if (this.#lost > 0) {
        logger.error("{action} is too slow: {count} notices are lost", {
          action: name,
          count: this.#lost,
        });
        this.#lost = 0;
      }
    }
    // At once: who puts next must not take this for still going on.
    this.#running = undefined;
  }
}
