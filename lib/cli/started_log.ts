import { join } from "@std/path";
import type { Clock } from "../clock.ts";
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

  /**
   * Follows other settings from now on.
   * @returns What takes it back.
   * @throws UserError when they cannot be followed; then nothing is changed.
   */
  async adopt(wanted: LogSettings): Promise<() => Promise<void>> {
    const before = this.#settings;
    await this.#follow(await detached(wanted, this.#basedir));
    return () => this.#follow(before);
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
