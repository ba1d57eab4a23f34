import type { Doing, GathererStatus, NodeReport } from "../status.ts";
import { oneLine } from "../text.ts";
import { SHORT_KEY } from "./dump_pretty.ts";

/** How {@linkcode statusText} is to look. */
export interface StatusStyle {
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Whether every node is shown; else those that are not well. */
  readonly all: boolean;
  readonly color: boolean;
}

/** Columns of a terminal that nobody has widened. */
const WIDTH = 80;
/** Columns that a name may have: one endless name shall not push all else away. */
const WIDEST_NAME = 24;
const WIDEST_KEY = 14;
/** Where the text after a heading begins. */
const INDENT = 15;

/** A gatherer's status, for people. */
export function statusText(
  status: GathererStatus,
  style: StatusStyle,
): string {
  const { now } = style;
  const paint = style.color ? ansi : plain;
  const isWell = status.degraded.length === 0;
  const lines = [
    `${
      paint.heading(`gatherer ${status.version}`)
    }, process ${status.pid}, on ${oneLine(status.basedir)}`,
    ...field("state", [
      `${status.state} for ${duration(now - status.since, true)}` +
      (status.since - status.startedAt < 60_000
        ? ""
        : `; started ${ago(status.startedAt, now)}`),
    ]),
    // Only of nodes that attach: other sources have a pace of their own.
    ...(status.sources.some(({ kind }) => kind === "foolscap")
      ? field("last round", [
        `${ago(status.lastRound, now)}; ${
          plural(status.rounds, "round")
        }, one every ${status.intervalSeconds} s`,
      ])
      : []),
    ...field(
      "configuration",
      [
        `${
          status.configuration.file === null
            ? "options only"
            : oneLine(status.configuration.file)
        }, read ${ago(status.configuration.loadedAt, now)}`,
      ],
    ),
    ...field(
      "listening",
      status.listening.map(({ what, address }) =>
        `${oneLine(address)} (${oneLine(what)})`
      ),
    ),
    ...field("nodes", [countNodes(status.nodes)]),
    ...(isWell
      ? field("well", ["yes"])
      : field("not well", status.degraded.map((reason) => oneLine(reason)))
        .map((line) => paint.warning(line))),
    ...section(
      "SOURCES",
      status.sources.map((source) => ({
        name: source.host === ""
          ? source.name
          : `${source.name} ${source.host}`,
        doing: source,
        more: `${plural(source.polls, "poll")}${
          source.failures === 0 ? "" : `, ${source.failures} failed`
        }`,
      })),
      now,
      paint,
    ),
    ...section(
      "PLUGINS",
      status.plugins.map((plugin) => ({
        name: plugin.id,
        doing: plugin,
        more: plural(plugin.calls, "call"),
      })),
      now,
      paint,
    ),
    ...nodeSection(status.nodes, style, paint),
  ];
  return `${lines.join("\n")}\n`;
}

/** Something that is done again and again, as a row. */
interface Row {
  readonly name: string;
  readonly doing: Doing;
  readonly more: string;
}

function section(
  title: string,
  rows: readonly Row[],
  now: number,
  paint: Paint,
): string[] {
  if (rows.length === 0) return [];
  const lines = table(
    [title, "LAST SUCCESS", "TIME USED", ""],
    rows.map(({ name, doing, more }) => ({
      cells: [
        shorten(oneLine(name)),
        ago(doing.lastSuccess, now),
        duration(doing.usedMs),
        more,
      ],
      notes: doingNotes(doing, now),
      isWell: !doing.failing,
    })),
    paint,
  );
  return ["", ...lines];
}

function nodeSection(
  nodes: readonly NodeReport[],
  { all, now }: StatusStyle,
  paint: Paint,
): string[] {
  const isWell = ({ state, failing }: NodeReport) =>
    !failing && (state === "attached" || state === "retired");
  const shown = all ? nodes : nodes.filter((node) => !isWell(node));
  if (shown.length === 0) return [];
  return [
    "",
    ...table(
      [
        all ? "NODES" : "NODES NOT WELL",
        "KEY",
        "STATE",
        "SINCE",
        "LAST SUCCESS",
      ],
      shown.map((node) => ({
        cells: [
          shorten(oneLine(node.nickname)),
          shortKey(node.key),
          node.state,
          ago(node.since, now),
          ago(node.lastSuccess, now),
        ],
        notes: isWell(node) ? [] : [
          ...node.state === "attached" ? [] : [oneLine(node.reason)],
          ...doingNotes(node, now, node.reason),
        ],
        isWell: isWell(node),
      })),
      paint,
    ),
  ];
}

