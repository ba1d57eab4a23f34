/**
 * What a Tahoe-LAFS node says of itself at `/statistics?t=json` of its web port: one JSON object,
 *
 *     { "counters": { "storage_server.get": 1343, … },
 *       "stats": { "node.uptime": 220.97, "storage_server.latencies.get.99_9_percentile": null, … } }
 *
 * Source: Tahoe-LAFS's `web/status.py`, class Statistics, and captured pages.
 *
 * @module
 */
import { defaultLimits } from "../foolscap/limits.ts";
import { JsonReader } from "../snapshot/json_reader.ts";
import { INTEGER_BOUND, MAX_NUMBERS } from "../stats/names.ts";
import { oneLine } from "../text.ts";
import type { Value } from "../value.ts";

/** The figures of a page, in its order. */
export interface StatisticsPage {
  readonly counters: ReadonlyMap<string, Value>;
  readonly stats: ReadonlyMap<string, Value>;
  /** What it says that is no figure and was left out, such as `"storage.note" is no number`. */
  readonly dropped: readonly string[];
}

/** The bytes are no statistics page. */
export class PageError extends Error {
  override name = "PageError";
}

/** Things left out that are told one by one. */
const MOST_TOLD = 5;

/**
 * Reads a page. Digits alone are an integer, exact at any size; with a point or exponent it is a
 * double; `null` is not known, and so are NaN and the infinities, which Python writes. `true` and
 * `false` count as 1 and 0, as on the old wire. Whatever else is no figure is left out by itself:
 * texts, lists, objects, integers beyond 1,000 bytes, figures without a usable name. Of a name that
 * is there twice the last figure counts. Other fields of the page are passed over.
 * @throws PageError when it is no JSON, no object, lacks a group or has too many figures.
 */
export function readPage(bytes: Uint8Array): StatisticsPage {
  const reader = new JsonReader(
    bytes,
    (message, _, { line, column }) =>
      new PageError(
        `its answer is no statistics: ${
          message.replace(/^the file /, "it ")
        } (line ${line}, column ${column})`,
      ),
  );
  const groups = new Map<string, Map<string, Value>>();
  const dropped: string[] = [];
  let more = 0;
  const drop = (what: string) => {
    if (dropped.length < MOST_TOLD) dropped.push(what);
    else more++;
  };
  reader.map(() => {
    const group = reader.key();
    if (group !== "counters" && group !== "stats") return reader.skip();
    if (!reader.atMap()) reader.fail(`"${group}" is no object`);
    groups.set(group, readGroup(reader, bytes, drop));
  });
  reader.end();
  const [counters, stats] = ["counters", "stats"].map((name) => {
    const group = groups.get(name);
    if (group) return group;
    throw new PageError(`its answer is no statistics: it has no "${name}"`);
  });
  if (more > 0) dropped.push(`and ${more} more`);
  return { counters, stats, dropped };
}

function readGroup(
  reader: JsonReader,
  bytes: Uint8Array,
  drop: (what: string) => void,
): Map<string, Value> {
  const figures = new Map<string, Value>();
  reader.map(() => {
    const name = reader.key();
    const first = bytes[reader.offset];
    const value = figureOf(reader.value(), first);
    const shown = `"${oneLine(name, 60)}"`;
    if (!isUsable(name)) return drop(`${shown} is no usable name`);
    if (value === undefined) return drop(`${shown} is no number`);
    if (figures.size === MAX_NUMBERS && !figures.has(name)) {
      reader.fail(`there are more than ${MAX_NUMBERS} figures`);
    }
    figures.set(name, value);
  });
  return figures;
}

/** @param first The first byte of what was read. */
function figureOf(
  value: Value | undefined,
  first: number,
): Value | undefined {
  switch (typeof value) {
    case "number":
      return Number.isFinite(value) ? value : null;
    case "bigint":
      return value < INTEGER_BOUND && value > -INTEGER_BOUND
        ? value
        : undefined;
    case "undefined":
      if (first === 0x74) return 1n;
      return first === 0x66 ? 0n : undefined;
    default:
      return value;
  }
}

/** The same names that a node may have on the old wire. */
function isUsable(name: string): boolean {
  const { textBytes } = defaultLimits;
  return name !== "" && name.length <= textBytes &&
    new TextEncoder().encode(name).length <= textBytes;
}
