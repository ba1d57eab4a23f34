/**
 * From what is held of the nodes to a graph's fields and their values.
 *
 * @module
 */
import type { StatGroup } from "../snapshot/scan.ts";
import type { Sample } from "../spool/sample.ts";
import type { Value } from "../value.ts";
import { ownGraph } from "./families.ts";
import { smash } from "./fields.ts";
import type { Field } from "./field.ts";
import type { Graph, NodeLines, SumLines } from "./graph.ts";
import { drawGrowth, USED } from "./growth.ts";
import { type Held, presently } from "./held.ts";
import { nodeLabels } from "./labels.ts";
import { drawPattern } from "./pattern.ts";
import { sumOver } from "./sums.ts";

/**
 * The fields of a graph: of every node that has the statistic, however old, so that no line
 * vanishes from the graph with a node that is away. A node whose figure cannot be drawn at the
 * moment (NaN, say) keeps its field, too. In an order that does not change.
 */
export function drawFields(graph: Graph, held: Held): Field[] {
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
export function hasData(graph: Graph, held: Held): boolean {
  const { lines } = graph;
  switch (lines.kind) {
    case "sums":
      return lines.fields.some(({ group, stat }) => someHas(held, group, stat));
    case "growth":
      return someHas(held, "stats", USED);
    case "nodes":
      return typeof lines.stat === "string"
        ? someHas(held, lines.group, lines.stat)
        : held.statNames(lines.group).has(lines.stat.smashed);
    case "pattern":
      return drawPattern(graph.name, lines, held).length > 0;
    case "heard":
      return held.nodes.length > 0;
  }
}

function someHas(held: Held, group: StatGroup, stat: string): boolean {
  return held.nodes.some((node) => isKnown(node[group].get(stat)));
}

function isKnown(value: Value | undefined): value is bigint | number {
  return value !== undefined && value !== null;
}

function drawNodes(service: string, lines: NodeLines, held: Held): Field[] {
  const names = held.names(service);
  const labels = lines.label === "field" && !held.alone
    ? names
    : nodeLabels(held, names);
  const series = seriesOf(lines.group, held);
  const fields: Field[] = [];
  const stats = statsOf(lines, held);
  held.nodes.forEach((node, index) => {
    // Of several that are written alike, the first.
    const stat = stats.find((stat) => isKnown(node[lines.group].get(stat)));
    if (stat === undefined) return;
    const value = node[lines.group].get(stat)!;
    const samples = held.samples(
      { time: node.timestamp, value },
      series(stat, node.key),
    );
    fields.push({
      name: names[index],
      label: held.alone ? smash(stat) : labels[index],
      draw: lines.draw,
      ...(lines.type === "DERIVE" ? { type: "DERIVE", min: 0 } : {}),
      values: held.print(
        samples,
        lines.type,
        lines.percent ? formatPercent : undefined,
      ),
    });
  });
  return fields;
}

/** The names of the statistics that the lines are of: one, unless several are written alike. */
function statsOf({ group, stat }: NodeLines, held: Held): readonly string[] {
  return typeof stat === "string"
    ? [stat]
    : held.statNames(group).get(stat.smashed) ?? [];
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

/** Looks each statistic up once, however many nodes have it. */
function seriesOf(
  group: StatGroup,
  held: Held,
): (stat: string, key: string) => readonly Sample[] | undefined {
  const known = new Map<string, ReadonlyMap<string, readonly Sample[]>>();
  return (stat, key) => {
    let series = known.get(stat);
    if (!series) known.set(stat, series = held.earlier.series(group, stat));
    return series.get(key);
  };
}

function formatPercent(value: Value): string | undefined {
  const percent = value === null ? NaN : Number(value) * 100;
  return Math.abs(percent) < 1e21 ? percent.toFixed(2) : undefined;
}

function drawSums(lines: SumLines, held: Held): Field[] {
  return lines.fields.map(({ group, stat, ...field }) => ({
    ...field,
    values: held.print(sumOver(held, held.nodes, group, stat), "GAUGE"),
  }));
}

function drawHeard(held: Held): Field[] {
  const heard = held.nodes.filter(({ timestamp }) => held.isFresh(timestamp));
  const counts = [
    { name: "heard", label: "heard from", draw: "AREA", count: heard.length },
    {
      name: "silent",
      label: "silent",
      draw: "STACK",
      count: held.nodes.length - heard.length,
    },
  ] as const;
  return counts.map(({ count, ...field }) => ({
    ...field,
    values: held.print(presently(held, BigInt(count)), "GAUGE"),
  }));
}
