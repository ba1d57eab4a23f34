import { systemClock } from "../clock.ts";
import type { GmetadConf } from "../ganglia/conf/conf.ts";
import { configureLogging } from "../log/configure.ts";
import { DEFAULT_LOG_SETTINGS } from "../log/settings.ts";

export { formatRecord } from "../log/line.ts";

/** What is logged, and where besides stderr. */
export interface LogOptions {
  /** Whether everything is logged (default: what an operator wants to know). */
  readonly debug?: boolean;
  /** A file that every line is appended to. */
  readonly file?: string;
}

/**
 * Sends the program's log to stderr, a line each.
 *
 * @throws UserError when the file cannot be opened.
 */
export async function logToStderr(options: LogOptions = {}): Promise<void> {
  const level = options.debug ? "debug" : "info";
  await configureLogging(
    { ...DEFAULT_LOG_SETTINGS, level, file: options.file },
    systemClock,
  );
}

/** Where and how much is logged. From level 5 on both gmetads log everything. */
export function loggingOf({ debugLevel = 0, logfile }: GmetadConf): LogOptions {
  return { debug: debugLevel >= 5, file: logfile };
}
