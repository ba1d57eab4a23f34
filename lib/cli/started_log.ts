import { join } from "@std/path";
import type { Clock } from "../clock.ts";
import type { LoadedOptions } from "../gatherer/gatherer.ts";
import type { OwnSetting } from "../gatherer/plan.ts";
import { LOG_NAME } from "../life/detach.ts";
import { Starter } from "../life/starter.ts";
import { configureLogging, type LogHandle } from "../log/configure.ts";
import type { LogSettings } from "../log/settings.ts";

/** The log of a gatherer, which its configuration may change while it runs. */
export class StartedLog {
  readonly #basedir: string;
  readonly #handle: LogHandle;
  /** What it follows. */
  #settings: LogSettings;

  private constructor(
    basedir: string,
    handle: LogHandle,
    settings: LogSettings,
  ) {
    this.#basedir = basedir;
    this.#handle = handle;
    this.#settings = settings;
  }

  /**
   * Opens it.
   * @throws UserError when the settings cannot be followed.
   */
  static async open(
    wanted: LogSettings,
    basedir: string,
    clock: Clock,
  ): Promise<StartedLog> {
    const settings = await detached(wanted, basedir);
    const handle = await configureLogging(settings, clock);
    return new StartedLog(basedir, handle, settings);
  }

  /** What a reload does that finds these settings. */
  async reloaded(
    wanted: LogSettings,
  ): Promise<Pick<LoadedOptions, "adopt" | "around">> {
    const before = this.#settings;
    const after = await detached(wanted, this.#basedir);
    return {
      around: { before: shown(before), after: shown(after) },
      adopt: async () => {
        await this.#follow(after);
        return () => this.#follow(before);
      },
    };
  }

  /** Why lines are being lost at this moment; empty: none are. */
  get troubles(): readonly string[] {
    return this.#handle.troubles;
  }

  /** Opens the file again, after something else has moved it away. */
  reopen(): void {
    this.#handle.reopen();
  }

  close(): Promise<void> {
    return this.#handle.close();
  }

  async #follow(settings: LogSettings): Promise<void> {
    await this.#handle.reconfigure(settings);
    this.#settings = settings;
  }
}

/**
 * Where a gatherer logs: as it is told, and if it was started detached and no file was named, to the
 * file in its base directory, which then has a limit. Its stderr leads there, too, but knows no limit.
 */
async function detached(
  settings: LogSettings,
  basedir: string,
): Promise<LogSettings> {
  if (await Starter.current() === undefined) return settings;
  return {
    ...settings,
    stderr: false,
    file: settings.file ?? join(basedir, LOG_NAME),
    journal: "no",
  };
}

/** Settings as a plan shows them. */
function shown(settings: LogSettings): OwnSetting[] {
  const { level, format, file, maxBytes, keep, syslog, journal } = settings;
  return Object.entries({
    "the log level": level,
    "the form of log lines": format,
    "the log file": file ?? "none",
    "the size of a log file": maxBytes === 0 ? "any" : `${maxBytes} bytes`,
    "the log files that are kept": keep,
    "the syslog": syslog ?? "none",
    "whether stderr is the journal": journal,
  }).map(([name, settings]) => ({ name, settings, takes: "at once" }));
}
