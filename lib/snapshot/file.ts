/**
 * The snapshot on disk: written so that whoever reads it, at any moment, finds a whole one.
 *
 * @module
 */
// No module of the runtime is imported here: the first one costs a Munin plugin's start 15 ms.
import { type Clock, sleep } from "../clock.ts";
import { removeFile, syncDirectoryOf } from "../durable_file.ts";
import { messageOf, UserError } from "../errors.ts";
import { decodeSnapshot, SnapshotError, type SnapshotNode } from "./codec.ts";
import {
  readAny,
  type StatGroup,
  type StatSample,
  StatScanner,
} from "./scan.ts";

/** The snapshot's name in a base directory. */
export const SNAPSHOT_NAME = "stats.msgpack";

/** Bytes that are handed to the system at a time. */
const CHUNK = 1024 * 1024;
/** How long a reader waits for a file that is missing for a moment. */
const RETRY_MS = 100;

/** What {@linkcode loadSnapshot} found. */
export interface LoadedSnapshot {
  nodes: SnapshotNode[];
  /** Where the nodes are from. */
  source: "snapshot" | "backup" | "none";
  /** One line each, for the log: what was set aside or removed, and why. */
  notes: string[];
}

/**
 * Writes a snapshot: to `path.tmp`, with fsync, then over `path` by rename; the one that was there
 * becomes `path.bak`. At no moment is `path` missing or half written. Not to be called again for
 * the same path before it has resolved.
 *
 * @param parts From `snapshotParts`.
 * @param options.mode The file's permissions, whatever the umask.
 * @param options.guard Asked before anything is touched; what it throws keeps all from being
 *   written.
 * @throws UserError when it cannot be written; `path` and `path.bak` are then as they were. When
 *   only what comes after the rename fails, the message says so, and `path` is the new one.
 */
export async function writeSnapshot(
  path: string,
  parts: readonly Uint8Array[],
  options: { mode: number; guard?: () => Promise<void> },
): Promise<void> {
  const temporary = `${path}.tmp`;
  const backup = `${path}.bak`;
  const oldOne = `${path}.bak.tmp`;
  let failure = `cannot write the snapshot ${quote(path)}`;
  const fail = (error: unknown): never => {
    throw new UserError(`${failure}: ${writeFault(error)}`, 1, {
      cause: error,
    });
  };
  await options.guard?.().catch(fail);
  try {
    await removeFile(temporary);
    await removeFile(oldOne);
    await writeDurably(temporary, parts, options.mode);
    const hadOne = await keep(path, oldOne);
    await Deno.rename(temporary, path);
    failure = `the snapshot ${quote(path)} is written, but not yet safe`;
    await syncDirectoryOf(path);
    failure = `the snapshot ${quote(path)} is written, but has no new backup`;
    if (hadOne) await Deno.rename(oldOne, backup);
    // Two names of one file are both still there after a rename of one to the other.
    await removeFile(oldOne);
  } catch (error) {
    await removeFile(temporary).catch(() => {});
    await removeFile(oldOne).catch(() => {});
    fail(error);
  }
}

/**
 * Reads the snapshot at the start of a gatherer. A file whose content cannot be read is renamed to
 * `path.unreadable-TIME`, and never overwritten; `path.bak` is then used, and set aside likewise
 * when it is no better. What an interrupted write left over is removed.
 *
 * @throws UserError when a file is there but the system does not let us read it or set it aside:
 *   to go on would overwrite it.
 */
