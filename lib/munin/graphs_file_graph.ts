import { UserError } from "../errors.ts";
import { globMatcher } from "../glob.ts";
import type { StatGroup } from "../snapshot/scan.ts";
import { closest } from "../closest.ts";
import type { Graph, Limits, PatternLines } from "./graph.ts";
import { type Fields, type PlacedReader, quote } from "./graphs_file_reader.ts";
import { parseRange, rangeForms } from "./limits.ts";

/** Characters of a category: it becomes part of a page's file name. */
const MAX_CATEGORY = 100;

interface Statistic {
  readonly group?: StatGroup;
  readonly glob: string;
  /** As the file has it. */
  readonly text: string;
  readonly matches: (name: string) => boolean;
}

const limitFields = { warning: range, critical: range };

/** Every field that a graph can have, and how it is read. */
const graphFields = {
  title: legend,
  statistics,
  nodes,
  per: (file: PlacedReader) => file.choice(["node", "total"]),
  label: template,
  labels,
  category,
  vlabel: legend,
  info: (file: PlacedReader) => file.text(),
  args: (file: PlacedReader) => file.text(),
  type: (file: PlacedReader) => file.choice(["GAUGE", "DERIVE"], notTypes),
  draw: (file: PlacedReader) =>
    file.choice(["LINE1", "LINE2", "LINE3", "AREA", "STACK", "AREASTACK"]),
  min: (file: PlacedReader) => file.number(),
  max: (file: PlacedReader) => file.number(),
  ...limitFields,
};

/** What RRD knows besides, and why not here. */
const notTypes = {
  COUNTER: "it takes a restart for an overflow and draws a peak; " +
    'use "DERIVE" with "min": 0',
  ABSOLUTE: "it is for counters that begin again whenever they are read, " +
    'and no statistic does; use "DERIVE" with "min": 0',
};

/**
 * Takes the definition of a graph.
 *
 * @param at Where its name is.
 * @throws UserError
 */
export function readGraph(file: PlacedReader, name: string, at: number): Graph {
  const fields = file.fields(graphFields);
  const { values } = fields;
  const { title, statistics } = values;
  if (title === undefined || statistics === undefined) {
    const missing = title === undefined ? "title" : "statistics";
    return file.fail(`the field ${quote(missing)} is missing`, at);
  }
  checkBounds(file, fields, statistics);
  checkLabels(file, fields, statistics);
  const { args, nodes, label, type, min, max, warning, critical } = values;
  const lines: PatternLines = {
    kind: "pattern",
    statistics: statistics.map(({ group, glob }) => given({ group, glob })),
    per: values.per ?? "node",
    labels: new Map(
      [...values.labels ?? []].map(([stat, { label }]) => [stat, label]),
    ),
    draw: values.draw ?? "LINE1",
    ...given({ nodes, label, type, min, max }),
  };
  const limits = given({ warning, critical });
  return {
    name,
    title,
    category: values.category ?? "gatherer",
    vlabel: values.vlabel ?? (grows(lines) ? "per ${graph_period}" : "value"),
    info: values.info ??
      `Statistics: ${
        statistics.map(({ text }) => escapeHtml(text)).join(", ")
      }`,
    ...given({ args }),
    ...(Object.keys(limits).length > 0 ? { limits } : {}),
    lines,
  };
}

/** Takes the limits that a file sets for a graph. */
export function readLimits(file: PlacedReader): Limits {
  return file.fields(limitFields).values;
}

/** Whether all lines of a graph draw growth. */
function grows({ type, statistics }: PatternLines): boolean {
  return type === "DERIVE" ||
    (type === undefined &&
      statistics.every(({ group }) => group === "counters"));
}

function checkBounds(
  file: PlacedReader,
  { values, places }: Fields<typeof graphFields>,
  statistics: readonly Statistic[],
): void {
  const { type, min, max } = values;
  if (max === undefined) return;
  const mayGrow = type === "DERIVE" ||
    (type === undefined && statistics.some(({ group }) => group !== "stats"));
  const least = min ?? (mayGrow ? 0 : -Infinity);
  if (least < max) return;
  // rrdtool 1.7 refuses to make a series whose minimum is not less than its maximum.
  const what = min === undefined ? "0, the minimum of counters" : '"min"';
  file.fail(`field "max": it must be more than ${what}`, places.max!);
}

