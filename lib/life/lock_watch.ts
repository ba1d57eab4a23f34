import { getLogger } from "@logtape/logtape";
import { messageOf } from "../errors.ts";
import { oneLine } from "../text.ts";
import { AlreadyRunning, type BaseDirLock } from "./lock.ts";

const logger = getLogger(["gatherer"]);

/** Looks after the lock of a gatherer's base directory, and says what is the matter, once. */
export class LockWatch {
  readonly #lock: Pick<BaseDirLock, "check">;
  readonly #onTaken: () => void;
  #isLooking = false;
  /** What was said last. */
  #trouble: string | undefined;

  /** @param onTaken Called when another gatherer has the base directory. */
  constructor(lock: Pick<BaseDirLock, "check">, onTaken: () => void) {
    this.#lock = lock;
    this.#onTaken = onTaken;
  }

  /** Looks, unless that is under way. Never rejects. */
  async look(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    try {
      const note = await this.#lock.check();
      this.#trouble = undefined;
      if (note) logger.warn("{note}", { note });
    } catch (error) {
      const reason = oneLine(messageOf(error));
      if (error instanceof AlreadyRunning) {
        logger.error("{reason}", { reason });
        this.#onTaken();
      } else if (reason !== this.#trouble) {
        this.#trouble = reason;
        logger.warn("{reason}", { reason });
      }
    } finally {
      this.#isLooking = false;
    }
  }
}
