import type { StatSample } from "../snapshot/scan.ts";
import { fieldNames } from "./fields.ts";
import type { Graph } from "./graphs.ts";
import { formatValue } from "./numbers.ts";

/** A value is shown for this long after it was collected, in seconds; the original's figure. */
export const validity = 300;

/**
 * What the plugin prints for `config`: the graph's attributes, then the field of every node that
 * has the statistic, however old, so that no line vanishes from the graph with a node that is
 * away. A node whose figure cannot be drawn at the moment (NaN, say) keeps its field, too.
 *
 * @param samples All nodes of the snapshot in its order, with their value of `graph.stat`.
 */
export function configLines(
  graph: Graph,
  samples: readonly StatSample[],
): string {
  const lines = [
    `graph_title ${graph.title}`,
    `graph_vlabel ${graph.vlabel}`,
    `graph_category ${graph.category}`,
    `graph_info ${graph.info}`,
  ];
  if (graph.args !== undefined) lines.push(`graph_args ${graph.args}`);
  const names = fieldNames(samples);
  samples.forEach(({ value }, index) => {
    if (value === undefined || value === null) return;
    const name = names[index];
    lines.push(`${name}.label ${name}`);
    if (graph.type === "DERIVE") {
      lines.push(`${name}.type DERIVE`, `${name}.min 0`);
    }
    lines.push(`${name}.draw LINE1`);
  });
  return lines.join("\n") + "\n";
}

/**
 * What the plugin prints when Munin fetches: the value of every node that has the statistic and
 * was heard from within {@linkcode validity}. A time in the future counts as now. Nothing at all
 * when there is no such node; Munin takes that for no news.
 *
 * @param samples All nodes of the snapshot in its order, with their value of `graph.stat`.
 * @param nowSeconds Seconds since the epoch.
 */
export function fetchLines(
  graph: Graph,
  samples: readonly StatSample[],
  nowSeconds: number,
): string {
  const names = fieldNames(samples);
  let text = "";
  samples.forEach(({ timestamp, value }, index) => {
    // Written so that a timestamp of NaN is stale.
    if (value === undefined || !(nowSeconds - timestamp <= validity)) return;
    const printed = formatValue(value, graph.type);
    if (printed !== undefined) text += `${names[index]}.value ${printed}\n`;
  });
  return text;
}
