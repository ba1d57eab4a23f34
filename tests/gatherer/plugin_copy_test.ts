import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  clusterPieces,
  type CopyPiece,
  gridPieces,
  type PartialCopy,
  takePiece,
} from "../../lib/gatherer/plugin_copy.ts";
import type { PluginCluster } from "../../lib/plugins/author.ts";
import type { Host, NodeLife } from "../../lib/tree/host.ts";
import type { Metric, MetricDetail } from "../../lib/tree/metric.ts";
import type { Cluster } from "../../lib/tree/tree.ts";

const instant = { monotonic: 100_000, now: 1_700_000_100_900 };
const life: NodeLife = {
  attachedAt: undefined,
  answeredAt: undefined,
  failure: undefined,
  detachReason: undefined,
  retireReason: undefined,
};
const detail: MetricDetail = {
  type: "float",
  units: "%",
  tmax: 90,
  dmax: 3600,
  source: "gmond",
  extra: [["GROUP", "cpu"], ["GROUP", "load"]],
};

function host(key: string, metrics: Metric[] | undefined): Host {
  return {
    key,
    nickname: key.toUpperCase(),
    life,
    observation: metrics && {
      incarnation: "",
      sequence: 1,
      measuredAt: 0,
      receivedAt: 1_700_000_040_500,
      metrics,
    },
  };
}

/** What a plugin gets. Every piece goes through the structured clone, as on its way to a thread. */
function arrive(pieces: Iterable<CopyPiece>): PartialCopy["subject"] {
  const copy: PartialCopy = { kinds: [] };
  for (const piece of pieces) takePiece(copy, structuredClone(piece));
  return copy.subject;
}

Deno.test("a cluster arrives with all that is known of it", () => {
  const cluster: Cluster = {
    name: "web",
    detail: { owner: "O", latlong: "N1", url: "http://w/", localtime: 77 },
    source: {
      name: "webs",
      answeredAt: 70_000,
      interval: 15,
      failure: undefined,
    },
    summary: {
      up: 1,
      down: 0,
      metrics: new Map([["cpu", { sum: 1.5, num: 1, slope: "both", detail }]]),
    },
    hosts: new Map([["web/a", {
      ...host("web/a", [
        {
          name: "cpu",
          value: 1.5,
          text: "1.50",
          slope: "both",
          tn: 4,
          detail,
        },
        {
          name: "os",
          value: null,
          text: "Linux",
          slope: "zero",
          detail: { ...detail, type: "string", units: "", extra: [] },
        },
      ]),
      detail: {
        ip: "10.0.0.1",
        reported: 70,
        tn: 5,
        tmax: 20,
        dmax: 0,
        location: "1,2,3",
        gmondStarted: 9,
        tags: "t",
      },
    }]]),
  };
  const cpu = {
    name: "cpu",
    slope: "both",
    type: "float",
    units: "%",
    tmax: 90,
    dmax: 3600,
    source: "gmond",
    extra: [{ name: "GROUP", value: "cpu" }, { name: "GROUP", value: "load" }],
  };
  assertEquals(arrive(clusterPieces(cluster, instant)), {
    kind: "cluster",
    name: "web",
    owner: "O",
    latlong: "N1",
    url: "http://w/",
    localtime: 77,
    source: { name: "webs", interval: 15, age: 30, failure: null },
    summary: { up: 1, down: 0, metrics: [{ ...cpu, sum: 1.5, num: 1 }] },
    hosts: [{
      name: "WEB/A",
      key: "web/a",
      up: true,
      age: 35,
      time: 1_700_000_040.5,
      reported: 70,
      tmax: 20,
      dmax: 0,
      ip: "10.0.0.1",
      location: "1,2,3",
      tags: "t",
      gmondStarted: 9,
      metrics: [
        { ...cpu, value: 1.5, text: "1.50", tn: 4 },
        {
          ...cpu,
          name: "os",
          slope: "zero",
          type: "string",
          units: "",
          extra: [],
          value: null,
          text: "Linux",
          tn: 0,
        },
      ],
    }],
  });
});

