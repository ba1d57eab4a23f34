/** What is printed of hosts, clusters and grids. */

import { assertEquals, assertStrictEquals } from "@std/assert";
import fc from "fast-check";
import { bytesOf } from "../../lib/ganglia/output/byte_writer.ts";
import {
  gangliaHostNames,
  HostNamer,
} from "../../lib/ganglia/output/host_names.ts";
import { HostPrinter } from "../../lib/ganglia/output/host_printer.ts";
import type { Host } from "../../lib/tree/host.ts";
import type { Metric } from "../../lib/tree/metric.ts";
import type { Cluster } from "../../lib/tree/tree.ts";
import { after, ask, BEGIN, gridsOf } from "./answers.ts";
import {
  clusterOf,
  gmondHost,
  gmondMetric,
  plainHost,
  readCapture,
  readGmond,
  source,
} from "./captures.ts";
import {
  attribute,
  type Element,
  elements,
  latin1,
  named,
  parseXml,
} from "./xml_tree.ts";

/** Compares as gmetad's own consistency test does, but with values and the order of attributes. */
function assertSameElement(ours: Element, theirs: Element, path = ""): void {
  const name = theirs.attributes.get("NAME") ?? "";
  const where = `${path}/${theirs.tag} ${name}`;
  assertEquals(ours.tag, theirs.tag, where);
  assertEquals(
    [...ours.attributes.keys()],
    [...theirs.attributes.keys()],
    where,
  );
  for (const [name, value] of theirs.attributes) {
    // These are of the moment at which it was sent.
    if (name === "TN" || (name === "LOCALTIME" && ours.tag === "GRID")) {
      continue;
    }
    assertEquals(attribute(ours, name), value, `${where} ${name}`);
  }
  const key = ({ tag, attributes }: Element) =>
    `${tag} ${attributes.get("NAME")}`;
  // Siblings stand in the order of C's hash tables.
  const sorted = (children: Element[]) =>
    children.toSorted((a, b) => key(a) < key(b) ? -1 : 1);
  assertEquals(ours.children.length, theirs.children.length, where);
  const theirChildren = sorted(theirs.children);
  sorted(ours.children).forEach((child, i) =>
    assertSameElement(child, theirChildren[i], where)
  );
}

function printed(cluster: Cluster, at = BEGIN): Element {
  return parseXml(ask(gridsOf([cluster]), "/", at)).root;
}

Deno.test("the dump of the captured clusters is the C gmetad's, element by element", () => {
  const clusters = ["gmond-multi.xml", "gmond-beta.xml"].map(readGmond);
  const dump = parseXml(ask(gridsOf(clusters), "/"));
  const theirs = parseXml(readCapture("gmetad-8651.xml"));
  assertSameElement(dump.root, theirs.root);
  assertEquals(elements(dump.root, "METRIC").length, 149);
});

