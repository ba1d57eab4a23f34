import { UserError } from "../errors.ts";
import { JsonReader } from "../snapshot/json_reader.ts";
import { oneLine, textOf } from "../text.ts";
import { closest } from "../closest.ts";

/** Characters of what was found that a message shows. */
const MAX_SHOWN = 100;

/** How the value of each field of an object is read. */
export type FieldReaders = Readonly<
  Record<string, (file: PlacedReader) => unknown>
>;

/** The fields that an object has. */
export interface Fields<R extends FieldReaders> {
  readonly values: { readonly [K in keyof R]?: ReturnType<R[K]> };
  /** Where their values are; see {@linkcode PlacedReader.offset}. */
  readonly places: { readonly [K in keyof R]?: number };
}

/**
 * Reads JSON that a person wrote. Every mistake is a `UserError` in one line with file, line and
 * column, what it is part of, and what would be right; of two entries with one key neither is
 * silently dropped. Keeps nothing but what its callers build.
 */
export class PlacedReader {
  readonly #bytes: Uint8Array;
  readonly #path: string;
  readonly #json: JsonReader;
  /** What the next item is part of, the outermost first: kind and name. */
  readonly #around: (readonly [kind: string, name: string])[] = [];

  /** @param path For messages. */
  constructor(bytes: Uint8Array, path: string) {
    this.#bytes = bytes;
    this.#path = path;
    this.#json = new JsonReader(
      bytes,
      (message, offset) =>
        this.#error(
          `this is not JSON: ${message}${this.#advice(offset)}`,
          offset,
        ),
    );
  }

  /** Where the next item is, in bytes from the start of the file. */
  get offset(): number {
    return this.#json.offset;
  }

  /**
   * Takes an object.
   *
   * @param kind What an entry is called in messages.
   * @param entry Must take the value. `at` is where the name is.
   * @param known The names that there are; left out: any.
   */
  entries(
    kind: string,
    entry: (name: string, at: number) => void,
    known?: readonly string[],
  ): void {
    if (!this.#json.atMap()) this.unexpected("an object in {}");
    const places = new Map<string, number>();
    this.#json.map(() => {
      const at = this.offset;
      const name = this.#json.key();
      const first = places.get(name);
      if (first !== undefined) {
        const { line } = this.#json.place(first);
        const again = `${kind} ${quote(name)} is in line ${line} already`;
        this.fail(`${again}; keep one of them`, at);
      }
      places.set(name, at);
      if (known && !known.includes(name)) this.#unknown(kind, name, known, at);
      entry(name, at);
    });
  }

  /** Takes an object that has none but these fields, each of them or not. */
  fields<R extends FieldReaders>(readers: R): Fields<R> {
    const values: Record<string, unknown> = {};
    const places: Record<string, number> = {};
    this.entries("field", (name) => {
      places[name] = this.offset;
      this.within("field", name, () => {
        values[name] = readers[name](this);
      });
    }, Object.keys(readers));
    return { values, places } as Fields<R>;
  }

  /** Takes something that messages say is part of the entry `name`. */
  within(kind: string, name: string, take: () => void): void {
    this.#around.push([kind, name]);
    take();
    this.#around.pop();
  }

  /**
   * Takes a list of items, or one item alone.
   * @param item Must take the item.
   */
  oneOrMore(item: () => void): void {
    if (!this.#json.atList()) return item();
    const at = this.offset;
    let count = 0;
    this.#json.list(() => {
      count++;
      item();
    });
    if (count === 0) this.fail("the list is empty", at);
  }

  /** Takes a text that may become part of a line of Munin's protocol. */
  text(): string {
    if (!this.#json.atText()) this.unexpected('a text in ""');
    const at = this.offset;
    const text = this.#json.text();
    if (text.trim() !== text || text === "") {
      this.fail("it must not be empty, nor begin or end with a blank", at);
    }
    // Any but these is a control character or a line break. (\p{Cc} takes longer to set up.)
    if (/[^ -~\xa0-\u2027\u202a-\uffff]/.test(text)) {
      this.fail("it must have no line break or control character", at);
    }
    // Source: parse_service_config and parse_service_data of Munin 2.0, Munin::Master::Node.
    if (text.includes("# timeout")) {
      this.fail('at "# timeout" Munin would give up on the whole host', at);
    }
    return text;
  }

  /**
   * Takes a text, or a number as it is written, and gives what `parse` makes of it.
   *
   * @param expected What to say where that is `undefined`.
   */
  parsed<T>(expected: string, parse: (text: string) => T | undefined): T {
    const at = this.offset;
    const isText = this.#json.atText();
    const text = isText ? this.#json.text() : this.#source();
    return parse(text) ??
      this.#unexpected(expected, isText ? quote(text) : text, at);
  }

  /**
   * Takes one of some texts.
   *
   * @param reasons Why some others are none of them.
   */
  choice<T extends string>(
    choices: readonly T[],
    reasons: Readonly<Record<string, string>> = {},
  ): T {
    const expected = choices.map(quote).join(" or ");
    const at = this.offset;
    return this.parsed(expected, (text) => {
      if (Object.hasOwn(reasons, text)) {
        const got = `${quote(text)}: ${reasons[text]}`;
        this.fail(`expected ${expected}, got ${got}`, at);
      }
      return choices.find((choice) => choice === text);
    });
  }

  /** Takes a number that is finite. */
  number(): number {
    const at = this.offset;
    const source = this.#source();
    const number = /^[-0-9]/.test(source) ? Number(source) : NaN;
    if (!Number.isFinite(number)) this.#unexpected("a number", source, at);
    return number;
  }

  /** Makes sure that nothing follows. */
  end(): void {
    this.#json.end();
  }

  /** Takes the next item and refuses it. */
  unexpected(expected: string): never {
    const at = this.offset;
    return this.#unexpected(expected, this.#source(), at);
  }

  /** Refuses what is at `at`. */
  fail(message: string, at: number): never {
    const around = this.#around.map(([kind, name]) => `${kind} ${quote(name)}`);
    throw this.#error([...around, message].join(": "), at);
  }

  #unknown(
    kind: string,
    name: string,
    known: readonly string[],
    at: number,
  ): never {
    const meant = closest(name, known).map(quote).join(" or ");
    return this.fail(
      `there is no ${kind} ${quote(name)}: ` +
        (meant === ""
          ? `known are ${known.map(quote).join(", ")}`
          : `did you mean ${meant}?`),
      at,
    );
  }

  #unexpected(expected: string, source: string, at: number): never {
    let got = oneLine(shortened(source)).toWellFormed();
    if (source.startsWith("{")) got = "an object";
    if (source.startsWith("[")) got = "a list";
    return this.fail(`expected ${expected}, got ${got}`, at);
  }

  #source(): string {
    return textOf(this.#json.source());
  }

  #error(message: string, offset: number): UserError {
    const { line, column } = this.#json.place(offset);
    return new UserError(
      `${oneLine(this.#path)}:${line}:${column}: ${message}`,
    );
  }

  /** What to do about the commonest of the mistakes that the reader stumbles over at `offset`. */
  #advice(offset: number): string {
    const byte = this.#bytes[offset];
    const character = byte === undefined ? "" : String.fromCharCode(byte);
    const before = textOf(this.#bytes.subarray(0, offset)).trimEnd();
    if (/[}\]]/.test(character) && before.endsWith(",")) {
      return "; take the comma before it away";
    }
    if (/[/#]/.test(character)) return "; JSON has no comments";
    if (character === "'") return '; texts are in double quotes, ""';
    if (byte < 0x20) return "; is a quote missing before it?";
    return "";
  }
}

/** A text from the file for a message: in quotes, on one line, not too long. */
export function quote(text: string): string {
  return oneLine(JSON.stringify(shortened(text)));
}

function shortened(text: string): string {
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text;
}
