/** Strings up to this length are kept; names of statistics and of interfaces are shorter. */
const LONGEST = 96;
const SLOTS = 8192;

/**
 * Short byte strings that come again and again, each made once: the names of statistics are the
 * same in every answer of every node, and to make them anew was a third of what a poll cost.
 *
 * A string is kept when it comes for the second time running in its slot; another that falls there
 * replaces it in the same way. So the pool never grows, whatever peers invent. What it gives out is
 * shared: nobody may write into it.
 */
export class ByteStrings {
  readonly #kept: (Uint8Array | undefined)[] = new Array(SLOTS).fill(undefined);
  /** The hash of the string that came last in each slot and was not kept. */
  readonly #last = new Int32Array(SLOTS);

  /** The bytes from `start` to `end` as a kept array, or `undefined` if they are not kept. */
  get(bytes: Uint8Array, start: number, end: number): Uint8Array | undefined {
    const length = end - start;
    if (length > LONGEST) return undefined;
    // FNV-1a: one multiplication a byte, and a good spread over names that begin alike.
    let hash = 0x811c9dc5;
    for (let i = start; i < end; i++) {
      hash = Math.imul(hash ^ bytes[i], 0x01000193);
    }
    const slot = (hash ^ (hash >>> 15)) & (SLOTS - 1);
    const kept = this.#kept[slot];
    if (kept !== undefined && kept.length === length) {
      let i = 0;
      while (i < length && kept[i] === bytes[start + i]) i++;
      if (i === length) return kept;
    }
    if (this.#last[slot] === hash) {
      return this.#kept[slot] = bytes.slice(start, end);
    }
    this.#last[slot] = hash;
    return undefined;
  }
}
