/**
 * Splits a line of the section into words. `"…"` and `'…'` keep blanks in a word and may begin inside
 * it; nothing else has a meaning.
 * @throws Error naming the quote that is not closed.
 */
export function splitWords(text: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote: string | undefined;
  for (const character of text) {
    if (quote !== undefined) {
      if (character === quote) quote = undefined;
      else word += character;
    } else if (character === '"' || character === "'") {
      quote = character;
      word ??= "";
    } else if (/\s/.test(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = (word ?? "") + character;
  }
  if (quote !== undefined) {
    throw new Error(`the quote ${quote} is not closed`);
  }
  if (word !== undefined) words.push(word);
  return words;
}

/** Milliseconds of each unit. */
const UNITS: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};
const MOST_MS = 365 * UNITS.d;

/**
 * A duration such as `90`, `30s`, `5m` or `1h30m`; a number alone is seconds.
 * @returns Milliseconds.
 * @throws Error saying what was expected.
 */
export function parseDuration(text: string): number {
  const units = /^\d{1,9}$/.test(text) ? `${text}s` : text;
  if (!/^(?:\d{1,9}[smhd])+$/.test(units)) {
    throw new Error(
      `"${text}" is no duration; expected such as 30s, 5m, 1h30m or 2d`,
    );
  }
  let ms = 0;
  for (const [, number, unit] of units.matchAll(/(\d+)([smhd])/g)) {
    ms += Number(number) * UNITS[unit];
  }
  if (ms > MOST_MS) throw new Error(`"${text}" is more than 365 days`);
  return ms;
}
