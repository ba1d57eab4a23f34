import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { OtlpError } from "../../lib/otlp/error.ts";
import { decodeProtobuf } from "../../lib/otlp/protobuf.ts";
import { finish } from "../../lib/otlp/tally.ts";
import type {
  MetricsRequest,
  OtlpMetric,
  Point,
} from "../../lib/otlp/model.ts";
import {
  capture,
  inflated,
  json,
  readJson,
  readProtobuf,
  requestOf,
} from "./capture.ts";
import { encodeJson, encodeProtobuf } from "./encoder.ts";

function find(request: MetricsRequest, name: string): OtlpMetric {
  const all = request.resources.flatMap(({ scopes }) =>
    scopes.flatMap(({ metrics }) => metrics)
  );
  return all.find((metric) => metric.name === name)!;
}

const names = ({ resources }: MetricsRequest) =>
  resources[0].scopes.map(({ name, metrics }) => [
    name,
    ...metrics.map(({ kind, name, unit, points }) =>
      `${kind} ${name} [${unit}] ${points.length}`
    ),
  ]);

const SERVE = [
  [
    "v8js",
    "histogram v8js.gc.duration [S] 1",
    "gauge v8js.memory.heap.limit [By] 3",
    "gauge v8js.memory.heap.size [By] 3",
    "gauge v8js.memory.space.available_size [By] 3",
    "gauge v8js.memory.space.physical_size [By] 3",
  ],
  [
    "deno",
    "histogram http.server.request.duration [s] 2",
    "sum http.server.active_requests [{request}] 1",
    "histogram http.server.request.body.size [By] 2",
    "histogram http.server.response.body.size [By] 2",
  ],
];

Deno.test("what Deno sends is read, in both encodings", () => {
  const asJson = readJson(capture("deno-serve.json"));
  assertEquals(names(asJson), SERVE);
  assertEquals(names(readProtobuf(capture("deno-serve.pb"))), SERVE);
  assertEquals(
    new Map(asJson.resources[0].attributes),
    new Map([
      ["telemetry.sdk.language", "deno-rust"],
      ["service.name", "shop"],
      ["process.runtime.version", "2.9.6"],
      ["telemetry.sdk.name", "deno-opentelemetry"],
      ["telemetry.sdk.version", "2.9.6-0.32.1"],
      ["process.runtime.name", "deno"],
    ]),
  );
  const [point] = find(asJson, "http.server.request.duration").points;
  assertEquals(point, {
    type: "histogram",
    attributes: [
      ["http.request.method", "GET"],
      ["url.scheme", "http"],
      ["network.protocol.version", "1.1"],
      ["http.response.status_code", "200"],
    ],
    start: 1795278718619207225n,
    time: 1795278720589979928n,
    isGone: false,
    count: 5n,
    sum: 0.003146204,
    min: 0.000205133,
    max: 0.002009031,
    bounds: [
      0.005,
      0.01,
      0.025,
      0.05,
      0.075,
      0.1,
      0.25,
      0.5,
      0.75,
      1,
      2.5,
      5,
      7.5,
      10,
    ],
    counts: [5n, ...Array(14).fill(0n)],
  } as Point);
});

Deno.test("what OpenTelemetry's JavaScript SDK sends is the same in both encodings", async () => {
  const timeless = (request: MetricsRequest) =>
    JSON.parse(
      JSON.stringify(request, (key, value) =>
        key === "start" || key === "time"
          ? undefined
          : typeof value === "bigint"
          ? `${value}n`
          : value),
    );
  for (
    const name of [
      "js-cumulative-1",
      "js-cumulative-2",
      "js-delta-1",
      "js-delta-2",
    ]
  ) {
    const asJson = readJson(capture(`${name}.json`));
    const asProtobuf = readProtobuf(await inflated(`${name}.pb.gz`));
    assertEquals(timeless(asProtobuf), timeless(asJson), name);
  }
  const request = readJson(capture("js-delta-1.json"));
  assertEquals(request.resources[0].attributes.slice(3), [
    ["list", "[a,b]"],
    ["pi", "3.5"],
    ["yes", "true"],
  ]);
  const orders = find(request, "orders");
  assert(orders.kind === "sum");
  assertEquals(
    [orders.temporality, orders.isMonotonic, orders.unit, orders.description],
    ["delta", true, "{order}", "Orders"],
  );
  const expo = find(request, "expo");
  assert(expo.kind === "exponential");
  const [{ count, sum, min, max, scale, positive }] = expo.points;
  assertEquals(
    [count, sum, min, max, scale, positive.offset, positive.counts.length],
    [1000n, 500500, 1, 1000, 3, -1, 81],
  );
});

