/**
 * The figures that a point of a metric is: names, and values in the same order. A sum or gauge is
 * one figure; of the others each is several, told apart by what follows the metric's name:
 *
 * | figure | of | what |
 * | --- | --- | --- |
 * | `NAME.count`, `NAME.sum` | histograms, summaries | how many there were, and their sum |
 * | `NAME.min`, `NAME.max` | histograms, where told | the extremes |
 * | `NAME.bucket{le=BOUND}` | explicit bounds | how many were at most BOUND; the last is `+Inf` |
 * | `NAME.quantile{quantile=Q}` | exponential histograms, summaries | below it is that share |
 *
 * @module
 */
import type { Value } from "../value.ts";
import type {
  Attributes,
  ExponentialPoint,
  OtlpMetric,
  Point,
} from "./model.ts";
import { Labels, metricText } from "./series_name.ts";

/** The quantiles that are estimated of an exponential histogram. */
const QUANTILES = [0.5, 0.9, 0.95, 0.99];

/** What a figure is, apart from its value. */
export interface FigureForm {
  readonly name: string;
  /** Work done since the start, which only grows; else how things stand. */
  readonly isCounter: boolean;
  /** Whether it is in the unit of the metric; else it is a number of things. */
  readonly hasUnit: boolean;
  /** With deltas: whether it is about the last interval alone. */
  readonly isOfInterval: boolean;
}

/** What of a metric decides which figures its points are. */
export type MetricForm = Pick<OtlpMetric, "name" | "kind"> & {
  readonly isMonotonic?: boolean;
};

/**
 * Which figures a point is.
 * @param more Attributes besides those of the point.
 */
export function figureForms(
  metric: MetricForm,
  point: Point,
  more: Attributes = [],
): FigureForm[] {
  const forms: FigureForm[] = [];
  const name = metricText(metric.name);
  const labels = new Labels([...point.attributes, ...more]);
  const add = (
    suffix: string,
    form: Partial<FigureForm> = {},
    label?: readonly [key: string, value: string],
  ) => {
    forms.push({
      name: name + suffix +
        (label === undefined ? labels.text : labels.with(...label)),
      isCounter: false,
      hasUnit: true,
      isOfInterval: false,
      ...form,
    });
  };
  if (point.type === "number") {
    add("", { isCounter: metric.kind === "sum" && !!metric.isMonotonic });
    return forms;
  }
  const counter = { isCounter: true, hasUnit: false };
  add(".count", counter);
  if (point.sum !== undefined) add(".sum", { isCounter: sumGrows(point) });
  if (point.type === "summary") {
    for (const [quantile] of point.quantiles) {
      add(".quantile", {}, ["quantile", `${quantile}`]);
    }
    return forms;
  }
  const interval = { isOfInterval: true };
  if (point.min !== undefined) add(".min", interval);
  if (point.max !== undefined) add(".max", interval);
  if (point.type === "exponential") {
    for (const quantile of QUANTILES) {
      add(".quantile", interval, ["quantile", `${quantile}`]);
    }
    return forms;
  }
  if (point.counts.length > 0) {
    for (const bound of [...point.bounds, Infinity]) {
      add(".bucket", counter, ["le", boundText(bound)]);
    }
  }
  return forms;
}

/**
 * The values of a point, in the order of {@linkcode figureForms}.
 * @returns `null` for what is no number.
 */
export function figureValues(point: Point): Value[] {
  if (point.type === "number") return [finite(point.value)];
  const values: Value[] = [point.count];
  if (point.sum !== undefined) values.push(finite(point.sum));
  if (point.type === "summary") {
    for (const [, value] of point.quantiles) values.push(finite(value));
    return values;
  }
  if (point.min !== undefined) values.push(finite(point.min));
  if (point.max !== undefined) values.push(finite(point.max));
  if (point.type === "exponential") {
    return [...values, ...quantilesOf(point)];
  }
  let sum = 0n;
  for (const count of point.counts) values.push(sum += count);
  return values;
}

/** Whether two points of a metric are the same figures. */
export function sameForms(a: Point, b: Point): boolean {
  if (a.type === "number" || b.type === "number") return a.type === b.type;
  if ((a.sum === undefined) !== (b.sum === undefined)) return false;
  if (a.sum !== undefined && sumGrows(a) !== sumGrows(b)) return false;
  if (a.type === "summary" || b.type === "summary") {
    return a.type === "summary" && b.type === "summary" &&
      a.quantiles.length === b.quantiles.length &&
      a.quantiles.every(([quantile], i) => quantile === b.quantiles[i][0]);
  }
  if (
    (a.min === undefined) !== (b.min === undefined) ||
    (a.max === undefined) !== (b.max === undefined)
  ) return false;
  if (a.type === "exponential" || b.type === "exponential") {
    return a.type === b.type;
  }
  return sameBounds(a.bounds, b.bounds) && a.counts.length === b.counts.length;
}

/** Whether two histograms have the same buckets. */
export function sameBounds(
  a: readonly number[],
  b: readonly number[],
): boolean {
  return a.length === b.length && a.every((bound, i) => bound === b[i]);
}

/** A bound as Prometheus writes it. */
function boundText(bound: number): string {
  return bound === Infinity ? "+Inf" : `${bound}`;
}

/** Whether a sum can only grow: nothing that was measured is negative, as far as that is known. */
function sumGrows(point: Exclude<Point, { type: "number" }>): boolean {
  if (!(point.sum! >= 0)) return false;
  if (point.type === "summary") return true;
  if (point.min !== undefined) return point.min >= 0;
  return point.type === "exponential"
    ? point.negative.counts.every((count) => count === 0n)
    : !(point.bounds[0] < 0);
}

function finite(value: bigint | number): Value {
  return typeof value === "bigint" || Number.isFinite(value) ? value : null;
}

/** A bucket with something in it: the one at `index`, on the side of `sign`; 0 is that of zero. */
type Occupied = readonly [count: number, sign: -1 | 0 | 1, index: number];

/**
 * For each of {@linkcode QUANTILES} the value below which that share of what was measured is: the
 * middle of its bucket, by ratio. One pass, with doubles: a node may have a million buckets.
 * Source of the buckets' bounds: OpenTelemetry's data model, "ExponentialHistogram".
 */
function quantilesOf(point: ExponentialPoint): Value[] {
  const { scale, min = -Infinity, max = Infinity } = point;
  const buckets = occupied(point);
  if (buckets.length === 0) return QUANTILES.map(() => null);
  const total = buckets.reduce((sum, [count]) => sum + count, 0);
  let at = 0;
  let seen = buckets[0][0];
  return QUANTILES.map((quantile) => {
    const rank = Math.max(1, Math.ceil(quantile * total));
    while (seen < rank && at < buckets.length - 1) seen += buckets[++at][0];
    const [, sign, index] = buckets[at];
    const middle = sign === 0 ? 0 : sign * 2 ** ((index + 0.5) * 2 ** -scale);
    return finite(Math.min(max, Math.max(min, middle)));
  });
}

/** In the order of their values. */
function occupied(
  { positive, negative, zeroCount }: ExponentialPoint,
): Occupied[] {
  const buckets: Occupied[] = [];
  for (let i = negative.counts.length - 1; i >= 0; i--) {
    const count = Number(negative.counts[i]);
    if (count > 0) buckets.push([count, -1, negative.offset + i]);
  }
  if (zeroCount > 0n) buckets.push([Number(zeroCount), 0, 0]);
  for (let i = 0; i < positive.counts.length; i++) {
    const count = Number(positive.counts[i]);
    if (count > 0) buckets.push([count, 1, positive.offset + i]);
  }
  return buckets;
}
