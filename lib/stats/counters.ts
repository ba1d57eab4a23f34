import { INTEGER_BOUND, MAX_NUMBERS, nameFault, quote, what } from "./names.ts";

/**
 * Named sums of work done, which only grow. Integers are exact at any size: a sum beyond
 * `Number.MAX_SAFE_INTEGER` goes on as a bigint.
 */
export class Counters {
  /** The integer part of each sum: a safe integer, or a bigint beyond. */
  #whole = new Map<string, number | bigint>();
  /** What fractional deltas left over, from 0 to below 1; apart, so that the rest stays exact. */
  #fraction = new Map<string, number>();

  /**
   * Adds `delta` to the counter `name`, which begins at 0.
   * @throws {TypeError} When the name is no string or the delta neither number nor bigint.
   * @throws {RangeError} When the name is empty, longer than 1,000 UTF-8 bytes or not well formed;
   *   when the delta is negative or not finite; when there would be more than 10,000 counters, or
   *   one would need more than 1,000 bytes.
   */
  count(name: string, delta: number | bigint): void {
    const before = this.#whole.get(name);
    if (before === undefined) this.#checkNew(name);
    checkDelta(name, delta);
    if (typeof before !== "bigint" && Number.isInteger(delta)) {
      const sum = (before ?? 0) + (delta as number);
      if (Number.isSafeInteger(sum)) {
        this.#whole.set(name, sum);
        return;
      }
    }
    this.#add(name, before ?? 0, delta);
  }

  /** The sums, in the order in which their names first came; a null-prototype object. */
  toObject(): Record<string, number | bigint> {
    const sums = Object.create(null);
    for (const [name, whole] of this.#whole) {
      // Beyond the safe integers a double has no room for a fraction.
      sums[name] = typeof whole === "number"
        ? whole + (this.#fraction.get(name) ?? 0)
        : whole;
    }
    return sums;
  }

  #add(name: string, before: number | bigint, delta: number | bigint): void {
    let added: bigint;
    let fraction = this.#fraction.get(name) ?? 0;
    if (typeof delta === "bigint") {
      added = delta;
    } else {
      added = BigInt(Math.trunc(delta));
      fraction += delta % 1;
      if (fraction >= 1) {
        fraction -= 1;
        added += 1n;
      }
    }
    const sum = BigInt(before) + added;
    if (sum >= INTEGER_BOUND) {
      throw new RangeError(
        `Cannot count ${
          quote(name)
        }: the sum would need more than 1,000 bytes, which no gatherer accepts`,
      );
    }
    this.#whole.set(name, sum <= Number.MAX_SAFE_INTEGER ? Number(sum) : sum);
    if (fraction > 0) this.#fraction.set(name, fraction);
    else this.#fraction.delete(name);
  }

  #checkNew(name: string): void {
    const fault = nameFault(name);
    if (fault !== undefined) {
      const Class = typeof name === "string" ? RangeError : TypeError;
      throw new Class(`Cannot count: ${fault}`);
    }
    if (this.#whole.size >= MAX_NUMBERS) {
      throw new RangeError(
        `Cannot count ${
          quote(name)
        }: there are ${MAX_NUMBERS} counters already, the most that fit into one answer; do not make names out of data`,
      );
    }
  }
}

function checkDelta(name: string, delta: unknown): void {
  if (typeof delta !== "number" && typeof delta !== "bigint") {
    throw new TypeError(
      `Cannot count ${
        quote(name)
      }: the delta must be a number or a bigint, not ${what(delta)}`,
    );
  }
  if (!(delta >= 0 && delta !== Infinity)) {
    throw new RangeError(
      `Cannot count ${
        quote(name)
      }: the delta must be finite and not negative, but is ${
        typeof delta === "bigint" ? "a negative bigint" : delta
      }`,
    );
  }
}