Deno.test("the layout of a document is C's, line by line", () => {
  const host = gmondHost("h", [
    gmondMetric("m", "1.50", { units: "KB", extra: [["GROUP", "g"]] }, 2),
    gmondMetric("s", "x", { type: "string", dmax: 9 }),
  ], { dmax: 86400 });
  const grids = gridsOf([
    clusterOf("a b", [host], {
      source: source(),
      detail: { owner: "o", latlong: "l", url: "u", localtime: 7 },
    }),
  ]);
  const text = latin1(ask(grids, "/", after(3)));
  const head =
    '<?xml version="1.0" encoding="ISO-8859-1" standalone="yes"?>\n' +
    "<!DOCTYPE GANGLIA_XML [\n";
  assertEquals(text.slice(0, head.length), head);
  const body = text.slice(text.indexOf("]>\n") + 3);
  assertEquals(
    body,
    `<GANGLIA_XML VERSION="3.7.2" SOURCE="gmetad">
<GRID NAME="LabGrid" AUTHORITY="http://lab.example.test/ganglia/" LOCALTIME="3">
<CLUSTER NAME="a b" LOCALTIME="7" OWNER="o" LATLONG="l" URL="u">
<HOST NAME="h" IP="192.0.2.1" REPORTED="1000" TN="4" TMAX="20" DMAX="86400" LOCATION="0,0,0" GMOND_STARTED="500" TAGS="">
<METRIC NAME="m" VAL="1.50" TYPE="float" UNITS="KB" TN="5" TMAX="60" DMAX="0" SLOPE="both" SOURCE="gmond">
<EXTRA_DATA>
<EXTRA_ELEMENT NAME="GROUP" VAL="g"/>
</EXTRA_DATA>
</METRIC>
<METRIC NAME="s" VAL="x" TYPE="string" UNITS="" TN="3" TMAX="60" DMAX="9" SLOPE="both" SOURCE="gmond">
<EXTRA_DATA>
</EXTRA_DATA>
</METRIC>
</HOST>
</CLUSTER>
</GRID>
</GANGLIA_XML>
`,
  );
  const summary = latin1(ask(grids, "/a b?filter=summary", after(3)));
  assertEquals(
    summary.slice(summary.indexOf("<HOSTS")),
    `<HOSTS UP="1" DOWN="0" SOURCE="gmetad"/>
<METRICS NAME="m" SUM="1.5" NUM="1" TYPE="double" UNITS="KB" SLOPE="both" SOURCE="gmond">
<EXTRA_DATA>
<EXTRA_ELEMENT NAME="GROUP" VAL="g"/>
</EXTRA_DATA>
</METRICS>
</CLUSTER>
</GRID>
</GANGLIA_XML>
`,
  );
});

/** What a DTD declares, as `ELEMENT content` and `ELEMENT ATTRIBUTE` with its type and use. */
function declarations(dtd: string): Map<string, string> {
  const declared = new Map<string, string>();
  for (
    const [, element, content] of dtd.matchAll(/<!ELEMENT (\w+) ([^>]+)>/g)
  ) {
    declared.set(`${element} content`, content.replaceAll(" ", ""));
  }
  for (const [, element, list] of dtd.matchAll(/<!ATTLIST (\w+)\s+([^>]+)>/g)) {
    const one = /(\w+)\s+(CDATA|\([^)]*\))\s+(#\w+|'[^']*')/g;
    for (const [, name, type, use] of list.matchAll(one)) {
      declared.set(`${element} ${name}`, `${type.replaceAll(" ", "")} ${use}`);
    }
  }
  return declared;
}

Deno.test("the DTD declares what C's does, and what is really sent", () => {
  const ours = declarations(parseXml(ask(gridsOf([]), "/")).dtd);
  const theirs = declarations(parseXml(readCapture("gmetad-8651.xml")).dtd);
  const slope = "(zero|positive|negative|both|derivative|unspecified) #IMPLIED";
  theirs.set("METRIC SLOPE", slope).set("METRICS SLOPE", slope);
  // Of our own nodes it is "gatherer".
  theirs.set("METRIC SOURCE", "CDATA 'gmond'");
  theirs.set("METRICS SOURCE", "CDATA 'gmond'");
  assertEquals(
    [...ours].map(String).sort(),
    [...theirs].map(String).sort(),
  );
});

Deno.test("texts are true ISO-8859-1, with references for the rest", () => {
  // deno-fmt-ignore
  const table: [string, string][] = [
    ["plain 'text' /.-_%", "plain 'text' /.-_%"],
    [`a&b <c> "d"`, "a&amp;b &lt;c&gt; &quot;d&quot;"],
    ["21 °C ÿ\u00a0", "21 \xb0C \xff\xa0"],
    ["Čeština €", "&#268;e&#353;tina &#8364;"],
    ["😀", "&#128512;"],
    ["a\tb\nc\rd", "a&#9;b&#10;c&#13;d"],
    ["\0\x01\x1f", "&#65533;&#65533;&#65533;"],
    ["\x7f\x80\x9f", "&#127;&#128;&#159;"],
    ["\ud800x\udc00", "&#65533;x&#65533;"],
    ["\ufffe\uffff\ufffd", "&#65533;&#65533;&#65533;"],
  ];
  for (const [text, expected] of table) {
    assertEquals(latin1(bytesOf((out) => out.value(text))), expected);
  }
  const long = "ab\u20ac".repeat(20_000);
  assertEquals(
    latin1(bytesOf((out) => out.value(long))),
    "ab&#8364;".repeat(20_000),
  );
});

