import { resolve } from "@std/path";
import { systemClock } from "../clock.ts";
import { UserError } from "../errors.ts";
import { askGatherer } from "../life/control_client.ts";
import { findRunning } from "../life/lock.ts";
import { reasonOf } from "../secret_file.ts";
import { loadConfig, optionsHelp } from "./serve_options.ts";
import { start } from "./start.ts";
import { stopGatherer } from "./stop.ts";

/** What `gatherer restart --help` says. */
export const restartHelp = `\
Usage: gatherer restart [options]

Ends the gatherer of a base directory, as "gatherer stop" does, and starts one, as "gatherer start"
does. With no other option than --basedir or --config, the new one has the options of the old one.
If none is running, it is started. What is wrong with the options or the configuration is said
before the old one is ended.

Exit code: 0 it is ready; 1 it has failed; 2 wrong usage.

${optionsHelp()}
Examples:
  gatherer restart --basedir /var/lib/gatherer
  gatherer restart --basedir /var/lib/gatherer --interval 30
`;

/** How long the old one may take to be gone, in milliseconds. */
const STOP_MS = 10_000;
const ANSWER_MS = 5000;

/**
 * Runs `gatherer restart`.
 * @returns The exit code.
 */
export async function restart(args: readonly string[]): Promise<number> {
  const basedir = resolve(loadConfig("restart", args).gatherer.basedir);
  const old = await oldInvocation(basedir, args);
  if (old) {
    enter(old.cwd);
    // What has become wrong since its start is said while it still runs.
    loadConfig("start", old.args);
  }
  await stopGatherer(basedir, STOP_MS, systemClock);
  return await start(old?.args ?? args);
}

/** Relative paths were meant from there. */
function enter(directory: string): void {
  try {
    Deno.chdir(directory);
  } catch (error) {
    throw new UserError(
      `cannot start it in ${directory}, as it was started: ${reasonOf(error)}`,
    );
  }
}

/** How the gatherer that runs was started; `undefined`: options are given, or there is none. */
async function oldInvocation(
  basedir: string,
  args: readonly string[],
): Promise<{ cwd: string; args: readonly string[] } | undefined> {
  using running = await findRunning(basedir).catch(() => undefined);
  if (!running) return undefined;
  const lines = await askGatherer(
    basedir,
    { command: "invocation" },
    systemClock,
    ANSWER_MS,
  );
  const { cwd, args: old, supervised } = lines[0] ?? {};
  if (supervised === true) {
    throw new UserError(
      `systemd runs the gatherer on ${basedir}: let it start it again, with systemctl restart`,
    );
  }
  if (!onlyNamesDirectory(args)) return undefined;
  if (typeof cwd !== "string" || !Array.isArray(old)) {
    throw new UserError(
      `the gatherer on ${basedir} was not started with "gatherer start": end it, and start it as ` +
        "it was started",
    );
  }
  return { cwd, args: old.map(String) };
}

/** Whether the options do no more than say which gatherer is meant. */
function onlyNamesDirectory(args: readonly string[]): boolean {
  return args.every((arg, at) =>
    /^--(basedir|config)(=|$)/.test(arg) ||
    (at > 0 && /^--(basedir|config)$/.test(args[at - 1]))
  );
}
