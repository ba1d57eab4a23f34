import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { BodyError, BodyReader } from "../../lib/sources/otlp_body.ts";
import { Tree } from "../../lib/tree/tree.ts";
import { defaultOtlpLimits } from "../../lib/sources/otlp_limits.ts";
import { FakeClock } from "../fake_clock.ts";
import { captureLog } from "../log_capture.ts";
import { attributesOf, capture, json, requestOf } from "../otlp/capture.ts";
import {
  BEGAN,
  counter,
  gauge,
  point,
  SECOND,
  timesOf,
  World,
} from "./otlp_world.ts";

const start = BEGAN - 100n * SECOND;

Deno.test("what is sent is in the tree with the next round, exactly", async () => {
  await using world = new World();
  const answer = await world.post(requestOf([
    {
      ...counter("mailer.sent", [
        point("9007199254740993", { start, time: world.time }),
        point(2.5, { start, time: world.time }, { to: "de", by: "smtp" }),
      ]) as object,
      unit: "{message}",
      description: "Messages sent",
    },
    gauge("queue", [point(-3)]),
    gauge("odd", [point(NaN), point(7, {}, { of: "x" })]),
    {
      name: "down",
      sum: { dataPoints: [point("-4")], aggregationTemporality: 2 },
    },
  ]));
  assertEquals(answer, {
    partialSuccess: {
      rejectedDataPoints: "1",
      errorMessage:
        "data points that were not taken: 1: a data point has no value",
    },
  });
  assertEquals(world.host()!.nickname, "mailer");
  assertEquals(world.state(), "attached");
  assertEquals(world.host()!.observation, undefined);
  await world.clock.advance(1000);
  await world.round();
  assertEquals(world.figures(), {
    "+mailer.sent": 9007199254740993n,
    "+mailer.sent{by=smtp,to=de}": 2.5,
    "queue": -3,
    "odd{of=x}": 7,
    "down": -4n,
  });
  const { metrics, incarnation, began, sequence, measuredAt, receivedAt } =
    world.observation();
  assertEquals(metrics[0].detail, {
    type: "double",
    units: "{message}",
    tmax: 60,
    dmax: 0,
    source: "otlp",
    extra: [["GROUP", "test"], ["DESC", "Messages sent"]],
  });
  assertEquals(
    [incarnation, began, sequence, measuredAt, receivedAt],
    [`${start}`, 1_699_999_900_000, 1, 1_700_000_000_000, 1_700_000_000_000],
  );
});

Deno.test("histograms and summaries become figures with names of their own", async () => {
  await using world = new World();
  const times = timesOf({ start, time: world.time });
  await world.post(requestOf([
    {
      name: "latency",
      unit: "s",
      histogram: {
        aggregationTemporality: 2,
        dataPoints: [{
          ...times,
          count: "6",
          sum: 4.5,
          min: 0.05,
          max: 3,
          explicitBounds: [0.1, 1],
          bucketCounts: ["1", "3", "2"],
          attributes: attributesOf({ op: "read" }),
        }],
      },
    },
    {
      name: "sizes",
      exponentialHistogram: {
        aggregationTemporality: 2,
        dataPoints: [{
          ...times,
          count: "10",
          sum: 30,
          scale: 0,
          zeroCount: "2",
          // (1, 2], (2, 4] and (4, 8]
          positive: { offset: 0, bucketCounts: ["4", "0", "4"] },
        }],
      },
    },
    {
      name: "rpc",
      summary: {
        dataPoints: [{
          ...times,
          count: "3",
          sum: 6,
          quantileValues: [{ quantile: 0.5, value: 2 }, {
            quantile: 0.99,
            value: "NaN",
          }],
        }],
      },
    },
    { name: "text", unknownKind: {} },
  ]));
  await world.round();
  assertEquals(world.figures(), {
    "+latency.count{op=read}": 6n,
    "+latency.sum{op=read}": 4.5,
    "latency.min{op=read}": 0.05,
    "latency.max{op=read}": 3,
    "+latency.bucket{le=0.1,op=read}": 1n,
    "+latency.bucket{le=1,op=read}": 4n,
    "+latency.bucket{le=+Inf,op=read}": 6n,
    "+sizes.count": 10n,
    "+sizes.sum": 30,
    "sizes.quantile{quantile=0.5}": 2 ** 0.5,
    "sizes.quantile{quantile=0.9}": 2 ** 2.5,
    "sizes.quantile{quantile=0.95}": 2 ** 2.5,
    "sizes.quantile{quantile=0.99}": 2 ** 2.5,
    "+rpc.count": 3n,
    "+rpc.sum": 6,
    "rpc.quantile{quantile=0.5}": 2,
    "rpc.quantile{quantile=0.99}": null,
  });
  const units = Object.fromEntries(
    world.observation().metrics.map((
      { name, detail },
    ) => [name, detail!.units]),
  );
  assertEquals(
    [units["latency.sum{op=read}"], units["latency.count{op=read}"]],
    ["s", ""],
  );
});

