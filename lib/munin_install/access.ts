/**
 * What may keep Munin's plugins from the files that they need.
 *
 * @module
 */
import { dirname, join } from "@std/path";
import { SNAPSHOT_NAME } from "../snapshot/file.ts";
import type { Sources } from "./snippet.ts";

/** Users and groups of this machine. */
export interface Accounts {
  /** The number of the user that Munin's plugins run as, unless they are told otherwise. */
  readonly nobody: number;
  /** The number of the group that they run as. */
  readonly munin?: number;
  /** The name of the user with a number; without one, the number. */
  nameOf(uid: number): string;
}

/**
 * What /etc/passwd and /etc/group say.
 * Source of their format: passwd(5), group(5).
 */
export function parseAccounts(passwd: string, group: string): Accounts {
  const rows = (text: string) => text.split("\n").map((row) => row.split(":"));
  const users = rows(passwd);
  const number = (row: string[] | undefined) =>
    row && /^\d+$/.test(row[2] ?? "") ? Number(row[2]) : undefined;
  return {
    nobody: number(users.find(([name]) => name === "nobody")) ?? 65534,
    munin: number(rows(group).find(([name]) => name === "munin")),
    nameOf: (uid) => users.find((row) => number(row) === uid)?.[0] ?? `${uid}`,
  };
}

/** Those of this machine, as far as its files tell. */
export async function readAccounts(): Promise<Accounts> {
  const read = (path: string) => Deno.readTextFile(path).catch(() => "");
  return parseAccounts(await read("/etc/passwd"), await read("/etc/group"));
}

/** The files that plugins need. */
export interface Needed extends Sources {
  /** The executable. */
  readonly target: string;
}

/**
 * Why plugins will not be able to use these files, one line each.
 *
 * @param snippet The path of the plugins' configuration, for advice.
 * @param asNobody Whether they run as the user that Munin chooses.
 */
export async function accessWarnings(
  { target, statsfile, graphs }: Needed,
  accounts: Accounts,
  snippet: string,
  asNobody: boolean,
): Promise<string[]> {
  const warnings = [
    ...unseen(target, "the executable", "/usr/local/lib/gatherer"),
    ...unseen(statsfile, "the snapshot", "/var/lib/gatherer"),
    ...graphs === undefined
      ? []
      : unseen(graphs, "the graphs file", "/etc/munin"),
  ];
  const isDirectory = await Deno.stat(statsfile).then(
    (info) => info.isDirectory,
    () => false,
  );
  const snapshot = isDirectory ? join(statsfile, SNAPSHOT_NAME) : statsfile;
  const files: [string, number, string][] = [
    [target, READ | PASS, "build or install it again"],
    [
      snapshot,
      READ,
      snapshot.endsWith(".json")
        ? "give another path with --statsfile"
        : `run "gatherer serve --basedir ${
          statsfile.endsWith(`/${SNAPSHOT_NAME}`)
            ? dirname(statsfile)
            : statsfile
        }", or give another path with --statsfile`,
    ],
  ];
  if (graphs !== undefined) {
    files.push([graphs, READ, "give another path with --graphs"]);
  }
  for (const [path, need, whenMissing] of files) {
    const obstacle = await findObstacle(path, need, accounts);
    if (obstacle === undefined) continue;
    const { at, info, need: lacking } = obstacle;
    if (info === undefined) {
      warnings.push(`there is no ${path} yet: ${whenMissing}`);
    } else if (asNobody) {
      const owner = accounts.nameOf(info.uid!);
      const letters = `${lacking & READ ? "r" : ""}${
        lacking & PASS ? "x" : ""
      }`;
      const mode = (info.mode! & 0o7777).toString(8).padStart(4, "0");
      const how = `chmod o+${letters} ${at}` +
        (info.uid === 0
          ? ""
          : `, or put "user ${owner}" under the sections of ${snippet} into a file of your own beside it`);
      warnings.push(
        `user nobody, whom Munin's plugins run as, cannot use ${path}: ${at} lacks ${letters} for ` +
          `others (mode ${mode}, owner ${owner}): ${how}`,
      );
    }
  }
  return warnings;
}

const READ = 4;
const PASS = 1;

interface Obstacle {
  readonly at: string;
  /** Left out: nothing is there. */
  readonly info?: Deno.FileInfo;
  /** The permissions that are lacking, of a triple of mode bits. */
  readonly need: number;
}

/** The first directory on the way to a file, or the file itself, that is closed or missing. */
async function findObstacle(
  path: string,
  need: number,
  accounts: Accounts,
): Promise<Obstacle | undefined> {
  const real = await Deno.realPath(path).catch(() => path);
  const ways = [
    ...wayTo(path, need),
    ...real === path ? [] : wayTo(real, need),
  ];
  for (const [at, bits] of ways) {
    try {
      const info = await Deno.stat(at);
      const lacking = bits & ~permissionsOf(info, accounts);
      if (lacking !== 0) return { at, info, need: lacking };
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return { at, need: bits };
      // What this user cannot look at cannot be judged.
      return undefined;
    }
  }
}

/** Every directory from the root on, then the file, each with what one needs of it. */
function wayTo(path: string, need: number): [string, number][] {
  const dir = dirname(path);
  return dir === path ? [[path, need]] : [...wayTo(dir, PASS), [path, need]];
}

/** What the plugins' user may do: the triple of mode bits that is about it. */
function permissionsOf(
  { mode, uid, gid }: Deno.FileInfo,
  { nobody, munin }: Accounts,
): number {
  // Where there are no modes, there is nothing to say.
  if (mode === null) return READ | PASS;
  const shift = uid === nobody ? 6 : gid !== null && gid === munin ? 3 : 0;
  return mode >> shift & 0o7;
}

/**
 * What the systemd unit of Debian's munin-node hides from it, with ProtectHome and PrivateTmp.
 * Source: systemd.exec(5).
 */
const HIDDEN = ["/home", "/root", "/run/user", "/tmp", "/var/tmp"];

function unseen(path: string, what: string, instead: string): string[] {
  const under = HIDDEN.find((dir) => path.startsWith(`${dir}/`));
  return under === undefined ? [] : [
    `${what} ${path} lies under ${under}, which munin-node's service usually cannot see ` +
    `(ProtectHome, PrivateTmp in its systemd unit): keep it elsewhere, such as in ${instead}`,
  ];
}