Deno.test("of what its source does not say there are defaults", () => {
  const cluster: Cluster = {
    name: "foolscap",
    hosts: new Map([
      ["k", {
        ...host("k", [{ name: "n", value: 2n ** 60n, slope: "positive" }]),
        life: { ...life, answeredAt: 39_500 },
      }],
      ["l", host("l", undefined)],
    ]),
  };
  const [first, second] = (arrive(
    clusterPieces(cluster, instant),
  ) as PluginCluster)
    .hosts;
  assertEquals(first, {
    name: "K",
    key: "k",
    up: true,
    age: 60,
    time: 1_700_000_040.5,
    reported: 1_700_000_040,
    tmax: 75,
    dmax: 0,
    ip: "",
    location: "",
    tags: "",
    gmondStarted: 0,
    metrics: [{
      name: "n",
      value: 2 ** 60,
      text: "1152921504606846976",
      tn: 0,
      slope: "positive",
      type: "double",
      units: "",
      tmax: 75,
      dmax: 0,
      source: "",
      extra: [],
    }],
  });
  assertEquals([second.time, second.reported, second.metrics], [null, 0, []]);
});

Deno.test("a grid arrives with its summary", () => {
  const source = {
    name: "s",
    answeredAt: 99_000,
    interval: 15,
    failure: "down",
  };
  const summary = { up: 1, down: 2, metrics: new Map() };
  assertEquals(
    arrive(gridPieces({
      name: "g",
      authority: "http://g/",
      localtime: 5,
      source,
      summary,
    }, instant)),
    {
      kind: "grid",
      name: "g",
      authority: "http://g/",
      localtime: 5,
      source: { name: "s", interval: 15, age: 1, failure: "down" },
      summary: { up: 1, down: 2, metrics: [] },
    },
  );
});

Deno.test("whatever hosts report arrives, in pieces of a bounded size", () => {
  const metric = fc.record({
    name: fc.constantFrom("a", "b", "c", "__proto__", ""),
    value: fc.oneof(
      fc.double({ noNaN: true }),
      fc.bigInt({ min: -(2n ** 53n), max: 2n ** 53n }),
      fc.constant(null),
    ),
    slope: fc.constantFrom("both" as const, "positive" as const),
    text: fc.string(),
    detail: fc.constantFrom(detail, { ...detail, units: "B" }, undefined),
  });
  fc.assert(
    fc.property(
      fc.array(
        fc.oneof(
          fc.array(metric, { maxLength: 20 }),
          // More than fits into one piece.
          fc.integer({ min: 1, max: 20_000 }).map((count) =>
            Array.from({ length: count }, (_, i): Metric => ({
              name: `m${i}`,
              value: i,
              slope: "both",
              text: "",
            }))
          ),
        ),
        { maxLength: 4 },
      ),
      (lists) => {
        const hosts = lists.map((metrics, i) => host(`h${i}`, metrics));
        const cluster: Cluster = {
          name: "c",
          hosts: new Map(hosts.map((host) => [host.key, host])),
        };
        const pieces = [...clusterPieces(cluster, instant)];
        for (const { rows, kinds } of pieces) {
          assert(rows.length + kinds.length < 20_020);
        }
        const copy = arrive(pieces) as PluginCluster;
        assertEquals(
          copy.hosts.map(({ metrics }) =>
            metrics.map(({ name, value, slope, text, units }) => [
              name,
              value,
              slope,
              text,
              units,
            ])
          ),
          lists.map((metrics) =>
            metrics.map(({ name, value, slope, text, detail }) => [
              name,
              value === null ? null : Number(value),
              slope,
              text,
              detail?.units ?? "",
            ])
          ),
        );
      },
    ),
    { numRuns: 50 },
  );
});

Deno.test("a change of the copy changes nothing of the cluster, nor other metrics", () => {
  const metrics: Metric[] = ["a", "b"].map((name) => ({
    name,
    value: 1,
    slope: "both",
    detail,
  }));
  const cluster: Cluster = {
    name: "c",
    hosts: new Map([["h", host("h", metrics)]]),
  };
  const before = structuredClone(cluster);
  const copy = arrive(clusterPieces(cluster, instant)) as PluginCluster;
  const [a, b] = copy.hosts[0].metrics;
  a.units = "changed";
  a.extra = [];
  copy.hosts.pop();
  assertEquals(cluster, before);
  assertEquals([b.units, b.extra.length, Object.isFrozen(b.extra)], [
    "%",
    2,
    true,
  ]);
});
