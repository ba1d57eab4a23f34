import { getLogger } from "@logtape/logtape";
import {
  figureForms,
  figureValues,
  type MetricForm,
} from "../../otlp/figures.ts";
import type { Attributes, Buckets, Point } from "../../otlp/model.ts";
import { ProducedStats, reasonOf, type StatsProducer } from "../producer.ts";

const logger = getLogger(["gatherer", "stats"]);

/** `AggregationType.DEFAULT` of `@opentelemetry/sdk-metrics`: as the instrument is. */
const DEFAULT_AGGREGATION = 0;
/** `AggregationTemporality.CUMULATIVE`: counted since the start. */
const CUMULATIVE = 1;
/** Sets of attributes of one instrument; the SDK counts what is beyond under one name. */
const CARDINALITY = 2000;

/** `DataPointType`. */
const HISTOGRAM = 0;
const EXPONENTIAL = 1;
const SUM = 3;

/** What is needed of the SDK's `MetricProducer`. */
export interface OtelMetricProducer {
  collect(): Promise<OtelCollection>;
}

/** The SDK's `CollectionResult`. */
export interface OtelCollection {
  readonly resourceMetrics: {
    readonly scopeMetrics: readonly {
      readonly scope: { readonly name: string };
      readonly metrics: readonly OtelMetricData[];
    }[];
  };
  readonly errors: readonly unknown[];
}

/** The SDK's `MetricData`. */
export interface OtelMetricData {
  readonly descriptor: { readonly name: string };
  readonly dataPointType: number;
  readonly isMonotonic?: boolean;
  readonly dataPoints: readonly {
    readonly attributes: Readonly<Record<string, unknown>>;
    readonly value: unknown;
  }[];
}

interface OtelHistogram {
  readonly count: number;
  readonly sum?: number;
  readonly min?: number;
  readonly max?: number;
  readonly buckets: {
    readonly boundaries: readonly number[];
    readonly counts: readonly number[];
  };
}

interface OtelExponential extends Omit<OtelHistogram, "buckets"> {
  readonly scale: number;
  readonly zeroCount: number;
  readonly positive: OtelBuckets;
  readonly negative: OtelBuckets;
}

interface OtelBuckets {
  readonly offset: number;
  readonly bucketCounts: readonly number[];
}

/**
 * Reports what a program counts with OpenTelemetry's API: a metric reader for the `MeterProvider` of
 * `@opentelemetry/sdk-metrics` (2 or later), which is read at each poll.
 *
 * ```ts ignore
 * const reader = new OpenTelemetryReader();
 * metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }));
 * stats.registerProducer(reader);
 * ```
 *
 * Names are as those of programs that send OTLP, with attributes in braces, and histograms as
 * `.count`, `.sum`, `.min`, `.max` and `.bucket{le=…}`. Where two libraries have a metric of one name,
 * one of them adds its own, as `otel.scope.name`. Sums that only grow, counts and buckets are
 * counters, the rest statistics.
 */
export class OpenTelemetryReader implements StatsProducer {
  readonly name = "OpenTelemetryReader";
  #producer: OtelMetricProducer | undefined;
  /** By the name of a metric, the library that was the first to have it. */
  readonly #owners = new Map<string, string>();
  #isFailing = false;

  /** Called by the `MeterProvider` that it is given to. */
  setMetricProducer(producer: OtelMetricProducer): void {
    this.#producer = producer;
  }

  /** Called by the `MeterProvider`: each instrument is aggregated in its own way. */
  selectAggregation(): { type: typeof DEFAULT_AGGREGATION } {
    return { type: DEFAULT_AGGREGATION };
  }

  /** Called by the `MeterProvider`: all is counted since the start. */
  selectAggregationTemporality(): typeof CUMULATIVE {
    return CUMULATIVE;
  }

  /** Called by the `MeterProvider`: how many sets of attributes an instrument may have. */
  selectCardinalityLimit(): number {
    return CARDINALITY;
  }

