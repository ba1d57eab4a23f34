import { ByteWindow } from "./byte_window.ts";
import type { XmlLimits } from "./limits.ts";
import { attributeTable } from "./names.ts";

/** What {@linkcode Tokenizer.next} has found. */
export const Token = {
  /** Nothing whole: more bytes are needed, or there are no more. */
  more: 0,
  /** `<NAME …>` */
  start: 1,
  /** `<NAME …/>` */
  empty: 2,
  /** `</NAME>` */
  end: 3,
  /** Text that is not blank, or a part of it. */
  text: 4,
  /** What is no XML, or over a limit; {@linkcode Tokenizer.problem} says why. */
  damage: 5,
} as const;

/** Numbers for each attribute in {@linkcode Tokenizer.attributes}. */
export const PER_ATTRIBUTE = 4;

const LT = 0x3c;
const GT = 0x3e;
const SLASH = 0x2f;
const EQUALS = 0x3d;
const BANG = 0x21;
const QUESTION = 0x3f;
const DASH = 0x2d;

const NAME = 1;
const BLANK = 2;
const CONTROL = 3;
/** The class of each byte; whatever is above ASCII may be part of a name. */
const CLASS = new Uint8Array(256);
for (let byte = 0; byte < 256; byte++) {
  const character = String.fromCharCode(byte);
  if (byte >= 0x80 || /[\w.:-]/.test(character)) CLASS[byte] = NAME;
  else if (/[ \t\r\n]/.test(character)) CLASS[byte] = BLANK;
  else if (byte < 0x20) CLASS[byte] = CONTROL;
}

/** How far a scan has come: an index, or one of these. */
const SHORT = -1;
const BAD = -2;

/**
 * Cuts XML into tags, over bytes that arrive in any portions. It makes no objects: what it has found
 * stands in its fields, as indices into the window's bytes, until the next call.
 *
 * It knows what Ganglia's documents need, not all of XML: there is no text, a document type
 * declaration is skipped (entities that it may declare are never expanded), CDATA is damage. As
 * gmond and the C gmetad do not escape, `<`, `>` and `&` may stand in values, and also quotes,
 * if what follows them cannot follow a value.
 */
export class Tokenizer {
  readonly window = new ByteWindow();
  /** The offset of the next byte to be read. */
  offset = 0;
  /** No more bytes will come. */
  final = false;
  /** Whether a document type declaration may come: until the first element. */
  doctypeAllowed = true;

  /** Where what was found last begins, as an offset. */
  tokenOffset = 0;
  /** The name of the tag found last, as indices. */
  nameStart = 0;
  nameEnd = 0;
  /** How many attributes it has. */
  attributeCount = 0;
  /** For each of them where its name begins and ends, and where its value does, as indices. */
  readonly attributes: Int32Array;
  /** Why the token found last is damage. */
  problem = "";

  readonly #limits: XmlLimits;
  /** The offset that the window must reach before it is worthwhile to look again. */
  #retryAt = 0;

  constructor(limits: XmlLimits) {
    this.#limits = limits;
    this.attributes = new Int32Array(limits.attributes * PER_ATTRIBUTE);
  }

  /** Reads the next {@linkcode Token}. */
  next(): number {
    const { window } = this;
    const { bytes, base, end } = window;
    for (;;) {
      let at = this.offset - base;
      while (at < end && CLASS[bytes[at]] === BLANK) at++;
      this.offset = this.tokenOffset = base + at;
      if (at === end) return Token.more;
      // Of a tag that arrives byte by byte, not every byte is worth another look.
      if (!this.final && base + end < this.#retryAt) return Token.more;
      if (bytes[at] !== LT) return this.#text(at);
      if (at + 1 === end) return Token.more;
      const second = bytes[at + 1];
      if (second === BANG || second === QUESTION) {
        const behind = this.#aside(at, second);
        if (behind < 0) return this.#unfinished(behind);
        this.offset = base + behind;
        continue;
      }
      const token = second === SLASH ? this.#endTag(at) : this.#startTag(at);
      return token < 0 ? this.#unfinished(token) : token;
    }
  }

  #unfinished(outcome: number): number {
    if (outcome === BAD) return Token.damage;
    const { endOffset } = this.window;
    this.#retryAt = endOffset + 1 + ((endOffset - this.tokenOffset) >> 6);
    return Token.more;
  }

