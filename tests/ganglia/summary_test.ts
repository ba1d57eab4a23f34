import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { decimalPlaces, plainDecimal } from "../../lib/ganglia/decimal.ts";
import { isUp } from "../../lib/ganglia/host_state.ts";
import {
  childSummary,
  gridSummary,
  summarize,
  summarizeInSteps,
  sumSummaries,
  unsummarizedMetrics,
} from "../../lib/ganglia/summary.ts";
import type { HostDetail } from "../../lib/tree/host.ts";
import type { Metric } from "../../lib/tree/metric.ts";
import type { Summary } from "../../lib/tree/summary.ts";
import {
  clusterOf,
  gmondHost,
  gmondMetric,
  plainHost,
  readCapture,
  readGmond,
  source,
} from "./captures.ts";
import { attribute, elements, named, parseXml } from "./xml_tree.ts";

const NOW = { monotonic: 0, now: 0 };

/** Names with sums and numbers. */
function sums(summary: Summary): Record<string, [number, number]> {
  return Object.fromEntries(
    [...summary.metrics].map(([name, { sum, num }]) => [name, [sum, num]]),
  );
}

/** The summary of one metric of as many hosts as there are values. */
function sumOf(texts: readonly string[], type = "double"): Summary {
  const hosts = texts.map((text, i) =>
    gmondHost(`h${i}`, [gmondMetric("m", text, { type })])
  );
  return summarize(clusterOf("c", hosts), NOW);
}

// deno-fmt-ignore
const states: [Partial<HostDetail>, age: number, up: boolean][] = [
  [{ tn: 0, tmax: 20 }, 0, true],
  [{ tn: 79, tmax: 20 }, 0.999, true],
  [{ tn: 80, tmax: 20 }, 0, false],
  [{ tn: 79, tmax: 20 }, 1, false],
  [{ tn: 0, tmax: 20 }, 79, true],
  [{ tn: 0, tmax: 20 }, 80, false],
  [{ tn: 500, tmax: 0, reported: 941 }, 0, true],
  [{ tn: 0, tmax: 0, reported: 940 }, 0, false],
  [{ tn: 0, tmax: 0, reported: 1060 }, 0, false],
  [{ tn: 0, tmax: 0, reported: 1000 }, 59, true],
  [{ tn: 0, tmax: 0, reported: 1000 }, 60, false],
];

Deno.test("a host is up by TN, TMAX and the time since it was received", () => {
  for (const [detail, age, up] of states) {
    const cluster = clusterOf("c", [], {
      source: source({ answeredAt: 5000 }),
      detail: { owner: "", latlong: "", url: "", localtime: 1000 },
    });
    const instant = { monotonic: 5000 + age * 1000, now: 0 };
    const host = gmondHost("h", [], detail);
    assertEquals(
      isUp(host, cluster, instant),
      up,
      JSON.stringify({ detail, age }),
    );
  }
});

Deno.test("what a source says of a host is as of its answer, whenever the host was heard", () => {
  const host = gmondHost("h", [], { tn: 70 });
  const heard = { ...host, life: { ...host.life, answeredAt: -60_000 } };
  const cluster = clusterOf("c", [], {
    source: source({ answeredAt: 10_000 }),
  });
  assertEquals(isUp(heard, cluster, { monotonic: 19_999, now: 0 }), true);
  assertEquals(isUp(heard, cluster, { monotonic: 20_000, now: 0 }), false);
});

Deno.test("a node that attached by itself is up until it is silent for 300 s", () => {
  const host = plainHost("n", "k", [], 1000);
  const cluster = clusterOf("foolscap", [host]);
  assertEquals(isUp(host, cluster, { monotonic: 300_999, now: 0 }), true);
  assertEquals(isUp(host, cluster, { monotonic: 301_000, now: 0 }), false);
});

Deno.test("hosts of a dead source are down, and their metrics do not count", () => {
  const hosts = [gmondHost("a", [gmondMetric("m", "1")]), gmondHost("b", [])];
  const dead = source({ failure: "connection refused" });
  assertEquals(summarize(clusterOf("c", hosts, { source: dead }), NOW), {
    up: 0,
    down: 2,
    metrics: new Map(),
  });
});

Deno.test("metrics of hosts that are down do not count", () => {
  const hosts = [
    gmondHost("a", [gmondMetric("m", "1.5")]),
    gmondHost("b", [gmondMetric("m", "7"), gmondMetric("n", "7")], { tn: 80 }),
  ];
  const summary = summarize(clusterOf("c", hosts), NOW);
  assertEquals([summary.up, summary.down], [1, 1]);
  assertEquals(sums(summary), { m: [1.5, 1] });
});

Deno.test("a node that has never answered is not there", () => {
  const host = { ...plainHost("n", "k", []), observation: undefined };
  const summary = summarize(clusterOf("foolscap", [host]), NOW);
  assertEquals([summary.up, summary.down], [0, 0]);
});