export async function loadSnapshot(
  path: string,
  clock: Clock,
): Promise<LoadedSnapshot> {
  const notes: string[] = [];
  for (const leftover of [`${path}.tmp`, `${path}.bak.tmp`]) {
    try {
      if (await removeFile(leftover)) {
        notes.push(
          `removed ${quote(leftover)}, left by a write that was cut short`,
        );
      }
    } catch (error) {
      notes.push(`cannot remove ${quote(leftover)}: ${systemFault(error)}`);
    }
  }
  const backup = `${path}.bak`;
  const nodes = await loadOne(path, clock, notes);
  if (nodes) return { nodes, source: "snapshot", notes };
  const older = await loadOne(backup, clock, notes);
  if (!older) return { nodes: [], source: "none", notes };
  notes.push(`using the backup ${quote(backup)}`);
  return { nodes: older, source: "backup", notes };
}

/**
 * The bytes of a snapshot or stats.json, for those who only read. A file that is missing is looked
 * for once more after 100 ms: the original gatherer removes its file before it renames the new one.
 *
 * @param path A file, or a base directory.
 * @throws UserError that names file and reason.
 */
export function readSnapshotFile(
  path: string,
  clock: Clock,
): Promise<Uint8Array> {
  return reading(path, clock, (file) => Deno.readFile(file));
}

/**
 * Every node's value of one statistic, in the order of a snapshot or stats.json.
 *
 * @param path A file, or a base directory.
 * @throws UserError that names file and reason; also when the content is not in order.
 */
export function scanSnapshotFile(
  path: string,
  clock: Clock,
  group: StatGroup,
  name: string,
): Promise<StatSample[]> {
  return reading(
    path,
    clock,
    (file) => inOrder(file, () => scanFile(file, new StatScanner(group, name))),
  );
}

/**
 * Every node with all its statistics, in the order of a snapshot or stats.json.
 *
 * @param path A file, or a base directory.
 * @throws UserError that names file and reason; also when the content is not in order.
 */
export function readAllNodes(
  path: string,
  clock: Clock,
): Promise<SnapshotNode[]> {
  return reading(path, clock, async (file) => {
    const bytes = await Deno.readFile(file);
    return inOrder(file, () => readAny(bytes));
  });
}

/** Says which file it is that is not in order. */
function inOrder<T>(file: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof SnapshotError)) throw error;
    throw new UserError(
      `cannot use the snapshot ${quote(file)}: ${error.message}`,
      1,
      { cause: error },
    );
  }
}

/** Synchronous: a plugin's process has nothing else to do, and each wait would cost it more. */
function scanFile(path: string, scanner: StatScanner): StatSample[] {
  using file = Deno.openSync(path);
  let window = new Uint8Array(CHUNK);
  let filled = 0;
  while (true) {
    const got = file.readSync(window.subarray(filled));
    if (got === null) return scanner.end(window.subarray(0, filled));
    filled += got;
    const taken = scanner.take(window.subarray(0, filled));
    window.copyWithin(0, taken, filled);
    filled -= taken;
    // An entry that is longer than the window, or JSON: as much again.
    if (filled === window.length) {
      const larger = new Uint8Array(window.length * 2);
      larger.set(window);
      window = larger;
    }
  }
}

async function reading<T>(
  path: string,
  clock: Clock,
  read: (file: string) => T | Promise<T>,
): Promise<T> {
  let file = path;
  let retried = false;
  while (true) {
    try {
      return await read(file);
    } catch (error) {
      if (error instanceof UserError) throw error;
      if (codeOf(error) === "EISDIR" && file === path) {
        file = `${path.replace(/\/+$/, "")}/${SNAPSHOT_NAME}`;
      } else if (error instanceof Deno.errors.NotFound && !retried) {
        retried = true;
        await sleep(clock, RETRY_MS);
      } else {
        throw new UserError(
          `cannot read the snapshot ${quote(file)}: ${readFault(error)}`,
          1,
          { cause: error },
        );
      }
    }
  }
}

