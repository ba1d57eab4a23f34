import { messageOf } from "../errors.ts";
import { oneLine } from "../text.ts";
import { OtlpError } from "./error.ts";

/** Objects and lists within so many others are parsed at once: data points, and what is in them. */
const LEAF_DEPTH = 9;
/** Characters of one of these. */
const LONGEST_LEAF = 1024 * 1024;
/** Characters after which others may have their turn. */
const STEP = 64 * 1024;

/**
 * Integers that a double would round, where they stand without quotes, as Deno writes them. Inside of
 * a text a quote has a backslash before it, so that none looks like this.
 */
const LONG_INTEGER = /"(asInt|intValue)"(\s*:\s*)(-?\d{16,20})(?=[\s,}])/g;
const INTEGER_KEYS: readonly (string | undefined)[] = ["asInt", "intValue"];

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/**
 * What JSON.parse gives, in steps: that takes up to half a second for eight megabytes. But long
 * integers of the fields `asInt` and `intValue` are texts, and outer objects have no prototype.
 * @throws OtlpError when the text is no JSON, or a data point is too long.
 */
export function* parseInSteps(text: string): Generator<void, unknown> {
  const parser = new StepParser(text);
  const value = yield* parser.value(0);
  parser.end();
  return value;
}

class StepParser {
  readonly #text: string;
  #at = 0;
  #stepAt = STEP;

  constructor(text: string) {
    this.#text = text;
  }

  /** @param key Of the field that it is in. */
  *value(depth: number, key?: string): Generator<void, unknown> {
    const first = this.#next();
    if (this.#at >= this.#stepAt) {
      yield;
      this.#stepAt = this.#at + STEP;
    }
    if (depth < LEAF_DEPTH) {
      if (first === OPEN_BRACE) return yield* this.#object(depth + 1);
      if (first === OPEN_BRACKET) return yield* this.#list(depth + 1);
    }
    return this.#leaf(key);
  }

  end(): void {
    if (!Number.isNaN(this.#next())) this.#fail("there is more behind it");
  }

  *#object(depth: number): Generator<void, unknown> {
    const fields: Record<string, unknown> = Object.create(null);
    this.#at++;
    if (this.#next() === CLOSE_BRACE) {
      this.#at++;
      return fields;
    }
    do {
      if (this.#next() !== QUOTE) this.#fail("a key is missing");
      const key = this.#leaf() as string;
      if (this.#next() !== 0x3a) this.#fail("a colon is missing");
      this.#at++;
      fields[key] = yield* this.value(depth, key);
    } while (this.#goesOn(CLOSE_BRACE));
    return fields;
  }

  *#list(depth: number): Generator<void, unknown> {
    const items: unknown[] = [];
    this.#at++;
    if (this.#next() === CLOSE_BRACKET) {
      this.#at++;
      return items;
    }
    do items.push(yield* this.value(depth)); while (
      this.#goesOn(CLOSE_BRACKET)
    );
    return items;
  }

  /** Passes over a comma, or over what closes; whether it was a comma. */
  #goesOn(close: number): boolean {
    const found = this.#next();
    if (found !== 0x2c && found !== close) this.#fail("a comma is missing");
    this.#at++;
    return found === 0x2c;
  }

  /** What begins here, parsed at once. */
  #leaf(key?: string): unknown {
    const start = this.#at;
    const end = this.#at = this.#endOf(start);
    if (end - start > LONGEST_LEAF && this.#text[start] !== '"') {
      throw new OtlpError(
        `a data point is longer than ${LONGEST_LEAF} characters`,
        true,
      );
    }
    const text = this.#text.slice(start, end);
    if (INTEGER_KEYS.includes(key) && /^-?\d{16,20}$/.test(text)) return text;
    try {
      return JSON.parse(text.replace(LONG_INTEGER, '"$1"$2"$3"'));
    } catch (error) {
      this.#fail(messageOf(error));
    }
  }

  /** Where a value ends, if it is one. */
  #endOf(start: number): number {
    const text = this.#text;
    let at = start;
    let depth = 0;
    for (; at < text.length; at++) {
      switch (text.charCodeAt(at)) {
        case QUOTE:
          for (at++; at < text.length; at++) {
            const code = text.charCodeAt(at);
            if (code === QUOTE) break;
            if (code === BACKSLASH) at++;
          }
          if (depth === 0) return at + 1;
          break;
        case OPEN_BRACE:
        case OPEN_BRACKET:
          depth++;
          break;
        case CLOSE_BRACE:
        case CLOSE_BRACKET:
          if (depth <= 1) return at + depth;
          depth--;
          break;
        case 0x20:
        case 0x09:
        case 0x0a:
        case 0x0d:
        case 0x2c:
          if (depth === 0) return at;
      }
    }
    return at;
  }

  /** The next character that is no blank; NaN: there is none. */
  #next(): number {
    const text = this.#text;
    while (true) {
      const code = text.charCodeAt(this.#at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) {
        return code;
      }
      this.#at++;
    }
  }

  #fail(why: string): never {
    throw new OtlpError(
      `the body is no JSON: ${oneLine(why, 200)} (at character ${this.#at})`,
    );
  }
}
