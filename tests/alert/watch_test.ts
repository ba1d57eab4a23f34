import { assertEquals } from "@std/assert";
import { GONE_MS } from "../../lib/alert/decide.ts";
import { Watch } from "../../lib/alert/watch.ts";
import type { Metric } from "../../lib/tree/metric.ts";
import type { Host } from "../../lib/tree/host.ts";
import { FakeClock } from "../fake_clock.ts";
import { alertConfig, clusterOf } from "./world.ts";

/** A watch over rules, and what it said since the last time. */
function watchOf(rules: string) {
  const clock = new FakeClock();
  const said: string[] = [];
  const watch = new Watch(
    alertConfig(rules).rules,
    clock,
    (rule, event, item) => {
      const { cluster, host, metric, source, value } = item;
      const what = source || `${cluster}/${host} ${metric} ${value}`.trim();
      const since = (clock.now() - item.since) / 1000;
      said.push(`${event} ${rule.name}: ${what}, ${since} s`);
    },
  );
  return { clock, watch, said: () => said.splice(0) };
}

Deno.test("rules are about the metrics, hosts and clusters that they name", async () => {
  const { clock, watch, said } = watchOf(`
    rule a
    metric load_*
    cluster web
    host www*
    raise value > 8
    rule b
    metric cpu
    raise value > load_one and [disk free] < 5`);
  const hosts = {
    www1: { metrics: { load_one: 9, load_five: 10n, cpu: 1 } },
    www2: {
      metrics: {
        load_one: 8,
        cpu: { value: 8.5, text: "8.50" },
        "disk free": 4,
      },
    },
    db1: { metrics: { load_one: 99, cpu: 100, "disk free": null } },
  };
  await watch.lookAtCluster(clusterOf(clock, hosts));
  assertEquals(said(), [
    "raise a: web/www1 load_one 9, 0 s",
    "raise a: web/www1 load_five 10, 0 s",
    "raise b: web/www2 cpu 8.50, 0 s",
  ]);
  await watch.lookAtCluster(clusterOf(clock, hosts, {}, "db"));
  assertEquals(said(), ["raise b: db/www2 cpu 8.50, 0 s"]);
  assertEquals(watch.size, 4);
});

Deno.test("a duration counts from when the condition began to hold", async () => {
  const { clock, watch, said } = watchOf(`
    rule a
    metric load
    raise value > 8
    clear value < 6
    for 5m`);
  for (const load of [9, 10, 9, 9, 7, 5]) {
    await watch.lookAtCluster(
      clusterOf(clock, { h: { metrics: { load } } }),
    );
    await clock.advance(100_000);
  }
  assertEquals(said(), [
    "raise a: web/h load 9, 300 s",
    "clear a: web/h load 5, 500 s",
  ]);
  assertEquals(watch.size, 0);
});

Deno.test("a host is silent from 4 × TMAX on, and its figures are not known then", async () => {
  const { clock, watch, said } = watchOf(`
    rule silent
    raise silent
    rule load
    metric load
    raise value > 8
    rule old
    raise age > 60`);
  const look = (tn: number) =>
    watch.lookAtCluster(
      clusterOf(clock, { h: { tn, tmax: 20, metrics: { load: 9 } } }),
    );
  await look(79);
  assertEquals(said(), [
    "raise old: web/h, 0 s",
    "raise load: web/h load 9, 0 s",
  ]);
  await look(80);
  assertEquals(said(), ["raise silent: web/h, 0 s"]);
  await look(5);
  assertEquals(said(), ["clear silent: web/h, 0 s", "clear old: web/h, 0 s"]);
});

Deno.test("when a source is down its hosts grow old, and are silent in their time", async () => {
  const { clock, watch, said } = watchOf(`
    rule down
    source web*
    raise down
    for 30s
    rule silent
    raise silent`);
  const hosts = { a: { tn: 10, tmax: 20 }, b: { tmax: 90 } };
  const answeredAt = clock.monotonic();
  await watch.lookAtCluster(clusterOf(clock, hosts));
  for (let i = 0; i < 5; i++) {
    await clock.advance(15_000);
    await watch.lookAtCluster(
      clusterOf(clock, hosts, { answeredAt, failure: "refused" }),
    );
  }
  assertEquals(said(), [
    "raise down: web source, 30 s",
    "raise silent: web/a, 0 s",
  ]);
  await watch.lookAtCluster(clusterOf(clock, hosts));
  assertEquals(said(), [
    "clear silent: web/a, 0 s",
    "clear down: web source, 60 s",
  ]);
});

Deno.test("a source of several clusters, or of a grid, is one source", async () => {
  const { clock, watch, said } = watchOf(`
    rule down
    source *
    raise down`);
  const source = { name: "s", failure: "refused" };
  await watch.lookAtCluster(clusterOf(clock, {}, source, "a"));
  await watch.lookAtCluster(clusterOf(clock, {}, source, "b"));
  const grid = {
    name: "g",
    authority: "",
    localtime: 0,
    summary: { up: 0, down: 0, metrics: new Map() },
  };
  const state = { name: "t", answeredAt: 0, interval: 15, failure: "refused" };
  watch.lookAtGrid({ ...grid, source: state });
  await watch.lookAtCluster(
    clusterOf(clock, {}, { ...source, failure: undefined }, "a"),
  );
  assertEquals(said(), [
    "raise down: s, 0 s",
    "raise down: t, 0 s",
    "clear down: s, 0 s",
  ]);
  watch.lookAtGrid({ ...grid, source: { ...state, failure: undefined } });
  assertEquals(said(), ["clear down: t, 0 s"]);
});