Deno.test("a sum of what may be negative is no counter", async () => {
  await using world = new World();
  const histogram = (name: string, more: object) => ({
    name,
    histogram: {
      aggregationTemporality: 2,
      dataPoints: [{
        ...timesOf({ start, time: world.time }),
        count: "1",
        ...more,
      }],
    },
  });
  await world.post(requestOf([
    histogram("a", { sum: -1 }),
    histogram("b", { sum: 1, min: -2 }),
    histogram("c", {
      sum: 1,
      explicitBounds: [-1, 1],
      bucketCounts: [0, 0, 1],
    }),
    histogram("d", { sum: 1, explicitBounds: [0, 1], bucketCounts: [0, 0, 1] }),
    histogram("e", {}),
  ]));
  await world.round();
  const sums = Object.keys(world.figures()).filter((name) =>
    name.endsWith(".sum")
  );
  assertEquals(sums, ["a.sum", "b.sum", "c.sum", "+d.sum"]);
});

Deno.test("what Deno sends with deltas is added up", async () => {
  await using world = new World();
  await world.send(capture("deno-delta-1.json"));
  await world.send(capture("deno-delta-1.json"));
  const key = "otlp/unknown_service%3Adeno".replace("%3A", ":");
  await world.round();
  const shop = (figures: Record<string, unknown>) =>
    Object.fromEntries(
      Object.entries(figures).filter(([name]) => /^\+?shop/.test(name)),
    );
  const first = {
    "+shop.orders": 2.5,
    "+shop.orders{country=de,payment.method=card}": 3,
    "+shop.orders{country=fr,n=7,vip=true}": 4,
    "+shop.bytes": 9007199254740991,
    "shop.queue": 3,
    "+shop.latency.count{op=read}": 4n,
    "+shop.latency.sum{op=read}": 3.95,
    "shop.latency.min{op=read}": 0.05,
    "shop.latency.max{op=read}": 3,
    "+shop.latency.bucket{le=0.1,op=read}": 1n,
    "+shop.latency.bucket{le=0.5,op=read}": 2n,
    "+shop.latency.bucket{le=1,op=read}": 3n,
    "+shop.latency.bucket{le=+Inf,op=read}": 4n,
    "shop.temperature{room=a}": 21.5,
    "shop.og{x=1}": 42,
    "+shop.oc": 1000,
    "shop.oud": -3,
  };
  assertEquals(shop(world.figures(key)), first);
  await world.send(capture("deno-delta-2.json"));
  await world.round();
  const { "shop.temperature{room=a}": temperature, ...rest } = first;
  assertEquals(shop(world.figures(key)), {
    ...rest,
    // Of the interval, in which nothing was measured.
    "shop.latency.min{op=read}": null,
    "shop.latency.max{op=read}": null,
  });
  const { held } = world.observation(key);
  assertEquals(held!.map(({ name, value, tn }) => [name, value, tn]), [
    ["shop.temperature{room=a}", temperature, 60],
  ]);
});