async function writeDurably(
  path: string,
  parts: readonly Uint8Array[],
  mode: number,
): Promise<void> {
  using file = await Deno.open(path, { write: true, createNew: true, mode });
  // The mode at creation is narrowed by the umask.
  if (Deno.build.os !== "windows") await Deno.chmod(path, mode);
  const total = parts.reduce((sum, part) => sum + part.length, 0);
  const chunk = new Uint8Array(Math.min(CHUNK, total));
  let filled = 0;
  for (const part of parts) {
    for (let at = 0; at < part.length;) {
      const piece = part.subarray(at, at + chunk.length - filled);
      chunk.set(piece, filled);
      filled += piece.length;
      at += piece.length;
      if (filled === chunk.length) {
        await writeAll(file, chunk);
        filled = 0;
      }
    }
  }
  await writeAll(file, chunk.subarray(0, filled));
  await file.sync();
}

async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  let written = 0;
  while (written < bytes.length) {
    written += await file.write(bytes.subarray(written));
  }
}

/**
 * Gives the file at `path` a second name, so that it outlives a rename over the first.
 * @returns Whether there is a file.
 */
async function keep(path: string, name: string): Promise<boolean> {
  try {
    await Deno.link(path, name);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
  }
  // Some file systems know no links, and some systems link only one's own files.
  await Deno.copyFile(path, name);
  using file = await Deno.open(name, { write: true });
  await file.sync();
  return true;
}

async function loadOne(
  path: string,
  clock: Clock,
  notes: string[],
): Promise<SnapshotNode[] | undefined> {
  let bytes: Uint8Array;
  try {
    bytes = await Deno.readFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw new UserError(
      `cannot read the snapshot ${quote(path)}: ${readFault(error)}; ` +
        "it is not overwritten: mend this, or move it away, and start again",
      1,
      { cause: error },
    );
  }
  try {
    if (bytes.length === 0) throw new SnapshotError("the file is empty", 0);
    return decodeSnapshot(bytes);
  } catch (error) {
    if (!(error instanceof SnapshotError)) throw error;
    const aside = await setAside(path, clock);
    notes.push(
      `${
        quote(path)
      } cannot be read as a snapshot: ${error.message}; set aside as ${
        quote(aside)
      }`,
    );
    return undefined;
  }
}

async function setAside(path: string, clock: Clock): Promise<string> {
  const time = new Date(clock.now()).toISOString()
    .replace(/\.\d+/, "").replaceAll(/[-:]/g, "");
  try {
    for (let count = 1;; count++) {
      const name = `${path}.unreadable-${time}${count > 1 ? `-${count}` : ""}`;
      if (await exists(name)) continue;
      await Deno.rename(path, name);
      return name;
    }
  } catch (error) {
    throw new UserError(
      `cannot set aside the unreadable snapshot ${quote(path)}: ${
        systemFault(error)
      }; move it away and start again`,
      1,
      { cause: error },
    );
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

function writeFault(error: unknown): string {
  if (error instanceof UserError) return error.message;
  switch (codeOf(error)) {
    case "ENOSPC":
      return "no space is left on the device; the one before is kept, make room";
    case "EDQUOT":
      return "the disk quota is used up; the one before is kept, make room";
    case "EACCES":
      return "permission denied; its directory must be writable for this user";
    case "ENOENT":
      return "its directory does not exist; create it or give another";
    case "EROFS":
      return "the file system is read-only";
    default:
      return systemFault(error);
  }
}

function readFault(error: unknown): string {
  switch (codeOf(error)) {
    case "ENOENT":
      return "no such file; give the gatherer's base directory or its snapshot, and see that the gatherer runs";
    case "EACCES":
      return "permission denied; the file must be readable and every directory above it passable (x) for this user; " +
        'under Munin, "user" in plugin-conf.d names another';
    case "EISDIR":
      return "it is a directory, not a file";
    default:
      return systemFault(error);
  }
}

/** What the system says, without the number and the path that Deno adds to it. */
function systemFault(error: unknown): string {
  return messageOf(error).replace(/ \(os error \d+\).*$/s, "");
}

/** The system's name of an error; empty when it has none. */
function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}

function quote(path: string): string {
  return JSON.stringify(path);
}
