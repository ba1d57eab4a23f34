import type { Value } from "../value.ts";
import { SnapshotError } from "./error.ts";
import { decodeText, Names } from "./names.ts";
import type { Reader } from "./reader.ts";

/** Characters of a number; any integer that Foolscap lets through (1,024 bytes) has fewer. */
const MAX_DIGITS = 10_000;
/** Lists and objects within one another. */
const MAX_DEPTH = 100;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const MINUS = 0x2d;
const ZERO = 0x30;

/** 1 for the bytes at which a run of plain characters in a text ends. */
const ENDS_RUN = new Uint8Array(256).fill(1, 0, 0x20);
ENDS_RUN[QUOTE] = 1;
ENDS_RUN[BACKSLASH] = 1;

const ESCAPES: Record<string, string> = {
  '"': '"',
  "\\": "\\",
  "/": "/",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
};

const WORDS: [string, Value | undefined][] = [
  ["null", null],
  ["true", undefined],
  ["false", undefined],
  ["NaN", NaN],
  ["Infinity", Infinity],
  ["-Infinity", -Infinity],
];

/** A place in a file, for people; both count from 1, columns in characters. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/**
 * Makes the error for bytes that are not in order.
 * @param offset Where, in bytes from the start of the file.
 */
export type Refusal = (message: string, offset: number, place: Place) => Error;

const refuseSnapshot: Refusal = (message, offset, { line, column }) =>
  new SnapshotError(message, offset, `line ${line}, column ${column}`);

/**
 * JSON as Python's `json` writes it: RFC 8259, and NaN, Infinity and -Infinity. JSON.parse will not
 * do: it knows none of those, rounds integers beyond 2^53, and does not say where something is.
 *
 * A byte order mark at the start is passed over. Half of a surrogate pair becomes U+FFFD.
 */
export class JsonReader implements Reader {
  readonly #bytes: Uint8Array;
  readonly #names: Names;
  readonly #refuse: Refusal;
  #pos = 0;
  /** Whether the last text that was taken has a backslash in it. */
  #escaped = false;

