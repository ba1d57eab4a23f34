/**
 * The one rule by which names of metrics become names that OpenMetrics allows, and back. It is
 * static: what a name becomes depends on nothing but itself, and no two names become the same.
 *
 * - Letters, digits and `_` stay. `.` becomes `__`, `-` becomes `_dash_`, and any other character
 *   `_xHH_`, its code point in hexadecimal. A `_` that would be read as the beginning of one of
 *   these is `_x5f_`.
 * - A name that then would begin with a digit or `_`, be empty, or be one that Prometheus or this
 *   program uses itself (`up`, `scrape_…`, `ALERTS…`, `gatherer_…`) gets an `x` in front; so does one
 *   that looks as if it had.
 * - A name that then would end like those that OpenMetrics makes itself (`_total`, `_created`,
 *   `_info`, `_count`, `_sum`, `_bucket`, `_gcount`, `_gsum`) gets `_value` at its end; so does one
 *   that looks as if it had.
 *
 * That is the name of the family; its samples have a suffix by their kind: see
 * {@linkcode sampleName}.
 *
 * Source of what is allowed and reserved: OpenMetrics 1.0, "MetricFamily", "Suffixes" and the ABNF.
 *
 * @module
 */

/** What a metric is: a value of the moment, one that only grows, or a text. */
export type MetricKind = "gauge" | "counter" | "info";

const PLAIN = /^[a-z][a-z0-9]*(?:_[a-z0-9]+)*$/i;
const UNRESERVED = /[A-Za-z0-9]/;
/** After a `_` these would be read as more than that. */
const MISREAD = /^(?:_|x[0-9a-f]{1,6}_|dash_)/;
const TOKEN = /_x([0-9a-f]{1,6})_|_dash_|__|[^]/g;

const TAKEN = "(?:[0-9_]|$|up$|scrape_(?!_)|ALERTS|gatherer_(?!_))";
const WANTS_PREFIX = new RegExp(`^x*${TAKEN}`);
const HAS_PREFIX = new RegExp(`^x+${TAKEN}`);
const RESERVED = "_(?:total|created|info|count|sum|bucket|gcount|gsum)";
const VALUE = "_value";
const WANTS_SUFFIX = new RegExp(`${RESERVED}(?:${VALUE})*$`);
const HAS_SUFFIX = new RegExp(`${RESERVED}(?:${VALUE})+$`);

/** The name of the family of a metric, whatever its kind is. */
export function familyName(original: string): string {
  let name = escapeName(original);
  if (WANTS_PREFIX.test(name)) name = `x${name}`;
  return WANTS_SUFFIX.test(name) ? name + VALUE : name;
}

/**
 * The name that {@linkcode familyName} was given.
 * @returns `undefined` if it makes this of no name.
 */
export function originalName(family: string): string | undefined {
  let name = family;
  if (HAS_SUFFIX.test(name)) name = name.slice(0, -VALUE.length);
  if (HAS_PREFIX.test(name)) name = name.slice(1);
  const original = name.replace(TOKEN, (token, code?: string) => {
    if (code === undefined) {
      return token === "__" ? "." : token === "_dash_" ? "-" : token;
    }
    const point = parseInt(code, 16);
    return point > 0x10ffff ? token : String.fromCodePoint(point);
  });
  return familyName(original) === family ? original : undefined;
}

/** The name of the samples of a family: what PromQL calls the metric. */
export function sampleName(family: string, kind: MetricKind): string {
  return kind === "counter"
    ? `${family}_total`
    : kind === "info"
    ? `${family}_info`
    : family;
}

/**
 * The metric that a sample is of.
 * @param sample A name as {@linkcode sampleName} makes them, or the `…_created` of a counter.
 * @returns `undefined` if it is of no metric that was gathered.
 */
export function readSampleName(
  sample: string,
): { readonly original: string; readonly kind: MetricKind } | undefined {
  const [, family, suffix] = /^(.*?)(?:_(total|created|info))?$/s.exec(sample)!;
  const original = originalName(family);
  if (original === undefined) return undefined;
  const kind = suffix === undefined
    ? "gauge"
    : suffix === "info"
    ? "info"
    : "counter";
  return { original, kind };
}

function escapeName(original: string): string {
  if (PLAIN.test(original) && !/_(?:x[0-9a-f]{1,6}|dash)_/.test(original)) {
    return original;
  }
  let name = "";
  // From its end, for what a `_` may be depends on what follows it.
  for (const char of [...original].reverse()) {
    name = escapeChar(char, name) + name;
  }
  return name;
}

function escapeChar(char: string, next: string): string {
  if (UNRESERVED.test(char)) return char;
  if (char === ".") return "__";
  if (char === "-") return "_dash_";
  if (char === "_" && !MISREAD.test(next)) return "_";
  return `_x${char.codePointAt(0)!.toString(16)}_`;
}
