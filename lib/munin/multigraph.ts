/**
 * Several graphs in one answer, by Munin's keyword `multigraph`.
 *
 * @module
 */
import { graphsWithData, OVERVIEW, withoutRepeats } from "./catalog.ts";
import { drawFields } from "./draw.ts";
import type { Field } from "./field.ts";
import { smash } from "./fields.ts";
import type { Graph } from "./graph.ts";
import type { Held } from "./held.ts";
import { configText, type FieldLimits, valueText } from "./text.ts";

/** What an answer about several graphs is to hold. */
export interface MultigraphOptions {
  /** Whether the graphs are to be described. */
  readonly config: boolean;
  /** Whether their values are to be told. */
  readonly values: boolean;
  /** Whether the overview leads to a page for each node; `auto`: if these are not too many. */
  readonly drilldown: "yes" | "no" | "auto";
  readonly limits: FieldLimits;
}

/** munin-node drops a plugin that says nothing at all until it is started anew. */
export const NOTHING =
  "# there is nothing to draw: no node has reported anything that a selected graph draws\n";

/** A graph, and its fields as they are at the moment. */
export interface DrawnGraph {
  readonly graph: Graph;
  readonly fields: readonly Field[];
}

/**
 * How many pictures of single nodes Munin is given to draw unasked: by default it draws all there
 * are, four sizes each, within its five minutes.
 */
const MOST_PICTURES = 500;

/**
 * The graphs that are shown when all are shown at once: those with data, each statistic drawn by
 * one only.
 */
export function showAll(
  held: Held,
  operators: readonly Graph[],
  selects: (name: string) => boolean,
): Graph[] {
  return withoutRepeats(
    graphsWithData(held, operators).filter(({ name }) => selects(name)),
  );
}

/**
 * A service's name as Munin's master writes it: it turns other characters into `_`, but not in the
 * names that an answer about several graphs gives.
 */
export function serviceName(graph: Graph): string {
  return smash(graph.name);
}

/**
 * What the plugin of all graphs prints: a block for each graph, and under the overview of all nodes
 * a page for each node with its graphs.
 */
export function multigraphText(
  graphs: readonly Graph[],
  held: Held,
  options: MultigraphOptions,
): string {
  if (graphs.length === 0) return NOTHING;
  const drawn = graphs.map((graph): DrawnGraph => ({
    graph,
    fields: [...drawFields(graph, held)],
  }));
  let text = "";
  for (const { graph, fields } of drawn) {
    text += graphBlock(graph, fields, options);
  }
  return options.config
    ? text + drilldownText(drawn, held, options.drilldown)
    : text;
}

/** One graph's block. */
export function graphBlock(
  graph: Graph,
  fields: readonly Field[],
  options: Pick<MultigraphOptions, "config" | "values" | "limits">,
): string {
  let text = `multigraph ${serviceName(graph)}\n`;
  if (options.config) text += configText(graph, fields, options.limits);
  if (options.values) text += valueText(fields);
  return text;
}

/**
 * The nodes' own pages, under the overview of all nodes if that is shown. Their graphs borrow the series of those above, by `graph_order`, and have
 * no field of their own: so they take no RRD file. (Found out with Munin 2.0.73: with any attribute
 * of a field it would make one.)
 */
export function drilldownText(
  drawn: readonly DrawnGraph[],
  held: Held,
  wanted: MultigraphOptions["drilldown"],
): string {
  if (wanted === "no") return "";
  if (!drawn.some(({ graph }) => graph.name === OVERVIEW)) return "";
  const names = held.names(OVERVIEW);
  const pages = new Map<string, { graph: Graph; field: string }[]>();
  for (const name of names) pages.set(name, []);
  for (const { graph, fields } of drawn) {
    if (graph.lines.kind !== "nodes") continue;
    for (const { name } of fields) {
      pages.get(name)?.push({ graph, field: `${serviceName(graph)}.${name}` });
    }
  }
  let pictures = 0;
  for (const page of pages.values()) {
    if (page.length > 0) pictures += page.length + 1;
  }
  if (wanted === "auto" && pictures > MOST_PICTURES) {
    return `# no pages for single nodes: they have ${pictures} pictures; ` +
      '"env.drilldown yes" asks for them\n';
  }
  const labels = held.labels(names);
  let text = "";
  names.forEach((name, index) => {
    const page = pages.get(name)!;
    if (page.length === 0) return;
    const node = `${OVERVIEW}.n_${name}`;
    const [first] = page;
    text += `multigraph ${node}\n` +
      picture(first.graph, labels[index], `${name}=${first.field}`);
    for (const { graph, field } of page) {
      text += `multigraph ${node}.${serviceName(graph)}\n` +
        picture(graph, `${labels[index]}: ${graph.title}`, `${name}=${field}`);
    }
  });
  return text;
}

function picture(graph: Graph, title: string, order: string): string {
  const lines = [
    `graph_title ${title}`,
    `graph_vlabel ${graph.vlabel}`,
    `graph_category ${graph.category}`,
    `graph_info ${graph.info}`,
    `graph_args ${graph.args ?? "--base 1000"}`,
    `graph_order ${order}`,
  ];
  return `${lines.join("\n")}\n`;
}
