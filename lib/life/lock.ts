/**
 * One gatherer on a base directory: its pid file, `gatherer.pid`, which is locked (flock) for as
 * long as its process lives. The lock decides, not the number in the file: the kernel gives it back
 * however the process ends, so that a file left behind is known for what it is, also when its number
 * is another process's by now.
 *
 * Who only looks takes a shared lock for a moment, a gatherer an exclusive one.
 *
 * @module
 */
import { join, resolve } from "@std/path";
import { type Clock, sleep } from "../clock.ts";
import { UserError } from "../errors.ts";
import { BaseDir } from "../gatherer/basedir.ts";
import { reasonOf } from "../secret_file.ts";

/** The pid file's name in a base directory. */
export const PID_NAME = "gatherer.pid";

/** Others who may read it could lock it, and keep a gatherer from starting. */
const PID_MODE = 0o600;
/** How long those who only look are waited for, in milliseconds. */
const PATIENCE_MS = 2000;
const PAUSE_MS = 10;
/** How long after locking its pid file a gatherer has written it, in milliseconds. */
const SETTLE_MS = 100;

/** There is a gatherer on this base directory already. */
export class AlreadyRunning extends UserError {
  override name = "AlreadyRunning";

  /** @param pid Its process; `undefined`: its pid file does not say. */
  constructor(basedir: string, readonly pid: number | undefined) {
    const path = resolve(basedir);
    super(
      `a gatherer runs on ${path} already${
        pid === undefined ? "" : `, as process ${pid}`
      }; to end it: gatherer stop --basedir ${path}`,
    );
  }
}

/** What a lock needs of a file; tests have files that cannot be locked. */
export type LockFile =
  & Pick<
    Deno.FsFile,
    "tryLock" | "unlock" | "stat" | "read" | "seek" | "truncate" | "write"
  >
  & { close(): void };

/** What {@linkcode BaseDirLock.take} needs besides the directory. */
export interface LockOptions {
  readonly clock: Clock;
  /** Whether a directory that is made is for its owner only. */
  readonly private?: boolean;
  /** Opens the pid file (default: on the disk). */
  readonly open?: (path: string, write: boolean) => Promise<LockFile>;
}

/** A base directory that is this process's alone. */
export class BaseDirLock {
  readonly #basedir: string;
  readonly #options: LockOptions;
  #file: LockFile;

  private constructor(
    basedir: string,
    options: LockOptions,
    file: LockFile,
    /** What is to be logged; `undefined`: nothing. */
    readonly warning: string | undefined,
  ) {
    this.#basedir = basedir;
    this.#options = options;
    this.#file = file;
  }

  /**
   * Takes a base directory, before anything else in it is touched; one that is missing is made.
   *
   * Where the file system has no locks, the number in the file must do: a process of that number is
   * taken for a gatherer, and two starts in one moment do not notice each other.
   *
   * @throws AlreadyRunning when another process has it.
   * @throws UserError when the pid file cannot be written.
   */
  static async take(
    basedir: string,
    options: LockOptions,
  ): Promise<BaseDirLock> {
    if (await isMissing(basedir)) {
      await BaseDir.open(basedir, options.private ? 0o700 : 0o755);
    }
    const { file, warning } = await lock(basedir, options);
    try {
      await writePid(file, join(basedir, PID_NAME));
    } catch (error) {
      file.close();
      throw error;
    }
    return new BaseDirLock(basedir, options, file, warning);
  }

