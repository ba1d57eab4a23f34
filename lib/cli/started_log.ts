import { join } from "@std/path";
import { LOG_NAME } from "../life/detach.ts";
import { Starter } from "../life/starter.ts";
import type { LogSettings } from "../log/settings.ts";

/**
 * Where a gatherer logs: as it is told, and if it was started detached and no file was named, to the
 * file in its base directory, which then has a limit. Its stderr leads there, too, but knows no limit.
 */
export async function startedLog(
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
