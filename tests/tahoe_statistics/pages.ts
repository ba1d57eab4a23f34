import type { Value } from "../../lib/value.ts";

/** The captured pages of some nodes of Tahoe-LAFS, in the order in which they were taken. */
export const captures: readonly string[] = [
  "client-1-0-started",
  "client-1-1-some-traffic",
  "client-1-2-minutes-later",
  "client-1-3-busy",
  "client-1-4-six-minutes-later",
  "client-1-5-a-quarter-hour-later",
  "helper-1-0-started",
  "helper-1-1-some-traffic",
  "helper-1-2-minutes-later",
  "helper-1-3-busy",
  "helper-1-4-six-minutes-later",
  "helper-1-5-a-quarter-hour-later",
  "storage-1-0-started",
  "storage-1-1-some-traffic",
  "storage-1-2-minutes-later",
  "storage-1-3-busy",
  "storage-1-4-six-minutes-later",
  "storage-1-5-a-quarter-hour-later",
];

/** The bytes of a captured page. */
export function readCapture(name: string): Uint8Array<ArrayBuffer> {
  return Deno.readFileSync(
    new URL(`../testdata/tahoe/statistics-${name}.json`, import.meta.url),
  );
}

/** Name and value of each figure. */
export type Figures = [name: string, value: Value][];

/**
 * The figures of a captured page, read without the code under test: the captures have one figure a
 * line.
 */
export function figuresOf(
  page: Uint8Array,
): { counters: Figures; stats: Figures } {
  const figures: { counters: Figures; stats: Figures } = {
    counters: [],
    stats: [],
  };
  let group: Figures = figures.counters;
  for (const line of new TextDecoder().decode(page).split("\n")) {
    const head = /^ "(counters|stats)": \{/.exec(line);
    if (head) group = figures[head[1] as keyof typeof figures];
    const match = /^ {2}"([^"]+)": (\S+?),?$/.exec(line);
    if (!match) continue;
    const [, name, text] = match;
    const value = text === "null"
      ? null
      : /^-?\d+$/.test(text)
      ? BigInt(text)
      : Number(text);
    group.push([name, value]);
  }
  return figures;
}

/** A page of these figures, as bytes. */
export function page(
  stats: string,
  counters = "",
): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(
    `{"counters": {${counters}}, "stats": {${stats}}}\n`,
  );
}
