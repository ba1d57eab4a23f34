import { seriesName } from "../../otlp/series_name.ts";
import { ProducedStats, type StatsProducer } from "../producer.ts";

/** What is needed of a `Registry` of prom-client. */
export interface PromRegistry {
  /** All metrics with their values at this moment. */
  getMetricsAsJSON():
    | PromiseLike<readonly PromMetric[]>
    | readonly PromMetric[];
}

/** A metric of prom-client. */
export interface PromMetric {
  readonly name: string;
  /** `counter`, `gauge`, `histogram` or `summary`. */
  readonly type: unknown;
  readonly values?: readonly PromValue[];
}

/** A value with its labels. */
export interface PromValue {
  readonly value: number;
  readonly labels: Readonly<Record<string, string | number | undefined>>;
  /** The name with `_bucket`, `_sum` or `_count`; left out: the metric's own. */
  readonly metricName?: string;
}

/**
 * Reports what a program counts with prom-client: all that its registry holds, read at each poll.
 *
 * ```ts ignore
 * import { register } from "npm:prom-client";
 * stats.registerProducer(new PromClientProducer(register));
 * ```
 *
 * Names are those of Prometheus, with labels in braces, and without the `_total` of counters, which
 * a gatherer's page for Prometheus puts there again: `http_requests{method=GET}`. Counters, and the `_bucket`, `_count` and `_sum` of histograms and summaries, are counters; gauges and
 * quantiles are statistics. What is not finite is not known.
 */
export class PromClientProducer implements StatsProducer {
  readonly name = "PromClientProducer";
  readonly #registry: PromRegistry;

  /** @param registry prom-client's `register`, or another `Registry`. */
  constructor(registry: PromRegistry) {
    this.#registry = registry;
  }

  /** What the registry holds at this moment. */
  async getStats(): Promise<ProducedStats> {
    const counters = new Map<string, number>();
    const stats = new Map<string, number | null>();
    for (
      const { name, type, values } of await this.#registry.getMetricsAsJSON()
    ) {
      for (const { metricName, labels, value } of values ?? []) {
        const full = metricName ?? name;
        const plain = type === "counter" ? full.replace(/_total$/, "") : full;
        const figure = seriesName(plain, attributesOf(labels));
        // The sum of a histogram goes down when something negative is observed.
        const isCounter = value >= 0 && Number.isFinite(value) &&
          (type === "counter" || full !== name);
        if (isCounter) counters.set(figure, value);
        else stats.set(figure, Number.isFinite(value) ? value : null);
      }
    }
    return new ProducedStats(counters, stats);
  }
}

function attributesOf(labels: PromValue["labels"]): [string, string][] {
  return Object.entries(labels).flatMap(([key, value]) =>
    value === undefined ? [] : [[key, `${value}`]]
  );
}
