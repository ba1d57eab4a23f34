import type { Metric } from "../tree/metric.ts";
import type { MetricKind } from "./names.ts";

/**
 * What a metric is to OpenMetrics. A counter is what has the slope `positive`, unless its value is
 * none that a counter can have: negative or NaN. A text is what is no number by its type.
 */
export function kindOf({ slope, value, text, detail }: Metric): MetricKind {
  if (value === null && text !== undefined) {
    const type = detail?.type ?? "string";
    if (type === "string") return "info";
  }
  return slope === "positive" && !(value !== null && !(value >= 0))
    ? "counter"
    : "gauge";
}