  /** The figures of this moment. */
  async getStats(): Promise<ProducedStats> {
    const { resourceMetrics, errors } = await this.#collect();
    this.#note(errors);
    const counters = new Map<string, number | bigint>();
    const stats = new Map<string, number | bigint | null>();
    // Sorted: the order in which the SDK has them depends on what it has to wait for.
    const scopes = resourceMetrics.scopeMetrics.toSorted((a, b) =>
      a.scope.name < b.scope.name ? -1 : 1
    );
    for (const { scope, metrics } of scopes) {
      for (const data of metrics) {
        const metric = formOf(data);
        const more = this.#moreOf(metric.name, scope.name);
        for (const { attributes, value } of data.dataPoints) {
          const point = pointOf(data, textsOf(attributes), value);
          const forms = figureForms(metric, point, more);
          const values = figureValues(point);
          forms.forEach(({ name, isCounter }, i) => {
            const value = values[i];
            if (isCounter && value !== null && value >= 0) {
              counters.set(name, value);
            } else stats.set(name, value);
          });
        }
      }
    }
    return new ProducedStats(counters, stats);
  }

  /**
   * What the SDK has counted, in its own form, for whoever has this reader as the SDK's interface
   * says: a collection, whose type is that of the SDK's version in use.
   */
  collect(): Promise<never> {
    return this.#collect() as Promise<never>;
  }

  /** Nothing is kept here that would have to be sent. */
  forceFlush(): Promise<void> {
    return Promise.resolve();
  }

  /** Called when the `MeterProvider` is shut down: there is nothing to report any more. */
  shutdown(): Promise<void> {
    this.#producer = undefined;
    return Promise.resolve();
  }

  /** The first library to have a metric of a name goes by that alone; others add their own name. */
  #moreOf(metric: string, scope: string): Attributes {
    const owner = this.#owners.get(metric);
    if (owner === undefined) this.#owners.set(metric, scope);
    return (owner ?? scope) === scope ? [] : [["otel.scope.name", scope]];
  }

  #collect(): Promise<OtelCollection> {
    if (this.#producer) return this.#producer.collect();
    return Promise.reject(
      new Error(
        "it has no MeterProvider: new MeterProvider({ readers: [reader] })",
      ),
    );
  }

  /** Callbacks of the program that failed: their figures are missing, the rest is there. */
  #note(errors: readonly unknown[]): void {
    if (errors.length > 0 && !this.#isFailing) {
      logger.warn("Metrics of OpenTelemetry are missing: {reason}", {
        reason: reasonOf(errors[0]).slice(0, 200).replace(/\p{Cc}+/gu, " "),
      });
    }
    this.#isFailing = errors.length > 0;
  }
}

function formOf(data: OtelMetricData): MetricForm {
  const { descriptor, dataPointType, isMonotonic = false } = data;
  const kind = dataPointType === SUM ? "sum" : "gauge";
  return { name: descriptor.name, kind, isMonotonic };
}

function pointOf(
  { dataPointType }: OtelMetricData,
  attributes: Attributes,
  value: unknown,
): Point {
  const base = { attributes, start: 0n, time: 0n, isGone: false };
  if (dataPointType === HISTOGRAM) {
    const { buckets, ...histogram } = value as OtelHistogram;
    return {
      ...base,
      type: "histogram",
      ...extentOf(histogram),
      bounds: buckets.boundaries,
      counts: buckets.counts.map(BigInt),
    };
  }
  if (dataPointType === EXPONENTIAL) {
    const histogram = value as OtelExponential;
    return {
      ...base,
      type: "exponential",
      ...extentOf(histogram),
      scale: histogram.scale,
      zeroCount: BigInt(histogram.zeroCount),
      positive: bucketsOf(histogram.positive),
      negative: bucketsOf(histogram.negative),
    };
  }
  return { ...base, type: "number", value: value as number };
}

function extentOf(
  { count, sum, min, max }: Omit<OtelHistogram, "buckets">,
) {
  return { count: BigInt(count), sum, min, max };
}

function bucketsOf({ offset, bucketCounts }: OtelBuckets): Buckets {
  return { offset, counts: bucketCounts.map(BigInt) };
}

/** Attributes as OTLP's decoder makes them texts. */
function textsOf(attributes: Readonly<Record<string, unknown>>): Attributes {
  return Object.entries(attributes).flatMap(([key, value]) =>
    value === undefined ? [] : [[key, textOf(value)]]
  );
}

function textOf(value: unknown): string {
  return Array.isArray(value) ? `[${value.map(textOf).join(",")}]` : `${value}`;
}
