/**
 * An OTLP metrics request, whichever encoding it came in. Names are those of OTLP's
 * `metrics.proto` (version 1), which says what each of them means. What is not needed here, such as
 * exemplars, is not there.
 *
 * @module
 */

/** Names and values; values of all types as text. */
export type Attributes = readonly (readonly [key: string, value: string])[];

/** What an exporter sends at once. */
export interface MetricsRequest {
  readonly resources: readonly ResourceMetrics[];
}

/** What one program reports, or one that it reports for. */
export interface ResourceMetrics {
  readonly attributes: Attributes;
  readonly scopes: readonly ScopeMetrics[];
}

/** What one library in the program reports. */
export interface ScopeMetrics {
  readonly name: string;
  readonly metrics: readonly OtlpMetric[];
}

/** Whether points say what came since the point before, or since the start. */
export type Temporality = "unspecified" | "delta" | "cumulative";

/** One instrument, with a point for each set of attributes. */
export type OtlpMetric =
  & {
    readonly name: string;
    readonly description: string;
    readonly unit: string;
  }
  & (
    | { readonly kind: "gauge"; readonly points: readonly NumberPoint[] }
    | {
      readonly kind: "sum";
      readonly points: readonly NumberPoint[];
      readonly temporality: Temporality;
      readonly isMonotonic: boolean;
    }
    | {
      readonly kind: "histogram";
      readonly points: readonly HistogramPoint[];
      readonly temporality: Temporality;
    }
    | {
      readonly kind: "exponential";
      readonly points: readonly ExponentialPoint[];
      readonly temporality: Temporality;
    }
    | { readonly kind: "summary"; readonly points: readonly SummaryPoint[] }
    /** Of a kind that is not known here, or without any. */
    | { readonly kind: "unknown"; readonly points: readonly [] }
  );

/** What all points have. */
export interface PointBase {
  readonly attributes: Attributes;
  /** When counting began, in nanoseconds since the epoch; 0: not known. */
  readonly start: bigint;
  /** In nanoseconds since the epoch; 0: not known. */
  readonly time: bigint;
  /** The program says that there is no value any more. */
  readonly isGone: boolean;
  /** Why this point cannot be taken, though the request can. */
  readonly fault?: string;
}

export interface NumberPoint extends PointBase {
  readonly type: "number";
  /** A double may be NaN or infinite. */
  readonly value: bigint | number;
}

export interface HistogramPoint extends PointBase {
  readonly type: "histogram";
  readonly count: bigint;
  readonly sum: number | undefined;
  readonly min: number | undefined;
  readonly max: number | undefined;
  /** Upper bounds of all buckets but the last, growing. */
  readonly bounds: readonly number[];
  /** One more than there are bounds; or none. */
  readonly counts: readonly bigint[];
}

export interface ExponentialPoint extends PointBase {
  readonly type: "exponential";
  readonly count: bigint;
  readonly sum: number | undefined;
  readonly min: number | undefined;
  readonly max: number | undefined;
  readonly scale: number;
  readonly zeroCount: bigint;
  readonly positive: Buckets;
  readonly negative: Buckets;
}

/** Buckets from `offset` on: the one at index i holds what is in (base^i, base^(i+1)]. */
export interface Buckets {
  readonly offset: number;
  readonly counts: readonly bigint[];
}

export interface SummaryPoint extends PointBase {
  readonly type: "summary";
  readonly count: bigint;
  readonly sum: number;
  readonly quantiles: readonly (readonly [quantile: number, value: number])[];
}

/** A point of any kind. */
export type Point =
  | NumberPoint
  | HistogramPoint
  | ExponentialPoint
  | SummaryPoint;

/** The point without what makes no sense together. */
export function checkHistogram(point: HistogramPoint): HistogramPoint {
  const { bounds, counts } = point;
  if (
    (counts.length > 0 || bounds.length > 0) &&
    counts.length !== bounds.length + 1
  ) {
    return {
      ...point,
      bounds: [],
      counts: [],
      fault:
        `a histogram has ${counts.length} buckets, but ${bounds.length} bounds`,
    };
  }
  for (let i = 0; i < bounds.length; i++) {
    if (!(bounds[i] > (bounds[i - 1] ?? -Infinity))) {
      return { ...point, fault: "the bounds of a histogram do not grow" };
    }
  }
  return point;
}
