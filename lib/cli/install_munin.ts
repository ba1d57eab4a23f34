import { join, resolve } from "@std/path";
import { UserError } from "../errors.ts";
import { globMatcher } from "../glob.ts";
import { ALL_GRAPHS } from "../munin/catalog.ts";
import { smash } from "../munin/fields.ts";
import { accessWarnings, readAccounts } from "../munin_install/access.ts";
import { carryOut, type Files } from "../munin_install/carry_out.ts";
import { CONF_DIR, look, PLUGINS_DIR } from "../munin_install/look.ts";
import { planInstall, planRemove } from "../munin_install/plan.ts";
import {
  inOrder,
  parsePluginConf,
  settingsOf,
} from "../munin_install/plugin_conf.ts";
import {
  SNIPPET_NAME,
  type Sources,
  sourcesIn,
} from "../munin_install/snippet.ts";
import type { Found, Plan } from "../munin_install/state.ts";
import { oneLine } from "../text.ts";
import { type Options, readOptions } from "./options.ts";

/** The base directory of the packaged gatherer. */
const STATSFILE = "/var/lib/gatherer";

/** The graphs that links can be made for. */
export interface InstallableGraphs {
  /** The names of those that have data, in the order in which they are shown. */
  readonly withData: readonly string[];
  /** Whether there is a graph of that name, data or none. */
  exists(name: string): boolean;
}

/** What `gatherer install-munin` needs of the process around it. */
export interface InstallMuninIo {
  /** Writes to stdout. */
  stdout(text: string): void | Promise<void>;
  /** Writes a line for people to stderr. */
  stderr(line: string): void;
  /**
   * The absolute path that links are to lead to.
   * @throws UserError when there is none.
   */
  executable(): Promise<string>;
  /**
   * The graphs that plugins with these sources have. A snapshot that is missing is one without data.
   * @throws UserError when the graphs file cannot be used.
   */
  graphs(sources: Sources): Promise<InstallableGraphs>;
  /** What changes files; left out: the system. */
  readonly files?: Files;
}

/** What `gatherer install-munin --help` says. */
export const installMuninHelp: string = `\
Usage: gatherer install-munin [--each [GLOB…]] [options]
       gatherer install-munin --remove [options]

Puts this executable's graphs into Munin's node: makes the link in its plugins directory and the
file with the plugin's configuration. Without --each that is one link, "${ALL_GRAPHS}", which answers
for all graphs at once. It can be repeated: what is already so is kept, links follow the executable
when it has moved, and what it did not make, or what was edited since, is left alone and named.

Options:
  --each [GLOB…]     a link for each graph that has data instead, or for those that a GLOB matches;
                     a graph's full name will do without data. Links that it made and that are
                     not wanted any more are removed
  --statsfile PATH   the gatherer's base directory or snapshot
                     (default: that of the last time, at first ${STATSFILE})
  --graphs FILE      a file with graphs of your own  (default: that of the last time)
  --plugins DIR      Munin's plugins directory
                     (default: that of the last time, at first ${PLUGINS_DIR})
  --plugin-conf DIR  the directory of the plugins' configuration
                     (default: ${CONF_DIR})
  --remove           removes all that it made
  --dry-run          prints the same, and changes nothing
  --help             this text

Exit code: 0 done; 1 failed, or something is in the way that had to be left alone; 2 wrong usage.

Examples:
  gatherer install-munin --dry-run
  gatherer install-munin --each 'tahoe_storage_*' --statsfile /srv/gatherer
`;

/**
 * `gatherer install-munin`.
 *
 * @param args What follows `install-munin` on the command line.
 * @returns The exit code: 0, or 1 when something is in the way.
 * @throws UserError code 2 for wrong usage; code 1 when a directory is missing, closed or in
 *   disorder, and when a change fails.
 */
export async function installMunin(
  args: readonly string[],
  io: InstallMuninIo,
): Promise<number> {
  const options = readInstallOptions(args);
  const { values, flags } = options;
  const found = await look(
    values.plugins === undefined ? undefined : resolve(values.plugins),
    resolve(values["plugin-conf"] ?? CONF_DIR),
    flags.remove,
  );
  const plan = flags.remove
    ? await planRemove(found)
    : await makePlan(found, options, io);
  for (const warning of plan.warnings) {
    io.stderr(oneLine(`gatherer: warning: ${warning}`));
  }
  const say = (line: string) => io.stdout(`${oneLine(line)}\n`);
  if (flags["dry-run"]) {
    for (const line of plan.steps.flatMap(({ lines }) => lines)) {
      await say(line);
    }
  } else {
    await carryOut(plan.steps, say, io.files);
  }
  for (const line of closing(found, plan)) await say(line);
  return plan.obstructed ? 1 : 0;
}

