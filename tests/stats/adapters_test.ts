import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { metrics } from "@opentelemetry/api";
import { AggregationType, MeterProvider } from "@opentelemetry/sdk-metrics";
import { MeterProvider as MeterProvider2 } from "@opentelemetry/sdk-metrics-2";
import { Counter, Gauge, Histogram, Registry, Summary } from "prom-client";
import {
  OpenTelemetryReader,
  ProducedStats,
  PromClientProducer,
  StatsProvider,
} from "../../mod.ts";
import { writeStats } from "../../lib/foolscap/stats_protocol.ts";
import { readStats } from "../../lib/foolscap/stats_protocol.ts";
import { captureLog } from "../log_capture.ts";

/** What a provider answers, as plain objects. */
async function statsOf(provider: StatsProvider) {
  const { counters, stats } = await provider.getStats();
  return { counters: { ...counters }, stats: { ...stats } };
}

Deno.test("a producer may give counters, and they are counters on the wire", async () => {
  const provider = new StatsProvider();
  provider.registerProducer({
    getStats: () =>
      new ProducedStats({ jobs: 3, done: 2n ** 70n }, { queue: 1.5 }),
  });
  provider.registerProducer({
    getStats: () => Promise.resolve(new ProducedStats(new Map([["jobs", 4]]))),
  });
  provider.registerProducer({ getStats: () => ({ plain: 5 }) });
  provider.count("own");
  provider.count("both", 7);
  provider.registerProducer({
    getStats: () => new ProducedStats({ both: 1, later: null }),
  });
  const expected = {
    counters: { jobs: 4, done: 2n ** 70n, both: 7, own: 1 },
    stats: { queue: 1.5, plain: 5 },
  };
  assertEquals(await statsOf(provider), expected);
  const { counters, stats } = readStats(writeStats(await provider.getStats()));
  assertEquals(Object.fromEntries(counters), {
    both: 7n,
    done: 2n ** 70n,
    jobs: 4n,
    own: 1n,
  });
  assertEquals(Object.fromEntries(stats), { plain: 5n, queue: 1.5 });
});

Deno.test("counters that are none are left out, and that is a fault", async () => {
  await using log = await captureLog();
  const provider = new StatsProvider();
  provider.registerProducer({
    name: "odd",
    getStats: () =>
      new ProducedStats({ good: 1, bad: -1, worse: NaN }, { fine: 2 }),
  });
  provider.registerProducer({
    name: "empty",
    getStats: () => new ProducedStats(undefined as never, { there: 3 }),
  });
  assertEquals(await statsOf(provider), {
    counters: { good: 1 },
    stats: { fine: 2, there: 3, "stats_provider.producer_faults": 2 },
  });
  assertStringIncludes(
    log.lines[0],
    'odd are missing: not a number that can be sent: "worse" is the number NaN; the counter "bad" is negative',
  );
  assertStringIncludes(
    log.lines[1],
    "undefined instead of an object of counters",
  );
});

Deno.test("what prom-client counts is reported, exactly", async () => {
  const registry = new Registry();
  const registers = [registry];
  const jobs = new Counter({
    name: "jobs_total",
    help: "Jobs",
    labelNames: ["kind", "where"],
    registers,
  });
  jobs.inc({ kind: "a", where: "x,y" }, 3);
  jobs.inc({ kind: "b" }, 0.5);
  const depth = new Gauge({ name: "depth", help: "Depth", registers });
  depth.set(-4.5);
  new Gauge({ name: "odd", help: "Odd", registers }).set(NaN);
  new Gauge({
    name: "collected",
    help: "Asked for at each poll",
    registers,
    collect() {
      this.set(8);
    },
  });
  const latency = new Histogram({
    name: "latency_seconds",
    help: "Latency",
    buckets: [0.1, 1],
    labelNames: ["op"],
    registers,
  });
  latency.observe({ op: "r" }, 0.05);
  latency.observe({ op: "r" }, 5);
  const balance = new Histogram({
    name: "balance",
    help: "Balance",
    buckets: [0],
    registers,
  });
  balance.observe(-2);
  new Summary({ name: "size", help: "Size", percentiles: [0.5], registers })
    .observe(3);

  const provider = new StatsProvider();
  provider.registerProducer(new PromClientProducer(registry));
  assertEquals(await statsOf(provider), {
    counters: {
      "jobs{kind=a,where=x\\,y}": 3,
      "jobs{kind=b}": 0.5,
      "latency_seconds_bucket{le=0.1,op=r}": 1,
      "latency_seconds_bucket{le=1,op=r}": 1,
      "latency_seconds_bucket{le=+Inf,op=r}": 2,
      "latency_seconds_sum{op=r}": 5.05,
      "latency_seconds_count{op=r}": 2,
      "balance_bucket{le=0}": 1,
      "balance_bucket{le=+Inf}": 1,
      "balance_count": 1,
      "size_sum": 3,
      "size_count": 1,
    },
    stats: {
      "depth": -4.5,
      "odd": null,
      "collected": 8,
      "balance_sum": -2,
      "size{quantile=0.5}": 3,
    },
  });
  jobs.inc({ kind: "b" }, 2);
  const { counters } = await provider.getStats();
  assertEquals(counters["jobs{kind=b}"], 2.5);
});

