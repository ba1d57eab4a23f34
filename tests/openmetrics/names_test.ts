import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  familyName,
  joinName,
  type MetricKind,
  originalName,
  readSampleName,
  sampleName,
  splitName,
} from "../../lib/openmetrics/names.ts";

import { seriesName } from "../../lib/otlp/series_name.ts";

/** What the ABNF of OpenMetrics allows, without what is reserved. */
const ALLOWED = /^[A-Za-z][A-Za-z0-9_]*$/;
const RESERVED_END = {
  counter: /_(?:total|created|info)$/,
  info: /_(?:total|created|info)$/,
  gauge: /_(?:total|created|info|count|sum|bucket|gcount|gsum)$/,
};

const cases: readonly (readonly [original: string, family: string])[] = [
  ["load_one", "load_one"],
  ["storage_server.disk_avail", "storage_server__disk_avail"],
  [
    "storage_server.latencies.get.99_9_percentile",
    "storage_server__latencies__get__99_9_percentile",
  ],
  ["storage_server.add-lease", "storage_server__add_dash_lease"],
  ["cpu-user", "cpu_dash_user"],
  ["cpu user", "cpu_x20_user"],
  ["température", "temp_xe9_rature"],
  ["😀", "x_x1f600_"],
  ["a:b", "a_x3a_b"],
  ["http.server.request.duration", "http__server__request__duration"],
  // What would be read as something else.
  ["a__b", "a_x5f__b"],
  ["a___b", "a_x5f__x5f__b"],
  ["a_.b", "a_x5f___b"],
  ["a._b", "a___b"],
  ["a..b", "a____b"],
  ["a_-b", "a_x5f__dash_b"],
  ["a-_b", "a_dash__b"],
  ["a.-b", "a___dash_b"],
  ["a_x2d_b", "a_x5f_x2d_b"],
  ["a_x2d.b", "a_x5f_x2d__b"],
  ["a_x2d", "a_x2d"],
  ["a_dash_b", "a_x5f_dash_b"],
  ["a_dash.b", "a_x5f_dash__b"],
  ["a_dashboard", "a_dashboard"],
  ["a_", "a_"],
  // Beginnings.
  ["", "x"],
  ["x", "xx"],
  ["99th", "x99th"],
  ["x99th", "xx99th"],
  ["x86_temperature", "xx86_temperature"],
  ["xfs_reads", "xfs_reads"],
  ["_a", "x_a"],
  ["__name__", "x_x5f__name_x5f__"],
  [".a", "x__a"],
  ["-a", "x_dash_a"],
  ["up", "xup"],
  ["xup", "xxup"],
  ["uptime", "uptime"],
  ["scrape_duration_seconds", "xscrape_duration_seconds"],
  ["ALERTS", "xALERTS"],
  ["gatherer_node_up", "xgatherer_node_up"],
  ["gatherer.node_up", "gatherer__node_up"],
  // Ends.
  ["mem_total", "mem_total_value"],
  ["mem_total_value", "mem_total_value_value"],
  ["mem_value", "mem_value"],
  ["cpu_monitor.total", "cpu_monitor__total_value"],
  ["requests_total", "requests_total_value"],
  ["job_created", "job_created_value"],
  ["os_info", "os_info_value"],
  ["connection_count", "connection_count_value"],
  ["helper.encoding_count", "helper__encoding_count_value"],
  ["total", "total"],
  ["_total", "x_total_value"],
];

for (const [original, family] of cases) {
  Deno.test(`the family of ${JSON.stringify(original)} is ${family}`, () => {
    assertEquals(familyName(original, "gauge"), family);
    assertEquals(originalName(family, "gauge"), original);
  });
}

Deno.test("a sample's name has its kind's suffix, and tells the original and the kind", () => {
  const cases: [string, MetricKind, string][] = [
    ["storage_server.allocate", "counter", "storage_server__allocate_total"],
    ["requests_total", "counter", "requests_total_value_total"],
    ["mem_total", "gauge", "mem_total_value"],
    ["request.size.sum", "counter", "request__size__sum_total"],
    ["request_count", "counter", "request_count_total"],
    ["request_count_value", "counter", "request_count_value_total"],
    ["request_count_value", "gauge", "request_count_value_value"],
    ["os_name", "info", "os_name_info"],
    ["total", "gauge", "total"],
    ["a_", "counter", "a__total"],
    ["a.total", "gauge", "a__total_value"],
  ];
  for (const [original, kind, sample] of cases) {
    assertEquals(sampleName(familyName(original, kind), kind), sample);
    assertEquals(readSampleName(sample), { original, kind });
  }
  assertEquals(readSampleName("requests_created"), {
    original: "requests",
    kind: "counter",
  });
});

