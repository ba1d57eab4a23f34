import type { Logger } from "@logtape/logtape";
import type { Clock, Timer } from "../clock.ts";

/** How long nothing must have failed, in milliseconds, before all is well again. */
const QUIET_MS = 10_000;

/**
 * What is logged of a port on which no connection can be taken, as when the process has too many
 * files open: one line when it begins and one when it is over, however often it is tried.
 */
export class AcceptLog {
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #what: string;
  #failing = false;
  /** Whether a connection has been taken since the last failure. */
  #taken = false;
  #timer: Timer | undefined;

  /** @param what What cannot be taken: `connections of nodes`. */
  constructor(logger: Logger, clock: Clock, what: string) {
    this.#logger = logger;
    this.#clock = clock;
    this.#what = what;
  }

  /** Whether none can be taken at present. */
  get isFailing(): boolean {
    return this.#failing;
  }

  /** Says that one could not be taken. */
  failed(reason: string): void {
    this.#taken = false;
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#failing) return;
    this.#failing = true;
    this.#logger.error(
      "cannot take {what}: {reason}; those that are there go on",
      { what: this.#what, reason },
    );
  }

  /** Says that one has been taken. */
  took(): void {
    if (!this.#failing || this.#taken) return;
    this.#taken = true;
    // The next one may fail again: at the limit every end of a connection makes room for one.
    this.#timer = this.#clock.setTimer(
      () => {
        this.#failing = false;
        this.#logger.info("takes {what} again", { what: this.#what });
      },
      QUIET_MS,
      { keepAlive: false },
    );
  }

  /** Stops its timer. */
  close(): void {
    this.#timer?.cancel();
  }
}
