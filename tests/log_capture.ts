import { configure, type LogRecord, reset } from "@logtape/logtape";
import { formatRecord } from "../lib/log/line.ts";

/** What no line may hold: the secret end of a FURL, a private key. */
const SECRETS = /pb:\/\/[a-z2-7]+@\S*\/[a-z2-7]{8,}|PRIVATE KEY/;

/**
 * Collects the log of a test, as `LEVEL message`; `await using` restores silence. A line with a
 * secret in it is an error wherever it was logged.
 */
export async function captureLog(): Promise<
  { lines: string[] } & AsyncDisposable
> {
  const lines: string[] = [];
  const leaks: string[] = [];
  await configure({
    reset: true,
    sinks: {
      lines(record: LogRecord) {
        const raw = record.message.map((part) => String(part)).join("");
        if (SECRETS.test(raw)) leaks.push(raw);
        lines.push(formatRecord(record).slice(25).replace(/ +/, " "));
      },
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
  return {
    lines,
    async [Symbol.asyncDispose]() {
      await reset();
      if (leaks.length > 0) {
        throw new Error(`a secret was logged: ${leaks.join("\n")}`);
      }
    },
  };
}
