import { SnapshotError } from "./error.ts";

const SLOTS = 4096;
const LONGEST = 128;
const SHORT = 64;
const isAscii = (byte: number) => byte < 0x80;

// ignoreBOM keeps a U+FEFF at the start of a text instead of dropping it.
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Texts out of the bytes of one file.
 * @throws SnapshotError when the bytes are not UTF-8.
 */
export function decodeText(
  bytes: Uint8Array,
  start: number,
  end: number,
): string {
  const part = bytes.subarray(start, end);
  // A call of the decoder costs twice as much as this for what most texts are.
  if (part.length <= SHORT && part.every(isAscii)) {
    return String.fromCharCode.apply(null, part as unknown as number[]);
  }
  try {
    return utf8.decode(part);
  } catch {
    throw new SnapshotError("a text is not valid UTF-8", start);
  }
}

/**
 * The names in one file, each made into a string once: all nodes have much the same names, and
 * comparing bytes is several times cheaper than decoding them. A name that falls on another's slot
 * replaces it, so that the table never grows.
 */
export class Names {
  readonly #bytes: Uint8Array;
  readonly #starts = new Uint32Array(SLOTS);
  readonly #texts: (string | undefined)[] = new Array(SLOTS);
  readonly #lengths = new Uint32Array(SLOTS);

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** The text from `start` to `end`. */
  get(start: number, end: number): string {
    const bytes = this.#bytes;
    const length = end - start;
    if (length > LONGEST) return decodeText(bytes, start, end);
    let hash = 0x811c9dc5;
    for (let i = start; i < end; i++) {
      hash = Math.imul(hash ^ bytes[i], 0x01000193);
    }
    const slot = (hash ^ (hash >>> 15)) & (SLOTS - 1);
    const known = this.#texts[slot];
    if (known !== undefined && this.#lengths[slot] === length) {
      const other = this.#starts[slot];
      let i = 0;
      while (i < length && bytes[other + i] === bytes[start + i]) i++;
      if (i === length) return known;
    }
    const text = decodeText(bytes, start, end);
    this.#texts[slot] = text;
    this.#starts[slot] = start;
    this.#lengths[slot] = length;
    return text;
  }
}
