import type { LogRecord } from "@logtape/logtape";
import { messageOf } from "../errors.ts";
import { oneLine } from "../text.ts";
import { type LineLevel, lineLevelOf } from "./level.ts";
import { isPartOf, redact, REDACTED, type Redacted } from "./redact.ts";

/** Characters of a message or of a property after which it is cut. */
const MOST_CHARACTERS = 8192;

/** A value that goes into a JSON line. */
export type PlainValue = string | number | boolean | null;

/** What is to be logged, free of line ends and secrets. */
export interface LogLine {
  /** Milliseconds since the epoch. */
  readonly time: number;
  readonly level: LineLevel;
  /** What part of the program says it: `gatherer.foolscap`. */
  readonly category: string;
  /** The message. */
  readonly text: string;
  /** What the message was made of, as far as it is plain. */
  readonly properties: Readonly<Record<string, PlainValue>>;
  /** How many lines like this one it stands for, besides itself. */
  readonly folded?: number;
}

/** A record as a line. @param time When it happened; milliseconds since the epoch. */
export function lineOf(record: LogRecord, time: number): LogLine {
  const message = clean(record.message.map(textOf).join(""));
  return {
    time,
    level: lineLevelOf(record.level),
    category: record.category.join("."),
    text: message.text,
    properties: plain(record.properties, message),
  };
}

/** A line about the log itself. */
export function ownLine(time: number, level: LineLevel, text: string): LogLine {
  return {
    time,
    level,
    category: "gatherer.log",
    text: clean(text).text,
    properties: {},
  };
}

/** A line for people: time in UTC, level, message. */
export function textForm({ time, level, text }: LogLine): string {
  return `${isoTime(time)} ${level.padEnd(7)} ${text}`;
}

/**
 * A line as a JSON object: `time`, `level`, `category`, `message`, and, where there are any,
 * `folded` and `properties`, in this order.
 */
export function jsonForm(line: LogLine): string {
  const { time, level, category, text, folded, properties } = line;
  return JSON.stringify({
    time: isoTime(time),
    level,
    category,
    message: text,
    folded,
    properties: Object.keys(properties).length > 0 ? properties : undefined,
  });
}

/** A record as a line for people. */
export function formatRecord(record: LogRecord): string {
  return textForm(lineOf(record, record.timestamp));
}

/** A clock far off the mark must not end in an exception. */
function isoTime(time: number): string {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? "-" : date.toISOString();
}

/** One line, of bounded length, without secrets. */
function clean(text: string): Redacted {
  const more = text.length - MOST_CHARACTERS;
  // What is cut is cut first: a secret without its end is known by its beginning.
  const cut = more > 0
    ? `${text.slice(0, MOST_CHARACTERS)} … (${more} characters more)`
    : text;
  return redact(oneLine(cut));
}

/** Some objects cannot be made into text; that must not keep the rest from the log. */
function textOf(part: unknown): string {
  try {
    return messageOf(part);
  } catch {
    return "(an object)";
  }
}

/**
 * The plain properties. A secret that the message shows only put together, as in
 * `pb://{tubid}@{hints}/{name}`, is known by what was taken out of the message.
 */
function plain(
  properties: Readonly<Record<string, unknown>>,
  message: Redacted,
): Record<string, PlainValue> {
  const found: Record<string, PlainValue> = {};
  for (const [name, value] of Object.entries(properties)) {
    const as = plainValue(value);
    if (as === undefined) continue;
    if (typeof as !== "string") found[name] = as;
    else {
      const { text } = clean(as);
      found[name] = isPartOf(text, message) ? REDACTED : text;
    }
  }
  return found;
}

/** @returns `undefined` for what is not plain. */
function plainValue(value: unknown): PlainValue | undefined {
  switch (typeof value) {
    case "string":
    case "boolean":
      return value;
    case "number":
      return Number.isFinite(value) ? value : String(value);
    case "bigint":
      // Most readers of JSON take numbers for doubles.
      return Number.isSafeInteger(Number(value))
        ? Number(value)
        : String(value);
    default:
      if (value instanceof Error) return value.message;
      return value === null ? null : undefined;
  }
}
