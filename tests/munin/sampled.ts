import { drawFields } from "../../lib/munin/draw.ts";
import type { Graph, NodeLines } from "../../lib/munin/graph.ts";
import { Held } from "../../lib/munin/held.ts";
import { plainly } from "../../lib/munin/sampling.ts";
import { tahoeStats } from "../../lib/munin/tahoe_stats.ts";
import { configText, valueText } from "../../lib/munin/text.ts";
import type { SnapshotNode } from "../../lib/snapshot/codec.ts";
import type { StatSample } from "../../lib/snapshot/scan.ts";

/** One of the original's graphs, with what it draws in plain sight. */
export type StatGraph = Graph & { lines: NodeLines & { stat: string } };

/** The original's 26 graphs. */
export const statGraphs = tahoeStats as readonly StatGraph[];

/** Nodes that have one statistic, or none. */
export function nodesOf(
  graph: StatGraph,
  samples: readonly StatSample[],
): SnapshotNode[] {
  const { group, stat } = graph.lines;
  return samples.map(({ key, nickname, timestamp, value }) => ({
    key,
    nickname,
    timestamp,
    counters: new Map(),
    stats: new Map(),
    ...(value === undefined ? {} : { [group]: new Map([[stat, value]]) }),
  }));
}

/** What the plugin prints for `config`, values without their time. */
export function configLines(graph: StatGraph, samples: StatSample[]): string {
  const held = new Held(nodesOf(graph, samples), plainly(0));
  return configText(graph, [...drawFields(graph, held)]);
}

/** What the plugin prints when Munin fetches, values without their time. */
export function fetchLines(
  graph: StatGraph,
  samples: StatSample[],
  now: number,
): string {
  const held = new Held(nodesOf(graph, samples), plainly(now));
  return valueText([...drawFields(graph, held)]);
}
