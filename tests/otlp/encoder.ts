/**
 * Writes OTLP requests in both encodings, for tests only. It knows nothing of the decoders: numbers of
 * fields are those of `metrics.proto` and its siblings.
 *
 * @module
 */
import type {
  Buckets,
  MetricsRequest,
  OtlpMetric,
  Point,
} from "../../lib/otlp/model.ts";

const utf8 = new TextEncoder();
const TEMPORALITIES = ["unspecified", "delta", "cumulative"];

function varint(value: bigint): number[] {
  const bytes: number[] = [];
  let left = BigInt.asUintN(64, value);
  while (left >= 0x80n) {
    bytes.push(Number(left & 0x7fn) | 0x80);
    left >>= 7n;
  }
  return [...bytes, Number(left)];
}

const tag = (field: number, wire: number) => varint(BigInt(field * 8 + wire));
const integer = (field: number, value: bigint) => [
  ...tag(field, 0),
  ...varint(value),
];
const zigzag = (value: number) =>
  BigInt.asUintN(64, (BigInt(value) << 1n) ^ (BigInt(value) >> 63n));
const bytes = (field: number, content: Iterable<number>) => {
  const all = [...content];
  return [...tag(field, 2), ...varint(BigInt(all.length)), ...all];
};
const text = (field: number, value: string) => bytes(field, utf8.encode(value));

function fixed(field: number, value: bigint): number[] {
  return [
    ...tag(field, 1),
    ...eight((view) => view.setBigUint64(0, BigInt.asUintN(64, value), true)),
  ];
}

function double(field: number, value: number): number[] {
  return [...tag(field, 1), ...doubleBytes(value)];
}

function doubleBytes(value: number): number[] {
  return eight((view) => view.setFloat64(0, value, true));
}

function eight(set: (view: DataView) => void): number[] {
  const content = new Uint8Array(8);
  set(new DataView(content.buffer));
  return [...content];
}

function fixedBytes(value: bigint): number[] {
  return eight((view) => view.setBigUint64(0, value, true));
}

/** @param isPacked Whether repeated numbers come packed, as proto3 writes them, or one by one. */
export function encodeProtobuf(
  request: MetricsRequest,
  isPacked = true,
): Uint8Array<ArrayBuffer> {
  const pair = (field: number, [key, value]: readonly [string, string]) =>
    bytes(field, [...text(1, key), ...bytes(2, text(1, value))]);
  const repeated = (
    field: number,
    wire: number,
    items: readonly number[][],
  ) =>
    isPacked
      ? items.length === 0 ? [] : bytes(field, items.flat())
      : items.flatMap((item) => [...tag(field, wire), ...item]);
  const buckets = (field: number, { offset, counts }: Buckets) =>
    bytes(field, [
      ...integer(1, zigzag(offset)),
      ...repeated(2, 0, counts.map(varint)),
    ]);
  const optional = (field: number, value: number | undefined) =>
    value === undefined ? [] : double(field, value);
  const point = (point: Point): number[] => {
    const common = (attributes: number, flags: number) => [
      ...point.attributes.flatMap((one) => pair(attributes, one)),
      ...fixed(2, point.start),
      ...fixed(3, point.time),
      ...integer(flags, point.isGone ? 1n : 0n),
      // A field that nobody knows yet.
      ...text(99, "later"),
    ];
    switch (point.type) {
      case "number":
        return [
          ...(typeof point.value === "bigint"
            ? fixed(6, point.value)
            : double(4, point.value)),
          ...common(7, 8),
        ];
      case "histogram":
        return [
          ...common(9, 10),
          ...fixed(4, point.count),
          ...optional(5, point.sum),
          ...repeated(6, 1, point.counts.map(fixedBytes)),
          ...repeated(7, 1, point.bounds.map(doubleBytes)),
          ...optional(11, point.min),
          ...optional(12, point.max),
        ];
      case "exponential":
        return [
          ...common(1, 10),
          ...fixed(4, point.count),
          ...optional(5, point.sum),
          ...integer(6, zigzag(point.scale)),
          ...fixed(7, point.zeroCount),
          ...buckets(8, point.positive),
          ...buckets(9, point.negative),
          ...optional(12, point.min),
          ...optional(13, point.max),
        ];
      case "summary":
        return [
          ...common(7, 8),
          ...fixed(4, point.count),
          ...double(5, point.sum),
          ...point.quantiles.flatMap(([quantile, value]) =>
            bytes(6, [...double(1, quantile), ...double(2, value)])
          ),
        ];
    }
  };
  const data = (metric: OtlpMetric): number[] => {
    const points = (metric.points as Point[]).flatMap((one) =>
      bytes(1, point(one))
    );
    const temporality = "temporality" in metric
      ? integer(2, BigInt(TEMPORALITIES.indexOf(metric.temporality)))
      : [];
    switch (metric.kind) {
      case "gauge":
        return bytes(5, points);
      case "sum":
        return bytes(7, [
          ...points,
          ...temporality,
          ...integer(3, metric.isMonotonic ? 1n : 0n),
        ]);
      case "histogram":
        return bytes(9, [...points, ...temporality]);
      case "exponential":
        return bytes(10, [...points, ...temporality]);
      case "summary":
        return bytes(11, points);
      case "unknown":
        return [];
    }
  };
  return Uint8Array.from(request.resources.flatMap((resource) =>
    bytes(1, [
      ...bytes(1, resource.attributes.flatMap((one) => pair(1, one))),
      ...resource.scopes.flatMap((scope) =>
        bytes(2, [
          ...bytes(1, text(1, scope.name)),
          ...scope.metrics.flatMap((metric) =>
            bytes(2, [
              ...text(1, metric.name),
              ...text(2, metric.description),
              ...text(3, metric.unit),
              ...data(metric),
            ])
          ),
        ])
      ),
    ])
  ));
}

