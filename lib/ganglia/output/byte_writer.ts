const FIRST_CAPACITY = 16 * 1024;
/** The longest that one UTF-16 unit becomes: `&#65535;`, or `&#1114111;` for two. */
const MOST_PER_UNIT = 8;
/** U+FFFD, for what XML cannot hold at all. */
const REPLACEMENT = 0xfffd;

/**
 * Collects XML as ISO-8859-1: bytes where that has the character, character references where it
 * has not. Text of others goes through {@linkcode ByteWriter.value}, which escapes.
 */
export class ByteWriter {
  #bytes = new Uint8Array(FIRST_CAPACITY);
  #length = 0;

  /** How many bytes there are. */
  get length(): number {
    return this.#length;
  }

  /** What has been written; it is overwritten after {@linkcode ByteWriter.clear}. */
  view(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Empties it; the memory is kept. */
  clear(): void {
    this.#length = 0;
  }

  /** Writes text of ours, ASCII, as it is. */
  markup(text: string): this {
    this.#reserve(text.length);
    for (let i = 0; i < text.length; i++) {
      this.#bytes[this.#length++] = text.charCodeAt(i);
    }
    return this;
  }

  /** Writes text of others as (part of) the value of an attribute in double quotes. */
  value(text: string): this {
    this.#reserve(text.length * MOST_PER_UNIT);
    const bytes = this.#bytes;
    let at = this.#length;
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      if (isPlain(unit)) bytes[at++] = unit;
      else {
        const code = text.codePointAt(i)!;
        if (code > 0xffff) i++;
        const reference = referenceOf(code);
        for (let j = 0; j < reference.length; j++) {
          bytes[at++] = reference.charCodeAt(j);
        }
      }
    }
    this.#length = at;
    return this;
  }

  /** Writes a number without sign and fraction; what is none, or negative, as 0. */
  integer(number: number): this {
    const whole = Math.trunc(number);
    if (!(whole > 0)) return this.markup("0");
    if (whole >= 100) {
      return this.markup(String(Math.min(whole, Number.MAX_SAFE_INTEGER)));
    }
    // Most ages are that small, and there is one in each metric.
    this.#reserve(2);
    const tens = Math.trunc(whole / 10);
    if (tens > 0) this.#bytes[this.#length++] = 0x30 + tens;
    this.#bytes[this.#length++] = 0x30 + whole - 10 * tens;
    return this;
  }

  /** Writes bytes as they are. */
  bytes(bytes: Uint8Array): this {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
    return this;
  }

  #reserve(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, 2 * this.#bytes.length));
    grown.set(this.view());
    this.#bytes = grown;
  }
}

/** The bytes of a piece of XML. */
export function bytesOf(write: (out: ByteWriter) => void): Uint8Array {
  const out = new ByteWriter();
  write(out);
  return out.view().slice();
}

/** Whether a character stands for itself. Those from 0x7f to 0x9f are something else to many. */
function isPlain(unit: number): boolean {
  return unit < 0x7f
    ? unit >= 0x20 && unit !== 0x26 && unit !== 0x3c && unit !== 0x3e &&
      unit !== 0x22
    : unit >= 0xa0 && unit <= 0xff;
}

function referenceOf(code: number): string {
  switch (code) {
    case 0x26:
      return "&amp;";
    case 0x3c:
      return "&lt;";
    case 0x3e:
      return "&gt;";
    case 0x22:
      return "&quot;";
  }
  return `&#${isCharacter(code) ? code : REPLACEMENT};`;
}

/** XML 1.0, production 2 (Char). */
function isCharacter(code: number): boolean {
  return code === 0x9 || code === 0xa || code === 0xd ||
    (code >= 0x20 && code <= 0xd7ff) || (code >= 0xe000 && code <= 0xfffd) ||
    code >= 0x10000;
}