Deno.test("odd values: as C, but what is no number does not count", () => {
  const summary = summarize(readGmond("edge-input.xml"), NOW);
  assertEquals([summary.up, summary.down], [2, 2]);
  assertEquals(sums(summary), {
    temp: [41.75, 2],
    sci: [15000000000, 1],
    sci2: [10000000000, 1],
    noslope: [5, 1],
  });
  const { units, type } = summary.metrics.get("temp")!.detail!;
  assertEquals([units, type], ["°C", "float"]);
  assertEquals(summary.metrics.get("noslope")!.slope, "unspecified");
});

Deno.test("metrics past their DMAX do not count, also when they get there later", () => {
  const cluster = clusterOf("c", [
    gmondHost("a", [
      gmondMetric("m", "1", { dmax: 10 }, 10),
      gmondMetric("n", "1", { dmax: 10 }, 11),
    ]),
  ], { source: source() });
  assertEquals(sums(summarize(cluster, NOW)), { m: [1, 1] });
  const later = { monotonic: 1000, now: 0 };
  assertEquals(sums(summarize(cluster, later)), {});
});

Deno.test("the captured grid is summed up as C sums it up", () => {
  const clusters = ["gmond-multi.xml", "gmond-beta.xml"].map((file) => {
    const cluster = readGmond(file);
    return { ...cluster, summary: summarize(cluster, NOW) };
  });
  const ours = gridSummary({
    clusters: new Map(clusters.map((cluster) => [cluster.name, cluster])),
    grids: new Map(),
  });
  // Another gmetad polled the one that had this input.
  const { root } = parseXml(readCapture("gmetad-grid-of-grids.xml"));
  const theirs = named(root, "GRID", "LabGrid");
  const [hosts] = elements(theirs, "HOSTS");
  assertEquals(
    [ours.up, ours.down].map(String),
    [attribute(hosts, "UP"), attribute(hosts, "DOWN")],
  );
  const metrics = elements(theirs, "METRICS");
  assertEquals(
    metrics.map((metric) => attribute(metric, "NAME")).sort(),
    [...ours.metrics.keys()].sort(),
  );
  for (const metric of metrics) {
    const name = attribute(metric, "NAME");
    const { sum, num, slope, detail } = ours.metrics.get(name)!;
    assertEquals(num, Number(attribute(metric, "NUM")), name);
    assertEquals(slope, attribute(metric, "SLOPE"), name);
    assertEquals(detail!.units, attribute(metric, "UNITS"), name);
    // C keeps as many decimal places as the first value had.
    const places = decimalPlaces(attribute(metric, "SUM"));
    assertEquals(
      sum.toFixed(places),
      Number(attribute(metric, "SUM")).toFixed(places),
      name,
    );
  }
});

Deno.test("sums of decimals are exact", () => {
  // deno-fmt-ignore
  const table: [readonly string[], string][] = [
    [["0.1", "0.2"], "0.3"],
    [["21.5", "20.25"], "41.75"],
    [["1", "1.25", "2.123"], "4.373"],
    [["-0.1", "0.1"], "0"],
    [["1e-7", "2e-7"], "0.0000003"],
    [["1.5e10", "0.25"], "15000000000.25"],
    [["1", "1e22", "-1e22"], "1"],
    [["1e308", "1e308"], plainDecimal(Number.MAX_VALUE)],
    [["-1e308", "-1e308"], `-${plainDecimal(Number.MAX_VALUE)}`],
    [["0.3333333333333333"], "0.3333333333333333"],
  ];
  for (const [terms, sum] of table) {
    const { metrics } = sumOf(terms);
    assertEquals(plainDecimal(metrics.get("m")!.sum), sum, terms.join(" + "));
  }
  const whole = sumOf(["4294967295", "4294967295"], "uint32");
  assertEquals(plainDecimal(whole.metrics.get("m")!.sum), "8589934590");
});

Deno.test("property: sums of any decimals that a double can hold are exact", () => {
  const decimal = fc.record({
    units: fc.integer({ min: -1_000_000, max: 1_000_000 }),
    places: fc.integer({ min: 0, max: 6 }),
  });
  fc.assert(
    fc.property(
      fc.array(decimal, { minLength: 1, maxLength: 200 }),
      (terms) => {
        const texts = terms.map(({ units, places }) =>
          (units / 10 ** places).toFixed(places)
        );
        const exact = terms.reduce(
          (sum, { units, places }) =>
            sum + BigInt(units) * 10n ** BigInt(6 - places),
          0n,
        );
        const { metrics } = sumOf(texts);
        const printed = plainDecimal(metrics.get("m")!.sum);
        const [, sign, whole, fraction = ""] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(
          printed,
        )!;
        assertEquals(BigInt(sign + whole + fraction.padEnd(6, "0")), exact);
        assertEquals(/0$/.test(fraction), false);
      },
    ),
  );
});

