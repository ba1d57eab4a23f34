import type { Value } from "../value.ts";
import type { SnapshotNode } from "../snapshot/codec.ts";
import { formatFloat } from "../snapshot/json.ts";
import { isPresentAge, SILENT_SECONDS } from "../tree/state.ts";

/** Characters of a tubid that a table shows. */
export const SHORT_KEY = 8;

/** Columns that names are padded to at most: one endless name shall not push all values away. */
const WIDEST_NAME = 56;
/** Characters that are written at once. */
const CHUNK = 64 * 1024;

/** What {@linkcode prettyDump} needs besides the nodes. */
export interface PrettyOptions {
  /** How many nodes there are, those that were filtered out included. */
  of: number;
  /** Seconds since the epoch. */
  now: number;
  color: boolean;
}

/** A table for people: each node with its age, its values, and a line that sums up. */
export function* prettyDump(
  nodes: readonly SnapshotNode[],
  { of, now, color }: PrettyOptions,
): Generator<string> {
  const paint = color ? ansi : plain;
  let text = "";
  let values = 0;
  let stale = 0;
  for (const node of nodes) {
    const isStale = !isPresentAge(now - node.timestamp);
    if (isStale) stale++;
    values += node.counters.size + node.stats.size;
    text += formatNode(node, now, isStale, paint);
    if (text.length >= CHUNK) {
      yield text;
      text = "";
    }
  }
  const shown = nodes.length === of ? `${of}` : `${nodes.length} of ${of}`;
  yield `${text}${shown} ${of === 1 ? "node" : "nodes"}, ` +
    `${stale === 0 ? "none" : stale} stale (older than ${SILENT_SECONDS} s); ` +
    `${values} ${values === 1 ? "value" : "values"}\n`;
}

/** How the parts of the table are set off; sense never depends on it. */
interface Paint {
  heading(text: string): string;
  warning(text: string): string;
  faint(text: string): string;
}

const plain: Paint = {
  heading: (text) => text,
  warning: (text) => text,
  faint: (text) => text,
};

const ansi: Paint = {
  heading: (text) => `\x1b[1m${text}\x1b[0m`,
  warning: (text) => `\x1b[1;33m${text}\x1b[0m`,
  faint: (text) => `\x1b[2m${text}\x1b[0m`,
};

function formatNode(
  node: SnapshotNode,
  now: number,
  isStale: boolean,
  paint: Paint,
): string {
  const lines = [
    `${paint.heading(printable(node.nickname) || "(no nickname)")}  ` +
    `${printable(node.key.slice(0, SHORT_KEY))}  ` +
    `${formatAge(now - node.timestamp)}  ` +
    (isStale ? paint.warning("STALE") : "fresh"),
  ];
  const groups = [
    ["counters", formatRows(node.counters)],
    ["stats", formatRows(node.stats)],
  ] as const;
  const rows = groups.flatMap(([, rows]) => rows);
  const nameWidth = Math.min(
    WIDEST_NAME,
    rows.reduce((width, row) => Math.max(width, row.name.length), 0),
  );
  const wholeWidth = rows.reduce(
    (width, row) => Math.max(width, row.whole.length),
    0,
  );
  for (const [title, rows] of groups) {
    if (rows.length === 0) continue;
    lines.push(`  ${title}`);
    for (const { name, whole, fraction, known } of rows) {
      const value = `${whole.padStart(wholeWidth)}${fraction}`;
      lines.push(
        `    ${name.padEnd(nameWidth)}  ${known ? value : paint.faint(value)}`,
      );
    }
  }
  if (rows.length === 0) lines.push("  no values");
  return `${lines.join("\n")}\n\n`;
}

/** A value in two parts, so that a column can be set by the decimal point. */
interface Row {
  name: string;
  whole: string;
  fraction: string;
  known: boolean;
}

function formatRows(half: ReadonlyMap<string, Value>): Row[] {
  return [...half].map(([name, value]) => {
    const text = value === null
      ? "not known"
      : typeof value === "number"
      ? formatFloat(value)
      : value.toString();
    const [whole, fraction] = text.split(".");
    return {
      name: printable(name),
      whole: group(whole),
      fraction: fraction === undefined ? "" : `.${fraction}`,
      known: value !== null,
    };
  });
}

/** Commas between the thousands of what is digits alone. */
function group(whole: string): string {
  return /^-?\d+$/.test(whole)
    ? whole.replace(/\B(?=(?:\d{3})+$)/g, ",")
    : whole;
}

/** An age in its two largest units. */
function formatAge(seconds: number): string {
  if (!Number.isFinite(seconds)) return "at a time not known";
  const age = formatDuration(Math.round(Math.abs(seconds)));
  return seconds <= -0.5 ? `${age} in the future` : `${age} ago`;
}

function formatDuration(seconds: number): string {
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  const days = Math.floor(hours / 24);
  if (days > 0) return `${days} d ${hours % 24} h`;
  if (hours > 0) return `${hours} h ${minutes % 60} min`;
  if (minutes > 0) return `${minutes} min ${seconds % 60} s`;
  return `${seconds} s`;
}

/**
 * A text that a peer chose, harmless on a terminal: what steers it (controls, line separators,
 * marks that change the direction of writing) is shown as an escape.
 */
function printable(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu,
    (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`,
  );
}
