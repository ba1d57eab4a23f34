import { resolve } from "@std/path";
import { type Clock, sleep, systemClock } from "../clock.ts";
import { UserError } from "../errors.ts";
import { askGatherer, NoAnswer } from "../life/control_client.ts";
import { findRunning } from "../life/lock.ts";
import { reasonOf } from "../secret_file.ts";
import { readOptions, readSeconds } from "./options.ts";
import { basedirOf } from "./serve_options.ts";
import { writeStderr } from "./terminal.ts";

/** What `gatherer stop --help` says. */
export const stopHelp = `\
Usage: gatherer stop [--basedir DIR | --config FILE] [--timeout SECONDS]

Ends the gatherer that runs on a base directory, and waits until it is gone. It finishes the write
under way, tells its plugins and closes its connections, which takes 5 s at most.

Options:
  --basedir DIR      its base directory                        (default: ./gatherer)
  --config FILE      its configuration, if the base directory is named there
  --timeout SECONDS  how long to wait                          (default: 10)
  --help             this text

Exit code: 0 it is gone, or none was running (stderr says so then); 1 it did not end in time, or
there is no such base directory; 2 wrong usage.

Example:
  gatherer stop --basedir /var/lib/gatherer
`;

/** Milliseconds from one look whether it is gone to the next. */
const LOOK_MS = 20;
/** Milliseconds that a gatherer may take to say that it will stop. */
const ANSWER_MS = 2000;
const DEFAULT_TIMEOUT = "10";

/**
 * Runs `gatherer stop`.
 * @returns The exit code.
 */
export async function stop(args: readonly string[]): Promise<number> {
  const { values } = readOptions("stop", args, {
    value: ["basedir", "config", "timeout"],
  });
  const basedir = resolve(basedirOf(values));
  const timeoutMs = readSeconds(
    "timeout",
    values.timeout ?? DEFAULT_TIMEOUT,
    0.1,
  );
  if (!await stopGatherer(basedir, timeoutMs, systemClock)) {
    writeStderr(`gatherer: none is running on ${basedir}`);
  }
  return 0;
}

/**
 * Ends the gatherer of a base directory, and waits until it is gone.
 *
 * It is asked over its control socket, so that none but the gatherer itself is meant, whatever
 * namespace or machine its process number is of. Only one that cannot be asked gets a signal.
 *
 * @returns Whether there was one.
 * @throws UserError when it has not ended in time.
 */
export async function stopGatherer(
  basedir: string,
  timeoutMs: number,
  clock: Clock,
): Promise<boolean> {
  using running = await findRunning(basedir);
  if (!running) return false;
  const { pid } = running;
  const deadline = clock.monotonic() + timeoutMs;
  try {
    await askGatherer(basedir, { command: "stop" }, clock, ANSWER_MS);
  } catch (error) {
    if (!(error instanceof NoAnswer)) throw error;
    terminate(basedir, pid);
  }
  while (await running.isThere()) {
    if (clock.monotonic() >= deadline) {
      throw new UserError(
        `the gatherer on ${basedir} has not ended within ${
          timeoutMs / 1000
        } s` +
          (pid === undefined
            ? ""
            : `; to end process ${pid} by force: kill -9 ${pid}`),
      );
    }
    await sleep(clock, LOOK_MS);
  }
  return true;
}

function terminate(basedir: string, pid: number | undefined): void {
  if (pid === undefined) {
    throw new UserError(
      `the gatherer on ${basedir} does not answer, and its pid file does not say which process ` +
        "it is",
    );
  }
  try {
    Deno.kill(pid, "SIGTERM");
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw new UserError(`cannot end process ${pid}: ${reasonOf(error)}`);
  }
}
