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
 * - A name that then would end like those that are made here (`_total`, `_created`, `_info`), and a
 *   gauge's that would end like part of a histogram (`_count`, `_sum`, `_bucket`, `_gcount`, `_gsum`),
 *   gets `_value` at its end; so does one that looks as if it had.
 *
 * That is the name of the family; its samples have a suffix by their kind: see
 * {@linkcode sampleName}. Where a name has attributes, as `lib/otlp/series_name.ts` writes them,
 * these become labels, by the first two rules: see {@linkcode splitName}.
 *
 * Source of what is allowed and reserved: OpenMetrics 1.0, "MetricFamily", "Suffixes" and the ABNF.
 *
 * @module
 */

import {
  metricText,
  parseSeriesName,
  seriesName,
} from "../otlp/series_name.ts";

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
const VALUE = "_value";
const RESERVED = "total|created|info";
const GAUGE_RESERVED = `${RESERVED}|count|sum|bucket|gcount|gsum`;
const ENDS = { any: endsOf(RESERVED), gauge: endsOf(GAUGE_RESERVED) };

function endsOf(words: string): { wants: RegExp; has: RegExp } {
  return {
    wants: new RegExp(`_(?:${words})(?:${VALUE})*$`),
    has: new RegExp(`_(?:${words})(?:${VALUE})+$`),
  };
}

/** Labels of every series, and that of a text, are no attribute's. */
const TAKEN_LABELS = "(?:[0-9_]|$|(?:cluster|node|key|value)$)";
const WANTS_LABEL_PREFIX = new RegExp(`^x*${TAKEN_LABELS}`);
const HAS_LABEL_PREFIX = new RegExp(`^x+${TAKEN_LABELS}`);

/** What the name of a metric becomes. */
export interface SplitName {
  /** What is named, without attributes; the same for every kind. */
  readonly original: string;
  /** {@linkcode familyName} of that. */
  readonly family: string;
  /** Names and values, in the order of the attributes. */
  readonly labels: readonly (readonly [name: string, value: string])[];
}

/** Makes a family and labels of a metric's name. No two names have the same. */
export function splitName(name: string, kind: MetricKind): SplitName {
  if (name.endsWith("}")) {
    const { name: plain, attributes } = parseSeriesName(name);
    // What is written in another way is a name like any other.
    if (attributes.length > 0 && seriesName(plain, attributes) === name) {
      const original = metricText(plain);
      const family = familyName(original, kind);
      const labels = attributes.map(([key, value]) =>
        [labelName(key), value] as const
      );
      return { original, family, labels };
    }
  }
  return { original: name, family: familyName(name, kind), labels: [] };
}

/**
 * The name that {@linkcode splitName} was given.
 * @returns `undefined` if it makes this of no name.
 */
export function joinName(
  { family, labels }: Pick<SplitName, "family" | "labels">,
  kind: MetricKind,
): string | undefined {
  const original = originalName(family, kind);
  if (original === undefined || labels.length === 0) return original;
  const keys = labels.map(([label]) => originalLabel(label));
  const attributes = labels.map(([, value], index): [string, string] => [
    keys[index] ?? "",
    value,
  ]);
  const name = original + seriesName("", attributes);
  return keys.includes(undefined) || splitName(name, kind).family !== family
    ? undefined
    : name;
}

function labelName(key: string): string {
  const name = escapeName(key);
  return WANTS_LABEL_PREFIX.test(name) ? `x${name}` : name;
}

function originalLabel(label: string): string | undefined {
  const name = HAS_LABEL_PREFIX.test(label) ? label.slice(1) : label;
  const key = unescapeName(name);
  return labelName(key) === label ? key : undefined;
}

/** The name of the family of a metric. */
export function familyName(original: string, kind: MetricKind): string {
  let name = escapeName(original);
  if (WANTS_PREFIX.test(name)) name = `x${name}`;
  return endsFor(kind).wants.test(name) ? name + VALUE : name;
}

/**
 * The name that {@linkcode familyName} was given.
 * @returns `undefined` if it makes this of no name.
 */
export function originalName(
  family: string,
  kind: MetricKind,
): string | undefined {
  let name = family;
  if (endsFor(kind).has.test(name)) name = name.slice(0, -VALUE.length);
  if (HAS_PREFIX.test(name)) name = name.slice(1);
  const original = unescapeName(name);
  return familyName(original, kind) === family ? original : undefined;
}

function endsFor(kind: MetricKind): typeof ENDS.any {
  return kind === "gauge" ? ENDS.gauge : ENDS.any;
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
  const kind = suffix === undefined
    ? "gauge"
    : suffix === "info"
    ? "info"
    : "counter";
  const original = originalName(family, kind);
  if (original === undefined) return undefined;
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

function unescapeName(name: string): string {
  return name.replace(TOKEN, (token, code?: string) => {
    if (code === undefined) {
      return token === "__" ? "." : token === "_dash_" ? "-" : token;
    }
    const point = parseInt(code, 16);
    return point > 0x10ffff ? token : String.fromCodePoint(point);
  });
}
