import type { Place } from "./remarks.ts";

/** A backslash at the end of a line, and blanks after it. Two of them are a backslash. */
const CONTINUED = /(?<!\\)\\([ \t\r\v\f]*)$/;

/** A line of the file, or several that backslashes at their ends make one. */
export interface Line {
  readonly text: string;
  /** Those that continue it, as they are. */
  readonly continuations: readonly string[];
  /** Whether there are blanks behind one of those backslashes. */
  readonly blanksBehind: boolean;
  /** Where the character at `offset` of `text` is. */
  place(offset: number): Place;
}

/** Hands out the lines of a text. */
export class Lines {
  readonly #path: string;
  readonly #lines: string[];
  #next = 0;

  /** @param path For places. */
  constructor(text: string, path: string) {
    this.#path = path;
    this.#lines = text.replace(/^\ufeff/, "").split("\n");
    if (this.#lines.at(-1) === "") this.#lines.pop();
  }

  /** The next line just as it is, without its end; `undefined` after the last. */
  nextPlain(): string | undefined {
    return this.#lines[this.#next++]?.replace(/\r$/, "");
  }

  /**
   * The next line, joined with those that continue it; `undefined` after the last.
   *
   * The C gmetad takes a line to be continued only if the backslash is its very last character,
   * the Python one also if blanks follow.
   *
   * @param beginsAnew Whether a line stands by itself, also where the line before it ends with a
   *   backslash and blanks.
   */
  next(beginsAnew: (line: string) => boolean): Line | undefined {
    if (this.#next >= this.#lines.length) return undefined;
    const parts: { readonly start: number; readonly line: number }[] = [];
    let text = "";
    const continuations: string[] = [];
    let blanksBehind = false;
    for (;;) {
      const line = this.#lines[this.#next++];
      if (parts.length > 0) continuations.push(line);
      parts.push({ start: text.length, line: this.#next });
      const end = CONTINUED.exec(line);
      const following = this.#lines[this.#next];
      const blanks = end !== null && !/^\r?$/.test(end[1]);
      if (
        end === null ||
        (blanks && (following === undefined || beginsAnew(following)))
      ) {
        text += line.replace(/\r$/, "");
        break;
      }
      text += line.slice(0, end.index);
      if (following === undefined) break;
      if (blanks) blanksBehind = true;
    }
    const path = this.#path;
    return {
      text,
      continuations,
      blanksBehind,
      place(offset) {
        // The last that begins at or before it, by halving: a line may have many.
        let low = 0;
        let high = parts.length - 1;
        while (low < high) {
          const middle = Math.ceil((low + high) / 2);
          if (parts[middle].start <= offset) low = middle;
          else high = middle - 1;
        }
        const { start, line } = parts[low];
        return { path, line, column: offset - start + 1 };
      },
    };
  }
}
