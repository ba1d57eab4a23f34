import type { SnapshotNode } from "../snapshot/codec.ts";
import type { StatGroup } from "../snapshot/scan.ts";
import type { Sample } from "../spool/sample.ts";
import type { Value } from "../value.ts";
import { type Held, validity } from "./held.ts";

/**
 * The sum of one statistic over nodes, at the times at which the node that was heard from last
 * reported: then a round is whole. At each time those nodes count that had been heard from within
 * {@linkcode validity}. None when no node has the statistic: the sum of nothing is not known.
 */
export function sumOver(
  held: Held,
  nodes: readonly SnapshotNode[],
  group: StatGroup,
  stat: string,
): Sample[] {
  const earlier = held.earlier.series(group, stat);
  const all: (readonly Sample[])[] = [];
  for (const node of nodes) {
    const value = node[group].get(stat);
    if (value === undefined || value === null) continue;
    const latest = { time: node.timestamp, value };
    const samples = held.samples(latest, earlier.get(node.key));
    if (samples.length > 0) all.push(samples);
  }
  const lastOf = (samples: readonly Sample[]) => samples.at(-1)!.time;
  let pace: readonly Sample[] = [];
  for (const samples of all) {
    if (pace.length === 0 || lastOf(samples) > lastOf(pace)) pace = samples;
  }
  const sums: Sample[] = [];
  for (const { time } of pace) {
    const value = sum(all.map((samples) => valueAt(samples, time)));
    if (value !== undefined) sums.push({ time, value });
  }
  return sums;
}

/** The newest value that was known at a time, unless it was too old even then. */
function valueAt(samples: readonly Sample[], time: number): Value | undefined {
  const sample = samples.findLast((sample) => sample.time <= time);
  return sample && time - sample.time <= validity ? sample.value : undefined;
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