  /**
   * Looks after the pid file: one that somebody has removed is made and locked again.
   *
   * @returns What is to be logged; `undefined`: all is well.
   * @throws AlreadyRunning when another gatherer has taken the directory meanwhile.
   * @throws UserError when the file cannot be made again.
   */
  async check(): Promise<string | undefined> {
    const path = join(this.#basedir, PID_NAME);
    if (await isAt(this.#file, path)) return undefined;
    const { file } = await lock(this.#basedir, this.#options);
    await writePid(file, path);
    this.#file.close();
    this.#file = file;
    return `${path} had been removed, and is there again`;
  }

  /**
   * Removes the pid file. Its lock is kept: whoever waits for the end of this process sees by it
   * when that has come.
   */
  async release(): Promise<void> {
    const path = join(this.#basedir, PID_NAME);
    try {
      if (await isAt(this.#file, path)) await Deno.remove(path);
    } catch {
      // One that stays behind is known to be stale.
    }
  }

  /** Gives the lock back before this process ends. */
  [Symbol.dispose](): void {
    this.#file.close();
  }
}

/** A gatherer that runs on a base directory. */
export class Running implements Disposable {
  readonly #file: LockFile;

  /** @param pid Its process; `undefined`: its pid file does not say. */
  constructor(file: LockFile, readonly pid: number | undefined) {
    this.#file = file;
  }

  /** Whether it still runs: not that it has said so, but that its process is there. */
  async isThere(): Promise<boolean> {
    switch (await tryLock(this.#file, false)) {
      case "ours":
        await this.#file.unlock();
        return false;
      case "theirs":
        return true;
      case "impossible":
        return this.pid !== undefined && isAlive(this.pid);
    }
  }

  [Symbol.dispose](): void {
    this.#file.close();
  }
}

/**
 * Finds the gatherer of a base directory, without touching anything.
 *
 * @returns `undefined` when none runs.
 * @throws UserError when the directory is missing or must not be looked into.
 */
export async function findRunning(
  basedir: string,
  open: NonNullable<LockOptions["open"]> = openFile,
): Promise<Running | undefined> {
  const path = join(basedir, PID_NAME);
  let file: LockFile;
  try {
    file = await open(path, false);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      if (!await isMissing(basedir)) return undefined;
      throw new UserError(
        `there is no base directory ${basedir}; name another with --basedir`,
      );
    }
    throw new UserError(`cannot open ${path}: ${reasonOf(error)}`);
  }
  const running = new Running(file, await readPid(file));
  if (await running.isThere()) return running;
  running[Symbol.dispose]();
  return undefined;
}

/** Whether there is a process of this number. */
export function isAlive(pid: number): boolean {
  try {
    Deno.kill(pid, 0);
    return true;
  } catch (error) {
    // It may be somebody else's.
    return !(error instanceof Deno.errors.NotFound);
  }
}

/** Locks the pid file, and makes sure that it is still the one that others find. */
async function lock(
  basedir: string,
  { clock, open = openFile }: LockOptions,
): Promise<{ file: LockFile; warning: string | undefined }> {
  const path = join(basedir, PID_NAME);
  const deadline = clock.monotonic() + PATIENCE_MS;
  while (true) {
    let file: LockFile;
    try {
      file = await open(path, true);
    } catch (error) {
      throw new UserError(`cannot write ${path}: ${reasonOf(error)}`);
    }
    let keep = false;
    try {
      const mine = await tryLock(file, true);
      if (mine === "impossible") {
        const pid = await readPid(file);
        if (pid !== undefined && pid !== Deno.pid && isAlive(pid)) {
          throw new UserError(
            `process ${pid} seems to be a gatherer on ${basedir} already: the file system there ` +
              `has no locks to make sure; if it is another program, remove ${path}`,
          );
        }
        keep = true;
        return {
          file,
          warning:
            `the file system of ${basedir} has no locks: see to it that only one gatherer is ` +
            "started there",
        };
      }
      if (mine === "ours") {
        // Who had it before may have removed it between our opening and our locking.
        if (await isAt(file, path)) {
          keep = true;
          return { file, warning: undefined };
        }
      } else {
        // Another gatherer, or somebody who is only looking?
        const onlyLooking = await tryLock(file, false) === "ours";
        if (!onlyLooking) {
          // It may have the lock and not have written its number yet.
          await sleep(clock, SETTLE_MS);
          throw new AlreadyRunning(basedir, await readPid(file));
        }
        if (clock.monotonic() >= deadline) {
          throw new UserError(`${path} is locked by another program`);
        }
      }
    } finally {
      if (!keep) file.close();
    }
    await sleep(clock, PAUSE_MS * (0.5 + Math.random()));
  }
}

async function tryLock(
  file: LockFile,
  exclusive: boolean,
): Promise<"ours" | "theirs" | "impossible"> {
  try {
    return await file.tryLock(exclusive) ? "ours" : "theirs";
  } catch {
    return "impossible";
  }
}

function openFile(path: string, write: boolean): Promise<Deno.FsFile> {
  return Deno.open(
    path,
    write
      ? { read: true, write: true, create: true, mode: PID_MODE }
      : { read: true },
  );
}

async function writePid(file: LockFile, path: string): Promise<void> {
  const bytes = new TextEncoder().encode(`${Deno.pid}\n`);
  try {
    await file.truncate(0);
    await file.seek(0, Deno.SeekMode.Start);
    for (let done = 0; done < bytes.length;) {
      done += await file.write(bytes.subarray(done));
    }
  } catch (error) {
    throw new UserError(`cannot write ${path}: ${reasonOf(error)}`);
  }
}

/** The number in a pid file; `undefined`: there is none (yet). */
async function readPid(file: LockFile): Promise<number | undefined> {
  const bytes = new Uint8Array(32);
  await file.seek(0, Deno.SeekMode.Start);
  const length = await file.read(bytes) ?? 0;
  const match = /^\s*(\d{1,10})\n/.exec(
    new TextDecoder().decode(bytes.subarray(0, length)),
  );
  const pid = Number(match?.[1]);
  return pid > 0 ? pid : undefined;
}

/** Whether a path still leads to a file that was opened by it. */
async function isAt(file: LockFile, path: string): Promise<boolean> {
  try {
    const [open, found] = await Promise.all([file.stat(), Deno.stat(path)]);
    return open.ino === found.ino && open.dev === found.dev;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

async function isMissing(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return false;
  } catch (error) {
    return error instanceof Deno.errors.NotFound;
  }
}
