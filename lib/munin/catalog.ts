/**
 * All graphs that there are: Tahoe-LAFS's, an operator's own, and one for any other statistic.
 *
 * @module
 */
import { closest } from "../closest.ts";
import { hasData } from "./draw.ts";
import { ownGraph, ownGraphName, tahoeServer } from "./families.ts";
import { smash } from "./fields.ts";
import type { Graph } from "./graph.ts";
import type { Held } from "./held.ts";
import { tahoeGrid } from "./tahoe_grid.ts";
import { tahoeStats } from "./tahoe_stats.ts";

/** The name of the plugin that answers for all graphs at once. */
export const ALL_GRAPHS = "gatherer";

/**
 * Whether a name is that of a file which links lead to, by Munin's convention for plugins of many
 * names.
 */
export function isWildcard(name: string): boolean {
  return name === "tahoe_" || name === "gatherer_";
}

/** The overview of all nodes. */
export const OVERVIEW = "gatherer_nodes";

const nodesGraph: Graph = {
  name: OVERVIEW,
  title: "Nodes",
  vlabel: "nodes",
  category: "gatherer",
  info:
    "How many nodes were heard from within the last five minutes, and how many were not.",
  args: "--base 1000 --lower-limit 0",
  lines: { kind: "heard" },
};

/** The graphs that are there whatever nodes report, in the order in which they are shown. */
export const builtInGraphs: readonly Graph[] = [
  nodesGraph,
  ...tahoeStats,
  ...tahoeGrid,
  ...tahoeServer,
];

/** Made when it is wanted: most runs of the plugin look one name up. */
let bySmashedName: Map<string, Graph> | undefined;

function builtInGraph(smashed: string): Graph | undefined {
  bySmashedName ??= new Map(
    builtInGraphs.map((graph) => [smash(graph.name), graph]),
  );
  return bySmashedName.get(smashed);
}

/**
 * The graph of that name; `undefined` when there is none. Other characters than letters and digits
 * may be written as `_`, as Munin's master does. One trailing `.py` is ignored, because links of
 * Tahoe-LAFS's early plugin `tahoe-stats.py` carried it.
 *
 * @param operators The graphs of an operator's own.
 */
export function findGraph(
  name: string,
  operators: readonly Graph[] = [],
): Graph | undefined {
  const bare = name.endsWith(".py") ? name.slice(0, -3) : name;
  if (!/^[A-Za-z_][A-Za-z0-9_-]*$/.test(bare)) return undefined;
  return builtInGraph(smash(bare)) ?? ownGraph(smash(bare)) ??
    operators.find((graph) => graph.name === bare);
}

/** Whether there is a built-in graph of this name. */
export function isBuiltIn(name: string): boolean {
  return !name.endsWith(".py") && findGraph(name) !== undefined;
}

/** The names of the graphs that someone who typed `name` may have meant, best first; at most 3. */
export function closestGraphs(
  name: string,
  operators: readonly Graph[] = [],
): string[] {
  const bare = smash(name.replace(/\.py$/, "").toLowerCase());
  if (bare === "" || bare === "tahoe_") return [];
  const names = [...builtInGraphs, ...operators].map((graph) => graph.name);
  const found = closest(bare, names);
  return found.length > 0 ? found : closest(`tahoe_${bare}`, names);
}

/**
 * The graphs of which there is something to draw, in the order in which they are shown: the
 * built-in ones, the operator's, then one for each statistic that none of these draws.
 */
export function graphsWithData(
  held: Held,
  operators: readonly Graph[] = [],
): Graph[] {
  const known = [...builtInGraphs, ...operators].filter((graph) =>
    hasData(graph, held)
  );
  const drawn = new Set(known.map(drawnBy));
  const own: Graph[] = [];
  for (const group of ["counters", "stats"] as const) {
    for (const stats of held.index.names(group).values()) {
      if (stats.every((stat) => drawn.has(`${group} ${stat}`))) continue;
      if (stats.every(isBucket)) continue;
      const name = ownGraphName(group, stats[0]);
      if (name !== undefined) own.push(ownGraph(name, stats[0])!);
    }
  }
  return [...known, ...own];
}

/**
 * Whether a statistic is a bucket of a histogram, `NAME{le=BOUND,…}`: a graph for each of dozens
 * would hide the others. Whoever names one gets it.
 */
function isBucket(stat: string): boolean {
  return /\{(?:.*,)?le=[^,{}]*(?:,.*)?\}$/.test(stat);
}

/**
 * Of graphs with data those that draw something which none before them draws: what is shown when
 * all are shown at once.
 */
export function withoutRepeats(graphs: readonly Graph[]): Graph[] {
  const drawn = new Set<string>();
  return graphs.filter((graph) => {
    const stat = drawnBy(graph);
    if (stat === undefined) return true;
    const isNew = !drawn.has(stat);
    drawn.add(stat);
    return isNew;
  });
}

/** The statistic, with its group before it, that a graph draws for each node; if it names one. */
function drawnBy({ lines }: Graph): string | undefined {
  return lines.kind === "nodes" && typeof lines.stat === "string"
    ? `${lines.group} ${lines.stat}`
    : undefined;
}