Deno.test("a name that the rule never makes is no metric's", () => {
  for (
    const name of [
      "up",
      "gatherer_node_up",
      "scrape_duration_seconds",
      "a_x2d_b",
      "a_x62_",
      "a_x110000_",
      "a:b",
      "a-b",
      "_a",
      "9",
      "",
      "xa_total",
    ]
  ) {
    assertEquals(originalName(name, "gauge"), undefined, name);
  }
});

const parts = fc.constantFrom(
  ..."_.-x ay59é😀\ud800".split(/(?=[^\udc00-\udfff])/),
  "_x2d_",
  "_x5f",
  "x_",
  "_dash_",
  "dash",
  "__",
  "up",
  "gatherer_",
  "scrape_",
  "ALERTS",
  "_total",
  "_created",
  "_info",
  "_sum",
  "_value",
);
const names = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.array(parts, { maxLength: 8 }).map((some) => some.join("")),
);
const kinds = fc.constantFrom<MetricKind>("gauge", "counter", "info");

Deno.test("property: every name comes back, and what it becomes is allowed", () => {
  fc.assert(
    fc.property(names, kinds, (original, kind) => {
      const family = familyName(original, kind);
      assert(ALLOWED.test(family), family);
      assert(!RESERVED_END[kind].test(family), family);
      assertEquals(originalName(family, kind), original);
      assertEquals(readSampleName(sampleName(family, kind)), {
        original,
        kind,
      });
    }),
    { numRuns: 5000 },
  );
});

Deno.test("attributes in a name are labels", () => {
  const cases: [string, string, [string, string][]][] = [
    ["requests{method=GET,status=200}", "requests", [["method", "GET"], [
      "status",
      "200",
    ]]],
    ["http.server.duration.bucket{le=0.5}", "http__server__duration__bucket", [[
      "le",
      "0.5",
    ]]],
    ["a{http.route=/x\\{id\\},key=k}", "a", [["http__route", "/x{id}"], [
      "xkey",
      "k",
    ]]],
    ["a{=}", "a", [["x", ""]]],
    ["a{__name__=b}", "a", [["x_x5f__name_x5f__", "b"]]],
    // Not as they are written.
    ["a{b=1,a=2}", "a_x7b_b_x3d_1_x2c_a_x3d_2_x7d_", []],
    ["a{}", "a_x7b__x7d_", []],
    ["a{b}", "a_x7b_b_x7d_", []],
    ["a\\{b", "a_x5c__x7b_b", []],
    ["a\\{b{c=d}", "a_x5c__x7b_b", [["c", "d"]]],
  ];
  for (const [name, family, labels] of cases) {
    const split = splitName(name, "counter");
    assertEquals([split.family, split.labels], [family, labels], name);
    assertEquals(joinName(split, "counter"), name);
  }
});

Deno.test("property: names with attributes come back, and labels are allowed", () => {
  const attributes = fc.array(
    fc.tuple(
      fc.oneof(names, fc.constantFrom("cluster", "node", "key", "value", "x")),
      fc.string({ unit: "binary" }),
    ),
    { maxLength: 4 },
  );
  fc.assert(
    fc.property(
      names,
      attributes,
      kinds,
      fc.boolean(),
      (base, some, kind, isRaw) => {
        const name = isRaw
          ? `${base}{${some.map((pair) => pair.join("=")).join(",")}}`
          : seriesName(base, some);
        const split = splitName(name, kind);
        assertEquals(joinName(split, kind), name);
        for (const [label] of split.labels) {
          assert(ALLOWED.test(label), label);
          assert(!/^(?:cluster|node|key|value)$/.test(label), label);
        }
        const own = new Set(split.labels.map(([label]) => label));
        assertEquals(own.size, split.labels.length);
      },
    ),
    { numRuns: 3000 },
  );
});

Deno.test("property: of any allowed name, there is at most one original, which becomes that name", () => {
  const wild = fc.array(
    fc.constantFrom(
      ..."_ax25".split(""),
      "_dash_",
      "_x2d_",
      "_x5f_",
      "_x20_",
      "_total",
      "_value",
    ),
    { maxLength: 8 },
  ).map((some) => some.join(""));
  fc.assert(
    fc.property(wild, kinds, (family, kind) => {
      const original = originalName(family, kind);
      if (original === undefined) return;
      assertEquals(familyName(original, kind), family);
    }),
    { numRuns: 5000 },
  );
});
