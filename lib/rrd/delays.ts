const FIRST_MS = 1000;
const FACTOR = Math.E;
/** A share of the delay: those who wait for the same thing spread out. */
const JITTER = 0.12;

/** Growing delays between attempts: 1 s, 2.7 s, 7.4 s … up to a limit, each up to 12 % off. */
export class Delays {
  readonly #most: number;
  readonly #random: () => number;
  #next = FIRST_MS;

  /**
   * @param mostMs The longest delay, in milliseconds.
   * @param random Numbers from [0, 1).
   */
  constructor(mostMs: number, random: () => number = Math.random) {
    this.#most = mostMs;
    this.#random = random;
  }

  /** Milliseconds until the next attempt. */
  next(): number {
    const delay = this.#next;
    this.#next = Math.min(delay * FACTOR, this.#most);
    return delay * (1 + JITTER * (2 * this.#random() - 1));
  }

  /** An attempt has succeeded. */
  reset(): void {
    this.#next = FIRST_MS;
  }
}