for (
  const [version, Provider] of [[3, MeterProvider], [
    2,
    MeterProvider2,
  ]] as const
) {
  Deno.test(`what a program counts with OpenTelemetry's API is reported, exactly (SDK ${version})`, async () => {
    const reader = new OpenTelemetryReader();
    const meterProvider = new Provider({
      readers: [reader],
      views: [{
        instrumentName: "expo",
        aggregation: { type: AggregationType.EXPONENTIAL_HISTOGRAM as never },
      }],
    });
    assert(metrics.setGlobalMeterProvider(meterProvider));
    try {
      const meter = metrics.getMeter("shop", "1");
      const orders = meter.createCounter("orders");
      orders.add(3, { country: "de", tags: ["a", "b"] });
      orders.add(2, { country: "fr", vip: true, n: 7 });
      const queue = meter.createUpDownCounter("queue");
      queue.add(5);
      queue.add(-7);
      const latency = meter.createHistogram("latency", {
        advice: { explicitBucketBoundaries: [0.125, 1] },
      });
      for (const seconds of [0.0625, 0.5, 3]) latency.record(seconds);
      const expo = meter.createHistogram("expo");
      for (let i = 1; i <= 100; i++) expo.record(i);
      meter.createGauge("temperature").record(21.5, { room: "a" });
      meter.createObservableCounter("visits").addCallback((result) =>
        result.observe(1000)
      );
      metrics.getMeter("other").createCounter("orders").add(1, {
        country: "de",
        tags: ["a", "b"],
      });
      const provider = new StatsProvider();
      provider.registerProducer(reader);
      const { counters, stats } = await statsOf(provider);
      assertEquals(counters, {
        "orders{country=de,otel.scope.name=shop,tags=[a\\,b]}": 3,
        "orders{country=fr,n=7,otel.scope.name=shop,vip=true}": 2,
        "latency.count": 3n,
        "latency.sum": 3.5625,
        "latency.bucket{le=0.125}": 1n,
        "latency.bucket{le=1}": 2n,
        "latency.bucket{le=+Inf}": 3n,
        "expo.count": 100n,
        "expo.sum": 5050,
        "visits": 1000,
        "orders{country=de,tags=[a\\,b]}": 1,
      });
      const { "expo.quantile{quantile=0.5}": median, ...rest } = stats;
      assert(Math.abs(median as number - 50) < 3, `${median}`);
      for (const quantile of ["0.9", "0.95", "0.99"]) {
        const value = rest[`expo.quantile{quantile=${quantile}}`] as number;
        assert(Math.abs(value / 100 - Number(quantile)) < 0.05, `${value}`);
        delete rest[`expo.quantile{quantile=${quantile}}`];
      }
      assertEquals(rest, {
        "queue": -2,
        "latency.min": 0.0625,
        "latency.max": 3,
        "expo.min": 1,
        "expo.max": 100,
        "temperature{room=a}": 21.5,
      });
      orders.add(4, { country: "fr", vip: true, n: 7 });
      const again = await provider.getStats();
      assertEquals(
        again.counters["orders{country=fr,n=7,otel.scope.name=shop,vip=true}"],
        6,
      );
    } finally {
      await meterProvider.shutdown();
      metrics.disable();
    }
  });
}

Deno.test("a reader without a provider, or with a callback that fails, says so", async () => {
  await using log = await captureLog();
  const reader = new OpenTelemetryReader();
  const provider = new StatsProvider();
  provider.registerProducer(reader);
  assertEquals((await statsOf(provider)).stats, {
    "stats_provider.producer_faults": 1,
  });
  assertStringIncludes(
    log.lines[0],
    "new MeterProvider({ readers: [reader] })",
  );
  const meterProvider = new MeterProvider({ readers: [reader] });
  const meter = meterProvider.getMeter("test");
  meter.createObservableGauge("bad").addCallback(() => {
    throw new Error("no\nidea");
  });
  meter.createCounter("good").add(1);
  const { counters } = await statsOf(provider);
  await statsOf(provider);
  assertEquals(counters, { good: 1 });
  const missing = log.lines.filter((line) => /no idea/.test(line));
  assertEquals(missing.length, 1);
  await meterProvider.shutdown();
});
