import { lchown } from "node:fs/promises";
import { join } from "@std/path";
import { type Clock, systemClock } from "../clock.ts";
import { UserError } from "../errors.ts";
import { BaseDir } from "../gatherer/basedir.ts";
import { LOG_NAME, startDetached } from "../life/detach.ts";
import { commandOfItself } from "../life/itself.ts";
import { AlreadyRunning, findRunning } from "../life/lock.ts";
import type { User } from "../life/user.ts";
import { reasonOf } from "../secret_file.ts";
import { loadConfig, optionsHelp } from "./serve_options.ts";
import { Signals } from "./signals.ts";
import { writeStderr } from "./terminal.ts";

/** What `gatherer start --help` says. */
export const startHelp = `\
Usage: gatherer start [options]

Runs a gatherer in the background, as "gatherer serve" does in the foreground. It returns when the
gatherer is ready, and prints nothing then; if the gatherer cannot be started it says why. Ctrl-C
while it waits ends what was started.

The gatherer logs to ${LOG_NAME} in the base directory, unless --log-file names another file. Its
FURL is in the base directory, as stats_gatherer.furl.

Exit code: 0 it is ready; 1 it has failed, or one runs on this base directory already; 2 wrong usage.

${optionsHelp()}
Examples:
  gatherer start --basedir /var/lib/gatherer --port tcp:3456
  gatherer status --basedir /var/lib/gatherer
`;

/**
 * Runs `gatherer start`.
 * @returns The exit code.
 * @throws UserError when one runs already, or it cannot even be tried.
 */
export async function start(args: readonly string[]): Promise<number> {
  // What is wrong with the options is said here and now.
  const { gatherer } = loadConfig("start", args);
  return await startInBackground({
    basedir: gatherer.basedir,
    private: gatherer.private,
    command: [...await commandOfItself(), "serve", ...args],
    clock: systemClock,
  });
}

/** What is started in the background. */
export interface BackgroundOptions {
  readonly basedir: string;
  readonly private?: boolean;
  /** The program and its arguments. */
  readonly command: readonly string[];
  /** Who it is to be, for root (default: the same as us). */
  readonly user?: User;
  readonly clock: Clock;
  /** Called with its process when it is ready. */
  onReady?(pid: number): Promise<void>;
}

/**
 * Starts a gatherer in the background, and waits until it is ready. What goes wrong is told on
 * stderr.
 *
 * @returns The exit code.
 * @throws UserError when one runs already, or it cannot even be tried.
 */
export async function startInBackground(
  { basedir, command, user, clock, onReady, ...options }: BackgroundOptions,
): Promise<number> {
  using signals = new Signals();
  await makeBaseDir(basedir, options.private ?? false, user);
  using running = await findRunning(basedir);
  if (running) throw new AlreadyRunning(basedir, running.pid);
  const waiting = new AbortController();
  signals.onHangup(() => signals.end("SIGHUP"));
  signals.ended.then(() => waiting.abort());
  const outcome = await startDetached({
    command,
    logFile: join(basedir, LOG_NAME),
    user,
    clock,
    signal: waiting.signal,
  });
  switch (outcome.kind) {
    case "ready":
      await onReady?.(outcome.pid);
      return 0;
    case "aborted":
      writeStderr("gatherer: given up; what had been started has ended");
      return 1;
    case "failed":
      writeStderr(outcome.text.trimEnd());
      return 1;
  }
}

/**
 * Makes a base directory for a gatherer that is not there yet; one that exists stays as it is.
 *
 * @param isPrivate Whether it is for its owner only.
 * @param user Its owner (default: us).
 * @throws UserError when it cannot be made.
 */
export async function makeBaseDir(
  path: string,
  isPrivate: boolean,
  user: User | undefined,
): Promise<void> {
  try {
    await Deno.stat(path);
    return;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) {
      throw new UserError(
        `cannot use the base directory ${path}: ${reasonOf(error)}`,
      );
    }
  }
  await BaseDir.open(path, isPrivate ? 0o700 : 0o755);
  // Should somebody have put a link there meanwhile, what that leads to stays as it is.
  if (user) await lchown(path, user.uid, user.gid);
}
