/**
 * From what is held of the nodes to a graph's fields and their values.
 *
 * @module
 */
import type { SnapshotNode } from "../snapshot/codec.ts";
import type { StatGroup } from "../snapshot/scan.ts";
import type { Value } from "../value.ts";
import { ownGraph } from "./families.ts";
import type { Field } from "./field.ts";
import { smash } from "./fields.ts";
import type { Graph, NodeLines, SumLines } from "./graph.ts";
import { drawGrowth, USED } from "./growth.ts";
import { drawHeard } from "./heard.ts";
import type { Held } from "./held.ts";
import { drawPattern, patternHasData } from "./pattern.ts";
import { sumOver } from "./sums.ts";

/**
 * The fields of a graph: of every node that has the statistic, however old, or had it a while ago,
 * so that no line vanishes from the graph with a node that is away. A node whose figure cannot be
 * drawn at the moment (NaN, say) keeps its field, too. In an order that does not change.
 */
export function drawFields(graph: Graph, held: Held): Generator<Field> {
  const { lines } = graph;
  switch (lines.kind) {
    case "nodes":
      return drawNodes(graph.name, lines, held);
    case "sums":
      return drawSums(lines, held);
    case "pattern":
      return drawPattern(graph.name, lines, held);
    case "growth":
      return drawGrowth(lines, held);
    case "heard":
      return drawHeard(held);
  }
}

/** Whether a node reports anything that the graph draws. */
export function hasData({ lines }: Graph, held: Held): boolean {
  switch (lines.kind) {
    case "nodes":
      return typeof lines.stat === "string"
        ? held.index.has(lines.group, lines.stat)
        : held.index.names(lines.group).has(lines.stat.smashed);
    case "sums":
      return lines.fields.some(({ group, stat }) =>
        held.index.has(group, stat)
      );
    case "pattern":
      return patternHasData(lines, held);
    case "growth":
      return held.index.has("stats", USED);
    case "heard":
      return held.nodes.length > 0;
  }
}

/** Whether a node has a figure of a statistic. */
export function hasFigure(
  node: SnapshotNode,
  group: StatGroup,
  stat: string,
): boolean {
  const value = node[group].get(stat);
  return value !== undefined && value !== null;
}

function* drawNodes(
  service: string,
  lines: NodeLines,
  held: Held,
): Generator<Field> {
  const { group, type } = lines;
  const names = held.names(service);
  const labels = lines.label === "field" ? names : held.labels(names);
  const stats = statsOf(lines, held);
  const series = stats.map((stat) => held.earlier.series(group, stat));
  for (const [index, node] of held.nodes.entries()) {
    // Of several that are written alike, the first.
    const which = stats.findIndex((stat, which) =>
      hasFigure(node, group, stat) || series[which].has(node.key)
    );
    if (which === -1) continue;
    const stat = stats[which];
    const value = node[group].get(stat);
    const samples = held.samples(node, value, series[which].get(node.key));
    yield {
      name: names[index],
      label: held.alone ? smash(stat) : labels[index],
      draw: lines.draw,
      ...(type === "DERIVE" ? { type, min: 0 } : {}),
      values: held.print(
        samples,
        type,
        lines.percent ? formatPercent : undefined,
      ),
    };
  }
}

/** The names of the statistics that the lines are of: one, unless several are written alike. */
function statsOf({ group, stat }: NodeLines, held: Held): readonly string[] {
  return typeof stat === "string"
    ? [stat]
    : held.index.names(group).get(stat.smashed) ?? [];
}

/**
 * A graph that draws a statistic whose name is known only by its letters and digits, with the
 * name that nodes give it; any other graph as it is.
 */
export function withOwnName(graph: Graph, held: Held): Graph {
  const { lines, name } = graph;
  if (lines.kind !== "nodes" || typeof lines.stat === "string") return graph;
  return ownGraph(name, statsOf(lines, held)[0]) ?? graph;
}

function formatPercent(value: Value): string | undefined {
  const percent = value === null ? NaN : Number(value) * 100;
  return Math.abs(percent) < 1e21 ? percent.toFixed(2) : undefined;
}

function* drawSums(lines: SumLines, held: Held): Generator<Field> {
  for (const { group, stat, ...field } of lines.fields) {
    yield {
      ...field,
      values: held.print(sumOver(held, held.nodes, group, stat), "GAUGE"),
    };
  }
}