const KEYS: Record<string, string> = { exponential: "exponentialHistogram" };

/** The same as JSON. */
export function encodeJson(request: MetricsRequest): Uint8Array<ArrayBuffer> {
  const number = (value: number | undefined) =>
    value === undefined || Number.isFinite(value) ? value : `${value}`;
  const attributes = (all: Point["attributes"]) =>
    all.map(([key, value]) => ({ key, value: { stringValue: value } }));
  const point = (point: Point) => ({
    ...(point.type === "number" ? {} : {
      count: `${point.count}`,
      sum: number(point.sum),
    }),
    ...("min" in point
      ? { min: number(point.min), max: number(point.max) }
      : {}),
    ...(point.type === "number"
      ? typeof point.value === "bigint"
        ? { asInt: `${point.value}` }
        : { asDouble: number(point.value) }
      : point.type === "histogram"
      ? {
        bucketCounts: point.counts.map(String),
        explicitBounds: point.bounds.map(number),
      }
      : point.type === "exponential"
      ? {
        scale: point.scale,
        zeroCount: `${point.zeroCount}`,
        positive: {
          offset: point.positive.offset,
          bucketCounts: point.positive.counts.map(String),
        },
        negative: {
          offset: point.negative.offset,
          bucketCounts: point.negative.counts.map(String),
        },
      }
      : {
        quantileValues: point.quantiles.map(([quantile, value]) => ({
          quantile: number(quantile),
          value: number(value),
        })),
      }),
    attributes: attributes(point.attributes),
    startTimeUnixNano: `${point.start}`,
    timeUnixNano: `${point.time}`,
    flags: point.isGone ? 1 : 0,
    later: { nobody: ["knows", null] },
  });
  return utf8.encode(JSON.stringify({
    resourceMetrics: request.resources.map((resource) => ({
      resource: { attributes: attributes(resource.attributes) },
      scopeMetrics: resource.scopes.map((scope) => ({
        scope: { name: scope.name },
        metrics: scope.metrics.map((metric) => ({
          name: metric.name,
          description: metric.description,
          unit: metric.unit,
          ...(metric.kind === "unknown" ? {} : {
            [KEYS[metric.kind] ?? metric.kind]: {
              dataPoints: (metric.points as Point[]).map(point),
              ...("temporality" in metric
                ? {
                  aggregationTemporality: TEMPORALITIES.indexOf(
                    metric.temporality,
                  ),
                }
                : {}),
              ...(metric.kind === "sum"
                ? { isMonotonic: metric.isMonotonic }
                : {}),
            },
          }),
        })),
      })),
    })),
  }));
}
