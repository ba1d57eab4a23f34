import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  familyName,
  joinName,
  readSampleName,
  sampleName,
} from "../../lib/openmetrics/names.ts";
import { Exposition } from "../../lib/openmetrics/exposition.ts";
import { kindOf } from "../../lib/openmetrics/kind.ts";
import { numberText } from "../../lib/openmetrics/numbers.ts";
import { seriesName } from "../../lib/otlp/series_name.ts";
import type { Format } from "../../lib/openmetrics/text.ts";
import type { Host, HostDetail } from "../../lib/tree/host.ts";
import type { Metric } from "../../lib/tree/metric.ts";
import type { Cluster } from "../../lib/tree/tree.ts";
import { readStrictly, type Sample } from "./strict.ts";
import {
  clusterOf,
  counter,
  detail,
  expose,
  gauge,
  MONOTONIC,
  nodeWith,
  NOW,
  statusWith,
} from "./world.ts";

const FORMATS: readonly Format[] = ["openmetrics", "prometheus"];

/** The lines of families that were gathered: those of the gatherer's own begin with its name. */
function gathered(text: string): string {
  return text.split("\n").filter((line) =>
    line !== "# EOF" && !/^(?:# \w+ )?gatherer_/.test(line)
  ).join("\n");
}

Deno.test("OpenMetrics: counters with their beginning, gauges, texts; HELP has the original name", () => {
  const one = nodeWith("k1", [
    counter("storage_server.allocate", 5n),
    gauge("storage_server.disk_avail", 123.0),
    gauge("storage_server.latencies.get.99_9_percentile", null),
  ], { nickname: "one", began: NOW - 5250 });
  const two = nodeWith("k2", [gauge("storage_server.disk_avail", 7n)]);
  const web = nodeWith("web/a", [
    {
      ...gauge("load_one", 0.25),
      text: "0.25",
      detail: detail({
        extra: [["GROUP", "load"], ["DESC", 'One minute "load"\naverage \\']],
      }),
    },
    { ...gauge("rate_bytes", 9n), detail: detail({ units: "bytes" }) },
    {
      ...gauge("os_name", null),
      slope: "zero",
      text: 'Li"nux\\',
      detail: detail({ type: "string" }),
    },
    {
      ...gauge("sent_bytes", null),
      slope: "zero",
      text: "many",
      detail: detail({ type: "string", units: "bytes" }),
    },
  ]);
  const text = expose(
    [clusterOf("foolscap", one, two), clusterOf("web", web)],
    "openmetrics",
  );
  assertEquals(
    gathered(text),
    `\
# TYPE storage_server__allocate counter
# HELP storage_server__allocate storage_server.allocate
storage_server__allocate_total{cluster="foolscap",node="one",key="k1"} 5
storage_server__allocate_created{cluster="foolscap",node="one",key="k1"} 1699999994.75
# TYPE storage_server__disk_avail gauge
# HELP storage_server__disk_avail storage_server.disk_avail
storage_server__disk_avail{cluster="foolscap",node="one",key="k1"} 123.0
storage_server__disk_avail{cluster="foolscap",node="k2",key="k2"} 7
# TYPE load_one gauge
# HELP load_one load_one: One minute \\"load\\" average \\\\
load_one{cluster="web",node="web/a",key="web/a"} 0.25
# TYPE rate_bytes gauge
# UNIT rate_bytes bytes
# HELP rate_bytes rate_bytes (bytes)
rate_bytes{cluster="web",node="web/a",key="web/a"} 9
# TYPE os_name info
# HELP os_name os_name
os_name_info{cluster="web",node="web/a",key="web/a",value="Li\\"nux\\\\"} 1
# TYPE sent_bytes info
# HELP sent_bytes sent_bytes (bytes)
sent_bytes_info{cluster="web",node="web/a",key="web/a",value="many"} 1
`,
  );
  readStrictly(text, true);
});

Deno.test("the format 0.0.4 names each kind of sample as a family, and has no beginnings", () => {
  const node = nodeWith("k1", [
    counter("a.b", 5n),
    gauge("up", 1n),
    { ...gauge("os", null), text: "x" },
  ], { began: NOW });
  const text = expose([clusterOf("c", node)], "prometheus");
  assertEquals(
    gathered(text),
    `\
# HELP a__b_total a.b
# TYPE a__b_total counter
a__b_total{cluster="c",node="k1",key="k1"} 5
# HELP xup up
# TYPE xup gauge
xup{cluster="c",node="k1",key="k1"} 1
# HELP os_info os
# TYPE os_info gauge
os_info{cluster="c",node="k1",key="k1",value="x"} 1
`,
  );
  readStrictly(text, false);
});

Deno.test("a name that is a counter here, a gauge there and a text elsewhere keeps the names of its series", () => {
  const clusters = [clusterOf(
    "c",
    nodeWith("k1", [counter("a", 1n)], { began: NOW }),
    nodeWith("k2", [gauge("a", 2n)]),
    nodeWith("k3", [{ ...gauge("a", null), text: "three" }]),
    // Twice of the same kind: the first counts.
    nodeWith("k4", [gauge("a", 4n), counter("a", 5n), gauge("a", 6n)]),
  )];
  const open = expose(clusters, "openmetrics");
  readStrictly(open, true);
  assertEquals(
    gathered(open),
    `\
# TYPE a gauge
# HELP a a
a{cluster="c",node="k2",key="k2"} 2
a{cluster="c",node="k4",key="k4"} 4
# TYPE a_total unknown
# HELP a_total a
a_total{cluster="c",node="k1",key="k1"} 1
a_total{cluster="c",node="k4",key="k4"} 5
# TYPE a_created gauge
# HELP a_created a
a_created{cluster="c",node="k1",key="k1"} 1700000000.0
# TYPE a_info gauge
# HELP a_info a
a_info{cluster="c",node="k3",key="k3",value="three"} 1
`,
  );
  const plain = expose(clusters, "prometheus");
  assertEquals(
    readStrictly(plain, false).filter(({ name }) => /^a/.test(name)).map((
      { name, type, samples },
    ) => [name, type, samples.length]),
    [["a", "gauge", 2], ["a_total", "counter", 2], ["a_info", "gauge", 1]],
  );
});

Deno.test("attributes in names are labels of one family", () => {
  const text = expose([clusterOf(
    "otlp",
    nodeWith("k1", [
      counter("http.requests{http.route=/a,key=1}", 1n),
      counter('http.requests{http.route=/"b"}', 2n),
      counter("http.requests", 3n),
      // To readers that is the one before.
      counter("http.requests{http.route=}", 4n),
      { ...gauge("os{value=x}", null), text: "y" },
    ], { began: NOW }),
    nodeWith("k2", [counter("http.requests{http.route=/a,key=1}", 5n)]),
  )], "openmetrics");
  readStrictly(text, true);
  const labels = (key: string) => `cluster="otlp",node="${key}",key="${key}"`;
  assertEquals(
    gathered(text),
    `\
# TYPE http__requests counter
# HELP http__requests http.requests
http__requests_total{${labels("k1")},http__route="/a",xkey="1"} 1
http__requests_created{${labels("k1")},http__route="/a",xkey="1"} 1700000000.0
http__requests_total{${labels("k1")},http__route="/\\"b\\""} 2
http__requests_created{${labels("k1")},http__route="/\\"b\\""} 1700000000.0
http__requests_total{${labels("k1")}} 3
http__requests_created{${labels("k1")}} 1700000000.0
http__requests_total{${labels("k2")},http__route="/a",xkey="1"} 5
# TYPE os info
# HELP os os
os_info{${labels("k1")},xvalue="x",value="y"} 1
`,
  );
});

Deno.test("what is no count is no counter; what no reader takes is infinite; unknown is no sample", () => {
  const text = expose([clusterOf(
    "c",
    nodeWith("k1", [
      counter("fell", -5n),
      counter("broken", NaN),
      counter("endless", Infinity),
      counter("unknown", null),
      gauge("huge", 10n ** 400n),
      gauge("low", -(10n ** 400n)),
      gauge("exact", 9_007_199_254_740_993n),
      gauge("none", NaN),
    ]),
  )], "openmetrics");
  readStrictly(text, true);
  assertEquals(
    gathered(text).split("\n").filter((line) => !line.startsWith("#"))
      .map((line) => line.replace(/\{.*\}/, "")),
    [
      "fell -5",
      "broken NaN",
      "endless_total +Inf",
      "huge +Inf",
      "low -Inf",
      "exact 9007199254740993",
      "none NaN",
      "",
    ],
  );
});

/** The value of a family's sample with some labels. */
function valueOf(
  text: string,
  name: string,
  labels: Record<string, string>,
): string | undefined {
  return samplesOf(text).find((sample) =>
    sample.name === name &&
    Object.entries(labels).every(([label, value]) =>
      sample.labels[label] === value
    )
  )?.value;
}

function samplesOf(text: string): Sample[] {
  return readStrictly(text, text.endsWith("# EOF\n")).flatMap(({ samples }) =>
    samples
  );
}

/** What is shown of a node: its state, whether it is up, and a figure. */
function shown(
  cluster: Cluster,
  node: string,
  change: Parameters<typeof expose>[2] = {},
): (string | undefined)[] {
  const text = expose([cluster], "openmetrics", change);
  const states = samplesOf(text).filter(({ name, labels, value }) =>
    name === "gatherer_node_state" && labels.node === node && value === "1"
  );
  assert(states.length <= 1);
  return [
    states[0]?.labels.state,
    valueOf(text, "gatherer_node_up", { node }),
    valueOf(text, "figure", { node }),
  ];
}

Deno.test("figures are shown while they are present ones, as of the moment of the scrape", () => {
  const node = nodeWith("n", [gauge("figure", 1n)]);
  const cluster = clusterOf("c", node);
  const after = (seconds: number) => ({
    instant: {
      now: NOW + seconds * 1000,
      monotonic: MONOTONIC + seconds * 1000,
    },
  });
  assertEquals(shown(cluster, "n"), ["attached", "1", "1"]);
  assertEquals(shown(cluster, "n", after(80)), ["late", "1", "1"]);
  assertEquals(shown(cluster, "n", after(298)), ["late", "1", "1"]);
  assertEquals(shown(cluster, "n", after(299)), ["silent", "0", undefined]);
  const gone: Host = {
    ...node,
    life: { ...node.life, attachedAt: undefined, detachReason: "it left" },
  };
  assertEquals(shown(clusterOf("c", gone), "n"), ["gone", "1", "1"]);
  assertEquals(shown(clusterOf("c", gone), "n", after(299)), [
    "gone",
    "0",
    undefined,
  ]);
  // What has become of it since the plugin was told.
  const lives = {
    limits: () => ({ lateMs: 80_000, silentMs: 300_000 }),
    lifeOf: () => gone.life,
  };
  assertEquals(shown(cluster, "n", { lives }), ["gone", "1", "1"]);
  // Never heard of.
  const fresh = nodeWith("n", [], { observation: undefined });
  assertEquals(shown(clusterOf("c", fresh), "n"), ["attached", "0", undefined]);
});

Deno.test("a host of a gmond is silent when gmetad calls it down", () => {
  const hostDetail: HostDetail = {
    ip: "192.0.2.1",
    reported: NOW / 1000,
    tn: 10,
    tmax: 20,
    dmax: 0,
    location: "",
    gmondStarted: 0,
    tags: "",
  };
  const host = nodeWith("web/a", [gauge("figure", 1n), counter("hits", 2n)], {
    nickname: "a",
    detail: hostDetail,
    began: NOW,
  });
  const cluster: Cluster = {
    ...clusterOf("web", host),
    source: {
      name: "web",
      answeredAt: MONOTONIC,
      interval: 15,
      failure: undefined,
    },
  };
  assertEquals(shown(cluster, "a"), ["attached", "1", "1"]);
  const later = { now: NOW + 70_000, monotonic: MONOTONIC + 70_000 };
  assertEquals(shown(cluster, "a", { instant: later }), [
    "silent",
    "0",
    undefined,
  ]);
  // A gmond hands on what others count.
  assert(!expose([cluster], "openmetrics").includes("hits_created"));
});

Deno.test("the gatherer tells of itself, its sources, its plugins and grids below", () => {
  const doing = {
    lastSuccess: NOW,
    lastError: null,
    failing: false,
    usedMs: 1500,
  };
  const text = expose(
    [clusterOf("c", nodeWith("n", []))],
    "openmetrics",
    {
      status: statusWith({
        degraded: ["source web: refused"],
        lastRound: null,
        sources: [
          {
            name: "web",
            kind: "gmond",
            host: "h:1",
            polls: 7,
            failures: 2,
            ...doing,
            failing: true,
          },
          {
            name: "web",
            kind: "gmond",
            host: "h:2",
            polls: 1,
            failures: 0,
            ...doing,
          },
        ],
        plugins: [{ id: "snapshot", calls: 3, ...doing, lastSuccess: null }],
      }),
      grids: [{
        name: "below",
        authority: "http://below/",
        localtime: 0,
        source: {
          name: "below",
          answeredAt: MONOTONIC,
          interval: 15,
          failure: undefined,
        },
        summary: {
          up: 2,
          down: 1,
          metrics: new Map([["load.one", { sum: 1.5, num: 2, slope: "both" }]]),
        },
      }],
    },
  );
  const values = Object.fromEntries(
    samplesOf(text).map((
      { name, labels, value },
    ) => [`${name}${JSON.stringify(labels)}`, value]),
  );
  const expected: Record<string, string> = {
    'gatherer_build_info{"version":"0.1.0"}': "1",
    "gatherer_ready{}": "1",
    "gatherer_degraded_reasons{}": "1",
    "gatherer_rounds_total{}": "60",
    "gatherer_rounds_created{}": "1699996400.0",
    'gatherer_source_failing{"source":"web","kind":"gmond"}': "1",
    'gatherer_source_polls_total{"source":"web","kind":"gmond"}': "7",
    'gatherer_plugin_used_seconds_total{"plugin":"snapshot"}': "1.5",
    'gatherer_nodes{"cluster":"c","state":"attached"}': "1",
    'gatherer_nodes{"cluster":"c","state":"gone"}': "0",
    'gatherer_grid_hosts{"grid":"below","state":"down"}': "1",
    'gatherer_grid_summed{"grid":"below","metric":"load.one"}': "1.5",
    'gatherer_grid_summed_hosts{"grid":"below","metric":"load.one"}': "2",
  };
  for (const [series, value] of Object.entries(expected)) {
    assertEquals(values[series], value, series);
  }
  assert(!text.includes("gatherer_last_round"));
  assert(!text.includes("gatherer_plugin_last_success"));
});

const names = fc.oneof(
  fc.constantFrom(
    "a_sum",
    "a_sum_value",
    "a",
    "a.b",
    "a_b",
    "a-b",
    "a_total",
    "up",
    "gatherer_ready",
    "",
  ),
  fc.string({ unit: "binary", maxLength: 6 }),
  fc.tuple(
    fc.constantFrom("a", "a.b", "a_sum", "a_sum_value"),
    fc.constantFrom("b", "c.d", "key", "value"),
    fc.string({ unit: "binary", minLength: 1, maxLength: 3 }),
  ).map(([name, key, value]) =>
    seriesName(name, [[key, value.replaceAll("\0", "-")]])
  ),
);
const values = fc.oneof(
  fc.constant(null),
  fc.bigInt(),
  fc.double(),
);
const metric: fc.Arbitrary<Metric> = fc.record({
  name: names,
  value: values,
  slope: fc.constantFrom("positive", "both", "zero"),
  text: fc.option(fc.string({ unit: "binary", maxLength: 5 }), {
    nil: undefined,
  }),
  detail: fc.option(
    fc.record({
      units: fc.string({ unit: "binary", maxLength: 3 }),
      desc: fc.string({ unit: "binary", maxLength: 5 }),
      type: fc.constantFrom("string", "float"),
    }).map(({ units, desc, type }) =>
      detail({ units, type, extra: [["DESC", desc]] })
    ),
    { nil: undefined },
  ),
}).map(({ text, detail, ...rest }) => ({
  ...rest,
  ...(text === undefined ? {} : { text }),
  ...(detail === undefined ? {} : { detail }),
}));
const hosts = fc.array(
  fc.record({
    nickname: fc.string({ unit: "binary", maxLength: 5 }),
    metrics: fc.array(metric, { maxLength: 6 }),
    began: fc.option(fc.constant(NOW - 500), { nil: undefined }),
  }),
  { maxLength: 5 },
);

Deno.test("a counter of -0 is a counter of 0", () => {
  const node = nodeWith("k", [{ name: "c", value: -0, slope: "positive" }]);
  const [sample] = samplesOf(expose([clusterOf("c", node)], "openmetrics"))
    .filter(({ name }) => name === "c_total");
  assertEquals(sample.value, "0.0");
});

Deno.test("property: whatever nodes report, both formats are valid and have each figure exactly", () => {
  fc.assert(
    fc.property(hosts, fc.constantFrom(...FORMATS), (some, format) => {
      const nodes = some.map(({ nickname, metrics, began }, index) =>
        nodeWith(`k${index}`, metrics, { nickname, began })
      );
      const text = expose([clusterOf('c\n"', ...nodes)], format);
      const found = new Map<string, string>();
      for (const { name, labels, value } of samplesOf(text)) {
        const metric = readSampleName(name);
        if (!metric || name.endsWith("_created")) continue;
        const { kind } = metric;
        const { cluster: _, node: __, key, value: said, ...rest } = labels;
        const original = joinName({
          family: familyName(metric.original, kind),
          labels: Object.entries(rest),
        }, kind);
        found.set(
          JSON.stringify([key, original, kind]),
          kind === "info" ? said : value,
        );
      }
      const expected = new Map<string, string>();
      for (const { key, observation } of nodes) {
        for (const metric of observation?.metrics ?? []) {
          const kind = kindOf(metric);
          const id = JSON.stringify([key, metric.name, kind]);
          if (expected.has(id)) continue;
          expected.set(
            id,
            kind === "info"
              ? metric.text!.toWellFormed().replaceAll("\0", "\ufffd")
              : metric.value === null
              ? ""
              : numberText(metric.value),
          );
        }
      }
      for (const [id, value] of expected) {
        if (value === "" && !id.endsWith('"info"]')) expected.delete(id);
      }
      assertEquals(found, expected);
    }),
    { numRuns: 500 },
  );
});

Deno.test("property: what is remembered from one exposition to the next changes nothing", () => {
  fc.assert(
    fc.property(fc.array(hosts, { minLength: 2, maxLength: 4 }), (rounds) => {
      const exposition = new Exposition();
      for (const some of rounds) {
        const cluster = clusterOf(
          "c",
          ...some.map(({ metrics }, index) => nodeWith(`k${index}`, metrics)),
        );
        const text = [...exposition.texts({
          clusters: [cluster],
          grids: [],
          status: statusWith(),
          lives: { limits: () => ({ lateMs: 80_000, silentMs: 300_000 }) },
          instant: { now: NOW, monotonic: MONOTONIC },
        }, "openmetrics")].join("");
        assertEquals(text, expose([cluster], "openmetrics"));
      }
    }),
    { numRuns: 100 },
  );
});

Deno.test("the names of the gatherer's own families are those of no gathered metric", () => {
  const text = expose([clusterOf("c", nodeWith("n", []))], "prometheus");
  for (const { name } of readStrictly(text, false)) {
    assertEquals(readSampleName(name), undefined, name);
    assert(sampleName(familyName(name, "gauge"), "gauge") !== name);
  }
});
