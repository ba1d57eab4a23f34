import { globMatcher } from "../glob.ts";
import type { SnapshotNode } from "../snapshot/codec.ts";
import type { StatGroup } from "../snapshot/scan.ts";
import type { Field } from "./field.ts";
import { smash } from "./fields.ts";
import type { GraphType, PatternLines } from "./graph.ts";
import type { Held } from "./held.ts";
import { plainLabel } from "./labels.ts";
import { rateOver, sumOver } from "./sums.ts";

/** How much of a field's name a statistic's name may take. */
const MAX_STAT = 60;

/** One statistic that a pattern has found, and what it adds to a field's name. */
interface Found {
  readonly group: StatGroup;
  readonly stat: string;
  readonly name: string;
}

/**
 * The fields of a graph of an operator's own: by node in order of arrival, and for each by the
 * statistics' names.
 */
export function drawPattern(
  service: string,
  lines: PatternLines,
  held: Held,
): Generator<Field> {
  const found = findStats(lines, held);
  return lines.per === "total"
    ? drawTotals(lines, held, found)
    : drawEach(service, lines, held, found);
}

/** Whether a node that was chosen has any of the statistics. */
export function patternHasData(lines: PatternLines, held: Held): boolean {
  const found = findStats(lines, held);
  if (found.length === 0 || lines.nodes === undefined) return found.length > 0;
  return chooseNodes(lines, held).some((node) =>
    found.some(({ group, stat }) => (node[group].get(stat) ?? null) !== null)
  );
}

function* drawEach(
  service: string,
  lines: PatternLines,
  held: Held,
  found: readonly Found[],
): Generator<Field> {
  const single = isSingle(lines);
  const names = held.names(service, single ? 0 : MAX_STAT + 1);
  const labels = held.labels(names);
  const series = found.map(({ group, stat }) =>
    held.earlier.series(group, stat)
  );
  const chosen = new Set(chooseNodes(lines, held));
  for (const [index, node] of held.nodes.entries()) {
    if (!chosen.has(node)) continue;
    for (const [which, { group, stat, name }] of found.entries()) {
      const value = node[group].get(stat);
      const earlier = series[which].get(node.key);
      if ((value === undefined || value === null) && !earlier) continue;
      const type = lines.type ?? typeOf(group);
      const samples = held.samples(node, value, earlier);
      yield {
        name: single ? names[index] : `${names[index]}_${name}`,
        label: labelOf(lines, single, labels[index], stat),
        ...shape(lines, type),
        values: held.print(samples, type),
      };
    }
  }
}

function* drawTotals(
  lines: PatternLines,
  held: Held,
  found: readonly Found[],
): Generator<Field> {
  const nodes = chooseNodes(lines, held);
  for (const { group, stat, name } of found) {
    const rate = (lines.type ?? typeOf(group)) === "DERIVE";
    yield {
      name: `total_${name}`,
      label: labelOf(lines, true, undefined, stat),
      ...shape(lines, "GAUGE"),
      values: held.print(
        (rate ? rateOver : sumOver)(held, nodes, group, stat),
        "GAUGE",
      ),
    };
  }
}

function chooseNodes(
  lines: PatternLines,
  held: Held,
): readonly SnapshotNode[] {
  if (lines.nodes === undefined) return held.nodes;
  const matches = globMatcher(lines.nodes);
  return held.nodes.filter(({ nickname, key }) =>
    matches(nickname) || matches(key)
  );
}

/** Every statistic that the patterns match, by the order of the patterns, then by name. */
function findStats(lines: PatternLines, held: Held): Found[] {
  const found = new Map<string, Found>();
  const names = new Set<string>();
  for (const { group: only, glob } of lines.statistics) {
    const matches = globMatcher(glob);
    for (const group of only ? [only] : ["counters", "stats"] as const) {
      for (const alike of held.index.names(group).values()) {
        for (const stat of alike) {
          const id = `${group} ${stat}`;
          if (found.has(id) || !matches(stat)) continue;
          const plain = smash(stat);
          const name = isPlain(stat) && !names.has(plain)
            ? plain
            : `${plain.slice(0, MAX_STAT - 9)}_${hash(id)}`;
          names.add(name);
          found.set(id, { group, stat, name });
        }
      }
    }
  }
  return [...found.values()];
}

/**
 * Whether a statistic's name can be told from its smashed form, by and large. To those of which it
 * cannot something is added, always: a field's name must not depend on which others there are.
 */
function isPlain(stat: string): boolean {
  return stat.length <= MAX_STAT && /^[A-Za-z0-9._]+$/.test(stat);
}

/** FNV-1a, 32 bits, as eight digits. Source: draft-eastlake-fnv. */
function hash(text: string): string {
  let value = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) {
    value = Math.imul(value ^ byte, 0x01000193);
  }
  return (value >>> 0).toString(16).padStart(8, "0");
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
