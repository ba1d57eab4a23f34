/** Counters that begin at 0 with this program, made of such as began before it. */
export class Totals {
  readonly #isReset: boolean;
  readonly #most: number;
  readonly #counters = new Map<string, { raw: bigint; total: bigint }>();

  /**
   * @param options.isReset Whether a source counter that has fallen began anew at 0; else it is held
   *   for an error of the system's, and counts on from where it is.
   * @param options.most How many counters are kept; further ones are not taken.
   */
  constructor(options: { isReset: boolean; most: number }) {
    this.#isReset = options.isReset;
    this.#most = options.most;
  }

  /**
   * Takes what a source counter says now.
   * @returns What was counted since the first time; `undefined`: there are too many.
   */
  add(name: string, raw: bigint): bigint | undefined {
    const known = this.#counters.get(name);
    if (!known) {
      if (this.#counters.size >= this.#most) return undefined;
      this.#counters.set(name, { raw, total: 0n });
      return 0n;
    }
    const grown = raw - known.raw;
    known.total += grown >= 0n ? grown : this.#isReset ? raw : 0n;
    known.raw = raw;
    return known.total;
  }
}
