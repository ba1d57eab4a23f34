import type { Clock } from "../clock.ts";
import { UserError } from "../errors.ts";
import {
  builtInGraphs,
  findGraph,
  graphsWithData,
  isBuiltIn,
} from "../munin/catalog.ts";
import { tahoeServer } from "../munin/families.ts";
import { drawFields } from "../munin/draw.ts";
import type { Graph, GraphType } from "../munin/graph.ts";
import { loadGraphsFile } from "../munin/graphs_file.ts";
import { Held } from "../munin/held.ts";
import { dated } from "../munin/sampling.ts";
import type { SnapshotNode } from "../snapshot/codec.ts";
import { readAllNodes } from "../snapshot/file.ts";
import { readOptions } from "./options.ts";

/** What `gatherer graphs --help` says. */
export const graphsHelp = `\
Usage: gatherer graphs [SNAPSHOT | --basedir DIR] [--graphs FILE] [--with-data]

Lists the graphs: the name that a link in Munin's plugins directory must have, how many lines it has
at the moment, what it draws, and whether it draws the value or its growth. Besides those listed,
gatherer_stat_NAME and gatherer_counter_NAME draw any statistic of that NAME, its dots and dashes
written as _.

Options:
  --basedir DIR  a base directory of "gatherer serve" (default: ./gatherer, if it is there)
  --graphs FILE  a file with graphs of your own, listed as well
  --with-data    only those of which there is something to draw, names alone

Examples:
  gatherer graphs --basedir /var/lib/gatherer
  gatherer graphs --with-data --basedir /var/lib/gatherer --graphs /etc/gatherer/graphs.json
`;

/** What the command needs of the process around it. */
export interface GraphsIo {
  readonly clock: Clock;
  stdout(text: string): void | Promise<void>;
}

/**
 * `gatherer graphs`.
 *
 * @returns The exit code, 0.
 * @throws UserError code 2 for wrong usage, 1 when a file that was named cannot be used.
 */
export async function graphsCommand(
  args: readonly string[],
  io: GraphsIo,
): Promise<number> {
  const { values, flags, positional } = readOptions("graphs", args, {
    value: ["basedir", "graphs"],
    flag: ["with-data"],
    positional: 1,
  });
  const named = positional[0] ?? values.basedir;
  if (positional.length > 0 && values.basedir !== undefined) {
    throw new UserError(
      "a snapshot and --basedir at once: give one of them; see gatherer graphs --help",
      2,
    );
  }
  const { graphs: operators, fault } = readOperators(values.graphs);
  const held = await readIfThere(named, io.clock);
  if (flags["with-data"]) {
    if (!held) {
      throw new UserError(
        "there is no ./gatherer with a snapshot in it: say where it is with --basedir",
      );
    }
    for (const { name } of graphsWithData(held, operators)) {
      await io.stdout(`${name}\n`);
    }
  } else {
    await io.stdout(graphsTable(held, operators));
  }
  // Said last, under the table of the graphs that go on working.
  if (fault) throw fault;
  return 0;
}

function readOperators(
  path: string | undefined,
): { graphs: readonly Graph[]; fault?: UserError } {
  if (path === undefined) return { graphs: [] };
  try {
    return { graphs: loadGraphsFile(path, isBuiltIn).graphs };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { graphs: [], fault: error };
  }
}

/**
 * The graphs that links can be made for.
 *
 * @param sources.statsfile A snapshot or base directory; one that cannot be read has no data.
 * @param sources.graphs A file with graphs of an operator's own.
 * @throws UserError when that file cannot be used.
 */
export async function installableGraphs(
  sources: { readonly statsfile: string; readonly graphs?: string },
  clock: Clock,
): Promise<{ withData: string[]; exists(name: string): boolean }> {
  const operators = sources.graphs === undefined
    ? []
    : loadGraphsFile(sources.graphs, isBuiltIn).graphs;
  let nodes: SnapshotNode[] = [];
  try {
    nodes = await readAllNodes(sources.statsfile, clock);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
  }
  const held = new Held(nodes, dated(clock.now() / 1000));
  return {
    withData: graphsWithData(held, operators).map(({ name }) => name),
    exists: (name) => findGraph(name, operators) !== undefined,
  };
}

async function readIfThere(
  path: string | undefined,
  clock: Clock,
): Promise<Held | undefined> {
  try {
    const nodes = await readAllNodes(path ?? "gatherer", clock);
    return new Held(nodes, dated(clock.now() / 1000));
  } catch (error) {
    if (path === undefined && error instanceof UserError) return undefined;
    throw error;
  }
}

/** Two families of many graphs are a row each, where there is nothing to draw. */
const families = [
  "tahoe_server_operations_OP",
  "tahoe_server_latency_OP_PERCENTILE",
];

/**
 * The table of all graphs, for people.
 * @param held Left out: it is not known which have data.
 */
export function graphsTable(
  held: Held | undefined,
  operators: readonly Graph[],
): string {
  const withData = new Map(
    (held ? graphsWithData(held, operators) : []).map((
      graph,
    ) => [graph.name, graph]),
  );
  const folded = new Set(
    tahoeServer.map(({ name }) => name).filter((name) => !withData.has(name)),
  );
  const rows = [["GRAPH", "LINES", "STATISTIC", "DRAWN AS"]];
  const listed = new Set<string>();
  const add = (graph: Graph) => {
    listed.add(graph.name);
    if (folded.has(graph.name)) return;
    const lines = held && withData.has(graph.name)
      ? `${[...drawFields(graph, held)].length}`
      : held
      ? "none"
      : "?";
    rows.push([graph.name, lines, ...described(graph)]);
  };
  builtInGraphs.forEach(add);
  for (const family of families) {
    const prefix = family.replace(/OP.*/, "");
    const left = [...folded].filter((name) => name.startsWith(prefix)).length;
    if (left > 0) {
      rows.push([
        family,
        held ? "none" : "?",
        `${left} graphs, see the documentation`,
        "",
      ]);
    }
  }
  operators.forEach(add);
  for (const graph of withData.values()) {
    if (!listed.has(graph.name)) add(graph);
  }
  const widths = rows[0].map((_, column) =>
    Math.max(...rows.map((row) => row[column].length))
  );
  return rows.map((row) =>
    `${
      row.map((cell, column) => cell.padEnd(widths[column])).join("  ")
        .trimEnd()
    }\n`
  ).join("");
}

function described(
  { lines, title }: Graph,
): [statistic: string, drawn: string] {
  switch (lines.kind) {
    case "nodes": {
      const stat = typeof lines.stat === "string" ? lines.stat : title;
      return [`${lines.group} ${stat}`, drawnAs(lines.type)];
    }
    case "sums":
      return [
        `${lines.fields[0].group} ${
          lines.fields.map(({ stat }) => stat).join(", ")
        }`,
        "sum over nodes",
      ];
    case "pattern":
      return [
        lines.statistics.map(({ group, glob }) =>
          `${group ? `${group} ` : ""}${glob}`
        ).join(", "),
        lines.per === "total"
          ? "sum over nodes"
          : lines.type
          ? drawnAs(lines.type)
          : "as fits each",
      ];
    case "growth":
      return [
        "stats storage_server.disk_used",
        lines.show === "rate" ? "growth over 1 h, 1 d" : "days left",
      ];
    case "heard":
      return ["", "nodes heard from, silent"];
  }
}

function drawnAs(type: GraphType): string {
  return type === "DERIVE" ? "growth a second" : "value";
}
