import type { MetricDetail, Slope } from "../../tree/metric.ts";

/** What a METRIC element is but for its VAL and TN. */
export interface MetricTemplate {
  readonly name: string;
  readonly slope: Slope;
  readonly detail: MetricDetail;
  /** How its VAL is read, a `Kind`; `undefined`: it is left out. */
  readonly kind: number | undefined;
}

/** Where in a document, as indices, an element and its VAL and TN are. */
export interface MetricPlaces {
  readonly start: number;
  readonly valueStart: number;
  readonly valueEnd: number;
  readonly tnStart: number;
  readonly tnEnd: number;
  readonly end: number;
}

interface Entry extends MetricTemplate {
  /** The element without VAL and TN. */
  readonly bytes: Uint8Array;
  /** Where in `bytes` VAL goes. */
  readonly valueAt: number;
  /** Where in `bytes` TN goes. */
  readonly tnAt: number;
  /** What came after it last. */
  successor: Entry | undefined;
}

const QUOTE = 0x22;
const BEGINNING = new TextEncoder().encode('<METRIC NAME="');
/** Longer values and names take the long way. */
const LONGEST_VALUE = 256;
const LONGEST_NAME = 256;
/** Digits of a TN that are read here. */
const LONGEST_TN = 9;
/** Elements of one name that are kept: with a host's own data in it, each is another. */
const PER_NAME = 8;
/** Bytes of an element that is worth keeping, and of all that are kept. */
const LONGEST = 8192;
const MOST_BYTES = 8 * 1024 * 1024;

/**
 * Reads METRIC elements by comparing their bytes with those of earlier ones: of two metrics of one
 * name hardly ever more than VAL and TN differs, and which metric follows upon another is the same
 * in nearly all hosts. That is ten times as fast as to cut them into tags.
 *
 * It is only a short cut: what it reads, the tokenizer reads in the same way.
 */
export class MetricTemplates {
  /** What the last element was read as. */
  template!: MetricTemplate;
  /** Where its VAL is, as indices: ASCII without references. */
  valueStart = 0;
  valueEnd = 0;
  /** Its TN. */
  tn = 0;

  readonly #byName = new Map<number, Entry[]>();
  /** What was read last; the guess for the next element is its successor. */
  #last: Entry | undefined;
  #bytes = 0;

  /**
   * Reads the element that begins at `at`.
   * @returns The index behind it; 0 if it is like none that is known, or not whole.
   */
  read(bytes: Uint8Array, at: number, end: number): number {
    const guess = this.#last?.successor;
    if (guess) {
      const behind = this.#try(guess, bytes, at, end);
      if (behind > 0) {
        this.#last = guess;
        return behind;
      }
    }
    const entries = this.#byName.get(hashOfName(bytes, at, end));
    if (!entries) return 0;
    for (const entry of entries) {
      if (entry === guess) continue;
      const behind = this.#try(entry, bytes, at, end);
      if (behind === 0) continue;
      if (this.#last) this.#last.successor = entry;
      this.#last = entry;
      return behind;
    }
    return 0;
  }

  /**
   * Remembers an element that was read the long way, if the next like it can be read the short one.
   */
  learn(bytes: Uint8Array, places: MetricPlaces, as: MetricTemplate): void {
    const { start, valueStart, valueEnd, tnStart, tnEnd, end } = places;
    if (valueStart > tnStart || end - start > LONGEST) return;
    if (bytes[valueEnd] !== QUOTE || bytes[tnEnd] !== QUOTE) return;
    const hash = hashOfName(bytes, start, end);
    if (hash < 0) return;
    const valueAt = valueStart - start;
    const tnAt = valueAt + tnStart - valueEnd;
    const kept = new Uint8Array(tnAt + end - tnEnd);
    kept.set(bytes.subarray(start, valueStart));
    kept.set(bytes.subarray(valueEnd, tnStart), valueAt);
    kept.set(bytes.subarray(tnEnd, end), tnAt);
    let entry = this.#byName.get(hash)?.find((other) =>
      other.valueAt === valueAt && other.tnAt === tnAt &&
      areEqual(other.bytes, kept)
    );
    if (!entry) {
      entry = { ...as, bytes: kept, valueAt, tnAt, successor: undefined };
      this.#keep(hash, entry);
    }
    if (this.#last) this.#last.successor = entry;
    this.#last = entry;
  }

  #keep(hash: number, entry: Entry): void {
    this.#bytes += entry.bytes.length;
    if (this.#bytes > MOST_BYTES) {
      this.#byName.clear();
      this.#last = undefined;
      this.#bytes = entry.bytes.length;
    }
    const entries = this.#byName.get(hash);
    if (!entries) {
      this.#byName.set(hash, [entry]);
      return;
    }
    entries.unshift(entry);
    if (entries.length <= PER_NAME) return;
    const oldest = entries.pop()!;
    this.#bytes -= oldest.bytes.length;
    // Or whatever precedes it would hold it, and all that came after it, for ever.
    oldest.successor = undefined;
  }

  #try(entry: Entry, bytes: Uint8Array, at: number, end: number): number {
    const kept = entry.bytes;
    const room = end - at - kept.length - LONGEST_TN - 2;
    if (room < 0) return 0;
    let i = at;
    let k = 0;
    for (const { valueAt } = entry; k < valueAt; i++, k++) {
      if (bytes[i] !== kept[k]) return 0;
    }
    const valueStart = i;
    const valueMost = i + (room < LONGEST_VALUE ? room : LONGEST_VALUE);
    for (;; i++) {
      const byte = bytes[i];
      if (byte === QUOTE) break;
      if (byte < 0x20 || byte >= 0x80 || byte === 0x26 || i >= valueMost) {
        return 0;
      }
    }
    const valueEnd = i;
    for (const { tnAt } = entry; k < tnAt; i++, k++) {
      if (bytes[i] !== kept[k]) return 0;
    }
    const tnMost = i + LONGEST_TN;
    const tnStart = i;
    let tn = 0;
    for (; i < tnMost; i++) {
      const digit = bytes[i] - 0x30;
      if (digit < 0 || digit > 9) break;
      tn = tn * 10 + digit;
    }
    if (i === tnStart) return 0;
    for (const { length } = kept; k < length; i++, k++) {
      if (bytes[i] !== kept[k]) return 0;
    }
    this.template = entry;
    this.valueStart = valueStart;
    this.valueEnd = valueEnd;
    this.tn = tn;
    return i;
  }
}

function areEqual(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** A number for the name of the METRIC element at `at`; -1 if there is none. */
function hashOfName(bytes: Uint8Array, at: number, end: number): number {
  const start = at + BEGINNING.length;
  if (start > end) return -1;
  for (let i = 0; i < BEGINNING.length; i++) {
    if (bytes[at + i] !== BEGINNING[i]) return -1;
  }
  const most = Math.min(end, start + LONGEST_NAME);
  // FNV-1a
  let hash = 0x811c9dc5;
  for (let i = start; i < most; i++) {
    if (bytes[i] === QUOTE) return hash >>> 0;
    hash = Math.imul(hash ^ bytes[i], 0x01000193);
  }
  return -1;
}