Deno.test("what the JavaScript SDK sends comes to the same, cumulative or with deltas", async () => {
  const after = async (names: string[], type: string) => {
    await using world = new World();
    for (const name of names) {
      const { status } = await world.send(capture(name), {
        "content-type": type,
        ...(name.endsWith(".gz") ? { "content-encoding": "gzip" } : {}),
      });
      assertEquals(status, 200);
    }
    await world.round();
    return Object.fromEntries(
      Object.entries(world.figures("otlp/demo/js-shop@one")).filter(([name]) =>
        !/quantile|\.min|\.max|temp/.test(name)
      ),
    );
  };
  const json = "application/json";
  const protobuf = "application/x-protobuf";
  const expected = await after(
    ["js-cumulative-1.json", "js-cumulative-2.json"],
    json,
  );
  assertEquals(
    [
      expected["+orders{country=de}"],
      expected["+latency.bucket{le=+Inf}"],
      expected["+expo.count"],
    ],
    [5, 5n, 1001n],
  );
  for (
    const [names, type] of [
      [["js-cumulative-1.pb.gz", "js-cumulative-2.pb.gz"], protobuf],
      [["js-delta-1.json", "js-delta-2.json"], json],
      [["js-delta-1.pb.gz", "js-delta-2.pb.gz"], protobuf],
    ] as const
  ) assertEquals(await after([...names], type), expected, names[0]);
});

Deno.test("with a new start, all begins anew; with the same, it goes on", async () => {
  await using world = new World();
  const send = (value: string, start: bigint, time: bigint, delta: string) =>
    world.post(requestOf([
      counter("sent", [point(value, { start, time })]),
      counter("got", [point(delta, { start, time })], 1),
    ]));
  await send("7", start, world.time, "2");
  await world.round();
  await send("9", start, world.time, "3");
  await world.round();
  const before = world.observation();
  assertEquals(world.figures(), { "+sent": 9n, "+got": 5n });
  const again = world.time - SECOND;
  await send("1", again, world.time, "1");
  await world.round();
  assertEquals(world.figures(), { "+sent": 1n, "+got": 1n });
  const after = world.observation();
  assert(before.incarnation !== after.incarnation);
  assertEquals(after.began, Number(again / 1_000_000n));
  assertEquals(after.sequence, before.sequence + 1);
});

Deno.test("a restart is seen though the processes overlap and reports come in parts", async () => {
  await using world = new World();
  const parts = ["a", "b", "c"];
  const send = (name: string, value: string, start: bigint) =>
    world.post(
      requestOf(counter(name, [point(value, { start, time: world.time })])),
    );
  await world.post(
    requestOf(
      parts.map((name) =>
        counter(name, [point("5", { start, time: world.time })])
      ),
    ),
  );
  await world.round();
  const first = world.observation().incarnation;
  const second = world.time - 30n * SECOND;
  // The new one has begun, but the old one says its last.
  assertEquals(await send("a", "6", start), {});
  await world.post(
    requestOf(
      ["a", "b"].map((name) =>
        counter(name, [point("1", { start: second, time: world.time })])
      ),
    ),
  );
  assertEquals(await send("c", "2", second + 5n), {});
  await world.round();
  assertEquals(world.figures(), { "+a": 1n, "+b": 1n, "+c": 2n });
  const { incarnation } = world.observation();
  assert(incarnation !== first);
  // Too late.
  assertStringIncludes(
    JSON.stringify(await send("a", "7", start)),
    "earlier process",
  );
  await send("b", "3", second);
  await world.round();
  assertEquals(world.figures(), { "+b": 3n });
  assertEquals(world.observation().incarnation, incarnation);
});

Deno.test("one series that begins anew is not a new process", async () => {
  await using world = new World();
  const names = ["a", "b", "c", "d"];
  const time = world.time;
  await world.post(
    requestOf(
      names.map((name) => counter(name, [point("5", { start, time })])),
    ),
  );
  await world.round();
  const { incarnation } = world.observation();
  await world.post(requestOf([
    counter("a", [point("1", { start: time - SECOND, time: world.time })]),
    counter("b", [point("6", { start, time: world.time })]),
  ]));
  await world.post(requestOf(
    counter("c", [point("2", { start: time - SECOND, time: world.time })]),
  ));
  await world.round();
  assertEquals(world.figures(), { "+a": 1n, "+b": 6n, "+c": 2n });
  assertEquals(world.observation().incarnation, incarnation);
});

