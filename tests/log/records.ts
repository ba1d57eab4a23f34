import type { LogLevel, LogRecord } from "@logtape/logtape";
import type { LineLevel } from "../../lib/log/level.ts";
import { type LogLine, ownLine } from "../../lib/log/line.ts";

/** 2026-11-21T15:57:50.123Z. */
export const TIME = 1_795_276_670_123;

/**
 * A record, as LogTape makes it of a template and properties.
 * @param parts The message: texts and values in turn.
 */
export function record(
  level: LogLevel,
  parts: readonly unknown[],
  properties: Record<string, unknown> = {},
): LogRecord {
  return {
    category: ["gatherer", "nodes"],
    level,
    message: parts,
    rawMessage: "{template}",
    timestamp: TIME,
    properties,
  };
}

/** A line that says something. */
export function line(text: string, level: LineLevel = "info"): LogLine {
  return { ...ownLine(TIME, level, text), category: "gatherer.nodes" };
}
