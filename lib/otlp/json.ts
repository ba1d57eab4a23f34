/**
 * Reads OTLP's JSON encoding of metrics: protobuf's, but with keys in lowerCamelCase only and enums as
 * integers. Sources: OTLP specification 1, "JSON Protobuf Encoding"; `metrics.proto` and
 * `common.proto` of version 1; what Deno 2.9.6 and OpenTelemetry's JavaScript SDK send.
 *
 * @module
 */
import { OtlpError } from "./error.ts";
import { type DecodeLimits, defaultDecodeLimits } from "./limits.ts";
import {
  type Attributes,
  type Buckets,
  checkHistogram,
  type ExponentialPoint,
  type HistogramPoint,
  type MetricsRequest,
  type NumberPoint,
  type OtlpMetric,
  type Point,
  type PointBase,
  type ResourceMetrics,
  type ScopeMetrics,
  type SummaryPoint,
  type Temporality,
} from "./model.ts";
import { parseInSteps } from "./json_steps.ts";
import { Tally } from "./tally.ts";

/** A flag of points: there is no value any more. Source: `metrics.proto`, DataPointFlags. */
const NO_RECORDED_VALUE = 1;
const TEMPORALITIES: readonly Temporality[] = [
  "unspecified",
  "delta",
  "cumulative",
];
const TEMPORALITY_NAMES: Readonly<Record<string, Temporality>> = {
  AGGREGATION_TEMPORALITY_UNSPECIFIED: "unspecified",
  AGGREGATION_TEMPORALITY_DELTA: "delta",
  AGGREGATION_TEMPORALITY_CUMULATIVE: "cumulative",
};

const LEAST_INTEGER = -(1n << 63n);
const MOST_INTEGER = (1n << 64n) - 1n;

const utf8 = new TextDecoder("utf-8", { fatal: true });

type Fields = Readonly<Record<string, unknown>>;

/**
 * Reads a request in steps, between which others may have their turn.
 * @throws OtlpError when it is none.
 */
export function* decodeJson(
  bytes: Uint8Array,
  limits: DecodeLimits = defaultDecodeLimits,
): Generator<void, MetricsRequest> {
  checkParts(bytes, limits.jsonParts);
  yield;
  const text = textOf(bytes);
  yield;
  const root = yield* parseInSteps(text);
  return yield* new JsonDecoder(limits).request(root);
}

/** Makes sure that what is made of it is not many times larger than the text. */
function checkParts(bytes: Uint8Array, most: number): void {
  let parts = 0;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i];
    if (byte === 0x2c || byte === 0x7b || byte === 0x5b) parts++;
  }
  if (parts > most) {
    throw new OtlpError(
      `the JSON text has more than ${most} objects, lists and commas`,
      true,
    );
  }
}

function textOf(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw new OtlpError("the body is not valid UTF-8");
  }
}

class JsonDecoder {
  readonly #tally: Tally;
  /** Where the decoder is, for errors. */
  readonly #path: (string | number)[] = [];

  constructor(limits: DecodeLimits) {
    this.#tally = new Tally(limits);
  }