Deno.test("a process that names its start needs no other sign", async () => {
  await using world = new World();
  const send = (value: number, created: string) =>
    world.post(requestOf(gauge("g", [point(value)]), {
      "service.name": "mailer",
      "process.creation.time": created,
      "process.pid": "7",
    }));
  await send(1, "2026-01-01T00:00:00Z");
  await world.round();
  assertEquals(world.observation().incarnation, "2026-01-01T00:00:00Z 7");
  await send(2, "2026-01-02T00:00:00Z");
  assertStringIncludes(
    JSON.stringify(await send(3, "2026-01-01T00:00:00Z")),
    "service.instance.id",
  );
  await world.round();
  assertEquals(world.figures(), { g: 2 });
  // After five minutes of silence it may be that the clock was wrong.
  await world.clock.advance(301_000);
  assertEquals(await send(3, "2026-01-01T00:00:00Z"), {});
});

Deno.test("a restart of the gatherer is none of the node", async () => {
  const tree = new Tree();
  const request = (world: World, name: string) =>
    requestOf(counter(name, [point("1", { start, time: world.time })]));
  const first = new World({ tree });
  await first.post(request(first, "a"));
  await first.round();
  const { incarnation, began } = first.observation();
  await first.source.stop();

  await using second = new World({ tree });
  await second.clock.advance(120_000);
  // Another instrument of the same process, with a start of its own.
  await second.post(requestOf(counter("b", [
    point("1", { start: start + 5n * SECOND, time: second.time }),
  ])));
  await second.round();
  assertEquals(
    [second.observation().incarnation, second.observation().began],
    [incarnation, began],
  );
  assertEquals(second.observation().sequence, 2);

  const third = new World({ tree });
  await third.clock.advance(600_000);
  await third.post(requestOf(counter("b", [
    point("1", { start: third.time - SECOND, time: third.time }),
  ])));
  await third.round();
  assert(third.observation().incarnation !== incarnation);
  await third.source.stop();
});

Deno.test("who no longer sends is late, silent, gone, and then forgotten", async () => {
  await using log = await captureLog();
  await using world = new World({
    limits: { forgetMs: 3600_000 },
  });
  const request = requestOf(gauge("g", [point(1)]));
  await world.post(request);
  await world.round();
  const states = [world.state()];
  for (const seconds of [25, 220, 600, 60]) {
    await world.clock.advance(seconds * 1000);
    states.push(world.state());
  }
  assertEquals(states, ["attached", "late", "silent", "gone", "gone"]);
  assertEquals(world.figures(), { g: 1 });
  await world.post(request);
  assertEquals(world.state(), "attached");
  await world.clock.advance(3600_000 + 60_000);
  assertEquals(world.host(), undefined);
  assertEquals(
    log.lines.map((line) => line.replace(/^.*nodes:? /, "")),
    [
      "info mailer (otlp/mailer) sends metrics from 192.0.2.7",
      "info mailer (otlp/mailer) is gone: it has sent nothing for 900 s",
      "info mailer (otlp/mailer) sends metrics from 192.0.2.7",
      "info mailer (otlp/mailer) is gone: it has sent nothing for 955 s",
    ].map((line) => line),
  );
});

Deno.test("what is not sent any more is held for five minutes", async () => {
  await using world = new World();
  const send = (names: string[]) =>
    world.post(requestOf(names.map((name) => gauge(name, [point(1)]))));
  await send(["a", "b"]);
  await world.round();
  for (const minute of [1, 2, 3, 4, 5]) {
    await send(["a"]);
    await world.round();
    assertEquals(world.figures(), { a: 1 });
    assertEquals(
      (world.observation().held ?? []).map(({ name, tn }) => [name, tn]),
      minute < 5 ? [["b", minute * 60]] : [],
    );
  }
  await world.post(requestOf(gauge("a", [{ flags: 1 }])));
  await world.round();
  assertEquals(world.figures(), {});
});