Deno.test("figures that are too old are not known", async () => {
  const { clock, watch, said } = watchOf(`
    rule a
    metric *
    raise value > 0`);
  const detail = (tmax: number, dmax: number) => ({
    type: "float",
    units: "",
    tmax,
    dmax,
    source: "gmond",
    extra: [],
  });
  const metrics: Record<string, Partial<Metric>> = {
    fresh: { value: 1, tn: 300, detail: detail(60, 0) },
    late: { value: 1, tn: 301, detail: detail(60, 0) },
    seldom: { value: 1, tn: 4800, detail: detail(1200, 0) },
    forgotten: { value: 1, tn: 61, detail: detail(60, 60) },
    text: { value: null, text: "1" },
    endless: { value: Infinity },
  };
  await watch.lookAtCluster(clusterOf(clock, { h: { metrics } }));
  assertEquals(
    said(),
    [
      "raise a: web/h fresh undefined, 0 s",
      "raise a: web/h seldom undefined, 0 s",
    ].map((line) => line.replace("undefined", "1")),
  );
});

Deno.test("what is no longer reported is cleared after a while", async () => {
  const { clock, watch, said } = watchOf(`
    rule a
    metric load
    raise value > 8
    rule b
    source *
    raise down
    rule c
    metric load
    raise value > 8
    for 1h`);
  const failure = "refused";
  await watch.lookAtCluster(
    clusterOf(clock, { h: { metrics: { load: 9 } } }, { failure }),
  );
  assertEquals(said(), [
    "raise a: web/h load 9, 0 s",
    "raise b: web source, 0 s",
  ]);
  // Another cluster is nothing to it.
  await clock.advance(60_000);
  await watch.lookAtCluster(clusterOf(clock, {}, {}, "db"));
  const empty = { name: "web", hosts: new Map() };
  await watch.lookAtCluster(empty);
  assertEquals([said(), watch.size], [[], 2]);
  await clock.advance(GONE_MS);
  await watch.lookAtCluster(empty);
  assertEquals(said(), [
    "gone a: web/h load 9, 660 s",
    "gone b: web source, 660 s",
  ]);
  assertEquals(watch.size, 0);
});

/** A node that attached by itself. */
function node(clock: FakeClock, sequence: number, metrics: Metric[]): Host {
  return {
    key: "tubid",
    nickname: "node",
    life: {
      attachedAt: sequence > 0 ? clock.monotonic() : undefined,
      answeredAt: clock.monotonic() - (sequence > 0 ? 0 : 86_400_000),
      failure: undefined,
      detachReason: undefined,
      retireReason: undefined,
    },
    observation: {
      incarnation: "",
      sequence,
      measuredAt: clock.now() - 86_400_000,
      receivedAt: clock.now() - (sequence > 0 ? 0 : 86_400_000),
      metrics,
    },
  };
}

Deno.test("a node of an earlier life has five minutes to come back", async () => {
  const { clock, watch, said } = watchOf(`
    rule a
    raise silent`);
  const look = (host: Host) =>
    watch.lookAtCluster({
      name: "foolscap",
      hosts: new Map([[host.key, host]]),
    });
  const before = node(clock, 0, []);
  await look(before);
  await clock.advance(299_000);
  await look(before);
  assertEquals(said(), []);
  await clock.advance(1000);
  await look(before);
  assertEquals(said(), ["raise a: foolscap/node, 0 s"]);
  await look(node(clock, 1, []));
  assertEquals(said(), ["clear a: foolscap/node, 0 s"]);
});

Deno.test("a counter and a statistic of one name are two things", async () => {
  const { clock, watch, said } = watchOf(`
    rule a
    metric n
    raise value > 5`);
  const metrics: Metric[] = [
    { name: "n", value: 9n, slope: "positive" },
    { name: "n", value: 1, slope: "both" },
  ];
  for (let i = 0; i < 2; i++) {
    await watch.lookAtCluster({
      name: "c",
      hosts: new Map([["tubid", node(clock, 1, metrics)]]),
    });
  }
  assertEquals(said(), ["raise a: c/node n 9, 0 s"]);
});

Deno.test("a message is filled in", async () => {
  const clock = new FakeClock();
  const messages: string[] = [];
  const watch = new Watch(
    alertConfig(`
    rule load
    metric load
    raise value > 8
    message {rule} {cluster} {host} {metric} {value} {age} {source}. {} {Host}
    metricrule load "$val > 8" "{host} as it is"`).rules,
    clock,
    (_rule, _event, { message }) => void messages.push(message),
  );
  await watch.lookAtCluster(
    clusterOf(clock, { "{value}": { tn: 3, metrics: { load: 9 } } }),
  );
  assertEquals(messages, [
    "load web {value} load 9 3 . {} {Host}",
    "{host} as it is",
  ]);
});

Deno.test("150,000 metrics are looked at in slices", async () => {
  const { clock, watch, said } = watchOf(`
    rule a
    metric m1?
    raise value > m0
    rule b
    raise silent`);
  const metrics = Object.fromEntries(
    Array.from({ length: 30 }, (_, i) => [`m${i}`, 0]),
  );
  const hosts = Object.fromEntries(
    Array.from({ length: 5000 }, (_, i) => [`h${i}`, { metrics }]),
  );
  const cluster = clusterOf(clock, hosts);
  let turns = 0;
  const count = () => {
    turns++;
    timer = setImmediate(count);
  };
  let timer = setImmediate(count);
  await watch.lookAtCluster(cluster);
  clearImmediate(timer);
  assertEquals(turns >= 7, true);
  assertEquals(said(), []);
});
