import { configure, type LogRecord, type Sink } from "@logtape/logtape";
import { UserError } from "../errors.ts";
import type { GmetadConf } from "../ganglia/conf/conf.ts";
import { reasonOf } from "../secret_file.ts";
import { oneLine } from "../text.ts";
import { writeStderr } from "./terminal.ts";

/** What is logged, and where besides stderr. */
export interface LogOptions {
  /** Whether everything is logged (default: what an operator wants to know). */
  readonly debug?: boolean;
  /** A file that every line is appended to. */
  readonly file?: string;
}

/**
 * Sends the program's log to stderr, a line each. Only commands of the executable call this; the
 * library never does.
 *
 * @throws UserError when the file cannot be opened.
 */
export async function logToStderr(options: LogOptions = {}): Promise<void> {
  const { debug = false, file } = options;
  const sinks: Record<string, Sink> = {
    stderr: (record) => writeStderr(formatRecord(record)),
  };
  if (file !== undefined) sinks.file = appendingTo(file);
  const names = Object.keys(sinks);
  await configure({
    sinks,
    loggers: [
      {
        category: "gatherer",
        lowestLevel: debug ? "debug" : "info",
        sinks: names,
      },
      {
        category: ["logtape", "meta"],
        lowestLevel: "warning",
        sinks: names,
      },
    ],
  });
}

/** A file that could be opened once and fails later must not take the program along. */
function appendingTo(path: string): Sink {
  let file: Deno.FsFile;
  try {
    file = Deno.openSync(path, { append: true, create: true, mode: 0o640 });
  } catch (error) {
    throw new UserError(
      `cannot write the log file ${JSON.stringify(path)}: ${reasonOf(error)}`,
    );
  }
  const encoder = new TextEncoder();
  return (record) => {
    try {
      file.writeSync(encoder.encode(`${formatRecord(record)}\n`));
    } catch {
      // The line is on stderr.
    }
  };
}

/** Where and how much is logged. From level 5 on both gmetads log everything. */
export function loggingOf({ debugLevel = 0, logfile }: GmetadConf): LogOptions {
  return { debug: debugLevel >= 5, file: logfile };
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
