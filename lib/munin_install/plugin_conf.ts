/**
 * The configuration of plugins, as munin-node reads it from the files in plugin-conf.d.
 * Source of all rules: Munin 2.0, Munin::Node::Config and, for comments, Munin::Common::Config.
 *
 * @module
 */

/** The keys of each section, with their values: `user`, `env.statsfile`, … */
export type PluginConf = ReadonlyMap<string, ReadonlyMap<string, string>>;

/** Whether munin-node reads a file of that name in plugin-conf.d, with Debian's `ignore_file`. */
export function isRead(name: string): boolean {
  return /^(?!\.)[-\w.:]+$/.test(name) &&
    !/(?:DEADJOE|\.bak|\.dpkg-(?:tmp|new|old|dist)|\.rpm(?:save|new)|\.pod)$/
      .test(name);
}

/** The texts of files as munin-node reads them, in the order of their names. */
export function inOrder(files: ReadonlyMap<string, string>): string[] {
  return [...files.keys()].sort().map((name) => files.get(name)!);
}

/** What the texts of several files come to: the last one wins, key by key. */
export function parsePluginConf(texts: Iterable<string>): PluginConf {
  const conf = new Map<string, Map<string, string>>();
  for (const text of texts) readFile(text, conf);
  return conf;
}

/** What a line may set. */
const KEY = /^(?:user|group|command|host_name|timeout|update_rate|env\..*)$/;

/** A line that is not well formed ends its file; what stands above it counts. */
function readFile(text: string, conf: Map<string, Map<string, string>>): void {
  let keys: Map<string, string> | undefined;
  for (const raw of text.split("\n")) {
    const line = raw.replace(/(?<!\\)#.*/, "").replaceAll("\\#", "#").trim();
    if (line === "") continue;
    const section = /^\[([^\]]+)\]$/.exec(line)?.[1];
    if (section !== undefined) {
      keys = conf.get(section) ?? new Map<string, string>();
      conf.set(section, keys);
      continue;
    }
    const pair = /^([\w.]+)\s+(.+)$/.exec(line);
    if (!pair || !KEY.test(pair[1]) || keys === undefined) return;
    keys.set(pair[1], pair[2]);
  }
}

/**
 * What holds for one plugin: its own section, then those with a `*` at their end or beginning, the
 * last of the alphabet first.
 */
export function settingsOf(
  conf: PluginConf,
  plugin: string,
): ReadonlyMap<string, string> {
  const settings = new Map(conf.get(plugin));
  for (const section of [...conf.keys()].sort().reverse()) {
    if (!matches(section, plugin)) continue;
    for (const [key, value] of conf.get(section)!) {
      if (!settings.has(key)) settings.set(key, value);
    }
  }
  return settings;
}

/** Whether a section with a `*` covers a plugin. */
export function matches(section: string, plugin: string): boolean {
  if (section.endsWith("*")) return plugin.startsWith(section.slice(0, -1));
  return section.startsWith("*") && plugin.endsWith(section.slice(1));
}

/** A value as it must be written, for a path among them with a `#`. */
export function escapeValue(value: string): string {
  return value.replaceAll("#", "\\#");
}
