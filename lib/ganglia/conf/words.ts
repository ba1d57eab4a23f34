import type { Line } from "./lines.ts";
import { Mistake, quote } from "./remarks.ts";

/** Characters of a word after its variables were put in. */
const MAX_WORD = 4096;
/** What separates words. Source: isspace() of the C library. */
const BLANK = " \t\r\n\v\f";

/** A word of a directive, without its quotes. */
export interface Word {
  readonly text: string;
  /** Where it begins in its line. */
  readonly offset: number;
}

/** What {@linkcode readWords} needs besides the line. */
export interface WordsContext {
  /** The value of an environment variable. */
  env(name: string): string | undefined;
  /** Is told of what may not have been meant so. */
  warn(message: string, offset: number): void;
}

/**
 * Splits a line into words, from `offset` on to its end or to a comment.
 *
 * `'…'` and `"…"` keep blanks and `#` in a word and may begin inside it; a backslash takes the next
 * character as it is, also in quotes; `${NAME}` and `${NAME:-default}` are replaced in the word that
 * results. Source: dotconf, the library that gmetad reads its file with.
 *
 * @throws Mistake for a `${` without `}` and for a word that is too long.
 */
export function readWords(
  line: Line,
  offset: number,
  context: WordsContext,
): Word[] {
  const { text } = line;
  const words: Word[] = [];
  for (let at = offset;;) {
    while (at < text.length && BLANK.includes(text[at])) at++;
    if (at >= text.length || text[at] === "#") return words;
    const { word, end } = readWord(text, at, context);
    words.push({ text: substitute(word, line, at, context), offset: at });
    at = end;
  }
}

function readWord(
  text: string,
  start: number,
  { warn }: WordsContext,
): { word: string; end: number } {
  let word = "";
  let open: { readonly quote: string; readonly at: number } | undefined;
  let at = start;
  for (; at < text.length; at++) {
    const character = text[at];
    if (character === "\\" && at + 1 < text.length) {
      word += text[++at];
    } else if (character === open?.quote) {
      open = undefined;
    } else if (open) {
      word += character;
    } else if (character === '"' || character === "'") {
      open = { quote: character, at };
    } else if (BLANK.includes(character)) {
      break;
    } else if (character === "#") {
      warn(
        'the comment begins inside a word; put a blank before "#", or the word in quotes',
        at,
      );
      break;
    } else word += character;
  }
  if (open) {
    warn(
      `the quote (${open.quote}) is not closed; it is taken to end with the line`,
      open.at,
    );
  }
  return { word, end: at };
}

function substitute(
  word: string,
  line: Line,
  offset: number,
  { env, warn }: WordsContext,
): string {
  let result = "";
  let rest = word;
  for (;;) {
    const begin = rest.indexOf("${");
    result += begin < 0 ? rest : rest.slice(0, begin);
    if (result.length > MAX_WORD) {
      throw new Mistake(
        `a word has more than ${MAX_WORD} characters`,
        line.place(offset),
      );
    }
    if (begin < 0) return result;
    rest = rest.slice(begin);
    const variable = /^\$\{([^}:]*)(?::-([^}]*)|:[^}]*)?\}/.exec(rest);
    if (!variable) {
      throw new Mistake(
        `${
          quote(rest)
        } begins a variable; expected \${NAME} or \${NAME:-default}`,
        line.place(offset),
      );
    }
    const [whole, name, fallback] = variable;
    const value = env(name) ?? fallback;
    if (value === undefined) {
      warn(
        `there is no ${quote(name)} in the environment: ${whole} is nothing`,
        offset,
      );
    } else result += value;
    rest = rest.slice(whole.length);
  }
}