  #bad(problem: string): number {
    this.problem = problem;
    return BAD;
  }

  /** The index that a tag must end before, and what it is if it does not. */
  #stopOf(at: number): number {
    return Math.min(this.window.end, at + this.#limits.tagBytes);
  }

  #short(at: number, stop: number): number {
    return stop - at < this.#limits.tagBytes
      ? SHORT
      : this.#bad(`a tag is longer than ${this.#limits.tagBytes} bytes`);
  }

  #text(at: number): number {
    const { bytes, base, end } = this.window;
    while (at < end && bytes[at] !== LT) at++;
    this.offset = base + at;
    return Token.text;
  }

  /**
   * Skips a declaration, a comment or a processing instruction.
   * @returns The index behind it.
   */
  #aside(at: number, second: number): number {
    const { bytes, end } = this.window;
    if (second === QUESTION) {
      const stop = this.#stopOf(at);
      for (let i = at + 2; i + 1 < stop; i++) {
        if (bytes[i] === QUESTION && bytes[i + 1] === GT) return i + 2;
      }
      return this.#short(at, stop);
    }
    if (this.#begins(at + 2, "--")) {
      const stop = this.#stopOf(at);
      const behind = endOfComment(bytes, at, stop);
      return behind < 0 ? this.#short(at, stop) : behind;
    }
    if (this.doctypeAllowed && this.#begins(at + 2, "DOCTYPE")) {
      return this.#doctype(at);
    }
    if (end - at < 9 && !this.final) return SHORT;
    return this.#bad("a declaration that does not belong here");
  }

  #begins(at: number, text: string): boolean {
    for (let i = 0; i < text.length; i++) {
      if (this.window.bytes[at + i] !== text.charCodeAt(i)) return false;
    }
    return at + text.length <= this.window.end;
  }

  #doctype(at: number): number {
    const { bytes, end } = this.window;
    const { doctypeBytes } = this.#limits;
    const stop = Math.min(end, at + doctypeBytes);
    let brackets = 0;
    for (let i = at + 9; i < stop; i++) {
      const byte = bytes[i];
      if (byte === 0x5b) brackets++;
      else if (byte === 0x5d) brackets--;
      else if (byte === GT && brackets <= 0) return i + 1;
      else if (byte === 0x22 || byte === 0x27) {
        i = bytes.indexOf(byte, i + 1);
        if (i < 0 || i >= stop) break;
      } else if (byte === LT && this.#begins(i + 1, "!--")) {
        i = endOfComment(bytes, i, stop) - 1;
        if (i < 0) break;
      }
    }
    return stop - at < doctypeBytes ? SHORT : this.#bad(
      `the document type declaration is longer than ${doctypeBytes} bytes`,
    );
  }

  #endTag(at: number): number {
    const { bytes, base } = this.window;
    const stop = this.#stopOf(at);
    let i = at + 2;
    while (i < stop && CLASS[bytes[i]] === NAME) i++;
    this.nameStart = at + 2;
    this.nameEnd = i;
    while (i < stop && CLASS[bytes[i]] === BLANK) i++;
    if (i === stop) return this.#short(at, stop);
    if (bytes[i] !== GT || this.nameEnd === this.nameStart) {
      return this.#bad("an end tag that is none");
    }
    this.offset = base + i + 1;
    return Token.end;
  }

  #startTag(at: number): number {
    const { bytes, base } = this.window;
    const stop = this.#stopOf(at);
    let i = at + 1;
    while (i < stop && CLASS[bytes[i]] === NAME) i++;
    this.nameStart = at + 1;
    this.nameEnd = i;
    if (i === this.nameStart) return this.#bad("a < that begins no tag");
    this.attributeCount = 0;
    for (;;) {
      const before = i;
      while (i < stop && CLASS[bytes[i]] === BLANK) i++;
      if (i === stop) return this.#short(at, stop);
      const byte = bytes[i];
      if (byte === GT) {
        this.offset = base + i + 1;
        return Token.start;
      }
      if (byte === SLASH) {
        if (i + 1 === stop) return this.#short(at, stop);
        if (bytes[i + 1] !== GT) return this.#bad("a / inside a tag");
        this.offset = base + i + 2;
        return Token.empty;
      }
      if (i === before || CLASS[byte] !== NAME) {
        return this.#bad("a tag that goes on with neither attribute nor end");
      }
      i = this.#attribute(i, stop);
      if (i === SHORT) return this.#short(at, stop);
      if (i === BAD) return BAD;
    }
  }

  /** @returns The index behind it. */
  #attribute(at: number, stop: number): number {
    const { bytes } = this.window;
    let i = at;
    while (i < stop && CLASS[bytes[i]] === NAME) i++;
    const nameEnd = i;
    while (i < stop && CLASS[bytes[i]] === BLANK) i++;
    if (i === stop) return SHORT;
    if (bytes[i] !== EQUALS) return this.#bad("an attribute without =");
    i++;
    while (i < stop && CLASS[bytes[i]] === BLANK) i++;
    if (i === stop) return SHORT;
    const quote = bytes[i];
    if (quote !== 0x22 && quote !== 0x27) {
      return this.#bad("an attribute without quotes");
    }
    const start = i + 1;
    const valueEnd = this.#valueEnd(start, stop, quote);
    if (valueEnd < 0) return valueEnd;
    if (this.attributeCount === this.#limits.attributes) {
      return this.#bad(`more than ${this.#limits.attributes} attributes`);
    }
    const slot = this.attributeCount++ * PER_ATTRIBUTE;
    this.attributes[slot] = at;
    this.attributes[slot + 1] = nameEnd;
    this.attributes[slot + 2] = start;
    this.attributes[slot + 3] = valueEnd;
    return valueEnd + 1;
  }

  /** @returns The index of the quote that ends a value. */
  #valueEnd(start: number, stop: number, quote: number): number {
    const { bytes } = this.window;
    const { attributeBytes } = this.#limits;
    const last = Math.min(stop, start + attributeBytes + 1);
    for (let i = start; i < last; i++) {
      const byte = bytes[i];
      if (byte === quote) {
        const ends = endsValue(bytes, i + 1, stop);
        if (ends === SHORT) return SHORT;
        if (ends) return i;
        // `A="1 B="2"`: not a quote in the value of A, but one that got lost before B.
        if (bytes[i - 1] === EQUALS) return this.#bad("a quote is missing");
      } else if (CLASS[byte] === CONTROL) {
        return this.#bad("a control character in a value");
      }
    }
    return last === stop ? SHORT : this.#bad(
      `an attribute is longer than ${attributeBytes} bytes`,
    );
  }
}