  /** @param refuse Makes what is thrown; left out: a `SnapshotError`. */
  constructor(bytes: Uint8Array, refuse: Refusal = refuseSnapshot) {
    this.#bytes = bytes;
    this.#refuse = refuse;
    this.#names = new Names(bytes);
    if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) {
      this.#pos = 3;
    }
  }

  atMap(): boolean {
    return this.#peek() === 0x7b;
  }

  atText(): boolean {
    return this.#peek() === QUOTE;
  }

  atList(): boolean {
    return this.#peek() === 0x5b;
  }

  map(entry: () => void): void {
    if (this.#peek() !== 0x7b) this.#unexpected("an object");
    this.#pos++;
    if (this.#peek() === 0x7d) {
      this.#pos++;
      return;
    }
    while (true) {
      entry();
      if (this.#closes(0x7d, 'a comma or "}"')) return;
    }
  }

  /** Takes a list: calls `item` at each item; it must take it. */
  list(item: () => void): void {
    if (this.#peek() !== 0x5b) this.#unexpected("a list");
    this.#pos++;
    if (this.#peek() === 0x5d) {
      this.#pos++;
      return;
    }
    do item(); while (!this.#closes(0x5d, 'a comma or "]"'));
  }

  key(): string {
    const start = this.#textStart("a text as key");
    const end = this.#skipText();
    const key = this.#text(start, end, true);
    this.#colon();
    return key;
  }

  lookUp(name: string, wanted: Uint8Array): Value | undefined {
    let value: Value | undefined;
    this.map(() => {
      if (this.#keyIs(name, wanted)) value = this.value();
      else this.skip();
    });
    return value;
  }

  #keyIs(name: string, wanted: Uint8Array): boolean {
    const start = this.#textStart("a text as key");
    const end = this.#skipText();
    let same: boolean;
    if (this.#escaped) {
      same = this.#text(start, end, false) === name;
    } else {
      let i = end - start === wanted.length ? wanted.length - 1 : -2;
      // From the end: names of one node begin alike.
      while (i >= 0 && this.#bytes[start + i] === wanted[i]) i--;
      same = i === -1;
    }
    this.#colon();
    return same;
  }

  text(): string {
    const start = this.#textStart("a text");
    const end = this.#skipText();
    return this.#text(start, end, false);
  }

  value(): Value | undefined {
    const lead = this.#peek();
    if (lead === QUOTE || lead === 0x7b || lead === 0x5b) {
      this.skip();
      return undefined;
    }
    if (!isNumberStart(lead, this.#bytes[this.#pos + 1])) return this.#word();
    const start = this.#pos;
    const whole = this.#number();
    const length = this.#pos - start;
    if (length > MAX_DIGITS) {
      this.fail(`a number has more than ${MAX_DIGITS} characters`, start);
    }
    const digits = this.#ascii(start, this.#pos);
    if (!whole) return Number(digits);
    // A number with up to 15 digits is exact, and BigInt of it several times cheaper.
    return BigInt(length <= 15 ? Number(digits) : digits);
  }

  skip(): void {
    this.#skip(0);
  }

  /** Takes any item and gives its bytes, as they are in the file. */
  source(): Uint8Array {
    const start = this.offset;
    this.skip();
    return this.#bytes.subarray(start, this.#pos);
  }

  end(): void {
    this.#space();
    if (this.#pos < this.#bytes.length) {
      this.fail("more follows after the end of the object");
    }
  }

  get offset(): number {
    this.#space();
    return this.#pos;
  }

  fail(message: string, offset: number = this.#pos): never {
    throw this.#refuse(message, offset, this.place(offset));
  }

  /** The place that is `offset` bytes from the start. */
  place(offset: number): Place {
    const before = this.#bytes.subarray(0, offset);
    const lineStart = before.lastIndexOf(0x0a) + 1;
    let line = 1;
    for (const byte of before) if (byte === 0x0a) line++;
    let column = 1;
    for (const byte of before.subarray(lineStart)) {
      if ((byte & 0xc0) !== 0x80) column++;
    }
    return { line, column };
  }

  #unexpected(expected: string): never {
    if (this.#pos >= this.#bytes.length) {
      this.fail("the file ends in the middle of the object");
    }
    this.fail(`expected ${expected}`);
  }

  #space(): void {
    const bytes = this.#bytes;
    let pos = this.#pos;
    let byte = bytes[pos];
    while (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) {
      byte = bytes[++pos];
    }
    this.#pos = pos;
  }

  /** The first byte of what comes next; `undefined` at the end. */
  #peek(): number | undefined {
    this.#space();
    return this.#bytes[this.#pos];
  }

  /** Takes a comma, or the bracket that ends the list or object. */
  #closes(bracket: number, expected: string): boolean {
    const byte = this.#peek();
    if (byte !== bracket && byte !== 0x2c) this.#unexpected(expected);
    this.#pos++;
    return byte === bracket;
  }

  #colon(): void {
    if (this.#peek() !== 0x3a) this.#unexpected("a colon");
    this.#pos++;
  }

  #textStart(expected: string): number {
    if (this.#peek() !== QUOTE) this.#unexpected(expected);
    return ++this.#pos;
  }

  /** Takes a text from after its quote; returns where its last character ends. */
  #skipText(): number {
    const bytes = this.#bytes;
    let pos = this.#pos;
    this.#escaped = false;
    while (true) {
      while (ENDS_RUN[bytes[pos]] === 0) pos++;
      const byte = bytes[pos];
      if (byte === QUOTE) {
        this.#pos = pos + 1;
        return pos;
      }
      this.#pos = pos;
      if (byte !== BACKSLASH) {
        this.#unexpected("no control character in a text");
      }
      this.#escaped = true;
      pos += 2;
      if (pos > bytes.length) {
        this.#pos = bytes.length;
        this.#unexpected("an escape");
      }
    }
  }

  /** The text that {@linkcode #skipText} has just taken. */
  #text(start: number, end: number, isName: boolean): string {
    let raw: string;
    try {
      raw = isName && !this.#escaped
        ? this.#names.get(start, end)
        : decodeText(this.#bytes, start, end);
    } catch (error) {
      if (!(error instanceof SnapshotError)) throw error;
      return this.fail("a text is not valid UTF-8", start);
    }
    if (!this.#escaped) return raw;
    return raw.replace(
      /\\(?:u([0-9a-fA-F]{4})|(.))/gsu,
      (_, code: string | undefined, letter: string) => {
        if (code) return String.fromCharCode(parseInt(code, 16));
        return ESCAPES[letter] ??
          this.fail("a text has an unknown escape", start);
      },
    ).toWellFormed();
  }

  #skip(depth: number): void {
    const lead = this.#peek();
    if (lead === QUOTE) {
      this.#pos++;
      this.#skipText();
    } else if (lead === 0x7b || lead === 0x5b) {
      if (depth === MAX_DEPTH) this.fail(`nested more than ${MAX_DEPTH} deep`);
      this.#pos++;
      this.#skipItems(lead === 0x7b, depth + 1);
    } else if (isNumberStart(lead, this.#bytes[this.#pos + 1])) {
      this.#number();
    } else {
      this.#word();
    }
  }

  #skipItems(keyed: boolean, depth: number): void {
    const bracket = keyed ? 0x7d : 0x5d;
    if (this.#peek() === bracket) {
      this.#pos++;
      return;
    }
    do {
      if (keyed) {
        this.#textStart("a text as key");
        this.#skipText();
        this.#colon();
      }
      this.#skip(depth);
    } while (!this.#closes(bracket, "a comma or a closing bracket"));
  }

  /** Takes a number; tells whether it is digits alone. Source: RFC 8259, section 6. */
  #number(): boolean {
    const bytes = this.#bytes;
    if (bytes[this.#pos] === MINUS) this.#pos++;
    if (bytes[this.#pos] === ZERO) this.#pos++;
    else this.#digits();
    let byte = bytes[this.#pos];
    let whole = true;
    if (byte === 0x2e) {
      whole = false;
      this.#pos++;
      this.#digits();
      byte = bytes[this.#pos];
    }
    if (byte === 0x65 || byte === 0x45) {
      whole = false;
      byte = bytes[++this.#pos];
      if (byte === 0x2b || byte === MINUS) this.#pos++;
      this.#digits();
    }
    return whole;
  }

  #digits(): void {
    const bytes = this.#bytes;
    const start = this.#pos;
    let pos = start;
    while (isDigit(bytes[pos])) pos++;
    this.#pos = pos;
    if (pos === start) this.#unexpected("a digit");
  }

  #word(): Value | undefined {
    const start = this.#pos;
    for (const [word, value] of WORDS) {
      if (this.#ascii(start, start + word.length) === word) {
        this.#pos += word.length;
        return value;
      }
    }
    this.#unexpected("a value");
  }

  #ascii(start: number, end: number): string {
    return String.fromCharCode.apply(
      null,
      this.#bytes.subarray(start, end) as unknown as number[],
    );
  }
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= ZERO && byte <= 0x39;
}

function isNumberStart(
  byte: number | undefined,
  next: number | undefined,
): boolean {
  return isDigit(byte) || (byte === MINUS && next !== 0x49);
}