Deno.test("integers stay exact, quoted or not", () => {
  const valueOf = (text: string, type = "asInt") => {
    const bytes = new TextEncoder().encode(
      JSON.stringify(requestOf({ name: "a", gauge: { dataPoints: ["HERE"] } }))
        .replace('"HERE"', `{ "${type}": ${text} }`),
    );
    const [point] = find(readJson(bytes), "a").points;
    return point.type === "number" && point.value;
  };
  assertEquals(valueOf('"9223372036854775807"'), 9223372036854775807n);
  assertEquals(valueOf("9223372036854775807"), 9223372036854775807n);
  assertEquals(valueOf("-9223372036854775808"), -9223372036854775808n);
  assertEquals(valueOf("9007199254740993\n"), 9007199254740993n);
  assertEquals(valueOf("7.0"), 7n);
  assertEquals(valueOf("7", "asDouble"), 7);
  assertEquals(valueOf('"-Infinity"', "asDouble"), -Infinity);
  assertEquals(valueOf('"2.5e-3"', "asDouble"), 0.0025);
  // A text that looks like such a field is none.
  const tricky = '"asInt": 12345678901234567890 ,';
  const request = requestOf({ name: tricky, gauge: { dataPoints: [] } });
  assertEquals(find(readJson(json(request)), tricky)?.name, tricky);
});

Deno.test("what is no request is refused with the place", () => {
  const metric = (data: unknown) => requestOf({ name: "a", ...data as object });
  const at = "resourceMetrics[0].scopeMetrics[0].metrics[0]";
  const cases: [unknown, string][] = [
    [[], "the body is no object"],
    [{ resourceMetrics: 5 }, "resourceMetrics is no list"],
    [{ resourceMetrics: [null] }, "resourceMetrics[0] is no object"],
    [
      { resourceMetrics: [{ resource: [] }] },
      "resourceMetrics[0].resource is no object",
    ],
    [requestOf({ name: 5 }), `${at}.name is no text`],
    [metric({ sum: { isMonotonic: 1 } }), `${at}.isMonotonic is no boolean`],
    [
      metric({ gauge: { dataPoints: [{}, { asInt: "x" }] } }),
      `${at}.gauge.dataPoints[1].asInt is no 64-bit integer`,
    ],
    [
      metric({ gauge: { dataPoints: [{ asInt: 1.5 }] } }),
      "asInt is no 64-bit integer",
    ],
    [
      metric({ gauge: { dataPoints: [{ asInt: "18446744073709551616" }] } }),
      "asInt is no 64-bit integer",
    ],
    [
      metric({ gauge: { dataPoints: [{ asDouble: "x" }] } }),
      "asDouble is no number",
    ],
    [
      metric({ gauge: { dataPoints: [{ asDouble: {} }] } }),
      "asDouble is no number",
    ],
    [
      metric({ gauge: { dataPoints: [{ attributes: { a: 1 } }] } }),
      "attributes is no list",
    ],
    [
      metric({ histogram: { dataPoints: [{ count: -1 }] } }),
      "count is negative",
    ],
    [
      metric({ histogram: { dataPoints: [{ bucketCounts: ["1", null] }] } }),
      "histogram.dataPoints[0].bucketCounts[1] is missing",
    ],
    [
      metric({ summary: { dataPoints: [{ quantileValues: [3] }] } }),
      "quantileValues[0] is no object",
    ],
    [
      metric({
        gauge: {
          dataPoints: [{
            attributes: [{ key: "k", value: { boolValue: "x" } }],
          }],
        },
      }),
      "attributes[0].value.boolValue is no boolean",
    ],
  ];
  for (const [value, message] of cases) {
    assertThrows(() => readJson(json(value)), OtlpError, message);
  }
  const bad = (text: string) => new TextEncoder().encode(text);
  assertThrows(() => readJson(bad("")), OtlpError, "no JSON");
  assertThrows(() => readJson(bad('{"a":')), OtlpError, "no JSON");
  assertThrows(() => readJson(Uint8Array.of(0xff)), OtlpError, "UTF-8");
  for (
    const [bytes, message] of [
      [[0x0a], "in the middle"],
      [[0x0a, 5, 1], "in the middle"],
      [[0x08, 1], "wire type 0, expected is 2"],
      [[0x78, 1], undefined],
      [[0x7d, 1, 2], "in the middle"],
      [[0x0b], "wire type 3"],
      [[0x00, 1], "no number"],
      [[0x0a, 2, 0x08, 1], "wire type 0, expected is 2"],
      [Array(11).fill(0x80), "no end"],
    ] as [number[], string | undefined][]
  ) {
    const read = () => readProtobuf(Uint8Array.from(bytes));
    if (message) assertThrows(read, OtlpError, message);
    else assertEquals(read(), { resources: [] });
  }
});

