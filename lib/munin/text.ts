import type { Field } from "./field.ts";
import type { Graph, Limits } from "./graph.ts";

/** The limits of a graph's field, as the plugin's configuration has them; none: `{}`. */
export type FieldLimits = (service: string, field: string) => Limits;

/**
 * What the plugin prints for `config`: the graph's attributes, then those of its fields.
 *
 * @param limits Limits that come before the graph's own.
 */
export function configText(
  graph: Graph,
  fields: readonly Field[],
  limits: FieldLimits = () => ({}),
): string {
  const lines = [
    `graph_title ${graph.title}`,
    `graph_vlabel ${graph.vlabel}`,
    `graph_category ${graph.category}`,
    `graph_info ${graph.info}`,
  ];
  if (graph.args !== undefined) lines.push(`graph_args ${graph.args}`);
  for (const field of fields) {
    const { name, label, type, min, max, draw } = field;
    lines.push(`${name}.label ${label}`);
    if (type !== undefined) lines.push(`${name}.type ${type}`);
    if (min !== undefined) lines.push(`${name}.min ${min}`);
    if (max !== undefined) lines.push(`${name}.max ${max}`);
    lines.push(`${name}.draw ${draw}`);
    const { warning, critical } = {
      ...graph.limits,
      ...limits(graph.name, name),
    };
    if (warning !== undefined) lines.push(`${name}.warning ${warning}`);
    if (critical !== undefined) lines.push(`${name}.critical ${critical}`);
  }
  return `${lines.join("\n")}\n`;
}

/**
 * What the plugin prints when Munin fetches, and after `config` where that may hold values, too.
 * Nothing at all when there is nothing new; Munin takes that for no news.
 */
export function valueText(fields: readonly Field[]): string {
  let text = "";
  for (const { name, values } of fields) {
    for (const value of values) text += `${name}.value ${value}\n`;
  }
  return text;
}
