import type { Host } from "../../lib/tree/host.ts";
import type { Metric, Observation } from "../../lib/tree/metric.ts";
import type { Value } from "../../lib/value.ts";
import type { Report } from "./reference.ts";

/** A report for a test, of one counter or several. */
export function report(
  key: string,
  receivedAt: number,
  counters: Record<string, Value> = {},
  stats: Record<string, Value> = {},
): Report {
  return {
    cluster: "c",
    key,
    nickname: key,
    incarnation: "",
    receivedAt,
    counters,
    stats,
  };
}

/** A host as the tree has it. */
export function hostOf(
  { key, nickname, incarnation, receivedAt, counters, stats }: Report,
  sequence = 1,
): Host & { observation: Observation } {
  const metrics: Metric[] = [];
  for (const [name, value] of Object.entries(counters)) {
    metrics.push({ name, value, slope: "positive" });
  }
  for (const [name, value] of Object.entries(stats)) {
    metrics.push({ name, value, slope: "both" });
  }
  return {
    key,
    nickname,
    observation: {
      incarnation,
      sequence,
      measuredAt: receivedAt,
      receivedAt,
      metrics,
    },
    life: {
      attachedAt: 0,
      answeredAt: 0,
      failure: undefined,
      detachReason: undefined,
      retireReason: undefined,
    },
  };
}
