import type { GrowthLines } from "./graph.ts";
import type { Field } from "./field.ts";
import type { Held } from "./held.ts";
import { sum } from "./sums.ts";

/** The statistic whose growth is measured. */
export const USED = "storage_server.disk_used";
const LEFT = "storage_server.disk_avail";
const DAY = 86_400;

/**
 * The spans over which growth is measured, by Tahoe-LAFS's names for them. It has two more, of two
 * and four weeks; the spool does not reach so far back.
 */
const spans: readonly { name: string; words: string; seconds: number }[] = [
  { name: "1hr", words: "one hour", seconds: 3600 },
  { name: "1day", words: "one day", seconds: DAY },
];

/** How far back figures are needed for such graphs, in seconds. */
export const growthSpans: readonly number[] = spans.map(({ seconds }) =>
  seconds
);

/**
 * How fast disks fill up, all nodes together, or how many days are left, measured over several
 * spans; a span for which nothing is known has no value, and neither has the time that is left
 * while nothing grows.
 * Source of the rules: `diskwatcher.tac` in Tahoe-LAFS's `misc/operations_helpers/spacetime`.
 */
export function* drawGrowth(lines: GrowthLines, held: Held): Generator<Field> {
  const days = lines.show === "days";
  const { moment } = held.sampling;
  for (const { name, words, seconds } of spans) {
    const rate = growthRate(held, seconds);
    const value = days ? daysLeft(held, rate) : rate;
    yield {
      name: `${days ? "days" : "rate"}_${name}`,
      label: `${days ? "days left " : ""}(${words} sample)`,
      draw: "LINE1",
      values: value === undefined || moment === undefined
        ? []
        : held.print([{ time: moment, value }], "GAUGE"),
    };
  }
}

/**
 * Bytes a second, over all nodes that have a present figure and one that is older than the span.
 */
function growthRate(held: Held, span: number): number | undefined {
  const past = held.past(span).series("stats", USED);
  let rate: number | undefined;
  for (const { key, timestamp, stats } of held.nodes) {
    const now = stats.get(USED);
    const then = past.get(key)?.findLast(({ time }) => time <= held.now - span);
    if (now === undefined || now === null || !held.isFresh(timestamp)) continue;
    if (!then || then.value === null) continue;
    const grown = Number(now) - Number(then.value);
    rate = (rate ?? 0) + grown / (timestamp - then.time);
  }
  return rate;
}

function daysLeft(held: Held, rate: number | undefined): number | undefined {
  if (rate === undefined || !(rate > 0)) return undefined;
  const left = sum(
    held.nodes.filter(({ timestamp }) => held.isFresh(timestamp))
      .map(({ stats }) => stats.get(LEFT)),
  );
  return left === undefined ? undefined : Number(left) / rate / DAY;
}
