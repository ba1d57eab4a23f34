import { globMatcher } from "../glob.ts";
import type { SnapshotNode } from "../snapshot/codec.ts";
import type { StatGroup } from "../snapshot/scan.ts";
import type { Sample } from "../spool/sample.ts";
import type { Field } from "./field.ts";
import { longestField, smash } from "./fields.ts";
import type { GraphType, PatternLines } from "./graph.ts";
import type { Held } from "./held.ts";
import { nodeLabels, plainLabel } from "./labels.ts";
import { sumOver } from "./sums.ts";

/** How much of a field's name a statistic's name may take. */
const MAX_STAT = 60;

/** One statistic that a pattern has found. */
interface Found {
  readonly group: StatGroup;
  readonly stat: string;
}

/**
 * The fields of a graph of an operator's own: by node in order of arrival, and for each by the
 * statistics' names.
 */
export function drawPattern(
  service: string,
  lines: PatternLines,
  held: Held,
): Field[] {
  const matchesNode = lines.nodes === undefined
    ? () => true
    : globMatcher(lines.nodes);
  const chosen = held.nodes.map((node) =>
    matchesNode(node.nickname) || matchesNode(node.key)
  );
  const found = findStats(
    lines,
    held.nodes.filter((_, index) => chosen[index]),
  );
  const names = new FieldNames(longestField(service));
  if (lines.per === "total") {
    return drawTotals(lines, held, chosen, found, names);
  }

  const single = isSingle(lines);
  const nodeNames = held.names(service);
  const labels = nodeLabels(held, nodeNames);
  const series = found.map(({ group, stat }) =>
    held.earlier.series(group, stat)
  );
  const fields: Field[] = [];
  held.nodes.forEach((node, index) => {
    if (!chosen[index]) return;
    found.forEach(({ group, stat }, position) => {
      const value = node[group].get(stat);
      if (value === undefined || value === null) return;
      const type = lines.type ?? typeOf(group);
      const samples: readonly Sample[] = held.samples(
        { time: node.timestamp, value },
        series[position].get(node.key),
      );
      fields.push({
        name: names.take(nodeNames[index], single ? undefined : stat),
        label: labelOf(lines, single, labels[index], stat),
        ...shape(lines, type),
        values: held.print(samples, type),
      });
    });
  });
  return fields;
}

function drawTotals(
  lines: PatternLines,
  held: Held,
  chosen: readonly boolean[],
  found: readonly Found[],
  names: FieldNames,
): Field[] {
  const nodes = held.nodes.filter((_, index) => chosen[index]);
  return found.map(({ group, stat }) => {
    const type = lines.type ?? typeOf(group);
    return {
      name: names.take("total", stat),
      label: labelOf(lines, true, undefined, stat),
      ...shape(lines, type),
      values: held.print(sumOver(held, nodes, group, stat), type),
    };
  });
}

/** Every statistic that some node has a figure of, by the order of the patterns, then by name. */
function findStats(
  lines: PatternLines,
  nodes: readonly SnapshotNode[],
): Found[] {
  const found = new Map<string, Found>();
  for (const { group: only, glob } of lines.statistics) {
    const matches = globMatcher(glob);
    for (const group of only ? [only] : ["counters", "stats"] as const) {
      const stats = new Set<string>();
      for (const node of nodes) {
        for (const [stat, value] of node[group]) {
          if (value !== null && !stats.has(stat) && matches(stat)) {
            stats.add(stat);
          }
        }
      }
      for (const stat of [...stats].sort()) {
        found.set(`${group} ${stat}`, { group, stat });
      }
    }
  }
  return [...found.values()];
}

/** Whether there is one statistic only, whatever nodes report: then its name tells nothing. */
function isSingle({ statistics }: PatternLines): boolean {
  return statistics.length === 1 && statistics[0].group !== undefined &&
    !/[*?[\\]/.test(statistics[0].glob);
}

function typeOf(group: StatGroup): GraphType {
  return group === "counters" ? "DERIVE" : "GAUGE";
}

function shape(
  { draw, min, max }: PatternLines,
  type: GraphType,
): Pick<Field, "draw" | "type" | "min" | "max"> {
  return {
    draw,
    ...(type === "DERIVE" ? { type, min: min ?? 0 } : { min }),
    max,
  };
}

function labelOf(
  lines: PatternLines,
  single: boolean,
  node: string | undefined,
  stat: string,
): string {
  const words = lines.labels.get(stat) ?? plainLabel(stat);
  const template = lines.label ??
    (node === undefined ? "{stat}" : single ? "{node}" : "{node} {stat}");
  const label = template.replaceAll("{node}", () => node ?? "all")
    .replaceAll("{stat}", () => words);
  return plainLabel(label) || words;
}

/** Names of fields, each given once. */
class FieldNames {
  readonly #taken = new Set<string>();

  constructor(readonly longest: number) {}

  take(node: string, stat: string | undefined): string {
    for (let number = 1;; number++) {
      const more =
        (stat === undefined ? "" : `_${smash(stat).slice(0, MAX_STAT)}`) +
        (number > 1 ? `_${number}` : "");
      const name = node.slice(0, this.longest - more.length) + more;
      if (this.#taken.has(name)) continue;
      this.#taken.add(name);
      return name;
    }
  }
}
