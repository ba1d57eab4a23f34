import type { Clock } from "../clock.ts";
import { messageOf, UserError } from "../errors.ts";
import {
  ALL_GRAPHS,
  closestGraphs,
  findGraph,
  graphsWithData,
  isWildcard,
} from "../munin/catalog.ts";
import { drawFields, hasData, withOwnName } from "../munin/draw.ts";
import type { Graph } from "../munin/graph.ts";
import { multigraphText, showAll } from "../munin/multigraph.ts";
import { configText, valueText } from "../munin/text.ts";
import { MuninEnvironment } from "./munin_environment.ts";
import { readHeld } from "./munin_held.ts";

/** What the plugin needs of the process around it. It never reads stdin: Munin's socket is there. */
export interface PluginIo {
  /** The environment, in which plugin-conf.d puts its `env.` lines. */
  readonly env: Readonly<Record<string, string>>;
  readonly clock: Clock;
  /** Writes to stdout; called once, with everything there is to say. */
  stdout(text: string): void | Promise<void>;
  /** Writes a line to stderr, which munin-node puts into its log. */
  stderr(line: string): void;
}

/** What `gatherer munin --help` says. */
export const muninHelp = `\
Usage: gatherer munin GRAPH [config | autoconf | suggest]

Does what a link named GRAPH in Munin's plugins directory does: prints the graph's values, or with
"config" its description. GRAPH "gatherer" is all graphs at once. "gatherer graphs" lists them.

Environment (lines "env.NAME VALUE" in /etc/munin/plugin-conf.d/gatherer):
  statsfile       the base directory of "gatherer serve" or its snapshot, or the stats.json of the
                  original gatherer
  graphs          a file with graphs of your own
  select          for "gatherer" and "suggest": only graphs of these names, such as tahoe_* mailer_*
  drilldown       for "gatherer": "yes", a page for each node; "no"; "auto" (default), if there are
                  no more than 500 pictures on them
  timestamps      "no": values without their time, the latest only, as the original plugin did
  warning, critical, GRAPH_warning, FIELD_warning, …
                  limits, as Munin writes them: max, min:, :max or min:max

Examples:
  statsfile=/var/lib/gatherer gatherer munin tahoe_storage_consumed config
  statsfile=/var/lib/gatherer gatherer munin gatherer_counter_mailer_sent
`;

/**
 * Whether the program has been called as a Munin plugin.
 *
 * @param name What it was called by, without directories.
 * @param args What followed.
 * @param env Asked for single variables only, and only where the name does not tell.
 */
export function isPluginCall(
  name: string,
  args: readonly string[],
  env: { get(name: string): string | undefined },
): boolean {
  const phase = args.length === 0 ||
    ["config", "autoconf", "suggest"].includes(args[0]);
  // Munin always sets this variable. The command line's own name is a plugin's as well.
  const underMunin = () => env.get("MUNIN_CAP_MULTIGRAPH") !== undefined;
  if (name === ALL_GRAPHS) return args.length > 0 ? phase : underMunin();
  if (findGraph(name)) return true;
  if (!phase) return false;
  return /^(tahoe|gatherer)_/.test(name) || underMunin();
}

/**
 * One run of the Munin plugin: what a link named after a graph does.
 *
 * @param name The link's name, a trailing `.py` allowed.
 * @param args What follows it: nothing (fetch), `config`, `autoconf` or `suggest`.
 * @returns The exit code, 0.
 * @throws UserError one line for stderr, exit code 1, when nothing was printed.
 */
export async function muninPlugin(
  name: string,
  args: readonly string[],
  io: PluginIo,
): Promise<number> {
  const environment = new MuninEnvironment(io.env, io.stderr);
  await io.stdout(await answer(name, args[0], environment, io.clock));
  return 0;
}

