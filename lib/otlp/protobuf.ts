/**
 * Reads OTLP's protobuf encoding of metrics, which most SDKs send unless told otherwise. Fields that are
 * not needed are passed over. Sources: `metrics_service.proto`, `metrics.proto`, `resource.proto` and
 * `common.proto` of version 1, for the numbers and types of the fields.
 *
 * @module
 */
import { Tally } from "./tally.ts";
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
  type ResourceMetrics,
  type ScopeMetrics,
  type SummaryPoint,
  type Temporality,
} from "./model.ts";
import { FieldCount, MessageReader, Wire } from "./wire.ts";

const TEMPORALITIES: readonly Temporality[] = [
  "unspecified",
  "delta",
  "cumulative",
];

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/**
 * Reads a request in steps, between which others may have their turn.
 * @throws OtlpError when it is none.
 */
export function* decodeProtobuf(
  bytes: Uint8Array,
  limits: DecodeLimits = defaultDecodeLimits,
): Generator<void, MetricsRequest> {
  const decoder = new ProtobufDecoder(limits);
  return yield* decoder.request(bytes);
}

class ProtobufDecoder {
  readonly #tally: Tally;
  readonly #count = new FieldCount();

  constructor(limits: DecodeLimits) {
    this.#tally = new Tally(limits);
  }

  *request(bytes: Uint8Array): Generator<void, MetricsRequest> {
    const reader = new MessageReader(bytes, this.#count);
    const resources: ResourceMetrics[] = [];
    while (reader.next()) {
      if (reader.field === 1) {
        resources.push(yield* this.#resource(reader.message()));
      } else reader.skip();
    }
    return { resources };
  }

  *#resource(reader: MessageReader): Generator<void, ResourceMetrics> {
    this.#tally.group();
    const attributes: [string, string][] = [];
    const scopes: ScopeMetrics[] = [];
    while (reader.next()) {
      if (reader.field === 1) {
        const resource = reader.message();
        while (resource.next()) {
          if (resource.field !== 1) resource.skip();
          else if (!this.#attribute(resource, attributes)) {
            // A resource is not taken in part: who it is might be in the rest.
            throw new OtlpError(this.#tooMany());
          }
        }
      } else if (reader.field === 2) {
        scopes.push(yield* this.#scope(reader.message()));
      } else reader.skip();
    }
    return { attributes, scopes };
  }

  *#scope(reader: MessageReader): Generator<void, ScopeMetrics> {
    this.#tally.group();
    let name = "";
    const metrics: OtlpMetric[] = [];
    while (reader.next()) {
      if (reader.field === 1) {
        const scope = reader.message();
        while (scope.next()) {
          if (scope.field === 1) name = scope.text();
          else scope.skip();
        }
      } else if (reader.field === 2) {
        metrics.push(yield* this.#metric(reader.message()));
      } else reader.skip();
    }
    return { name, metrics };
  }

  *#metric(reader: MessageReader): Generator<void, OtlpMetric> {
    this.#tally.group();
    yield* this.#step(false);
    const metric = { name: "", description: "", unit: "" };
    let data: Partial<OtlpMetric> = { kind: "unknown", points: [] };
    while (reader.next()) {
      switch (reader.field) {
        case 1:
          metric.name = reader.text();
          break;
        case 2:
          metric.description = reader.text();
          break;
        case 3:
          metric.unit = reader.text();
          break;
        case 5: {
          const { points } = yield* this.#data(reader, this.#number);
          data = { kind: "gauge", points };
          break;
        }
        case 7:
          data = { kind: "sum", ...yield* this.#data(reader, this.#number) };
          break;
        case 9: {
          const { points, temporality } = yield* this.#data(
            reader,
            this.#histogram,
          );
          data = { kind: "histogram", points, temporality };
          break;
        }
        case 10: {
          const { points, temporality } = yield* this.#data(
            reader,
            this.#exponential,
          );
          data = { kind: "exponential", points, temporality };
          break;
        }
        case 11: {
          const { points } = yield* this.#data(reader, this.#summary);
          data = { kind: "summary", points };
          break;
        }
        default:
          reader.skip();
      }
    }
    return { ...metric, ...data } as OtlpMetric;
  }

  *#data<P extends Point>(
    metric: MessageReader,
    read: (this: this, reader: MessageReader) => P,
  ): Generator<
    void,
    { points: P[]; temporality: Temporality; isMonotonic: boolean }
  > {
    const reader = metric.message();
    const points: P[] = [];
    let temporality: Temporality = "unspecified";
    let isMonotonic = false;
    while (reader.next()) {
      if (reader.field === 1) {
        yield* this.#step(this.#tally.point());
        points.push(read.call(this, reader.message()));
      } else if (reader.field === 2) {
        temporality = TEMPORALITIES[Number(reader.unsigned())] ?? "unspecified";
      } else if (reader.field === 3) {
        isMonotonic = reader.unsigned() !== 0n;
      } else reader.skip();
    }
    return { points, temporality, isMonotonic };
  }