Deno.test("a node has so many figures and no more", async () => {
  await using log = await captureLog();
  await using world = new World();
  const sets = (from: number, count: number) =>
    requestOf(counter(
      "requests",
      Array.from({ length: count }, (_, i) =>
        point("1", { start, time: world.time }, { user: `u${from + i}` })),
    ));
  const { partialSuccess } = await world.post(sets(0, 10_100)) as {
    partialSuccess: { rejectedDataPoints: string; errorMessage: string };
  };
  assertEquals(partialSuccess.rejectedDataPoints, "100");
  assertStringIncludes(partialSuccess.errorMessage, "10000 figures");
  await world.round();
  assertEquals(world.observation().metrics.length, 10_000);
  // Those that are there go on.
  assertEquals(await world.post(sets(0, 10)), {});
  assertEquals(log.lines.filter((line) => /not taken/.test(line)).length, 1);
  // When the others are not sent any more there is room again.
  await world.clock.advance(301_000);
  assertEquals(await world.post(sets(20_000, 5000)), {});
});

Deno.test("totals of deltas make room only when they have to", async () => {
  await using world = new World({
    limits: { nodeFigures: 10 },
  });
  const send = (from: number, count: number) =>
    world.post(requestOf(counter(
      "n",
      Array.from({ length: count }, (_, i) =>
        point("1", { time: world.time }, { i: `${from + i}` })),
      1,
    )));
  await send(0, 8);
  await world.clock.advance(1000_000);
  await send(7, 1);
  await world.round();
  assertEquals(world.observation().metrics.length, 8);
  assertEquals(world.figures()["+n{i=7}"], 2n);
  assertEquals(await send(100, 5), {});
  await world.round();
  assertEquals(world.figures()["+n{i=7}"], 2n);
  assertEquals(world.figures()["+n{i=0}"], undefined);
});

Deno.test("there are so many nodes and no more; who is gone makes room", async () => {
  await using world = new World({ limits: { nodes: 2, figures: 3 } });
  const send = (name: string, count = 1) =>
    world.post(requestOf(
      Array.from({ length: count }, (_, i) => gauge(`g${i}`, [point(1)])),
      { "service.name": name },
    ));
  assertEquals(await send("a"), {});
  assertEquals(await send("b"), {});
  assertStringIncludes(JSON.stringify(await send("c")), "2 nodes already");
  assertStringIncludes(JSON.stringify(await send("b", 3)), "3 figures");
  await world.clock.advance(500_000);
  await send("b");
  await world.clock.advance(500_000);
  assertEquals(await send("c"), {});
  await world.round();
  assertEquals([...world.tree.cluster("otlp").hosts.keys()], [
    "otlp/b",
    "otlp/c",
  ]);
});

Deno.test("two libraries with one name for a metric both have their figures", async () => {
  await using world = new World();
  const request = requestOf(gauge("g", [point(1)])) as {
    resourceMetrics: { scopeMetrics: unknown[] }[];
  };
  const second = requestOf(
    gauge("g", [point(2)]),
    {},
    "second",
  ) as typeof request;
  request.resourceMetrics[0].scopeMetrics.push(
    ...second.resourceMetrics[0].scopeMetrics,
  );
  assertEquals(await world.post(request), {});
  await world.round();
  assertEquals(world.figures(), { "g{otel.scope.name=test}": 1, "g": 2 });
});

Deno.test("names that nobody could keep are refused, one by one", async () => {
  await using world = new World();
  const answer = await world.post(requestOf([
    gauge("", [point(1)]),
    gauge("long", [
      point(1, {}, { k: "x".repeat(980) }),
      point(1, {}, { k: "ß".repeat(500) }),
      point(1, {}, { k: "x".repeat(993) }),
    ]),
    gauge("fine", [point(1)]),
  ]));
  assertStringIncludes(
    JSON.stringify(answer),
    "1: a metric has no name; 2: a metric's name, with its attributes, is longer than 1000 bytes",
  );
  await world.round();
  assertEquals(Object.keys(world.figures()).map((name) => name.length), [
    988,
    4,
  ]);
});