function readInstallOptions(args: readonly string[]): Options {
  const command = "install-munin";
  const options = readOptions(command, args, {
    value: ["plugins", "plugin-conf", "statsfile", "graphs"],
    flag: ["each", "remove", "dry-run"],
    positional: Infinity,
  });
  const wrong = (text: string): never => {
    throw new UserError(`${text}; see gatherer ${command} --help`, 2);
  };
  const { values, flags, positional } = options;
  if (positional.length > 0 && !flags.each) {
    wrong(`unexpected argument "${positional[0]}": patterns need --each`);
  }
  const other = ["statsfile", "graphs"].find((name) => values[name]) ??
    (flags.each ? "each" : undefined);
  if (flags.remove && other !== undefined) {
    wrong(`--remove and --${other} do not go together`);
  }
  for (const [name, value] of Object.entries(values)) {
    // A line of the plugins' configuration cannot hold these.
    if (value !== undefined && /\p{Cc}|\s$/u.test(value)) {
      wrong(
        `--${name}: the path has a control character, or a blank at its end`,
      );
    }
  }
  return options;
}

async function makePlan(
  found: Found,
  { values, flags, positional }: Options,
  io: InstallMuninIo,
): Promise<Plan> {
  const target = await io.executable();
  const last = sourcesIn(found.conf.get(SNIPPET_NAME) ?? "");
  const given = {
    ...values.statsfile !== undefined &&
      { statsfile: resolve(values.statsfile) },
    ...values.graphs !== undefined && { graphs: resolve(values.graphs) },
  };
  const sources: Sources = { statsfile: STATSFILE, ...last, ...given };
  const graphs = await io.graphs(sources);
  const plan = await planInstall(found, {
    links: flags.each
      ? chooseGraphs(found, sources, graphs, positional)
      : [ALL_GRAPHS],
    target,
    sources,
    asked: new Set(Object.keys(given) as (keyof Sources)[]),
    isRival: flags.each
      ? (name) => name === ALL_GRAPHS
      : (name) => /^[-\w]+$/.test(name) && graphs.exists(name),
    againstRivals: flags.each
      ? "install the one link for all graphs, without --each"
      : "install a link for each graph, with --each",
  });
  const conf = parsePluginConf(inOrder(found.conf));
  const warnings = await accessWarnings(
    { target, ...sources },
    await readAccounts(),
    join(found.confDir, SNIPPET_NAME),
    plan.plugins.some((plugin) => !settingsOf(conf, plugin).has("user")),
  );
  return { ...plan, warnings: [...plan.warnings, ...warnings] };
}

/**
 * The graphs that get a link: those with data, and those that have one already or are named in
 * full, if a pattern matches them.
 */
function chooseGraphs(
  found: Found,
  { statsfile }: Sources,
  { withData, exists }: InstallableGraphs,
  globs: readonly string[],
): string[] {
  const links = found.manifest?.links ?? [];
  // Names that Munin's master makes the same of are one graph.
  const bySmashed = new Map<string, string>();
  for (
    const name of [
      ...withData,
      ...[...links, ...globs].filter((name) =>
        name !== ALL_GRAPHS && /^[-\w]+$/.test(name) && exists(name)
      ),
    ]
  ) {
    if (!bySmashed.has(smash(name))) bySmashed.set(smash(name), name);
  }
  const names = [...bySmashed.values()];
  for (const name of names) {
    if (!/^(?!\.)[-\w.:]+(?<!\.conf)$/.test(name)) {
      throw new UserError(
        `${JSON.stringify(name)} is not a name that Munin takes for a plugin`,
      );
    }
  }
  if (names.length === 0) {
    throw new UserError(
      `no graph has data in ${statsfile} yet: run the gatherer, or name graphs in full`,
    );
  }
  if (globs.length === 0) return names;
  const matchers = globs.map(globMatcher);
  const idle = globs.find((_, index) => !names.some(matchers[index]));
  if (idle !== undefined) {
    throw new UserError(
      `no graph with data in ${statsfile} matches ${JSON.stringify(idle)}; ` +
        '"gatherer graphs" lists all',
    );
  }
  return names.filter((name) => matchers.some((matches) => matches(name)));
}

/** What there is to do next. */
function closing(found: Found, plan: Plan): string[] {
  const lines: string[] = [];
  const { pluginsDir, confDir } = found;
  if (plan.steps.every(({ action }) => action === undefined)) {
    lines.push("Nothing had to be done.");
  } else {
    lines.push(
      "Next, restart munin-node, which looks at its plugins only when it starts" +
        (plan.plugins.length > 0 ? ", and see what it gets:" : ":"),
      "  service munin-node restart",
    );
    if (plan.plugins.length > 0) {
      const dirs = pluginsDir === PLUGINS_DIR && confDir === CONF_DIR
        ? ""
        : `--servicedir ${quote(pluginsDir)} --sconfdir ${quote(confDir)} `;
      lines.push(`  munin-run ${dirs}${plan.plugins[0]}`);
    }
  }
  if (plan.obstructed) {
    lines.push(
      "What is left alone is in the way: see to it and run this again.",
    );
  }
  return lines;
}

/** A path for the shell. */
function quote(path: string): string {
  return /^[-\w./]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`;
}
