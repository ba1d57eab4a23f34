import type { Clock } from "../clock.ts";
import { messageOf, UserError } from "../errors.ts";
import {
  closestGraphs,
  findGraph,
  type Graph,
  graphs,
} from "../munin/graphs.ts";
import { configLines, fetchLines } from "../munin/plugin.ts";
import { scanSnapshotFile } from "../snapshot/file.ts";
import type { StatSample } from "../snapshot/scan.ts";

/** What the plugin needs of the process around it. It never reads stdin: Munin's socket is there. */
export interface PluginIo {
  /** The environment; the variable `statsfile` has the path of a snapshot or base directory. */
  readonly env: Readonly<Record<string, string>>;
  readonly clock: Clock;
  /** Writes to stdout; called once, with everything there is to say. */
  stdout(text: string): void | Promise<void>;
}

/** What `gatherer munin --help` says. */
export const muninHelp = `\
Usage: gatherer munin GRAPH [config | autoconf | suggest]

Does what a link named GRAPH in Munin's plugins directory does: prints the graph's values, or with
"config" its description. Where the snapshot is, the environment variable statsfile says: the file
or the base directory of "gatherer serve", or the stats.json of the original gatherer.
"gatherer graphs" lists the graphs.

Example:
  statsfile=/var/lib/gatherer/stats.msgpack gatherer munin tahoe_storage_consumed config
`;

/** The name of the installed file that links are made to; also a name that munin-node-configure calls. */
const wildcardName = "tahoe_";

/**
 * One run of the Munin plugin: what a link named after a graph does.
 *
 * @param graphName The link's name, a trailing `.py` allowed.
 * @param args What follows it: nothing (fetch), `config`, `autoconf` or `suggest`.
 * @returns The exit code, 0.
 * @throws UserError one line for stderr, exit code 1, when nothing was printed.
 */
export async function muninPlugin(
  graphName: string,
  args: readonly string[],
  io: PluginIo,
): Promise<number> {
  await io.stdout(await answer(graphName, args[0], io));
  return 0;
}

async function answer(
  graphName: string,
  phase: string | undefined,
  io: PluginIo,
): Promise<string> {
  switch (phase) {
    case undefined: {
      const graph = knownGraph(graphName);
      const samples = await readSamples(graph, io);
      return fetchLines(graph, samples, io.clock.now() / 1000);
    }
    case "config": {
      const graph = knownGraph(graphName);
      return configLines(graph, await readSamples(graph, io));
    }
    case "autoconf":
      return await autoconf(graphName, io);
    case "suggest":
      return graphs.map(({ name }) => `${name.slice(wildcardName.length)}\n`)
        .join("");
    default:
      throw new UserError(
        `unknown argument ${quote(phase)}: Munin runs the plugin with no ` +
          'argument (fetch), "config", "autoconf" or "suggest"',
      );
  }
}

function knownGraph(name: string): Graph {
  const graph = findGraph(name);
  if (graph) return graph;
  const close = closestGraphs(name).map(quote).join(" or ");
  throw new UserError(
    `there is no graph ${quote(name)}: ${
      close && `did you mean ${close}? `
    }"gatherer graphs" lists all ${graphs.length}`,
  );
}

function readSamples(graph: Graph, io: PluginIo): Promise<StatSample[]> {
  return scanSnapshotFile(statsFile(io.env), io.clock, graph.group, graph.stat);
}

/**
 * The value of the environment variable `statsfile` or, as the original takes any name that begins
 * so, of the smallest such name; munin-node passes them in no order.
 */
function statsFile(env: Readonly<Record<string, string>>): string {
  const name = Object.hasOwn(env, "statsfile")
    ? "statsfile"
    : Object.keys(env).filter((name) => name.startsWith("statsfile")).sort()[0];
  const value = name === undefined ? "" : env[name];
  if (value !== "") return value;
  throw new UserError(
    "where the snapshot is has not been set: put a line " +
      '"env.statsfile /path/to/stats.msgpack" under "[tahoe_*]" in a file in ' +
      "/etc/munin/plugin-conf.d and restart munin-node",
  );
}

/** Munin's question whether the plugin would work here; every answer is a line and exit code 0. */
async function autoconf(graphName: string, io: PluginIo): Promise<string> {
  try {
    const graph = graphName === wildcardName
      ? graphs[0]
      : knownGraph(graphName);
    await readSamples(graph, io);
    return "yes\n";
  } catch (error) {
    return `no (${messageOf(error).replace(/\s+/g, " ")})\n`;
  }
}

/** Text from outside in double quotes, on one line whatever is in it. */
function quote(text: string): string {
  return JSON.stringify(text);
}