Deno.test("late, repeated and impossible points change nothing", async () => {
  await using world = new World();
  const time = world.time;
  const send = (
    value: number | string,
    at: bigint,
    temporality = 2,
    from = start,
  ) =>
    world.post(requestOf(counter(
      temporality === 1 ? "delta" : "sum",
      [point(value, { start: from, time: at })],
      temporality,
    )));
  await send("5", time);
  await send("5", time, 1);
  // The exporter has not had the answer, and sends again.
  assertEquals(await send("5", time, 1), {});
  assertStringIncludes(
    JSON.stringify(await send("4", time - 1n)),
    "older than",
  );
  assertStringIncludes(
    JSON.stringify(await send("4", time - 1n, 1)),
    "older than",
  );
  assertStringIncludes(
    JSON.stringify(await send("-4", time + 1n, 1)),
    "is negative",
  );
  assertStringIncludes(
    JSON.stringify(
      await world.post(requestOf(counter("delta", [{
        asDouble: "NaN",
        ...timesOf({ start, time: time + 1n }),
      }], 1))),
    ),
    "not finite",
  );
  await world.round();
  assertEquals(world.figures(), { "+sum": 5n, "+delta": 5n });
});

Deno.test("a node that is retired is not taken in, and its exporter not bothered", async () => {
  await using log = await captureLog();
  await using world = new World();
  await world.post(requestOf(gauge("g", [point(1)])));
  await world.round();
  world.tree.retire("otlp", "otlp/mailer", "retired today");
  const request = requestOf(gauge("g", [point(2)]));
  assertEquals(await world.post(request), {});
  await world.post(request);
  await world.round();
  assertEquals(world.figures(), { g: 1 });
  world.tree.retire("otlp", "otlp/mailer", undefined);
  await world.post(request);
  await world.round();
  assertEquals(world.figures(), { g: 2 });
  assertEquals(log.lines.filter((line) => /is retired/.test(line)).length, 1);
});

Deno.test("a source that is stopped puts the last into the tree, and one that leaves takes all along", async () => {
  const world = new World();
  await world.post(requestOf(gauge("g", [point(1)])));
  await world.source.stop();
  assertEquals(world.figures(), { g: 1 });
  const { status, response } = await world.send(requestOf(gauge("g", [])));
  assertEquals([status, response.headers.get("retry-after")], [503, "5"]);
  world.source.retract();
  assertEquals(world.tree.cluster("otlp").hosts.size, 0);
});

Deno.test("what cannot be taken is answered as OTLP says", async () => {
  await using log = await captureLog();
  await using world = new World({
    limits: { bodyBytes: 100_000, underWayBytes: 150_000 },
  });
  const good = json(requestOf(gauge("g", [point(1)])));
  const type = "application/json";
  const gzip = async (bytes: Uint8Array<ArrayBuffer>) =>
    new Uint8Array(
      await new Response(
        new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip")),
      ).arrayBuffer(),
    );
  const bomb = await gzip(new Uint8Array(5_000_000).fill(0x20));
  assert(bomb.length < 10_000);
  const zipped = await gzip(good);
  const cases: [
    Uint8Array,
    Record<string, string>,
    number,
    string,
  ][] = [
    [good, { "content-type": `${type}; charset=utf-8` }, 200, "{}"],
    [zipped, { "content-type": type, "content-encoding": "gzip" }, 200, "{}"],
    [json({}), { "content-type": type }, 200, "{}"],
    [new Uint8Array(), { "content-type": "application/x-protobuf" }, 200, ""],
    [good.subarray(0, 30), { "content-type": type }, 400, '"code":3'],
    [new Uint8Array(), { "content-type": type }, 400, "no JSON"],
    [
      json({ resourceMetrics: 7 }),
      { "content-type": type },
      400,
      "resourceMetrics is no list",
    ],
    [
      good,
      { "content-type": type, "content-encoding": "gzip" },
      400,
      "no gzip",
    ],
    [
      zipped.subarray(0, -5),
      { "content-type": type, "content-encoding": "gzip" },
      400,
      "no gzip",
    ],
    [good, { "content-type": "application/x-protobuf" }, 400, "wire type"],
    [good, { "content-type": "text/plain" }, 415, "http/json"],
    [good, {}, 415, "application/json"],
    [good, { "content-type": type, "content-encoding": "zstd" }, 415, "gzip"],
    [
      new Uint8Array(100_001).fill(0x20),
      { "content-type": type },
      413,
      "100000 bytes",
    ],
    [
      bomb,
      { "content-type": type, "content-encoding": "gzip" },
      413,
      "100000 bytes",
    ],
  ];
  for (const [body, headers, status, text] of cases) {
    const got = await world.send(body, headers);
    assertEquals(got.status, status, `${text}: ${got.answer}`);
    assertStringIncludes(got.answer, text);
    const wanted = headers["content-type"] === "application/x-protobuf"
      ? "application/x-protobuf"
      : type;
    assertEquals(got.response.headers.get("content-type"), wanted);
  }
  const { polls, failures, lastError, lastSuccess, failing } =
    world.source.status;
  assertEquals([polls, failures, failing], [15, 11, false]);
  assertStringIncludes(lastError!.reason, "192.0.2.7: ");
  assertEquals(lastSuccess, world.clock.now());
  const refused = log.lines.filter((line) => /refused/.test(line));
  // Once for each kind.
  assertEquals(refused.length, 3);
});

