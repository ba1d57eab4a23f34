import { UserError } from "../errors.ts";
import type { User } from "../life/user.ts";
import { reasonOf } from "../secret_file.ts";
import { writePidFile } from "./run.ts";
import { Signals } from "./signals.ts";

/**
 * Runs a program as another user, without the groups of this one, in the foreground: on our stdin,
 * stdout and stderr, with our signals.
 *
 * @param pidFile A file for its process number, while it runs.
 * @returns Its exit code.
 * @throws UserError when it cannot be started.
 */
export async function runAs(
  user: User,
  [program, ...args]: readonly string[],
  pidFile?: string,
): Promise<number> {
  using signals = new Signals();
  let child: Deno.ChildProcess;
  try {
    child = new Deno.Command(program, {
      args,
      uid: user.uid,
      gid: user.gid,
      // Signals of the terminal reach it through us alone, and once.
      detached: true,
    }).spawn();
  } catch (error) {
    throw new UserError(
      `cannot run ${program} as ${user.name}: ${reasonOf(error)}`,
    );
  }
  const send = (signal: Deno.Signal) => {
    try {
      child.kill(signal);
    } catch {
      // It has ended.
    }
  };
  signals.onHangup(() => send("SIGHUP"));
  signals.ended.then(() => send("SIGTERM"));
  await using cleanup = new AsyncDisposableStack();
  if (pidFile !== undefined) {
    cleanup.defer(() => Deno.remove(pidFile).catch(() => {}));
    await writePidFile(pidFile, child.pid).catch((error) => {
      send("SIGTERM");
      throw error;
    });
  }
  return (await child.status).code;
}