Deno.test("what is too much of something is refused, or left out alone", () => {
  const points = (count: number) =>
    json(requestOf({
      name: "a",
      gauge: { dataPoints: Array(count).fill({ asInt: 1 }) },
    }));
  assertEquals(readJson(points(10), { points: 10 }).resources.length, 1);
  for (
    const [bytes, limits] of [
      [points(11), { points: 10 }],
      [points(11), { jsonParts: 20 }],
      [json({ resourceMetrics: Array(5).fill({}) }), { groups: 4 }],
    ] as const
  ) {
    const error = assertThrows(() => readJson(bytes, limits), OtlpError);
    assert(error.isTooLarge);
  }
  const nested = (depth: number): unknown =>
    depth === 0
      ? { stringValue: "x" }
      : { arrayValue: { values: [nested(depth - 1)] } };
  const attribute = (value: unknown, count = 1) =>
    json(requestOf({
      name: "a",
      gauge: {
        dataPoints: [{
          asInt: 1,
          attributes: Array(count).fill({ key: "k", value }),
        }],
      },
    }));
  const [fine] = find(readJson(attribute(nested(3)), { depth: 3 }), "a").points;
  assertEquals(fine.attributes, [["k", "[[[x]]]"]]);
  assertThrows(
    () => readJson(attribute(nested(4)), { depth: 3 }),
    OtlpError,
    "nested more than 3 deep",
  );
  const many = attribute({ boolValue: false }, 5);
  const [point] = find(readJson(many, { attributes: 4 }), "a").points;
  assertEquals([point.attributes, point.fault], [[], "more than 4 attributes"]);
});

Deno.test("a message of fields that nobody needs is refused before it takes long", () => {
  /** A field of bytes. */
  const field = (number: number, content: Uint8Array) => {
    const head = [number << 3 | 2];
    let left = content.length;
    for (; left >= 0x80; left >>= 7) head.push(left & 0x7f | 0x80);
    return Uint8Array.from([...head, left, ...content]);
  };
  const inPoint = (content: Uint8Array) =>
    [1, 5, 2, 2, 1].reduce((inner, number) => field(number, inner), content);
  // Field 15, a varint, over and over.
  const unknown = Uint8Array.from(
    { length: 400_000 },
    (_, i) => i % 2 === 0 ? 0x78 : 1,
  );
  for (const bytes of [unknown, inPoint(unknown)]) {
    const error = assertThrows(() => finish(decodeProtobuf(bytes)), OtlpError);
    assert(error.isTooLarge);
  }
  // Metrics without points are none of these: others have their turn in between.
  const metrics = Uint8Array.from(
    { length: 15_000 * 12 },
    (_, i) => i % 12 === 0 ? 0x12 : i % 12 === 1 ? 10 : i % 2 === 0 ? 0x78 : 1,
  );
  const steps = decodeProtobuf(field(1, field(2, metrics)));
  let count = 0;
  while (!steps.next().done) count++;
  assert(count >= 10, `${count}`);
});

