import { join } from "@std/path";
import { UserError } from "../errors.ts";
import { reasonOf } from "../secret_file.ts";
import { oneLine } from "../text.ts";
import { type Manifest, MANIFEST_NAME, parseManifest } from "./manifest.ts";
import { isRead } from "./plugin_conf.ts";
import { type Entry, type Found, TEMPORARY_NAME } from "./state.ts";
import { SNIPPET_NAME } from "./snippet.ts";

/** Bytes of a file that is read; a longer one is none that this command wrote. */
const MAX_BYTES = 1024 * 1024;

/** The plugins directory of Debian's munin-node. */
export const PLUGINS_DIR = "/etc/munin/plugins";
/** The directory of its plugins' configuration. */
export const CONF_DIR = "/etc/munin/plugin-conf.d";

/**
 * Looks at Munin's directories.
 *
 * @param pluginsDir An absolute path; left out: that of the manifest, else Debian's.
 * @param confDir An absolute path.
 * @param mayBeGone Whether a plugins directory that is missing counts as an empty one.
 * @throws UserError when one is missing or cannot be read, and when the links recorded are in
 *   another plugins directory than `pluginsDir`.
 */
export async function look(
  pluginsDir: string | undefined,
  confDir: string,
  mayBeGone = false,
): Promise<Found> {
  const names = await list(confDir, "--plugin-conf");
  const manifest = await readManifest(confDir);
  const dir = pluginsDir ?? manifest?.plugins ?? PLUGINS_DIR;
  if (manifest && manifest.plugins !== dir) {
    throw new UserError(
      `the links that were made with this configuration are in ${manifest.plugins}, not in ${dir}: ` +
        `remove them first, with gatherer install-munin --remove --plugin-conf ${confDir}`,
    );
  }
  const plugins = new Map<string, Entry>();
  for (const name of await list(dir, "--plugins", mayBeGone)) {
    const entry = await lookAt(join(dir, name));
    if (entry) plugins.set(name, entry);
  }
  const conf = new Map<string, string>();
  for (const name of names.filter(isRead)) {
    const text = await readText(join(confDir, name));
    if (text !== undefined) conf.set(name, text);
  }
  return {
    pluginsDir: dir,
    confDir,
    plugins,
    conf,
    snippet: await lookAt(join(confDir, SNIPPET_NAME)),
    manifest,
    leftovers: [
      ...names.includes(TEMPORARY_NAME) ? [join(confDir, TEMPORARY_NAME)] : [],
      ...plugins.has(TEMPORARY_NAME) ? [join(dir, TEMPORARY_NAME)] : [],
    ],
  };
}

async function list(
  dir: string,
  option: string,
  mayBeGone = false,
): Promise<string[]> {
  try {
    const names: string[] = [];
    for await (const { name } of Deno.readDir(dir)) names.push(name);
    return names;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      if (mayBeGone) return [];
      throw new UserError(
        `there is no directory ${dir}: install Munin's node (Debian package munin-node), or name ` +
          `another directory with ${option}`,
      );
    }
    throw cannotRead(dir, error);
  }
}

async function readManifest(confDir: string): Promise<Manifest | undefined> {
  const path = join(confDir, MANIFEST_NAME);
  if (await lookAt(path) === undefined) return undefined;
  return parseManifest(await readText(path) ?? "", path);
}

/** What is at a path; `undefined` if nothing is. */
async function lookAt(path: string): Promise<Entry | undefined> {
  try {
    const info = await Deno.lstat(path);
    if (!info.isSymlink) return { what: kindOf(info) };
    const target = await Deno.readLink(path);
    const resolved = await Deno.realPath(path).catch(() => undefined);
    return { what: `a symlink to ${oneLine(target)}`, target, resolved };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw cannotRead(path, error);
  }
}

function kindOf(info: Deno.FileInfo): string {
  if (info.isDirectory) return "a directory";
  return info.isFile ? "a file" : "neither a file nor a directory";
}

/** A file's text; `undefined` when it is no file, is too long or leads nowhere. */
async function readText(path: string): Promise<string | undefined> {
  try {
    const { isFile, size } = await Deno.stat(path);
    return isFile && size <= MAX_BYTES
      ? await Deno.readTextFile(path)
      : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw cannotRead(path, error);
  }
}

function cannotRead(path: string, error: unknown): UserError {
  const help = error instanceof Deno.errors.PermissionDenied
    ? "; run this as root"
    : "";
  return new UserError(`cannot read ${path}: ${reasonOf(error)}${help}`, 1, {
    cause: error,
  });
}
