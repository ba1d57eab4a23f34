import { configureSync, type LogRecord, resetSync } from "@logtape/logtape";
import type { Clock } from "../clock.ts";
import { LogFile } from "./file.ts";
import { FloodFolder } from "./flood.ts";
import { isJournal, journalText, withPriority } from "./journal.ts";
import { LOG_LEVELS, type LogLevel, lowestRecordLevel } from "./level.ts";
import { jsonForm, lineOf, ownLine, textForm } from "./line.ts";
import type { Complain, Outlet } from "./outlet.ts";
import type { LogSettings } from "./settings.ts";
import { StderrOutlet } from "./stderr.ts";
import { openSyslog, parseSyslog } from "./syslog.ts";

/** The program's log, for as long as it runs. */
export interface LogHandle {
  /**
   * Logs by other settings from now on; no line is lost in between.
   * @throws UserError when they cannot be followed; then nothing is changed.
   */
  reconfigure(settings: LogSettings): Promise<void>;
  /** Opens the file again, after something else has moved it away. */
  reopen(): void;
  /** Says what was held back and what was lost. What is logged afterwards goes nowhere. */
  close(): Promise<void>;
  /** Why lines are being lost at this moment; empty: none are. */
  readonly troubles: readonly string[];
}

/**
 * Sends what the program logs where the settings say. Only commands of the executable call this;
 * the library never does.
 *
 * @throws UserError when the settings cannot be followed.
 */
export async function configureLogging(
  settings: LogSettings,
  clock: Clock,
): Promise<LogHandle> {
  const log = new Log(clock);
  await log.reconfigure(settings);
  return log;
}

class Log implements LogHandle {
  readonly #clock: Clock;
  readonly #folder: FloodFolder;
  #outlets: readonly Outlet[] = [];
  /** Changes are made one after the other. */
  #changes: Promise<void> = Promise.resolve();

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#folder = new FloodFolder(clock, (line) => {
      for (const outlet of this.#outlets) outlet.write(line);
    });
  }

  get troubles(): readonly string[] {
    return this.#outlets.flatMap(({ trouble }) => trouble ?? []);
  }

  reconfigure(settings: LogSettings): Promise<void> {
    return this.#afterOthers(async () => {
      const outlets = await openOutlets(settings, this.#clock);
      const before = this.#outlets;
      this.#outlets = outlets;
      this.#setLevel(settings.level);
      await closeAll(before);
    });
  }

  reopen(): void {
    for (const outlet of this.#outlets) outlet.reopen();
  }

  close(): Promise<void> {
    return this.#afterOthers(async () => {
      resetSync();
      this.#folder.flush();
      const before = this.#outlets;
      this.#outlets = [];
      await closeAll(before);
    });
  }

  #afterOthers(change: () => Promise<void>): Promise<void> {
    const done = this.#changes.then(change);
    this.#changes = done.catch(() => {});
    return done;
  }

  /** Without a wait, so that nothing can be logged between the old configuration and the new. */
  #setLevel(level: LogLevel): void {
    const log = (record: LogRecord) =>
      this.#folder.take(
        // Our clock's time: a record has the machine's.
        lineOf(record, this.#clock.now()),
        templateOf(record),
      );
    configureSync({
      reset: true,
      sinks: { log },
      loggers: [
        {
          category: "gatherer",
          lowestLevel: lowestRecordLevel(level),
          sinks: ["log"],
        },
        {
          category: ["logtape", "meta"],
          // It says of itself much that nobody needs.
          lowestLevel: lowestRecordLevel(atMostWarning(level)),
          sinks: ["log"],
        },
      ],
    });
  }
}

/** @throws UserError, with nothing left open. */
async function openOutlets(
  settings: LogSettings,
  clock: Clock,
): Promise<Outlet[]> {
  const stderr = stderrOutlet(settings, clock);
  const complain: Complain = (text) =>
    stderr.write(ownLine(clock.now(), "error", text));
  const { file, syslog, maxBytes, keep } = settings;
  const outlets: Outlet[] = settings.stderr ? [stderr] : [];
  if (syslog !== undefined) {
    const target = parseSyslog(syslog, "syslog");
    outlets.push(await openSyslog(target, clock, complain));
  }
  if (file !== undefined) {
    try {
      outlets.push(
        new LogFile({
          path: file,
          format: settings.format === "json" ? jsonForm : textForm,
          maxBytes,
          keep,
          clock,
          complain,
        }),
      );
    } catch (error) {
      await closeAll(outlets);
      throw error;
    }
  }
  return outlets;
}

function stderrOutlet(
  { journal, format }: LogSettings,
  clock: Clock,
): StderrOutlet {
  const isJson = format === "json";
  if (journal === "yes" || (journal === "auto" && isJournal())) {
    return new StderrOutlet(
      clock,
      isJson ? (line) => withPriority(line, jsonForm(line)) : journalText,
    );
  }
  return new StderrOutlet(clock, isJson ? jsonForm : textForm);
}

async function closeAll(outlets: readonly Outlet[]): Promise<void> {
  await Promise.all(outlets.map((outlet) => outlet.close()));
}

function templateOf({ rawMessage }: LogRecord): string {
  return typeof rawMessage === "string" ? rawMessage : rawMessage.join("{}");
}

function atMostWarning(level: LogLevel): LogLevel {
  const most = LOG_LEVELS.indexOf("warning");
  return LOG_LEVELS[Math.min(most, LOG_LEVELS.indexOf(level))];
}
