import {
  type FigureForm,
  figureForms,
  figureValues,
  sameBounds,
  sameForms,
} from "../otlp/figures.ts";
import { MAX_NAME_BYTES } from "../otlp/limits.ts";
import type {
  Attributes,
  ExponentialPoint,
  HistogramPoint,
  NumberPoint,
  OtlpMetric,
  Point,
} from "../otlp/model.ts";
import type { Value } from "../value.ts";

/** A metric with data. */
export type KnownMetric = Exclude<OtlpMetric, { kind: "unknown" }>;

const utf8 = new TextEncoder();

/** One set of attributes of one metric: its points, one after another, made into totals. */
export class OtlpSeries {
  readonly metric: KnownMetric;
  /** Whether points say what came since the point before. */
  readonly isDelta: boolean;
  readonly forms: readonly FigureForm[];
  /** When the last point came, on the monotonic clock, in milliseconds. */
  seenAt: number;
  /** Whether a point has come since it was read last. */
  isFresh = true;
  /** What was sent last; of deltas, what they come to. */
  #point: Point;

  /** @param more Attributes besides those of the point. */
  constructor(
    metric: KnownMetric,
    point: Point,
    seenAt: number,
    more?: Attributes,
  ) {
    this.metric = metric;
    this.isDelta = isDelta(metric);
    this.forms = figureForms(metric, point, more);
    this.#point = point;
    this.seenAt = seenAt;
  }

  get start(): bigint {
    return this.#point.start;
  }

  get time(): bigint {
    return this.#point.time;
  }

  /** Whether another point would be the same figures, and counted in the same way. */
  fits(metric: KnownMetric, point: Point): boolean {
    if (
      metric.kind !== this.metric.kind || isDelta(metric) !== this.isDelta ||
      isMonotonic(metric) !== isMonotonic(this.metric)
    ) return false;
    // A sum that has begun to fall is another figure; with deltas that shows in the total.
    return sameForms(this.#point, this.#total(point));
  }

  /**
   * Takes a point; with deltas, one that follows on the last.
   * @param point One that {@linkcode fits}.
   */
  take(point: Point, seenAt: number): void {
    this.#point = this.#total(point);
    this.seenAt = seenAt;
    this.isFresh = true;
  }

  /** Gives the values, in the order of {@linkcode forms}. */
  read(): Value[] {
    const values = figureValues(this.#point);
    const { isFresh } = this;
    this.isFresh = false;
    if (!this.isDelta || isFresh) return values;
    // Nothing was measured since: the totals stand, and of the interval nothing is known.
    return values.map((value, i) => this.forms[i].isOfInterval ? null : value);
  }

  #total(point: Point): Point {
    return this.isDelta ? added(this.#point, point) : point;
  }
}

/** Whether points of a metric say what came since the point before. */
export function isDelta(metric: KnownMetric): boolean {
  return "temporality" in metric && metric.temporality === "delta";
}

/** Whether points tell, by their start, when the program began to count. */
export function tellsStart(metric: KnownMetric, { start }: Point): boolean {
  return metric.kind !== "gauge" && start !== 0n;
}

/** Why figures cannot have their names; `undefined` if they can. */
export function nameFault(forms: readonly FigureForm[]): string | undefined {
  for (const { name } of forms) {
    if (name === "" || name.startsWith("{")) return "a metric has no name";
    if (
      name.length > MAX_NAME_BYTES ||
      (name.length * 3 > MAX_NAME_BYTES &&
        utf8.encode(name).length > MAX_NAME_BYTES)
    ) {
      return `a metric's name, with its attributes, is longer than ${MAX_NAME_BYTES} bytes`;
    }
  }
}

function isMonotonic(metric: KnownMetric): boolean {
  return metric.kind === "sum" && metric.isMonotonic;
}

/** A total and what has come since; they are of the same type. */
function added(total: Point, delta: Point): Point {
  if (total.type === "number" && delta.type === "number") {
    return { ...delta, start: total.start, value: sum(total, delta) };
  }
  if (total.type === "histogram" && delta.type === "histogram") {
    if (!sameBounds(total.bounds, delta.bounds)) return delta;
    const counts = delta.counts.map((count, i) =>
      count + (total.counts[i] ?? 0n)
    );
    return { ...delta, ...addedExtent(total, delta), counts };
  }
  if (total.type === "exponential" && delta.type === "exponential") {
    // Scales change from point to point: the buckets are those of the interval.
    return { ...delta, ...addedExtent(total, delta) };
  }
  return delta;
}

function sum(
  { value: total }: NumberPoint,
  { value: delta }: NumberPoint,
): bigint | number {
  return typeof total === "bigint" && typeof delta === "bigint"
    ? total + delta
    : Number(total) + Number(delta);
}

function addedExtent(
  total: HistogramPoint | ExponentialPoint,
  delta: HistogramPoint | ExponentialPoint,
): Pick<HistogramPoint, "start" | "count" | "sum"> {
  return {
    start: total.start,
    count: total.count + delta.count,
    sum: delta.sum === undefined ? undefined : (total.sum ?? 0) + delta.sum,
  };
}