/** @returns The index behind the comment that begins at `at`, or -1. */
function endOfComment(bytes: Uint8Array, at: number, stop: number): number {
  for (let i = at + 4; i + 2 < stop; i++) {
    if (bytes[i] === DASH && bytes[i + 1] === DASH && bytes[i + 2] === GT) {
      return i + 3;
    }
  }
  return -1;
}

/**
 * Whether what follows a quote can follow a value: the end of the tag, or blanks and the end of the
 * tag or another attribute. One that Ganglia knows need not be whole to be taken for one: better a
 * tag that is damaged than a value that has swallowed the next attribute.
 * @returns 1, 0, or {@linkcode SHORT}.
 */
function endsValue(bytes: Uint8Array, at: number, stop: number): number {
  let i = at;
  while (i < stop && CLASS[bytes[i]] === BLANK) i++;
  if (i === stop) return SHORT;
  if (bytes[i] === GT) return 1;
  if (bytes[i] === SLASH) {
    if (i + 1 === stop) return SHORT;
    return bytes[i + 1] === GT ? 1 : 0;
  }
  if (i === at) return 0;
  const name = i;
  while (i < stop && CLASS[bytes[i]] === NAME) i++;
  if (i === stop) return SHORT;
  if (i === name) return 0;
  if (attributeTable.find(bytes, name, i) >= 0) return 1;
  while (i < stop && CLASS[bytes[i]] === BLANK) i++;
  if (i < stop && bytes[i] !== EQUALS) return 0;
  i++;
  while (i < stop && CLASS[bytes[i]] === BLANK) i++;
  if (i >= stop) return SHORT;
  return bytes[i] === 0x22 || bytes[i] === 0x27 ? 1 : 0;
}
