import { dirname, join } from "@std/path";
import { UserError } from "../errors.ts";
import { reasonOf } from "../secret_file.ts";
import { type Action, type Step, TEMPORARY_NAME } from "./state.ts";

/** The calls to the system that change files. */
export interface Files {
  symlink(target: string, path: string): Promise<void>;
  /** Creates a file with all permissions that 0644 has, whatever the umask, and flushes it. */
  create(path: string, text: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
}

/** Those of the system. */
export const systemFiles: Files = {
  symlink: (target, path) => Deno.symlink(target, path),
  async create(path, text) {
    using file = await Deno.open(path, { write: true, createNew: true });
    await Deno.chmod(path, 0o644);
    const bytes = new TextEncoder().encode(text);
    for (let done = 0; done < bytes.length;) {
      done += await file.write(bytes.subarray(done));
    }
    await file.sync();
  },
  rename: (from, to) => Deno.rename(from, to),
  remove: (path) => Deno.remove(path),
};

/**
 * Does what was planned, step by step.
 *
 * @param say Is given each line as soon as what it says is done.
 * @throws UserError when a change cannot be made; before the first one when it can be told by then
 *   that this user must not make it, and else with the number of changes made. Running the command
 *   again does the rest.
 */
export async function carryOut(
  steps: readonly Step[],
  say: (line: string) => void | Promise<void>,
  files: Files = systemFiles,
): Promise<void> {
  const actions = steps.flatMap(({ action }) => action ?? []);
  for (const dir of new Set(actions.map(({ path }) => dirname(path)))) {
    await assertWritable(dir, files);
  }
  let done = 0;
  for (const { lines, action } of steps) {
    if (action) {
      try {
        await perform(action, files);
      } catch (error) {
        throw new UserError(
          `cannot ${verbs[action.do]} ${action.path}: ${reasonOf(error)}; ` +
            `${done} of ${actions.length} changes were made: mend this and run it again`,
          1,
          { cause: error },
        );
      }
      done++;
    }
    for (const line of lines) await say(line);
  }
}

const verbs: Readonly<Record<Action["do"], string>> = {
  "write": "write",
  "link": "make the link",
  "remove link": "remove",
  "remove file": "remove",
};

async function assertWritable(dir: string, files: Files): Promise<void> {
  const path = join(dir, TEMPORARY_NAME);
  try {
    await removeIfThere(path, files);
    await files.create(path, "");
    await files.remove(path);
  } catch (error) {
    const help = error instanceof Deno.errors.PermissionDenied
      ? "; run this as root"
      : "";
    throw new UserError(
      `cannot write in ${dir}: ${
        reasonOf(error)
      }${help}; nothing has been changed`,
      1,
      { cause: error },
    );
  }
}

async function perform(action: Action, files: Files): Promise<void> {
  const { path } = action;
  switch (action.do) {
    case "write":
      if (action.found !== undefined) await assertText(path, action.found);
      return await replace(
        path,
        (temporary) => files.create(temporary, action.text),
        files,
      );
    case "link":
      // Making a link never replaces anything; renaming does.
      if (action.instead === undefined) {
        return await files.symlink(action.target, path);
      }
      await assertLink(path, action.instead);
      return await replace(
        path,
        (temporary) => files.symlink(action.target, temporary),
        files,
      );
    case "remove link":
      await assertLink(path, action.target);
      return await files.remove(path);
    case "remove file":
      if (action.found === undefined) return await removeIfThere(path, files);
      await assertText(path, action.found);
      return await files.remove(path);
  }
}

/** Puts something in place at once and whole. */
async function replace(
  path: string,
  make: (temporary: string) => Promise<void>,
  files: Files,
): Promise<void> {
  const temporary = join(dirname(path), TEMPORARY_NAME);
  try {
    await make(temporary);
    await files.rename(temporary, path);
  } catch (error) {
    await removeIfThere(temporary, files).catch(() => {});
    throw error;
  }
}

async function removeIfThere(path: string, files: Files): Promise<void> {
  try {
    await files.remove(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

async function assertLink(path: string, target: string): Promise<void> {
  if (await Deno.readLink(path) !== target) throw changed();
}

async function assertText(path: string, text: string | null): Promise<void> {
  try {
    const { isFile } = await Deno.lstat(path);
    if (isFile && await Deno.readTextFile(path) === text) return;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    if (text === null) return;
  }
  throw changed();
}

function changed(): Error {
  return new Error("somebody has changed it in the meantime");
}
