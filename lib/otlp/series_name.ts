/**
 * How a metric and its attributes (Prometheus: labels) make the name of a figure, here, where
 * names are all there is: `NAME{KEY=VALUE,KEY=VALUE}`.
 *
 * Keys come in the order of their UTF-16 code units; where one comes twice, the last counts.
 * A metric without attributes is its NAME alone. In all three parts a backslash stands before
 * `\`, `{`, `}`, `,` and `=`, and control characters and line ends are `\uXXXX`. So the parts can be
 * told from one another again: {@linkcode parseSeriesName}.
 *
 * @module
 */
import type { Attributes } from "./model.ts";

// deno-lint-ignore no-control-regex
const SPECIAL = /[\\{},=\x00-\x1f\x7f-\x9f\u2028\u2029]/g;

/** A name, taken apart. */
export interface SeriesName {
  readonly name: string;
  readonly attributes: Attributes;
}

/** The name of a figure. Halves of surrogate pairs become U+FFFD. */
export function seriesName(name: string, attributes: Attributes): string {
  return metricText(name) + new Labels(attributes).text;
}

/** How the name of a metric is written at the beginning of that of a figure. */
export function metricText(name: string): string {
  return escape(name);
}

/** Attributes on their way into names of which some have one more. */
export class Labels {
  /** In order, each with how it is written. */
  readonly #pairs: [key: string, written: string][];
  /** What follows the metric's name: `{KEY=VALUE,KEY=VALUE}`, or nothing. */
  readonly text: string;

  constructor(attributes: Attributes) {
    const last = new Map(attributes);
    this.#pairs = [...last].sort(([a], [b]) => compare(a, b))
      .map(([key, value]) => [key, written(key, value)]);
    this.text = textOf(this.#pairs);
  }

  /** {@linkcode text} with another attribute, or with another value of one that is there. */
  with(key: string, value: string): string {
    const pairs = this.#pairs.filter(([other]) => other !== key);
    const place = pairs.findIndex(([other]) => compare(other, key) > 0);
    const pair: [string, string] = [key, written(key, value)];
    pairs.splice(place < 0 ? pairs.length : place, 0, pair);
    return textOf(pairs);
  }
}

/** Takes a name apart. One that is not of this form is all name. */
export function parseSeriesName(text: string): SeriesName {
  const whole: SeriesName = { name: text, attributes: [] };
  const parts = split(text, "{");
  if (parts.length === 1) {
    const name = unescape(text);
    return name === undefined ? whole : { name, attributes: [] };
  }
  const name = unescape(parts[0]);
  const inner = parts[1].slice(0, -1);
  if (
    name === undefined || parts.length > 2 || split(inner, "}").length > 1 ||
    !parts[1].endsWith("}") || split(parts[1], "}").length !== 2
  ) return whole;
  const attributes: [string, string][] = [];
  for (const pair of split(inner, ",")) {
    const [key, value, ...more] = split(pair, "=").map(unescape);
    if (key === undefined || value === undefined || more.length > 0) {
      return whole;
    }
    attributes.push([key, value]);
  }
  return { name, attributes };
}

function written(key: string, value: string): string {
  return `${escape(key)}=${escape(value)}`;
}

function textOf(pairs: readonly [key: string, written: string][]): string {
  if (pairs.length === 0) return "";
  let text = `{${pairs[0][1]}`;
  for (let i = 1; i < pairs.length; i++) text += `,${pairs[i][1]}`;
  return `${text}}`;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function escape(text: string): string {
  const plain = text.isWellFormed() ? text : text.toWellFormed();
  return plain.replace(SPECIAL, (character) => {
    const code = character.charCodeAt(0);
    return code > 0x1f && code < 0x7f
      ? `\\${character}`
      : `\\u${code.toString(16).padStart(4, "0")}`;
  });
}

/** `undefined` for what {@linkcode escape} does not write. */
function unescape(text: string): string | undefined {
  let isFit = true;
  const plain = text.replace(
    /\\(?:u([0-9a-f]{4})|([\\{},=]))|[\\{},=]/g,
    (_, code: string | undefined, character: string | undefined) => {
      if (code !== undefined) return String.fromCharCode(parseInt(code, 16));
      if (character === undefined) isFit = false;
      return character ?? "";
    },
  );
  return isFit ? plain : undefined;
}

/** The parts between unescaped separators. */
function split(text: string, separator: string): string[] {
  const parts: string[] = [];
  let start = 0;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === "\\") i++;
    else if (text[i] === separator) {
      parts.push(text.slice(start, i));
      start = i + 1;
    }
  }
  parts.push(text.slice(start));
  return parts;
}