Deno.test("numbers that are none are 0", () => {
  // deno-fmt-ignore
  const table: [number, string][] = [
    [0, "0"], [9, "9"], [10, "10"], [1.9, "1"], [10.9, "10"], [-1, "0"],
    [NaN, "0"], [Infinity, "9007199254740991"], [1e21, "9007199254740991"],
    [4294967295, "4294967295"],
  ];
  for (const [number, text] of table) {
    assertEquals(latin1(bytesOf((out) => out.integer(number))), text);
  }
});

const anyText = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.string(),
  fc.string({ unit: fc.constantFrom(..."&<>\"'/\0\t\n\ud800\udc00é€]-") }),
);

/** What comes back of a text: XML has no way to write some characters. */
function readBack(text: string): string {
  return text.toWellFormed().replace(
    // deno-lint-ignore no-control-regex
    /[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/g,
    "\ufffd",
  );
}

Deno.test("property: whatever is in it, the output is well-formed and says the same", () => {
  fc.assert(
    fc.property(
      fc.record({
        cluster: anyText,
        host: anyText,
        metric: anyText,
        value: anyText,
        type: fc.constantFrom("string", "uint32", "double"),
        units: anyText,
        extra: fc.array(fc.tuple(anyText, anyText), { maxLength: 3 }),
        plain: anyText,
        plainMetric: anyText,
        ip: anyText,
      }),
      (made) => {
        const { cluster, host, metric, value, type, units, extra, ip } = made;
        const one = clusterOf(cluster, [
          gmondHost(
            host,
            [gmondMetric(metric, value, { type, units, extra })],
            {
              ip,
              location: ip,
              tags: ip,
            },
          ),
        ], {
          source: source(),
          detail: { owner: ip, latlong: ip, url: ip, localtime: 1 },
          summary: {
            up: 1,
            down: 0,
            metrics: new Map([[metric, {
              sum: 1,
              num: 1,
              slope: "both",
              detail: gmondMetric(metric, "1", { units, extra }).detail,
            }]]),
          },
        });
        const other = clusterOf(`${cluster}2`, [
          plainHost(made.plain, made.plain, [
            { name: made.plainMetric, value: 1n, slope: "positive" },
          ]),
        ]);
        const grids = gridsOf([one, other], [{
          name: ip,
          authority: ip,
          localtime: 1,
          source: source(),
          summary: one.summary!,
        }]);
        const { root } = parseXml(ask(grids, "/"));
        const [found] = elements(root, "CLUSTER");
        assertEquals(attribute(found, "NAME"), readBack(cluster));
        assertEquals(attribute(found, "OWNER"), readBack(ip));
        const [element] = elements(found, "METRIC");
        assertEquals(attribute(element, "NAME"), readBack(metric));
        assertEquals(attribute(element, "VAL"), readBack(value));
        assertEquals(attribute(element, "UNITS"), readBack(units));
        assertEquals(
          elements(element, "EXTRA_ELEMENT").map(({ attributes }) => [
            ...attributes.values(),
          ]),
          extra.map((pair) => pair.map(readBack)),
        );
        assertEquals(
          elements(root, "METRIC").map((metric) => attribute(metric, "NAME")),
          [metric, made.plainMetric].map(readBack),
        );
        const summary = parseXml(ask(grids, "/?filter=summary")).root;
        assertEquals(elements(summary, "METRICS").length >= 3, true);
      },
    ),
    { numRuns: 300 },
  );
});

/** The same host, received some seconds later without having been heard of since. */
function older(host: Host, seconds: number): Host {
  const age = (tn: number) => Math.min(tn + seconds, 4294967295);
  return {
    ...host,
    detail: { ...host.detail!, tn: age(host.detail!.tn) },
    observation: {
      ...host.observation!,
      metrics: host.observation!.metrics
        .map((metric) => ({ ...metric, tn: age(metric.tn ?? 0) }))
        .filter(({ tn, detail }) => detail!.dmax === 0 || tn <= detail!.dmax),
    },
  };
}

Deno.test("property: a TN printed later is that of a host encoded later", () => {
  const seconds = fc.oneof(
    fc.nat({ max: 200 }),
    fc.constantFrom(9, 10, 99, 100, 9999, 4294967290, 4294967295),
  );
  const metric = fc.record({
    tn: seconds,
    dmax: fc.oneof(fc.constant(0), fc.nat({ max: 300 })),
    value: fc.constantFrom("1", "1.25", 'a"b'),
  });
  fc.assert(
    fc.property(
      fc.array(metric, { maxLength: 6 }),
      seconds,
      seconds,
      (made, tn, age) => {
        const host = gmondHost(
          "h",
          made.map(({ tn, dmax, value }, i) =>
            gmondMetric(`m${i}`, value, { type: "string", dmax }, tn)
          ),
          { tn },
        );
        const write = (host: Host, age: number) =>
          latin1(bytesOf((out) => {
            const cluster = { source: source() };
            new HostPrinter().print(out, "h", host, cluster, after(age));
          }));
        assertEquals(write(host, age), write(older(host, age), 0));
      },
    ),
  );
});

Deno.test("TN grows while no newer figures come, and only in whole seconds", () => {
  const host = gmondHost("h", [gmondMetric("m", "1", {}, 97)], { tn: 8 });
  const cluster = clusterOf("c", [host], {
    source: source({ answeredAt: 5000 }),
  });
  const tns = (monotonic: number) => {
    const root = printed(cluster, { monotonic, now: 0 });
    return ["HOST", "METRIC"].map((tag) =>
      attribute(elements(root, tag)[0], "TN")
    );
  };
  assertEquals(tns(5000), ["8", "97"]);
  assertEquals(tns(5999), ["8", "97"]);
  assertEquals(tns(6000), ["9", "98"]);
  assertEquals(tns(8000), ["11", "100"]);
  // A moment before it was received, by rounding.
  assertEquals(tns(4999.9), ["8", "97"]);
});

Deno.test("what is past its DMAX is not there any more", () => {
  const cluster = clusterOf("c", [
    gmondHost("a", [
      gmondMetric("m", "1", { dmax: 10 }, 5),
      gmondMetric("n", "1"),
      gmondMetric("o", "1", { dmax: 10 }, 11),
    ]),
    gmondHost("b", [gmondMetric("m", "1")], { dmax: 10, tn: 5 }),
  ], { source: source() });
  const names = (seconds: number) => {
    const root = printed(cluster, after(seconds));
    return elements(root, "HOST").map((host) =>
      [attribute(host, "NAME")].concat(
        host.children.map((metric) => attribute(metric, "NAME")),
      ).join(" ")
    );
  };
  assertEquals(names(5), ["a m n", "b m"]);
  assertEquals(names(6), ["a n"]);
});

Deno.test("what was not reported this time is there all the same, with its age", () => {
  const host = gmondHost("a", [gmondMetric("m", "1", {}, 2)]);
  const held = [gmondMetric("n", "2", {}, 40)];
  const cluster = clusterOf("c", [
    { ...host, observation: { ...host.observation!, held } },
  ], { source: source() });
  const metrics = elements(printed(cluster, after(5)), "METRIC");
  assertEquals(
    metrics.map((
      metric,
    ) => [attribute(metric, "NAME"), attribute(metric, "TN")]),
    [["m", "7"], ["n", "45"]],
  );
});

Deno.test("one printer prints any hosts, in any order", () => {
  const printer = new HostPrinter();
  const grids = ["gmond-multi.xml", "edge-input.xml", "gmond-beta.xml"]
    .map((file) => gridsOf([readGmond(file)]));
  for (const grid of [...grids, ...grids.toReversed()]) {
    assertEquals(
      latin1(ask(grid, "/", BEGIN, printer)),
      latin1(ask(grid, "/")),
    );
  }
  // More names than it keeps.
  const many = plainHost(
    "n",
    "k",
    Array.from(
      { length: 10_001 },
      (_, i): Metric => ({ name: `m${i}`, value: BigInt(i), slope: "both" }),
    ),
  );
  const other = gridsOf([clusterOf("foolscap", [many])]);
  for (let round = 0; round < 2; round++) {
    const { root } = parseXml(ask(other, "/", BEGIN, printer));
    const wrong = elements(root, "METRIC").filter(({ attributes }, i) =>
      attributes.get("NAME") !== `m${i}` || attributes.get("VAL") !== `${i}`
    );
    assertEquals(wrong, []);
  }
});

Deno.test("metrics of one name may differ from host to host", () => {
  const cluster = clusterOf("foolscap", [
    plainHost("a", "aaaa", [{ name: "m", value: 1n, slope: "positive" }]),
    plainHost("b", "bbbb", [{ name: "m", value: 1n, slope: "both" }]),
  ]);
  const root = printed(cluster);
  assertEquals(
    elements(root, "METRIC").map((metric) => attribute(metric, "SLOPE")),
    ["positive", "both"],
  );
});

Deno.test("nodes that attached by themselves are hosts like any other", () => {
  const metrics: Metric[] = [
    { name: "storage_server.bytes", value: 2n ** 70n, slope: "positive" },
    { name: "cpu_monitor.1min_avg", value: 0.5, slope: "both" },
    { name: "tiny", value: 1e-7, slope: "both" },
    { name: "huge", value: -1e21, slope: "both" },
    { name: "unknown", value: null, slope: "both" },
    { name: "nan", value: NaN, slope: "both" },
    { name: "none", value: 0n, slope: "both" },
  ];
  const host = plainHost("Alice & Bob", "m32izoh3", metrics, 10_000);
  const at = { monotonic: 15_500, now: 1_700_000_015_500 };
  const cluster = clusterOf("foolscap", [host]);
  const grids = gridsOf([cluster], [], at);
  const { root } = parseXml(ask(grids, "/", at));
  const [shown] = elements(root, "HOST");
  assertEquals(Object.fromEntries(shown.attributes), {
    NAME: "alice-bob-m32i.foolscap",
    IP: "unspecified",
    REPORTED: "1700000010",
    TN: "5",
    TMAX: "75",
    DMAX: "0",
    LOCATION: "unspecified",
    GMOND_STARTED: "0",
    TAGS: "unspecified",
  });
  assertEquals(
    shown.children.map(({ attributes }) =>
      ["NAME", "VAL", "TYPE", "TN", "TMAX", "SLOPE", "SOURCE"].map((name) =>
        attributes.get(name)
      ).join(" ")
    ),
    [
      "storage_server.bytes 1180591620717411303424 double 5 75 positive gatherer",
      "cpu_monitor.1min_avg 0.5 double 5 75 both gatherer",
      "tiny 0.0000001 double 5 75 both gatherer",
      "huge -1000000000000000000000 double 5 75 both gatherer",
      "none 0 double 5 75 both gatherer",
    ],
  );
  assertEquals(
    elements(shown, "EXTRA_ELEMENT").map((extra) =>
      `${attribute(extra, "NAME")} ${attribute(extra, "VAL")}`
    ),
    ["storage_server", "cpu_monitor", "tiny", "huge", "none"].map((group) =>
      `GROUP ${group}`
    ),
  );
  const cluster2 = named(root, "CLUSTER", "foolscap");
  assertEquals(attribute(cluster2, "LOCALTIME"), "1700000015");
  assertEquals(attribute(cluster2, "OWNER"), "unspecified");
});

Deno.test("a node that has never answered is not there", () => {
  const silent = { ...plainHost("n", "kkkk", []), observation: undefined };
  const known = { ...gmondHost("h", []), observation: undefined };
  const root = printed(clusterOf("c", [silent, known]));
  assertEquals(
    elements(root, "HOST").map((host) => attribute(host, "NAME")),
    ["h"],
  );
});

Deno.test("hosts have names of their own, those of nodes made of nickname and key", () => {
  const cluster = clusterOf("foolscap", [
    plainHost("alice", "aaaabbbb", []),
    plainHost("alice", "aaaacccc", []),
    gmondHost("Web 1", []),
    plainHost("", "zzzz", []),
    plainHost("Web 2", "foolscap/Web 2", []),
  ]);
  const { byKey, byName } = gangliaHostNames(cluster);
  assertEquals([...byKey], [
    ["aaaabbbb", "alice-aaaa.foolscap"],
    ["aaaacccc", "alice-aaaac.foolscap"],
    ["c/Web 1", "Web 1"],
    ["zzzz", "node-zzzz.foolscap"],
    // A gmond's, from a snapshot.
    ["foolscap/Web 2", "Web 2"],
  ]);
  assertEquals([...byName], [...byKey].map(([key, name]) => [name, key]));
});

Deno.test("hosts are named again only if they are others", () => {
  const namer = new HostNamer();
  const names = (...hosts: Host[]) => namer.names(clusterOf("foolscap", hosts));
  const a = plainHost("a", "aaaa", []);
  const b = plainHost("b", "bbbb", []);
  const first = names(a, b);
  assertStrictEquals(names({ ...a, life: { ...a.life } }, b), first);
  assertEquals(namer.names(clusterOf("other", [])).byKey.size, 0);
  assertStrictEquals(names(a, b), first);
  assertEquals([...names(a).byName.keys()], ["a-aaaa.foolscap"]);
  assertEquals([...names(b, a).byName.keys()], [
    "b-bbbb.foolscap",
    "a-aaaa.foolscap",
  ]);
  const renamed = names(b, { ...a, nickname: "c" });
  assertEquals([...renamed.byName.keys()][1], "c-aaaa.foolscap");
  const detail = gmondHost("x", []).detail!;
  const told = names(b, { ...a, nickname: "c", detail });
  assertEquals([...told.byName.keys()][1], "c");
  assertEquals([...names(a).byName.keys()], ["a-aaaa.foolscap"]);
  const other = names(plainHost("a", "cccc", []));
  assertEquals([...other.byName], [["a-cccc.foolscap", "cccc"]]);
});

Deno.test("odd values: a well-formed answer, without what C does not know", () => {
  const root = printed(readGmond("edge-input.xml"));
  const host = named(root, "HOST", "h1");
  assertEquals(
    host.children.map((metric) =>
      `${attribute(metric, "NAME")}=${attribute(metric, "VAL")}`
    ),
    ["temp=21.5", "nan=nan", "junk=abc", "empty=", "sci=1.5e10", "sci2=1e10"]
      .concat(["hexv=0x10", "ts=1795240000", "noslope=5"]),
  );
  assertEquals(attribute(host.children[0], "UNITS"), "°C");
});

Deno.test("EXTRA_DATA of sums does not say whose host it was", () => {
  const extra = [["SPOOF_HOST", "1.2.3.4:x"], ["GROUP", "env"]] as const;
  const cluster = clusterOf("c", [
    gmondHost("h", [gmondMetric("m", "1", { extra })]),
  ]);
  const answer = ask(gridsOf([cluster]), "/c?filter=summary");
  const [metrics] = elements(parseXml(answer).root, "METRICS");
  assertEquals(
    elements(metrics, "EXTRA_ELEMENT").map((extra) => attribute(extra, "NAME")),
    ["GROUP"],
  );
});

Deno.test("a grid below ours is a summary, in every answer", () => {
  const child = {
    name: "Lower",
    authority: "http://lower/",
    localtime: 5,
    source: source(),
    summary: {
      up: 7,
      down: 1,
      metrics: new Map([["m", { sum: 4.2, num: 4, slope: "both" as const }]]),
    },
  };
  const grids = gridsOf([], [child]);
  for (const query of ["/", "/Lower", "/Lower/x", "/?filter=summary"]) {
    const grid = named(parseXml(ask(grids, query)).root, "GRID", "Lower");
    assertEquals([...grid.attributes.values()], [
      "Lower",
      "http://lower/",
      "5",
    ]);
    assertEquals(grid.children.map(({ tag }) => tag), ["HOSTS", "METRICS"]);
    assertEquals([...grid.children[0].attributes.values()], [
      "7",
      "1",
      "gmetad",
    ]);
    assertEquals(attribute(grid.children[1], "SUM"), "4.2");
  }
  const dead = { ...child, source: source({ failure: "gone" }) };
  const root = parseXml(ask(gridsOf([], [dead]), "/")).root;
  const [hosts, ...metrics] = named(root, "GRID", "Lower").children;
  assertEquals([...hosts.attributes.values()], ["0", "8", "gmetad"]);
  assertEquals(metrics.length, 0);
});