Deno.test("a protobuf exporter is told in protobuf what was not taken", async () => {
  await using world = new World({ limits: { nodes: 0 } });
  const { status, response } = await world.send(capture("deno-serve.pb"), {
    "content-type": "application/x-protobuf",
  });
  const bytes = new Uint8Array(await response.arrayBuffer());
  assertEquals(status, 200);
  // partial_success: rejected_data_points, error_message
  const text = new TextDecoder().decode(bytes.subarray(6));
  assertEquals([...bytes.subarray(0, 6)], [
    0x0a,
    bytes.length - 2,
    0x08,
    20,
    0x12,
    bytes.length - 6,
  ]);
  assertEquals(
    text,
    "data points that were not taken: 20: there are 0 nodes already, as many as may be",
  );
  const refused = await world.send(Uint8Array.of(0x0b), {
    "content-type": "application/x-protobuf",
  });
  const status2 = new Uint8Array(await refused.response.arrayBuffer());
  assertEquals([...status2.subarray(0, 3)], [0x08, 3, 0x12]);
});

Deno.test("traces and logs are thrown away, without a word to the exporter", async () => {
  await using log = await captureLog();
  await using world = new World();
  for (const path of ["/v1/traces", "/v1/logs", "/v1/traces"]) {
    const { status, answer } = await world.send({}, undefined, path);
    assertEquals([status, answer], [200, "{}"]);
  }
  assertEquals(log.lines.length, 1);
  assertStringIncludes(log.lines[0], "OTEL_TRACES_EXPORTER=none");
});

Deno.test("a half body is given up in time, and what it held is free again", async () => {
  await using world = new World({ limits: { underWayBytes: 2000 } });
  const handler = world.source.handler;
  const stalled = () =>
    new Request("http://127.0.0.1/v1/metrics", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: new ReadableStream({
        start: (controller) => controller.enqueue(new Uint8Array(1500)),
      }),
    });
  const first = handler(stalled(), "192.0.2.7");
  await new Promise((resolve) => setTimeout(resolve, 5));
  const second = await handler(stalled(), "192.0.2.7");
  assertEquals(second.status, 503);
  await world.clock.advance(defaultOtlpLimits.bodyMs);
  assertEquals((await first).status, 408);
  const broken = new Request("http://127.0.0.1/v1/metrics", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: new ReadableStream({
      start: (controller) => controller.error(new Error("reset by peer")),
    }),
  });
  const third = await handler(broken, "192.0.2.7");
  assertEquals(third.status, 400);
  assertStringIncludes(await third.text(), "reset by peer");
  assertEquals(await world.post(requestOf(gauge("g", [point(1)]))), {});
});

Deno.test("a body counts until it was dealt with, not just received", async () => {
  const limits = { ...defaultOtlpLimits, underWayBytes: 2000 };
  const bodies = new BodyReader(limits, new FakeClock());
  const request = () =>
    new Request("http://127.0.0.1/v1/metrics", {
      method: "POST",
      body: new Uint8Array(1500),
    });
  const begun = Promise.withResolvers<void>();
  const waiting = Promise.withResolvers<string>();
  const first = bodies.read(request(), () => {
    begun.resolve();
    return waiting.promise;
  });
  await begun.promise;
  const length = ({ length }: Uint8Array) => Promise.resolve(length);
  const refused = await assertRejects(
    () => bodies.read(request(), length),
    BodyError,
  );
  assertEquals(refused.status, 503);
  waiting.resolve("done");
  assertEquals(await first, "done");
  assertEquals(await bodies.read(request(), length), 1500);
});