const text = fc.string({ unit: "grapheme", maxLength: 8 });
const attributes = fc.array(fc.tuple(text, text), { maxLength: 3 });
const time = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
const count = fc.bigInt({ min: 0n, max: (1n << 63n) - 1n });
const base = { attributes, start: time, time, isGone: fc.boolean() };
const optional = fc.option(fc.double(), { nil: undefined });
const extent = { count, sum: optional, min: optional, max: optional };
const buckets = fc.record({
  offset: fc.integer(),
  counts: fc.array(count, { maxLength: 5 }),
});
const head = { name: text, description: text, unit: text };
const temporality = fc.constantFrom(
  "unspecified" as const,
  "delta" as const,
  "cumulative" as const,
);
const numbers = fc.array(
  fc.record({
    ...base,
    type: fc.constant("number" as const),
    value: fc.oneof(
      fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n }),
      fc.double(),
    ),
  }),
  { maxLength: 3 },
);
const histograms = fc.array(
  fc.uniqueArray(fc.double({ noNaN: true }), { maxLength: 4 }).chain((bounds) =>
    fc.record({
      ...base,
      ...extent,
      type: fc.constant("histogram" as const),
      bounds: fc.constant(
        // -0 and 0 would be one bound twice.
        [...new Set(bounds.map((bound) => bound + 0))].sort((a, b) => a - b),
      ),
    }).chain((point) =>
      fc.array(count, {
        minLength: point.bounds.length + 1,
        maxLength: point.bounds.length + 1,
      }).map((counts) => ({ ...point, counts }))
    )
  ),
  { maxLength: 3 },
);
const exponentials = fc.array(
  fc.record({
    ...base,
    ...extent,
    type: fc.constant("exponential" as const),
    scale: fc.integer({ min: -20, max: 20 }),
    zeroCount: count,
    positive: buckets,
    negative: buckets,
  }),
  { maxLength: 3 },
);
const summaries = fc.array(
  fc.record({
    ...base,
    type: fc.constant("summary" as const),
    count,
    sum: fc.double(),
    quantiles: fc.array(fc.tuple(fc.double(), fc.double()), { maxLength: 3 }),
  }),
  { maxLength: 3 },
);
const metrics = fc.array(
  fc.oneof(
    fc.record({ ...head, kind: fc.constant("gauge"), points: numbers }),
    fc.record({
      ...head,
      kind: fc.constant("sum"),
      points: numbers,
      temporality,
      isMonotonic: fc.boolean(),
    }),
    fc.record({
      ...head,
      kind: fc.constant("histogram"),
      points: histograms,
      temporality,
    }),
    fc.record({
      ...head,
      kind: fc.constant("exponential"),
      points: exponentials,
      temporality,
    }),
    fc.record({ ...head, kind: fc.constant("summary"), points: summaries }),
    fc.record({
      ...head,
      kind: fc.constant("unknown"),
      points: fc.constant([]),
    }),
  ),
  { maxLength: 4 },
);
const requests = fc.record({
  resources: fc.array(
    fc.record({
      attributes,
      scopes: fc.array(fc.record({ name: text, metrics }), { maxLength: 2 }),
    }),
    { maxLength: 2 },
  ),
}) as fc.Arbitrary<MetricsRequest>;

/** JSON has no -0 without a point, and what JSON.stringify writes has none. */
function withoutMinusZero(request: MetricsRequest): MetricsRequest {
  const plain = (value: unknown): unknown =>
    typeof value === "number"
      ? value + 0
      : Array.isArray(value)
      ? value.map(plain)
      : typeof value === "object" && value !== null
      ? Object.fromEntries(Object.entries(value).map(([k, v]) => [k, plain(v)]))
      : value;
  return plain(request) as MetricsRequest;
}

Deno.test("whatever is encoded is decoded again", () => {
  fc.assert(fc.property(requests, fc.boolean(), (request, isPacked) => {
    const encoded = encodeProtobuf(request, isPacked);
    assertEquals(
      withoutMinusZero(readProtobuf(encoded)),
      withoutMinusZero(request),
    );
    assertEquals(readJson(encodeJson(request)), withoutMinusZero(request));
  }));
});

/** Decodes; anything but a request or an OtlpError is a failure. */
function attempt(read: () => MetricsRequest): void {
  try {
    const { resources } = read();
    assert(Array.isArray(resources));
  } catch (error) {
    if (!(error instanceof OtlpError)) throw error;
    assert(!/\n/.test(error.message), error.message);
  }
}

Deno.test("random JSON throws nothing but the codec's own error", () => {
  const keys = fc.constantFrom(
    ..."resourceMetrics resource scopeMetrics scope metrics name sum gauge histogram exponentialHistogram summary dataPoints attributes key value asInt asDouble count bucketCounts explicitBounds positive offset quantileValues flags startTimeUnixNano arrayValue values kvlistValue stringValue intValue __proto__ constructor"
      .split(" "),
  );
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: "medium" },
      fc.jsonValue({ maxDepth: 1 }),
      fc.array(tie("value"), { maxLength: 3 }),
      fc.dictionary(keys, tie("value"), { maxKeys: 4 }),
    ),
  }));
  fc.assert(
    fc.property(value, (value) => attempt(() => readJson(json(value)))),
    { numRuns: 2000 },
  );
});

Deno.test("damaged and random bytes throw nothing but the codec's own error", async () => {
  const whole = [
    [capture("deno-serve.json"), readJson],
    [capture("deno-serve.pb"), readProtobuf],
    [await inflated("js-delta-1.pb.gz"), readProtobuf],
  ] as const;
  fc.assert(
    fc.property(
      fc.constantFrom(...whole),
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 5 }),
      fc.nat(),
      ([bytes, read], changes, cut) => {
        const damaged = bytes.slice(0, 1 + cut % bytes.length);
        for (const [at, byte] of changes) damaged[at % damaged.length] = byte;
        attempt(() => read(damaged));
      },
    ),
    { numRuns: 1000 },
  );
  fc.assert(fc.property(
    fc.uint8Array({ maxLength: 200 }),
    (bytes) => attempt(() => readProtobuf(bytes)),
  ));
});
