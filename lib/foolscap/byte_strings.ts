/** Strings up to this length are kept; names of statistics and of interfaces are shorter. */
const LONGEST = 96;
const SLOTS = 8192;

/**
 * Short byte strings that come again and again, each made once: the names of statistics are the
 * same in every answer of every node, and to make them anew was a third of what a poll cost.
 *
 * A string that falls on another's slot replaces it, so that the pool never grows, whatever peers
 * invent. What it gives out is shared: nobody may write into it.
 */
export class ByteStrings {
  readonly #slots: (Uint8Array | undefined)[] = new Array(SLOTS).fill(
    undefined,
  );

  /** The bytes from `start` to `end` as an array of their own, or `undefined` if they are long. */
  get(bytes: Uint8Array, start: number, end: number): Uint8Array | undefined {
    const length = end - start;
    if (length > LONGEST) return undefined;
    // FNV-1a: one multiplication a byte, and a good spread over names that begin alike.
    let hash = 0x811c9dc5;
    for (let i = start; i < end; i++) {
      hash = Math.imul(hash ^ bytes[i], 0x01000193);
    }
    const slot = (hash ^ (hash >>> 15)) & (SLOTS - 1);
    const known = this.#slots[slot];
    if (known !== undefined && known.length === length) {
      let i = 0;
      while (i < length && known[i] === bytes[start + i]) i++;
      if (i === length) return known;
    }
    return this.#slots[slot] = bytes.slice(start, end);
  }
}
