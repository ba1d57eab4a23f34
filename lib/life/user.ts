/**
 * Users of this machine, for a daemon that gives up root's privileges. The runtime has setuid() and
 * setgid() for itself, but not setgroups(): root's supplementary groups would stay. For a process
 * that it starts, it does all three before the program runs, so that is the way here.
 *
 * @module
 */
import { UserError } from "../errors.ts";
import { oneLine } from "../text.ts";

/** A user and the group it logs in with. */
export interface User {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** Whether this process is root. */
export async function isRoot(): Promise<boolean> {
  return await id("-u") === 0;
}

/**
 * Finds a user by name, wherever this machine keeps its users.
 * @throws UserError when there is none.
 */
export async function findUser(name: string): Promise<User> {
  const [uid, gid] = await Promise.all([
    id("-u", "--", name),
    id("-g", "--", name),
  ]);
  if (uid === undefined || gid === undefined) {
    throw new UserError(`there is no user ${JSON.stringify(oneLine(name))}`);
  }
  return { name, uid, gid };
}

/** What id(1) says; the runtime may not ask for this itself. */
async function id(...args: string[]): Promise<number | undefined> {
  try {
    const { success, stdout } = await new Deno.Command("id", {
      args,
      stdin: "null",
      stderr: "null",
    }).output();
    const text = new TextDecoder().decode(stdout).trim();
    return success && /^\d+$/.test(text) ? Number(text) : undefined;
  } catch {
    return undefined;
  }
}
