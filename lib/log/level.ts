import type { LogLevel as RecordLevel } from "@logtape/logtape";
import { usageCode, UserError } from "../errors.ts";

/** The levels that can be asked for, as gmetad-python names them; the place is its number. */
export const LOG_LEVELS = [
  "fatal",
  "critical",
  "error",
  "warning",
  "info",
  "debug",
] as const;

/** How much is logged: what is of this level, or worse. */
export type LogLevel = typeof LOG_LEVELS[number];

/**
 * The level that gmetad's `-d NUMBER` means: 0 fatal to 5 debug; below 0 it is fatal, above 5 debug.
 * Source: gmetad-python's levels. (The C gmetad has only "errors" and, from 2 on, "all".)
 */
export function levelOfNumber(number: number): LogLevel {
  const most = LOG_LEVELS.length - 1;
  return LOG_LEVELS[Math.min(most, Math.max(0, Math.trunc(number) || 0))];
}

/**
 * Reads a level: one of the six names, in any case, or its number.
 * @param where What the person wrote it in, such as `--log-level` or `FILE:LINE`.
 * @throws UserError for anything else.
 */
export function parseLogLevel(text: string, where: string): LogLevel {
  const name = text.trim().toLowerCase();
  const level = LOG_LEVELS.find((level) => level === name);
  if (level !== undefined) return level;
  if (/^-?\d{1,9}$/.test(name)) return levelOfNumber(Number(name));
  throw new UserError(
    `${where}: "${text}" is not a log level; expected ${
      LOG_LEVELS.join(", ")
    } or 0 to 5`,
    usageCode(where),
  );
}

/**
 * The lowest level of records that a level lets through. LogTape has one level above `error` where
 * gmetad has two that mean the same to it, and `trace` below `debug`.
 */
export function lowestRecordLevel(level: LogLevel): RecordLevel {
  switch (level) {
    case "critical":
      return "fatal";
    case "debug":
      return "trace";
    default:
      return level;
  }
}

/** The level that a line shows. */
export type LineLevel = Exclude<RecordLevel, "trace">;

/** The level that a line shows for a record: `trace` is `debug`. */
export function lineLevelOf(level: RecordLevel): LineLevel {
  return level === "trace" ? "debug" : level;
}

const PRIORITIES: Readonly<Record<LineLevel, number>> = {
  fatal: 2,
  error: 3,
  warning: 4,
  info: 6,
  debug: 7,
};

/** A level as syslog's severity: 2 critical to 7 debug (syslog(3), RFC 5424 table 2). */
export function priorityOf(level: LineLevel): number {
  return PRIORITIES[level];
}
