import { configure, type LogRecord, reset } from "@logtape/logtape";
import { formatRecord } from "../lib/cli/logging.ts";

/** Collects the log of a test, as `LEVEL message`; `await using` restores silence. */
export async function captureLog(): Promise<
  { lines: string[] } & AsyncDisposable
> {
  const lines: string[] = [];
  await configure({
    reset: true,
    sinks: {
      lines: (record: LogRecord) =>
        lines.push(formatRecord(record).slice(25).replace(/ +/, " ")),
    },
    loggers: [
      { category: "gatherer", lowestLevel: "info", sinks: ["lines"] },
      {
        category: ["logtape", "meta"],
        lowestLevel: "warning",
        sinks: ["lines"],
      },
    ],
  });
  return { lines, [Symbol.asyncDispose]: reset };
}
