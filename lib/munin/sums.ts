import type { SnapshotNode } from "../snapshot/codec.ts";
import type { StatGroup } from "../snapshot/scan.ts";
import type { Sample } from "../spool/sample.ts";
import { isPresentAge } from "../tree/state.ts";
import type { Value } from "../value.ts";
import { isRestart } from "../tree/incarnation.ts";
import { type Held, sampleOf } from "./held.ts";

/**
 * The sum of one statistic over nodes, once a round, when all have reported. Those nodes count
 * that had been heard from of late ({@linkcode isPresentAge}). None when no node has the statistic: the
 * sum of nothing is not known.
 */
export function sumOver(
  held: Held,
  nodes: readonly SnapshotNode[],
  group: StatGroup,
  stat: string,
): Sample[] {
  return atEachRound(held, historiesOf(held, nodes, group, stat));
}

/**
 * How fast a counter grows on all nodes together, per second, once a round. The sum of counters
 * would leap when a node comes, goes, or begins anew; each node's own growth does not.
 */
export function rateOver(
  held: Held,
  nodes: readonly SnapshotNode[],
  group: StatGroup,
  stat: string,
): Sample[] {
  const rates = historiesOf(held, nodes, group, stat).map((samples) =>
    samples.slice(1).flatMap((sample, index): Sample[] => {
      const before = samples[index];
      const seconds = sample.time - before.time;
      if (sample.value === null || before.value === null) return [];
      if (isRestart(before.incarnation, sample.incarnation)) return [];
      const grown = Number(sample.value) - Number(before.value);
      return grown >= 0 && seconds > 0
        ? [{ time: sample.time, value: grown / seconds }]
        : [];
    })
  );
  return atEachRound(held, rates);
}

/** All that is known of each node, oldest first. */
function historiesOf(
  held: Held,
  nodes: readonly SnapshotNode[],
  group: StatGroup,
  stat: string,
): (readonly Sample[])[] {
  const earlier = held.earlier.series(group, stat);
  return nodes.map((node) => {
    const samples = earlier.get(node.key) ?? [];
    const value = node[group].get(stat);
    const isNew = value !== undefined && held.sampling.present &&
      !(node.timestamp <= (samples.at(-1)?.time ?? -Infinity));
    return isNew ? [...samples, sampleOf(node, value)] : samples;
  });
}

function atEachRound(
  held: Held,
  histories: readonly (readonly Sample[])[],
): Sample[] {
  /** How much of each history has been passed. */
  const passed = new Uint32Array(histories.length);
  const sums: Sample[] = [];
  for (const time of held.rounds()) {
    const value = sum(histories.map((samples, index) => {
      while (samples[passed[index]]?.time <= time) passed[index]++;
      const newest = samples[passed[index] - 1];
      return newest && isPresentAge(time - newest.time)
        ? newest.value
        : undefined;
    }));
    if (value !== undefined) sums.push({ time, value });
  }
  return onePerSecond(sums);
}

/** Of several in one second, the last. */
export function onePerSecond(samples: readonly Sample[]): Sample[] {
  return samples.filter(({ time }, index) =>
    Math.floor(time) !== Math.floor(samples[index + 1]?.time ?? Infinity)
  );
}

/** Integers add up to an integer; what is not known or not finite is left out. */
export function sum(
  values: Iterable<Value | undefined>,
): bigint | number | undefined {
  let integers = 0n;
  let doubles: number | undefined;
  let any = false;
  for (const value of values) {
    if (typeof value === "bigint") integers += value;
    else if (typeof value === "number" && Number.isFinite(value)) {
      doubles = (doubles ?? 0) + value;
    } else continue;
    any = true;
  }
  if (!any) return undefined;
  return doubles === undefined ? integers : Number(integers) + doubles;
}