async function answer(
  name: string,
  phase: string | undefined,
  environment: MuninEnvironment,
  clock: Clock,
): Promise<string> {
  switch (phase) {
    case undefined:
    case "config": {
      const config = phase === "config";
      return name === ALL_GRAPHS
        ? await allGraphs(config, environment, clock)
        : await oneGraph(name, config, environment, clock);
    }
    case "autoconf":
      return await autoconf(name, environment, clock);
    case "suggest":
      return await suggest(name, environment, clock);
    default:
      throw new UserError(
        `unknown argument ${quote(phase)}: Munin runs the plugin with no ` +
          'argument (fetch), "config", "autoconf" or "suggest"',
      );
  }
}

async function oneGraph(
  name: string,
  config: boolean,
  environment: MuninEnvironment,
  clock: Clock,
): Promise<string> {
  const called = knownGraph(name, environment);
  const values = !config || environment.dirtyconfig;
  const held = await readHeld(environment, clock, called);
  const graph = withOwnName(called, held);
  const fields = [...drawFields(graph, held)];
  const described = config
    ? configText(graph, fields, environment.limits({ single: true }))
    : "";
  return described + (values ? valueText(fields) : "");
}

async function allGraphs(
  config: boolean,
  environment: MuninEnvironment,
  clock: Clock,
): Promise<string> {
  const values = !config || environment.dirtyconfig;
  const held = await readHeld(environment, clock);
  const { graphs } = environment.operatorsIfAny();
  return multigraphText(
    showAll(held, graphs, environment.selects),
    held,
    {
      config,
      values,
      drilldown: environment.drilldown,
      limits: environment.limits({ single: false }),
    },
  );
}

function knownGraph(name: string, environment: MuninEnvironment): Graph {
  // The file of an operator's own graphs is read where it matters only: broken, it must not take
  // the built-in ones along.
  const builtIn = findGraph(name);
  if (builtIn) return builtIn;
  if (isWildcard(name)) {
    throw new UserError(
      `${
        quote(name)
      } is where links lead, and no graph: make a link of a graph's name to it, ` +
        'such as those that "gatherer install-munin" makes; "gatherer graphs" lists all names',
    );
  }
  const { graphs } = environment.operators();
  const graph = findGraph(name, graphs);
  if (graph) return graph;
  const close = closestGraphs(name, graphs).map(quote).join(" or ");
  throw new UserError(
    `there is no graph ${quote(name)}: ${
      close && `did you mean ${close}? `
    }"gatherer graphs" lists all`,
  );
}

/** Munin's question whether the plugin would work here; every answer is a line and exit code 0. */
async function autoconf(
  name: string,
  environment: MuninEnvironment,
  clock: Clock,
): Promise<string> {
  try {
    if (name === ALL_GRAPHS || isWildcard(name)) {
      const beginning = isWildcard(name) ? name : "";
      const names = await namesWithData(beginning, environment, clock);
      return names.length > 0
        ? "yes\n"
        : `no (no node reports anything that a graph ${
          beginning && `${beginning}… `
        }draws)\n`;
    }
    const graph = knownGraph(name, environment);
    const held = await readHeld(environment, clock, graph);
    return hasData(graph, held)
      ? "yes\n"
      : `no (no node reports what ${name} draws)\n`;
  } catch (error) {
    return `no (${messageOf(error).replace(/\s+/g, " ")})\n`;
  }
}

/** What links to a file such as `tahoe_` add to its name, one line each. */
async function suggest(
  name: string,
  environment: MuninEnvironment,
  clock: Clock,
): Promise<string> {
  // As "gatherer" nobody but a person asks, and for whole names.
  const prefix = /^[A-Za-z]+_/.exec(name)?.[0] ?? "";
  const names = await namesWithData(prefix, environment, clock);
  return names.map((name) => `${name.slice(prefix.length)}\n`).join("");
}

/** The names, with that beginning, of all graphs of which there is something to draw. */
async function namesWithData(
  beginning: string,
  environment: MuninEnvironment,
  clock: Clock,
): Promise<string[]> {
  const held = await readHeld(environment, clock);
  return graphsWithData(held, environment.operatorsIfAny().graphs)
    .map((graph) => graph.name)
    .filter((name) => environment.selects(name))
    .filter((name) => name.startsWith(beginning));
}

/** Text from outside in double quotes, on one line whatever is in it. */
function quote(text: string): string {
  return JSON.stringify(text);
}
