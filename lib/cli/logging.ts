import { configure, type LogRecord } from "@logtape/logtape";
import { oneLine } from "../text.ts";
import { writeStderr } from "./terminal.ts";

/**
 * Sends the program's log to stderr, a line each. Only commands of the executable call this; the
 * library never does.
 */
export async function logToStderr(): Promise<void> {
  await configure({
    sinks: { stderr: (record) => writeStderr(formatRecord(record)) },
    loggers: [
      { category: "gatherer", lowestLevel: "info", sinks: ["stderr"] },
      {
        category: ["logtape", "meta"],
        lowestLevel: "warning",
        sinks: ["stderr"],
      },
    ],
  });
}

/** A record as one line: time in UTC, level, message. */
export function formatRecord(record: LogRecord): string {
  const time = new Date(record.timestamp).toISOString();
  const text = record.message.map((part) =>
    part instanceof Error ? part.message : String(part)
  )
    .join("");
  // One line each, whatever a peer's text holds.
  return `${time} ${record.level.padEnd(7)} ${oneLine(text)}`;
}