  *request(root: unknown): Generator<void, MetricsRequest> {
    const fields = this.#object(root);
    const resources: ResourceMetrics[] = [];
    for (const item of this.#items(fields, "resourceMetrics")) {
      resources.push(yield* this.#resource(item));
    }
    return { resources };
  }

  *#resource(item: unknown): Generator<void, ResourceMetrics> {
    this.#tally.group();
    const fields = this.#object(item);
    const resource = this.#inner(fields, "resource");
    const { attributes, fault } = this.#attributes(resource, "attributes");
    // A resource is not taken in part: who it is might be in the rest.
    if (fault !== undefined) this.#fail(fault);
    const scopes: ScopeMetrics[] = [];
    for (const scope of this.#items(fields, "scopeMetrics")) {
      scopes.push(yield* this.#scope(scope));
    }
    return { attributes, scopes };
  }

  *#scope(item: unknown): Generator<void, ScopeMetrics> {
    this.#tally.group();
    const fields = this.#object(item);
    const name = this.#text(this.#inner(fields, "scope"), "name");
    const metrics: OtlpMetric[] = [];
    for (const metric of this.#items(fields, "metrics")) {
      metrics.push(yield* this.#metric(metric));
    }
    return { name, metrics };
  }

  *#metric(item: unknown): Generator<void, OtlpMetric> {
    this.#tally.group();
    const fields = this.#object(item);
    const metric = {
      name: this.#text(fields, "name"),
      description: this.#text(fields, "description"),
      unit: this.#text(fields, "unit"),
    };
    if (isThere(fields.gauge)) {
      const [, points] = yield* this.#points(fields, "gauge", this.#number);
      return { ...metric, kind: "gauge", points };
    }
    if (isThere(fields.sum)) {
      const [data, points] = yield* this.#points(fields, "sum", this.#number);
      const { isMonotonic = false } = data;
      if (isMonotonic !== null && typeof isMonotonic !== "boolean") {
        this.#fail("is no boolean", "isMonotonic");
      }
      return {
        ...metric,
        kind: "sum",
        points,
        temporality: this.#temporality(data),
        isMonotonic: isMonotonic === true,
      };
    }
    if (isThere(fields.histogram)) {
      const [data, points] = yield* this.#points(
        fields,
        "histogram",
        this.#histogram,
      );
      const temporality = this.#temporality(data);
      return { ...metric, kind: "histogram", points, temporality };
    }
    if (isThere(fields.exponentialHistogram)) {
      const [data, points] = yield* this.#points(
        fields,
        "exponentialHistogram",
        this.#exponential,
      );
      const temporality = this.#temporality(data);
      return { ...metric, kind: "exponential", points, temporality };
    }
    if (isThere(fields.summary)) {
      const [, points] = yield* this.#points(fields, "summary", this.#summary);
      return { ...metric, kind: "summary", points };
    }
    return { ...metric, kind: "unknown", points: [] };
  }

  *#points<P extends Point>(
    metric: Fields,
    key: string,
    read: (this: this, fields: Fields, base: PointBase) => P,
  ): Generator<void, [Fields, P[]]> {
    const data = this.#inner(metric, key);
    const points: P[] = [];
    this.#path.push(key);
    for (const item of this.#items(data, "dataPoints")) {
      if (this.#tally.point()) yield;
      const fields = this.#object(item);
      points.push(read.call(this, fields, this.#base(fields)));
    }
    this.#path.pop();
    return [data, points];
  }

  #base(fields: Fields): PointBase {
    const { attributes, fault } = this.#attributes(fields, "attributes");
    const flags = this.#integer(fields, "flags");
    return {
      attributes,
      start: this.#integer(fields, "startTimeUnixNano"),
      time: this.#integer(fields, "timeUnixNano"),
      isGone: (flags & BigInt(NO_RECORDED_VALUE)) !== 0n,
      ...(fault === undefined ? {} : { fault }),
    };
  }

  #number(fields: Fields, base: PointBase): NumberPoint {
    const type = "number";
    if (isThere(fields.asInt)) {
      return { ...base, type, value: this.#integer(fields, "asInt") };
    }
    const value = this.#double(fields, "asDouble");
    if (value !== undefined) return { ...base, type, value };
    // No value at all: what a point without a recorded value is like.
    return base.isGone
      ? { ...base, type, value: NaN }
      : { ...base, type, value: NaN, fault: "a data point has no value" };
  }

  #histogram(fields: Fields, base: PointBase): HistogramPoint {
    return checkHistogram(
      this.#bucketed({
        ...base,
        type: "histogram",
        ...this.#extent(fields),
        bounds: this.#list(fields, "explicitBounds", this.#double),
        counts: this.#list(fields, "bucketCounts", this.#count),
      }),
    );
  }

  #bucketed(point: HistogramPoint): HistogramPoint {
    const { buckets } = this.#tally.limits;
    return point.counts.length <= buckets ? point : {
      ...point,
      bounds: [],
      counts: [],
      fault: `a histogram has more than ${buckets} buckets`,
    };
  }

  #exponential(fields: Fields, base: PointBase): ExponentialPoint {
    const positive = this.#buckets(fields, "positive");
    const negative = this.#buckets(fields, "negative");
    const { buckets } = this.#tally.limits;
    const isLarge = positive.counts.length + negative.counts.length > buckets;
    return {
      ...base,
      type: "exponential",
      ...this.#extent(fields),
      scale: Number(this.#integer(fields, "scale")),
      zeroCount: this.#count(fields, "zeroCount"),
      positive,
      negative,
      ...(isLarge
        ? { fault: `a histogram has more than ${buckets} buckets` }
        : {}),
    };
  }

  #buckets(fields: Fields, key: string): Buckets {
    const inner = this.#inner(fields, key);
    return {
      offset: Number(this.#integer(inner, "offset")),
      counts: this.#list(inner, "bucketCounts", this.#count),
    };
  }

  #summary(fields: Fields, base: PointBase): SummaryPoint {
    const quantiles: [number, number][] = [];
    for (const item of this.#items(fields, "quantileValues")) {
      const pair = this.#object(item);
      quantiles.push([
        this.#double(pair, "quantile") ?? 0,
        this.#double(pair, "value") ?? 0,
      ]);
    }
    const { buckets } = this.#tally.limits;
    const isLarge = quantiles.length > buckets;
    return {
      ...base,
      type: "summary",
      count: this.#count(fields, "count"),
      sum: this.#double(fields, "sum") ?? 0,
      quantiles,
      ...(isLarge
        ? { fault: `a summary has more than ${buckets} quantiles` }
        : {}),
    };
  }

  /** What all histograms have. */
  #extent(
    fields: Fields,
  ): Pick<HistogramPoint, "count" | "sum" | "min" | "max"> {
    return {
      count: this.#count(fields, "count"),
      sum: this.#double(fields, "sum"),
      min: this.#double(fields, "min"),
      max: this.#double(fields, "max"),
    };
  }

  #temporality(data: Fields): Temporality {
    const { aggregationTemporality: given = 0 } = data;
    const known = typeof given === "number"
      ? TEMPORALITIES[given]
      : typeof given === "string" && Object.hasOwn(TEMPORALITY_NAMES, given)
      ? TEMPORALITY_NAMES[given]
      : undefined;
    return known ?? "unspecified";
  }

  #attributes(
    fields: Fields,
    key: string,
  ): { attributes: Attributes; fault?: string } {
    const attributes: [string, string][] = [];
    const { attributes: most } = this.#tally.limits;
    for (const item of this.#items(fields, key)) {
      if (attributes.length === most) {
        return { attributes: [], fault: `more than ${most} attributes` };
      }
      const pair = this.#object(item);
      attributes.push([this.#text(pair, "key"), this.#any(pair, "value", 0)]);
    }
    return { attributes };
  }

  /** The value of an attribute as text. */
  #any(parent: Fields, key: string, depth: number): string {
    if (!isThere(parent[key])) return "";
    const value = this.#inner(parent, key);
    this.#path.push(key);
    const text = this.#anyText(value, depth);
    this.#path.pop();
    return text;
  }

  #anyText(value: Fields, depth: number): string {
    if (isThere(value.stringValue)) return this.#text(value, "stringValue");
    if (isThere(value.bytesValue)) return this.#text(value, "bytesValue");
    if (isThere(value.intValue)) return `${this.#integer(value, "intValue")}`;
    if (isThere(value.doubleValue)) {
      return `${this.#double(value, "doubleValue")}`;
    }
    if (isThere(value.boolValue)) {
      if (typeof value.boolValue !== "boolean") {
        this.#fail("is no boolean", "boolValue");
      }
      return `${value.boolValue}`;
    }
    const isList = isThere(value.arrayValue);
    if (!isList && !isThere(value.kvlistValue)) return "";
    if (depth === this.#tally.limits.depth) {
      this.#fail(`is nested more than ${depth} deep`);
    }
    const inner = this.#inner(value, isList ? "arrayValue" : "kvlistValue");
    const texts: string[] = [];
    for (const item of this.#items(inner, "values")) {
      const fields = this.#object(item);
      texts.push(
        isList
          ? this.#anyText(fields, depth + 1)
          : `${this.#text(fields, "key")}:${
            this.#any(fields, "value", depth + 1)
          }`,
      );
    }
    return isList ? `[${texts.join(",")}]` : `{${texts.join(",")}}`;
  }

  /** The items of a list that may be missing; in the path while they are read. */
  *#items(fields: Fields, key: string): Generator<unknown, void> {
    const list = fields[key];
    if (!isThere(list)) return;
    if (!Array.isArray(list)) this.#fail("is no list", key);
    this.#path.push(key, 0);
    const place = this.#path.length - 1;
    try {
      for (let i = 0; i < list.length; i++) {
        this.#path[place] = i;
        yield list[i];
      }
    } finally {
      this.#path.length = place - 1;
    }
  }

  /** A list of numbers. */
  #list<T>(
    fields: Fields,
    key: string,
    read: (this: this, fields: Fields, key: string) => T,
  ): Exclude<T, undefined>[] {
    const list = fields[key];
    if (!isThere(list)) return [];
    if (!Array.isArray(list)) this.#fail("is no list", key);
    this.#path.push(key);
    const values = list.map((value, i) => {
      if (!isThere(value)) this.#fail("is missing", `${i}`);
      // A list's items are its fields, by number.
      return read.call(
        this,
        list as unknown as Fields,
        `${i}`,
      ) as Exclude<T, undefined>;
    });
    this.#path.pop();
    return values;
  }

  #inner(fields: Fields, key: string): Fields {
    const value = fields[key];
    if (!isThere(value)) return {};
    if (typeof value !== "object" || Array.isArray(value)) {
      this.#fail("is no object", key);
    }
    return value as Fields;
  }

  #object(value: unknown): Fields {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      this.#fail("is no object");
    }
    return value as Fields;
  }

  #text(fields: Fields, key: string): string {
    const value = fields[key];
    if (!isThere(value)) return "";
    if (typeof value !== "string") this.#fail("is no text", key);
    return value;
  }

  #count(fields: Fields, key: string): bigint {
    const value = this.#integer(fields, key);
    if (value < 0n) this.#fail("is negative", key);
    return value;
  }

  /** A 64-bit integer, as text or number; 0 if it is missing. */
  #integer(fields: Fields, key: string): bigint {
    const value = fields[key];
    if (!isThere(value)) return 0n;
    let integer: bigint | undefined;
    if (typeof value === "number" && Number.isInteger(value)) {
      integer = BigInt(value);
    } else if (typeof value === "string" && /^-?\d{1,20}$/.test(value)) {
      integer = BigInt(value);
    }
    if (
      integer === undefined || integer < LEAST_INTEGER || integer > MOST_INTEGER
    ) this.#fail("is no 64-bit integer", key);
    return integer;
  }

  /** A double, which may be NaN or infinite as a text; `undefined` if it is missing. */
  #double(fields: Fields, key: string): number | undefined {
    const value = fields[key];
    if (!isThere(value)) return undefined;
    if (typeof value === "number") return value;
    if (typeof value === "string") {
      if (value === "NaN") return NaN;
      const isNumber = /^-?(?:Infinity|\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)$/;
      if (value.length <= 400 && isNumber.test(value)) return Number(value);
    }
    this.#fail("is no number", key);
  }

  #fail(what: string, key?: string): never {
    let where = "";
    for (const part of key === undefined ? this.#path : [...this.#path, key]) {
      where += typeof part === "number" || /^\d+$/.test(part)
        ? `[${part}]`
        : `${where === "" ? "" : "."}${part}`;
    }
    throw new OtlpError(`${where === "" ? "the body" : where} ${what}`);
  }
}

/** Whether a field has a value; `null` is the same as being left out. */
function isThere<T>(value: T): value is NonNullable<T> {
  return value !== undefined && value !== null;
}
