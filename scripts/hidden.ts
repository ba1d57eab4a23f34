/**
 * A module within a comment at the end of the built script: the runtime passes over it in no time,
 * and it is imported when it is wanted.
 *
 * @module
 */

const BEGIN = "\n/*gatherer:hidden\n";
const END = "\n*/\n";
/** Stands for the end of a comment, within one. */
const COMMENT_END = "*@/";

/**
 * Puts a module's source text into a comment.
 * @throws TypeError when the text has `*@/` in it, which stands for the end of a comment.
 */
export function hide(source: string): string {
  if (source.includes(COMMENT_END)) {
    throw new TypeError(`the text to hide contains "${COMMENT_END}"`);
  }
  return BEGIN + source.replaceAll("*/", COMMENT_END) + END;
}

/**
 * The text that was hidden at the end of a script.
 * @throws TypeError when there is none.
 */
export function reveal(script: string): string {
  const begin = script.lastIndexOf(BEGIN);
  if (begin < 0 || !script.endsWith(END)) {
    throw new TypeError("the script has been cut off: build it again");
  }
  return script.slice(begin + BEGIN.length, -END.length)
    .replaceAll(COMMENT_END, "*/");
}
