/**
 * A text from outside for a log line or an error message: control characters, line ends among
 * them, become blanks, so that nobody can forge a line.
 * @param most Characters after which it is cut.
 */
export function oneLine(text: string, most = Infinity): string {
  return text.slice(0, most).replace(/[\p{Cc}\u2028\u2029]+/gu, " ");
}

const utf8 = new TextDecoder();

/** Bytes from outside as text, for people; what is no UTF-8 is replaced. */
export function textOf(bytes: Uint8Array): string {
  return utf8.decode(bytes);
}