function checkLabels(
  file: PlacedReader,
  { values, places }: Fields<typeof graphFields>,
  statistics: readonly Statistic[],
): void {
  if (values.per === "total" && values.label?.includes("{node}")) {
    file.fail(
      'field "label": there is no {node} where "per" is "total"',
      places.label!,
    );
  }
  for (const [stat, { at }] of values.labels ?? []) {
    if (statistics.some(({ matches }) => matches(stat))) continue;
    file.fail(
      `field "labels": nothing in "statistics" matches ${quote(stat)}`,
      at,
    );
  }
}

function statistics(file: PlacedReader): Statistic[] {
  const found: Statistic[] = [];
  file.oneOrMore(() => {
    const at = file.offset;
    const text = file.text();
    const [, group, glob] = /^(?:(counters|stats):)?(.*)$/s.exec(text)!;
    if (/^(?:\s|$)/.test(glob)) {
      file.fail(`a pattern must follow "${group}:" at once; "*" is any`, at);
    }
    if (group === undefined) checkPrefix(file, glob, at);
    const matches = matcher(file, glob, at);
    found.push(
      given({ group: group as StatGroup | undefined, glob, text, matches }),
    );
  });
  return found;
}

/** Refuses a prefix that was mistyped: it would be taken for the beginning of a name. */
function checkPrefix(file: PlacedReader, glob: string, at: number): void {
  const prefix = /^\w+(?=:)/.exec(glob)?.[0];
  const [meant] = prefix === undefined
    ? []
    : closest(prefix, ["counters", "stats"]);
  if (meant === undefined) return;
  file.fail(
    `there is no ${quote(`${prefix}:`)}: did you mean ${quote(`${meant}:`)}? ` +
      `(A statistic whose name begins so: ${quote(glob.replace(":", "[:]"))})`,
    at,
  );
}

function nodes(file: PlacedReader): string {
  const at = file.offset;
  const glob = file.text();
  matcher(file, glob, at);
  return glob;
}

function matcher(
  file: PlacedReader,
  glob: string,
  at: number,
): (text: string) => boolean {
  try {
    return globMatcher(glob);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return file.fail(error.message, at);
  }
}

/** Takes a text for the picture: Munin draws a backslash twice, and allows no `#`. */
function legend(file: PlacedReader): string {
  const at = file.offset;
  const text = file.text();
  const bad = /[#\\]/.exec(text)?.[0];
  if (bad !== undefined) {
    file.fail(`it must have no ${quote(bad)}: Munin cannot draw it`, at);
  }
  return text;
}

function template(file: PlacedReader): string {
  const at = file.offset;
  const text = legend(file);
  for (const [placeholder] of text.matchAll(/\{[^{}]*\}/g)) {
    if (placeholder !== "{node}" && placeholder !== "{stat}") {
      file.fail(`there are {node} and {stat}, but no ${placeholder}`, at);
    }
  }
  return text;
}

function labels(
  file: PlacedReader,
): Map<string, { readonly label: string; readonly at: number }> {
  const found = new Map<string, { label: string; at: number }>();
  file.entries("label", (stat, at) => {
    file.within("label", stat, () => {
      found.set(stat, { label: legend(file), at });
    });
  });
  return found;
}

function category(file: PlacedReader): string {
  const at = file.offset;
  const text = file.text();
  if (/^[a-z0-9][a-z0-9_.-]*$/.test(text) && text.length <= MAX_CATEGORY) {
    return text;
  }
  const better = text.toLowerCase().replace(/[^a-z0-9_.-]+/g, "_")
    .replace(/^[_.-]+/, "").slice(0, MAX_CATEGORY);
  return file.fail(
    'expected lower-case letters, digits, "_", "." and "-", a letter or digit first, ' +
      `at most ${MAX_CATEGORY}${better && `: perhaps ${quote(better)}`}`,
    at,
  );
}

function range(file: PlacedReader): string {
  return file.parsed(`a range, ${rangeForms}`, parseRange);
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>]/g, (sign) => `&#${sign.charCodeAt(0)};`);
}

/** The same without the fields that are undefined. */
function given<T extends object>(object: T): T {
  return Object.fromEntries(
    Object.entries(object).filter(([, value]) => value !== undefined),
  ) as T;
}