  /** Lets others have their turn if it is time for that. */
  *#step(isDue: boolean): Generator<void, void> {
    if (!isDue && !this.#count.isDue) return;
    yield;
    this.#count.reset();
  }

  #number(reader: MessageReader): NumberPoint {
    const attributes: [string, string][] = [];
    const point: Writable<NumberPoint> = {
      type: "number",
      ...newBase(attributes),
      value: NaN,
    };
    let hasValue = false;
    while (reader.next()) {
      switch (reader.field) {
        case 4:
          point.value = reader.double();
          hasValue = true;
          break;
        case 6:
          point.value = reader.signedFixed();
          hasValue = true;
          break;
        default:
          this.#common(reader, point, attributes, 7, 8);
      }
    }
    if (!hasValue && !point.isGone) point.fault ??= "a data point has no value";
    return point;
  }

  #histogram(reader: MessageReader): HistogramPoint {
    const attributes: [string, string][] = [];
    const bounds: number[] = [];
    const counts: bigint[] = [];
    const point: Writable<HistogramPoint> = {
      type: "histogram",
      ...newBase(attributes),
      ...newExtent(),
      bounds,
      counts,
    };
    const { buckets: most } = this.#tally.limits;
    let buckets = 0;
    while (reader.next()) {
      switch (reader.field) {
        case 4:
          point.count = reader.fixed();
          break;
        case 5:
          point.sum = reader.double();
          break;
        case 6:
          buckets += reader.repeated(counts, Wire.fixed64, readFixed, most);
          break;
        case 7:
          reader.repeated(bounds, Wire.fixed64, readDouble, most);
          break;
        case 11:
          point.min = reader.double();
          break;
        case 12:
          point.max = reader.double();
          break;
        default:
          this.#common(reader, point, attributes, 9, 10);
      }
    }
    if (buckets > most) {
      const fault = `a histogram has more than ${most} buckets`;
      return { ...point, bounds: [], counts: [], fault };
    }
    return checkHistogram(point);
  }

  #exponential(reader: MessageReader): ExponentialPoint {
    const attributes: [string, string][] = [];
    const point: Writable<ExponentialPoint> = {
      type: "exponential",
      ...newBase(attributes),
      ...newExtent(),
      scale: 0,
      zeroCount: 0n,
      positive: { offset: 0, counts: [] },
      negative: { offset: 0, counts: [] },
    };
    while (reader.next()) {
      switch (reader.field) {
        case 4:
          point.count = reader.fixed();
          break;
        case 5:
          point.sum = reader.double();
          break;
        case 6:
          point.scale = reader.zigzag();
          break;
        case 7:
          point.zeroCount = reader.fixed();
          break;
        case 8:
          point.positive = this.#buckets(reader.message(), point);
          break;
        case 9:
          point.negative = this.#buckets(reader.message(), point);
          break;
        case 12:
          point.min = reader.double();
          break;
        case 13:
          point.max = reader.double();
          break;
        default:
          this.#common(reader, point, attributes, 1, 10);
      }
    }
    return point;
  }

  #buckets(
    reader: MessageReader,
    point: Writable<ExponentialPoint>,
  ): Buckets {
    const { buckets: most } = this.#tally.limits;
    const counts: bigint[] = [];
    let offset = 0;
    let buckets = 0;
    while (reader.next()) {
      if (reader.field === 1) offset = reader.zigzag();
      else if (reader.field === 2) {
        buckets += reader.repeated(counts, Wire.varint, readUnsigned, most);
      } else reader.skip();
    }
    if (buckets > most) {
      point.fault = `a histogram has more than ${most} buckets`;
    }
    return { offset, counts };
  }

  #summary(reader: MessageReader): SummaryPoint {
    const attributes: [string, string][] = [];
    const quantiles: [number, number][] = [];
    const point: Writable<SummaryPoint> = {
      type: "summary",
      ...newBase(attributes),
      count: 0n,
      sum: 0,
      quantiles,
    };
    const { buckets: most } = this.#tally.limits;
    while (reader.next()) {
      switch (reader.field) {
        case 4:
          point.count = reader.fixed();
          break;
        case 5:
          point.sum = reader.double();
          break;
        case 6: {
          const pair = reader.message();
          let quantile = 0;
          let value = 0;
          while (pair.next()) {
            if (pair.field === 1) quantile = pair.double();
            else if (pair.field === 2) value = pair.double();
            else pair.skip();
          }
          if (quantiles.length < most) quantiles.push([quantile, value]);
          else point.fault = `a summary has more than ${most} quantiles`;
          break;
        }
        default:
          this.#common(reader, point, attributes, 7, 8);
      }
    }
    return point;
  }

  /** Reads a field that all points have; the numbers of two of them differ. */
  #common(
    reader: MessageReader,
    point: Writable<Point>,
    attributes: [string, string][],
    attributesField: number,
    flagsField: number,
  ): void {
    switch (reader.field) {
      case attributesField:
        if (!this.#attribute(reader, attributes)) point.fault = this.#tooMany();
        break;
      case 2:
        point.start = reader.fixed();
        break;
      case 3:
        point.time = reader.fixed();
        break;
      case flagsField:
        point.isGone = (reader.unsigned() & 1n) !== 0n;
        break;
      default:
        reader.skip();
    }
  }

  #tooMany(): string {
    return `more than ${this.#tally.limits.attributes} attributes`;
  }

  /** @returns Whether there was room for it. */
  #attribute(reader: MessageReader, attributes: [string, string][]): boolean {
    if (attributes.length >= this.#tally.limits.attributes) {
      reader.skip();
      return false;
    }
    attributes.push(this.#pair(reader.message(), 0));
    return true;
  }

  #pair(reader: MessageReader, depth: number): [key: string, value: string] {
    let key = "";
    let value = "";
    while (reader.next()) {
      if (reader.field === 1) key = reader.text();
      else if (reader.field === 2) value = this.#any(reader.message(), depth);
      else reader.skip();
    }
    return [key, value];
  }

  /** The value of an attribute as text. */
  #any(reader: MessageReader, depth: number): string {
    let text = "";
    while (reader.next()) {
      switch (reader.field) {
        case 1:
          text = reader.text();
          break;
        case 2:
          text = `${reader.unsigned() !== 0n}`;
          break;
        case 3:
          text = `${reader.signed()}`;
          break;
        case 4:
          text = `${reader.double()}`;
          break;
        case 5:
        case 6:
          text = this.#values(reader.message(), depth, reader.field === 5);
          break;
        case 7:
          text = reader.bytes().toBase64();
          break;
        default:
          reader.skip();
      }
    }
    return text;
  }

  #values(reader: MessageReader, depth: number, isList: boolean): string {
    if (depth === this.#tally.limits.depth) {
      throw new OtlpError(`an attribute is nested more than ${depth} deep`);
    }
    const texts: string[] = [];
    while (reader.next()) {
      if (reader.field !== 1) reader.skip();
      else if (isList) texts.push(this.#any(reader.message(), depth + 1));
      else texts.push(this.#pair(reader.message(), depth + 1).join(":"));
    }
    return isList ? `[${texts.join(",")}]` : `{${texts.join(",")}}`;
  }
}

function newBase(attributes: Attributes) {
  return { attributes, start: 0n, time: 0n, isGone: false };
}

function newExtent() {
  return { count: 0n, sum: undefined, min: undefined, max: undefined };
}

const readFixed = (reader: MessageReader) => reader.fixed();
const readDouble = (reader: MessageReader) => reader.double();
const readUnsigned = (reader: MessageReader) => reader.unsigned();
