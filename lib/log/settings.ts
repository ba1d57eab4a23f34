import type { LogLevel } from "./level.ts";

/** What is logged, how, and where. */
export interface LogSettings {
  readonly level: LogLevel;
  /** What the lines on stderr and in the file look like. */
  readonly format: "text" | "json";
  /** Whether lines go to stderr. */
  readonly stderr: boolean;
  /** A file that lines are appended to. */
  readonly file?: string;
  /** Size of the file, in bytes, from which it is set aside and begun anew; 0: never. */
  readonly maxBytes: number;
  /** How many files that were set aside are kept: FILE.1 (the youngest), FILE.2, … */
  readonly keep: number;
  /** Where syslog is: `local`, the path of its socket, or `udp:HOST[:PORT]`. */
  readonly syslog?: string;
  /** Whether stderr is systemd's journal; `auto`: as the environment says. */
  readonly journal: "auto" | "yes" | "no";
}

/** What holds where nothing else is said. */
export const DEFAULT_LOG_SETTINGS: LogSettings = {
  level: "info",
  format: "text",
  stderr: true,
  maxBytes: 10 * 1024 ** 2,
  keep: 5,
  journal: "auto",
};
