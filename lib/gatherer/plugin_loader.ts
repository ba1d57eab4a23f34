import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { getLogger, type Logger } from "@logtape/logtape";
import type { Clock } from "../clock.ts";
import type { ConfigEntry } from "../plugins/author.ts";
import type { Plugin } from "../plugins/plugin.ts";
import { reasonOf } from "../secret_file.ts";
import { oneLine } from "../text.ts";
import { type ChainLink, PluginChain } from "./plugin_chain.ts";
import { PluginWorker } from "./plugin_worker.ts";

/** Milliseconds that a call of a plugin may take. */
const LIMIT_MS = 10_000;
/** Plugins in a directory: each is a thread. */
const MOST_PLUGINS = 32;

/** How the plugins of others are found. */
export interface LoadPluginsOptions {
  /** gmetad's `plugins_dir`. */
  readonly directory: string;
  /** Whether somebody has named the directory, and it is not just where plugins are by default. */
  readonly configured: boolean;
  /** The sections of gmetad.conf, by id in small letters. */
  readonly sections: ReadonlyMap<string, readonly ConfigEntry[]>;
  readonly clock: Clock;
  /** Default: the category `gatherer`, `plugins`. */
  readonly log?: Logger;
  /** Milliseconds that a call may take (default 10 s). */
  readonly limitMs?: number;
}

/**
 * Finds the plugins of others: files `*.js` and `*.ts` in a directory, in the order of their names,
 * but not those that begin with a dot or `_`. Their code is not touched before they are started.
 * `docs/plugins.md` is the guide for their authors.
 *
 * @returns One plugin that stands for all of them, or none if there are none.
 */
export async function loadPlugins(
  options: LoadPluginsOptions,
): Promise<Plugin | undefined> {
  const {
    sections,
    clock,
    log = getLogger(["gatherer", "plugins"]),
    limitMs = LIMIT_MS,
  } = options;
  const links: ChainLink[] = [];
  const taken = new Map<string, string>();
  for (const name of await pluginFiles(options, log)) {
    const file = oneLine(join(options.directory, name));
    const id = name.slice(0, -".js".length).toLowerCase();
    const before = taken.get(id);
    if (before !== undefined) {
      log.error("the plugin {file} is not loaded: {before} has its id, {id}", {
        file,
        before,
        id: oneLine(id),
      });
      continue;
    }
    if (name.endsWith(".ts") && Deno.build.standalone) {
      log.error(
        "the plugin {file} is not loaded: this executable runs JavaScript only; " +
          "turn it into a .js file, see docs/plugins.md",
        { file },
      );
      continue;
    }
    if (taken.size === MOST_PLUGINS) {
      log.error(
        "the plugin {file} and those after it are not loaded: more than {most} plugins",
        { file, most: MOST_PLUGINS },
      );
      break;
    }
    taken.set(id, file);
    const url = pathToFileURL(resolve(options.directory, name)).href;
    links.push({
      spawn: () => new PluginWorker({ file, url, id, clock, log, limitMs }),
      entries: sections.get(id) ?? [],
    });
  }
  return links.length === 0 ? undefined : new PluginChain(links, clock);
}

async function pluginFiles(
  { directory, configured }: LoadPluginsOptions,
  log: Logger,
): Promise<string[]> {
  const names: string[] = [];
  const python: string[] = [];
  try {
    for await (const { name, isDirectory } of Deno.readDir(directory)) {
      if (isDirectory || /^[._]/.test(name)) continue;
      if (/\.py$/.test(name)) python.push(name);
      if (/^.+\.[jt]s$/.test(name) && !name.endsWith(".d.ts")) names.push(name);
    }
  } catch (error) {
    if (configured || !(error instanceof Deno.errors.NotFound)) {
      log.warn("no plugins are loaded from {directory}: {reason}", {
        directory: oneLine(directory),
        reason: reasonOf(error),
      });
    }
    return [];
  }
  if (python.length > 0) {
    log.warn(
      "{count} plugins of gmetad-python in {directory} cannot be run here; " +
        "docs/plugins.md says how to write them anew",
      { count: python.length, directory: oneLine(directory) },
    );
  }
  return names.sort();
}