/** What went wrong, and whether it still does. */
function doingNotes(
  { lastError, failing }: Doing,
  now: number,
  known?: string,
): string[] {
  if (!lastError || lastError.reason === known) return [];
  const reason = oneLine(lastError.reason);
  return [
    failing
      ? `fails: ${reason} (${ago(lastError.at, now)})`
      : `failed ${ago(lastError.at, now)}: ${reason}`,
  ];
}

interface TableRow {
  readonly cells: readonly string[];
  /** Texts under the row. */
  readonly notes: readonly string[];
  readonly isWell: boolean;
}

/** Columns that are as wide as they must be. */
function table(
  headings: readonly string[],
  rows: readonly TableRow[],
  paint: Paint,
): string[] {
  const widths = headings.map((heading, at) =>
    rows.reduce(
      (width, { cells }) => Math.max(width, columns(cells[at])),
      columns(heading),
    )
  );
  const set = (cells: readonly string[]) =>
    cells.map((cell, at) =>
      cell + " ".repeat(Math.max(0, widths[at] - columns(cell)))
    ).join("  ").trimEnd();
  return [
    paint.heading(set(headings)),
    ...rows.flatMap(({ cells, notes, isWell }) => {
      const lines = [
        set(cells),
        ...notes.flatMap((note) => wrap(note, "    ")),
      ];
      return isWell ? lines : lines.map((line) => paint.warning(line));
    }),
  ];
}

/** A heading with one text on each line after it. */
function field(heading: string, texts: readonly string[]): string[] {
  const margin = " ".repeat(INDENT);
  return texts.flatMap((text) => wrap(text, margin)).map((line, at) =>
    at === 0 ? heading.padEnd(INDENT) + line.slice(INDENT) : line
  );
}

/** A text in lines of the terminal's width, each behind a margin. */
function wrap(text: string, margin: string): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (line !== "" && margin.length + columns(longer) > WIDTH) {
      lines.push(margin + line);
      line = word;
    } else line = longer;
  }
  return [...lines, margin + line];
}

function countNodes(nodes: readonly NodeReport[]): string {
  const counts = new Map<string, number>();
  for (const { state } of nodes) {
    counts.set(state, (counts.get(state) ?? 0) + 1);
  }
  const parts = ["attached", "late", "silent", "gone", "retired"]
    .filter((state) => counts.has(state))
    .map((state) => `${counts.get(state)} ${state}`);
  return parts.length === 0 ? "none" : `${nodes.length}: ${parts.join(", ")}`;
}

/** How long ago something was, in a word or two. */
export function ago(at: number | null, now: number): string {
  if (at === null) return "never";
  // A clock that was set back.
  if (at > now + 1000) return "in the future";
  return `${duration(now - at, true)} ago`;
}

const units: readonly [name: string, ms: number][] = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["min", 60_000],
  ["s", 1000],
];

/** A length of time: two digits of it, or so, are enough. */
function duration(length: number, whole = false): string {
  const ms = Math.max(0, length);
  const [name, unit] = units.find(([, unit]) => ms >= 2 * unit) ?? ["s", 1000];
  if (unit === 1000 && !whole) {
    return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
  }
  return `${Math.floor(ms / unit)} ${name}`;
}

function shorten(name: string, most = WIDEST_NAME): string {
  const characters = [...name];
  return characters.length <= most
    ? name
    : `${characters.slice(0, most - 1).join("")}…`;
}

/** A tubid is known by its first characters. */
function shortKey(key: string): string {
  return /^[a-z2-7]{32}$/.test(key)
    ? key.slice(0, SHORT_KEY)
    : shorten(oneLine(key), WIDEST_KEY);
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

function columns(text: string): number {
  return [...text].length;
}

/** How the parts are set off; sense never depends on it. */
interface Paint {
  heading(text: string): string;
  warning(text: string): string;
}

const plain: Paint = { heading: (text) => text, warning: (text) => text };

const ansi: Paint = {
  heading: (text) => `\x1b[1m${text}\x1b[0m`,
  warning: (text) => `\x1b[1;33m${text}\x1b[0m`,
};