Deno.test("nodes' own figures: integers of any size, doubles, and what is not known", () => {
  const metric = (value: Metric["value"]): Metric => ({
    name: "m",
    value,
    slope: "positive",
  });
  const sum = (...values: Metric["value"][]) =>
    sums(
      summarize(
        clusterOf(
          "foolscap",
          values.map((value, i) => plainHost("n", `${i}`, [metric(value)])),
        ),
        NOW,
      ),
    ).m;
  assertEquals(sum(1n, 2n, null), [3, 2]);
  assertEquals(sum(2n ** 60n, 1n), [2 ** 60, 2]);
  assertEquals(sum(0.1, 0.2), [0.3, 2]);
  assertEquals(sum(1 / 3), [1 / 3, 1]);
  assertEquals(sum(NaN, Infinity, 1), [1, 1]);
  assertEquals(sum(10n ** 400n, 1n), [1, 1]);
  assertEquals(sum(null), undefined);
});

Deno.test("metrics that are not summarized are known by their names", () => {
  const names = ["disk_free", "diskette", "a.disk", "x.y", "xy", "1.vcpu", "v"];
  const left = (prefixes: string[], sflowVm: boolean) =>
    names.filter((name) => !unsummarizedMetrics(prefixes, sflowVm)(name));
  assertEquals(left(["disk", "x."], true), ["a.disk", "xy", "v"]);
  assertEquals(left([], false), names);
});

Deno.test("hosts that differ in metrics, order and types", () => {
  const int = { type: "int32" };
  const text = { type: "string" };
  const time = { type: "timestamp" };
  const cluster = clusterOf("c", [
    gmondHost("a", [gmondMetric("m", "1"), gmondMetric("n", "2", int)]),
    gmondHost("d", [gmondMetric("m", "5", time)]),
    gmondHost("b", [gmondMetric("n", "3"), gmondMetric("m", "4", int)]),
    gmondHost("f", [gmondMetric("m", "5", text)]),
    gmondHost("e", []),
  ]);
  const summary = summarize(cluster, NOW);
  assertEquals(sums(summary), { m: [5, 2], n: [5, 2] });
  assertEquals(summary.metrics.get("n")!.detail!.type, "int32");
});

Deno.test("in steps, a cluster has the same summary", () => {
  const metrics = Array.from(
    { length: 500 },
    (_, i) => gmondMetric(`m${i}`, `${i}.25`),
  );
  const cluster = clusterOf(
    "c",
    Array.from({ length: 400 }, (_, i) => gmondHost(`h${i}`, metrics)),
  );
  const steps = summarizeInSteps(cluster, NOW);
  let count = 0;
  let step = steps.next();
  for (; !step.done; step = steps.next()) count++;
  assertEquals(step.value, summarize(cluster, NOW));
  assertEquals(count, 20);
});

Deno.test("a grid is the sum of its parts; grids below it whose source is dead are down", () => {
  const part = (
    up: number,
    down: number,
    sum: number,
    num: number,
  ): Summary => ({
    up,
    down,
    metrics: new Map([["m", { sum, num, slope: "both" }]]),
  });
  const child = {
    name: "g",
    authority: "",
    localtime: 0,
    source: source(),
    summary: part(10, 1, 100.1, 10),
  };
  const dead = { ...child, name: "d", source: source({ failure: "gone" }) };
  assertEquals(childSummary(dead), { up: 0, down: 11, metrics: new Map() });
  const grid = {
    clusters: new Map([
      ["a", { summary: part(1, 2, 0.2, 1) }],
      ["b", { summary: undefined }],
    ]),
    grids: new Map([["g", child], ["d", dead]]),
  };
  assertEquals(gridSummary(grid), part(11, 14, 100.3, 11));
  const only = new Set(["other"]);
  assertEquals(gridSummary(grid, only).metrics.size, 0);
  assertEquals(sumSummaries([]), { up: 0, down: 0, metrics: new Map() });
});

Deno.test("decimal places of numbers as text", () => {
  // deno-fmt-ignore
  const table: [string, number][] = [
    ["", 0], ["1", 0], ["1.", 0], ["1.25", 2], ["-0.5", 1], ["1e3", 0],
    ["1.5e10", 0], ["1.55e1", 1], ["1e-7", 7], ["1.5E-2", 3], ["abc", 0],
  ];
  for (const [text, places] of table) {
    assertEquals(decimalPlaces(text), places, text);
  }
});

Deno.test("property: plain decimals mean the number and have no exponent", () => {
  fc.assert(
    fc.property(
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      (number) => {
        const text = plainDecimal(number);
        assertEquals(/^-?\d+(\.\d+)?$/.test(text), true, text);
        assertEquals(Number(text), number === 0 ? 0 : number);
      },
    ),
  );
});
