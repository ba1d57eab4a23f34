import { resolve } from "@std/path";
import { systemClock } from "../clock.ts";
import { UserError } from "../errors.ts";
import { askGatherer } from "../life/control_client.ts";
import type { ControlLine, ControlRequest } from "../life/control.ts";
import { findRunning } from "../life/lock.ts";
import { oneLine } from "../text.ts";
import { readOptions } from "./options.ts";
import { basedirOf } from "./serve_options.ts";
import { writeStdout } from "./terminal.ts";

/** What `gatherer reload --help` says. */
export const reloadHelp = `\
Usage: gatherer reload [--basedir DIR | --config FILE]

Makes the gatherer that runs on a base directory read its configuration again, and its log file be
opened again, as SIGHUP does. Prints what it has done: which parts were started, stopped, changed
and kept, and what waits for a restart. If the configuration cannot be used, nothing changes.

Options:
  --basedir DIR  its base directory                            (default: ./gatherer)
  --config FILE  its configuration, if the base directory is named there
  --help         this text

Exit code: 0 it runs by the new configuration; 1 it cannot be used, or no gatherer runs; 2 wrong
usage.

Example:
  gatherer reload --basedir /var/lib/gatherer
`;

/** Milliseconds in which everything new must have started and everything old ended. */
const RELOAD_MS = 120_000;

/**
 * Runs `gatherer reload`.
 * @returns The exit code.
 * @throws UserError when none runs, or it cannot use its configuration.
 */
export async function reload(args: readonly string[]): Promise<number> {
  const { values } = readOptions("reload", args, {
    value: ["basedir", "config"],
  });
  const lines = await askRunning(
    resolve(basedirOf(values)),
    { command: "reload" },
    RELOAD_MS,
  );
  const plan = listOf(lines, "plan").map((line) => oneLine(String(line)));
  await writeStdout(plan.map((line) => `${line}\n`).join(""));
  return 0;
}

/**
 * Asks a gatherer that should be running.
 * @throws UserError when none runs, or what it says against what is asked.
 */
export async function askRunning(
  basedir: string,
  request: ControlRequest,
  ms: number,
): Promise<ControlLine[]> {
  using running = await findRunning(basedir);
  if (!running) {
    throw new UserError(`no gatherer is running on ${basedir}`);
  }
  return await askGatherer(basedir, request, systemClock, ms);
}

/** What the lines of an answer have under a name, all together. */
export function listOf(
  lines: readonly ControlLine[],
  name: string,
): unknown[] {
  return lines.flatMap((line) => {
    const part = line[name];
    return Array.isArray(part) ? part : [];
  });
}
