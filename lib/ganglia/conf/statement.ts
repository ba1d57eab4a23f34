import type { Line } from "./lines.ts";
import type { Place } from "./remarks.ts";

/** A line with something on it. */
export interface Statement {
  readonly line: Line;
  /** Its first word. */
  readonly name: string;
  readonly place: Place;
  /** Where what follows that word begins. */
  readonly offset: number;
  readonly rest: string;
}

/** The blanks before the first word, that word, the rest. Blanks are those of C. */
const firstWord = /^([ \t\r\v\f]*)([^ \t\r\v\f]+)([^]*)$/;

/** `id {`, the brace also without a blank before it. */
const sectionBegin =
  /^[ \t\r\v\f]*([^\s{}"'#$\\]+)[ \t\r\v\f]*\{[ \t\r\v\f]*(?:#.*)?$/;

/** What is on a line; `undefined` for one that is empty. */
export function readStatement(line: Line): Statement | undefined {
  const match = firstWord.exec(line.text);
  if (!match) return undefined;
  const [, { length: begin }, name, rest] = match;
  const offset = begin + name.length;
  return { line, name, place: line.place(begin), offset, rest };
}

/** The first word of a line, if there is one. */
export function nameIn(line: string): string | undefined {
  return firstWord.exec(line)?.[2];
}

/** The id, in small letters, of the section that a line begins; `undefined` if it begins none. */
export function sectionIn(line: string): string | undefined {
  return sectionBegin.exec(line)?.[1].toLowerCase();
}
