import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import {
  type GangliaDocument,
  NotGangliaError,
} from "../../../lib/ganglia/xml/document.ts";
import { ReaderMemory } from "../../../lib/ganglia/xml/reader.ts";
import type { Cluster } from "../../../lib/tree/tree.ts";
import { readCapture, readGmond } from "../captures.ts";
import {
  attribute,
  type Element,
  elements,
  named,
  parseXml,
} from "../xml_tree.ts";
import {
  cluster,
  everyCut,
  ganglia,
  host,
  hostsOf,
  metric,
  read,
} from "./reading.ts";

/** What an independent parser finds in a gmond's capture, as the reader is to give it. */
function expected(file: string): GangliaDocument["clusters"] {
  const { name, detail, hosts } = readGmond(file);
  return [{
    name,
    detail: detail!,
    hosts: [...hosts.values()].map(({ nickname, detail, observation }) => ({
      name: nickname,
      detail: detail!,
      metrics: [...observation!.metrics],
    })),
  }];
}

for (const file of ["gmond.xml", "gmond-multi.xml", "gmond-beta.xml"]) {
  Deno.test(`GangliaReader reads ${file} to the last attribute, however it arrives`, () => {
    const bytes = readCapture(file);
    const whole = read(bytes);
    assertEquals(whole.clusters, expected(file));
    assertEquals(
      { ...whole, clusters: [] },
      {
        clusters: [],
        grids: [],
        damages: [],
        damageCount: 0,
        cut: undefined,
        bytes: bytes.length - 1,
        unknownTypes: 0,
        kept: [],
      },
    );
    assertEquals(read(bytes, {}, everyCut(bytes.length)), whole);
  });
}

Deno.test("GangliaReader repairs what gmond did not escape", () => {
  const document = read(readCapture("gmond-unescaped-amp.xml"));
  const [{ detail, hosts }] = document.clusters;
  assertEquals(document.damageCount, 0);
  assertEquals(document.cut, undefined);
  assertEquals(detail.owner, "Test & Lab");
  assertEquals(detail.url, "http://alpha.example/?a=1&b=2");
  assertEquals(hosts.length, 1);
});

Deno.test("GangliaReader reads what the C gmetad did not escape", () => {
  const document = read(readCapture("edge-gmetad-c.xml"), { scalable: false });
  assertEquals(document.damageCount, 0);
  assertEquals(document.cut, undefined);
  assertEquals(
    document.clusters.map(({ name }) => name),
    ['c <esc> & "q"', "utf"],
  );
  const utf = document.clusters[1].hosts.find(({ name }) => name === "h1")!;
  const temperature = utf.metrics!.find(({ name }) => name === "temp")!;
  // ISO-8859-1 as it was sent to it.
  assertEquals(temperature.detail!.units, "°C");
});

Deno.test("GangliaReader: odd values cost no more than themselves", () => {
  const document = read(readCapture("edge-input.xml"));
  const [{ hosts }] = document.clusters;
  const [h1, h2, h3, h4] = hosts;
  assertEquals(document.damageCount, 0);
  assertEquals(document.unknownTypes, 1);
  assertEquals(
    h1.metrics!.map(({ name, value, text }) => [name, value, text]),
    [
      ["temp", 21.5, "21.5"],
      ["nan", null, "nan"],
      ["junk", null, "abc"],
      ["empty", null, ""],
      ["sci", 1.5e10, "1.5e10"],
      ["sci2", 1e10, "1e10"],
      ["hexv", null, "0x10"],
      ["ts", 1795240000n, "1795240000"],
      // Neither the type that is none, nor what is past its DMAX.
      ["noslope", 5n, "5"],
    ],
  );
  assertEquals(h1.metrics!.at(-1)!.slope, "unspecified");
  assertEquals(h1.metrics![0].detail, {
    type: "float",
    units: "°C",
    tmax: 60,
    dmax: 0,
    source: "gmond",
    extra: [],
  });
  assertEquals(h1.detail.tags, "unspecified");
  // Up at 79 of 80 seconds; down at 80; down without TMAX 60 s after the cluster's time.
  assertEquals(h2.metrics!.length, 1);
  assertEquals(h3.metrics, undefined);
  assertEquals(h4.metrics, undefined);
});

/** METRICS of a GRID in a capture, as a summary. */
function summaryIn(grid: Element) {
  const [hosts] = grid.children.filter(({ tag }) => tag === "HOSTS");
  return {
    up: Number(attribute(hosts, "UP")),
    down: Number(attribute(hosts, "DOWN")),
    sums: Object.fromEntries(
      grid.children.filter(({ tag }) => tag === "METRICS")
        .map((metrics) => [
          attribute(metrics, "NAME"),
          [
            Number(attribute(metrics, "SUM")),
            Number(attribute(metrics, "NUM")),
          ],
        ]),
    ),
  };
}

function sums({ summary }: GangliaDocument["grids"][number]) {
  return Object.fromEntries(
    [...summary.metrics].map(([name, { sum, num }]) => [name, [sum, num]]),
  );
}

/** Hosts of a capture of gmetad that are up, and their numbers added up. */
function addUp(hosts: readonly Element[]): Record<string, number[]> {
  const totals: Record<string, number[]> = {};
  for (const host of hosts) {
    for (const metric of elements(host, "METRIC")) {
      const type = attribute(metric, "TYPE");
      if (type === "string" || type === "timestamp") continue;
      const total = totals[attribute(metric, "NAME")] ??= [0, 0];
      total[0] += Number(attribute(metric, "VAL"));
      total[1]++;
    }
  }
  return totals;
}

function assertSums(actual: Record<string, number[]>, expected: typeof actual) {
  assertEquals(Object.keys(actual).sort(), Object.keys(expected).sort());
  for (const [name, [sum, num]] of Object.entries(expected)) {
    assertEquals(actual[name][1], num, name);
    const off = Math.abs(actual[name][0] - sum);
    assertEquals(off <= 1e-9 * Math.max(1, Math.abs(sum)), true, name);
  }
}

Deno.test("GangliaReader, scalable: the dump of a gmetad is one grid with the sums of its hosts", () => {
  const bytes = readCapture("gmetad-8651.xml");
  const document = read(bytes);
  const [grid] = document.grids;
  assertEquals(document.clusters, []);
  assertEquals(document.grids.length, 1);
  assertEquals(
    [grid.name, grid.authority, grid.localtime],
    ["LabGrid", "http://lab.example.test/ganglia/", 1795246961],
  );
  assertEquals([grid.summary.up, grid.summary.down], [7, 0]);
  assertSums(sums(grid), addUp(elements(parseXml(bytes).root, "HOST")));
  const load = grid.summary.metrics.get("load_one")!;
  assertEquals([load.sum, load.num, load.slope], [4.38, 5, "both"]);
  assertEquals(read(bytes, {}, everyCut(bytes.length)), document);
});

Deno.test("GangliaReader, not scalable: the clusters of a gmetad are our own", () => {
  const bytes = readCapture("gmetad-8651.xml");
  const document = read(bytes, { scalable: false });
  assertEquals(document.grids, []);
  assertEquals(
    document.clusters.map(({ name, hosts }) => [name, hosts.length]),
    [["beta cluster", 1], ["alpha", 6]],
  );
  // The same but for the order of siblings and the ages.
  const plain = (clusters: GangliaDocument["clusters"]) =>
    new Map(clusters.flatMap(({ name, hosts }) =>
      hosts.map((host) =>
        [
          `${name}/${host.name}`,
          new Map(host.metrics!.map((metric) => [
            metric.name,
            [metric.value, metric.slope, metric.text],
          ])),
        ] as const
      )
    ));
  assertEquals(
    plain(document.clusters),
    plain([...expected("gmond-multi.xml"), ...expected("gmond-beta.xml")]),
  );
});

Deno.test("GangliaReader, scalable: a grid of clusters and grids is the sum of all", () => {
  const bytes = readCapture("gmetad-grid-of-grids.xml");
  const [grid] = read(bytes).grids;
  const root = parseXml(bytes).root;
  const lab = summaryIn(named(root, "GRID", "LabGrid"));
  const all = addUp(elements(root, "HOST"));
  for (const [name, [sum, num]] of Object.entries(lab.sums)) {
    if (num === 0) continue;
    all[name] ??= [0, 0];
    all[name][0] += sum;
    all[name][1] += num;
  }
  assertEquals(grid.name, "TopGrid");
  assertEquals([grid.summary.up, grid.summary.down], [lab.up + 1, lab.down]);
  assertSums(sums(grid), all);
  // Its clusters alone, if grids are not wanted.
  const flat = read(bytes, { scalable: false });
  assertEquals(flat.grids, []);
  assertEquals(flat.clusters.map(({ name }) => name), ["beta cluster"]);
});

for (
  const [file, outer, inner, others] of [
    ["gmetad-grid-3-levels.xml", "TopTop", "TopGrid", 0],
    // Beside it there is a cluster, with one host that is down.
    ["gmetad-python-grid-of-grids.xml", "PyTop", "L1", 1],
  ] as const
) {
  Deno.test(`GangliaReader, scalable: ${file} is what its inner grid is`, () => {
    const bytes = readCapture(file);
    const [grid] = read(bytes).grids;
    const { up, down, sums: all } = summaryIn(
      named(parseXml(bytes).root, "GRID", inner),
    );
    assertEquals(grid.name, outer);
    assertEquals([grid.summary.up, grid.summary.down], [up, down + others]);
    // A sum of no metrics says nothing.
    const some = Object.entries(all).filter(([, [, num]]) => num > 0);
    assertSums(sums(grid), Object.fromEntries(some));
    const [first] = grid.summary.metrics.values();
    assertEquals([first.detail!.type, first.detail!.source], [
      "double",
      "gmond",
    ]);
  });
}

Deno.test("GangliaReader reads gmetad-python, whose attributes come in any order", () => {
  const bytes = readCapture("gmetad-python-8651.xml");
  const document = read(bytes, { scalable: false });
  assertEquals(document.damageCount, 0);
  assertEquals(document.cut, undefined);
  assertEquals(
    document.clusters.map(({ name, hosts }) => [name, hosts.length]),
    [["downsrc", 0], ["beta cluster", 1], ["alpha", 6]],
  );
  // It has made TN of its own clock: all are down.
  assertEquals(document.clusters[2].hosts[0].metrics, undefined);
  const [grid] = read(bytes).grids;
  assertEquals([grid.summary.up, grid.summary.down], [0, 7]);
  assertEquals(grid.summary.metrics.size, 0);
});

Deno.test("GangliaReader: HOSTS and METRICS of a grid or cluster stand for what is inside", () => {
  const inside = (localtime: string) =>
    `<CLUSTER NAME="c" LOCALTIME="${localtime}" OWNER="" LATLONG="" URL="">` +
    `${host("a", metric("m", "2"))}`;
  const totals = '<HOSTS UP="5" DOWN="6" SOURCE="gmetad"/>' +
    '<METRICS NAME="m" SUM="10" NUM="5" TYPE="double" UNITS="" SLOPE="both" SOURCE="gmond"/>';
  const cases: [content: string, up: number, sum: number][] = [
    [`${inside("1000")}</CLUSTER>`, 1, 2],
    [`${inside("1000")}${totals}</CLUSTER>`, 5, 10],
    [`${totals}${inside("1000")}</CLUSTER>`, 5, 10],
    [
      `${inside("1000")}</CLUSTER><GRID NAME="h" AUTHORITY="">${totals}</GRID>`,
      6,
      12,
    ],
  ];
  for (const [content, up, sum] of cases) {
    const { grids: [{ name, localtime, summary }] } = read(
      ganglia(`<GRID NAME="g" AUTHORITY="x">${content}</GRID>`),
    );
    assertEquals([name, localtime], ["g", 1000]);
    assertEquals([summary.up, summary.metrics.get("m")!.sum], [up, sum]);
  }
});

Deno.test("GangliaReader gives metrics that are alike one detail, and what has not changed one object", () => {
  const memory = new ReaderMemory();
  const first = read(
    cluster(
      host("a", metric("m", "1"), metric("n", "2")),
      host("b", metric("m", "3"), metric("n", "2")),
    ),
    { memory },
  );
  const [a, b] = first.clusters[0].hosts;
  assertStrictEquals(a.metrics![0].detail, b.metrics![0].detail);
  assertStrictEquals(a.metrics![0].detail, a.metrics![1].detail);

  const previous = {
    hosts: new Map(first.clusters[0].hosts.map(({ name, detail, metrics }) => [
      `c/${name}`,
      { nickname: name, detail, observation: { metrics } },
    ])),
  } as unknown as Cluster;
  const again = read(
    cluster(
      host("b", metric("m", "3"), metric("n", "4")),
      host("a", metric("n", "2")),
    ),
    { memory, previous: (name) => name === "c" ? previous : undefined },
  );
  const [b2, a2] = again.clusters[0].hosts;
  assertStrictEquals(b2.metrics![0], b.metrics![0]);
  assertEquals(b2.metrics![1].value, 4);
  assertStrictEquals(b2.metrics![1].detail, b.metrics![1].detail);
  assertStrictEquals(a2.metrics![0], a.metrics![1]);
  assertEquals(hostsOf(first), {
    a: { m: "1", n: "2" },
    b: { m: "3", n: "2" },
  });
});

Deno.test("GangliaReader: of a metric that comes twice the last counts", () => {
  const document = cluster(
    host("a", metric("m", "1"), metric("n", "2"), metric("m", "3")),
  );
  assertEquals(hostsOf(read(document)), { a: { m: "3", n: "2" } });
});

Deno.test("GangliaReader ignores what it does not know", () => {
  const document = cluster(
    '<NEWS DATE="today">in words<HOSTLIKE/></NEWS>\n',
    host("a", "<FOO><METRIC/>x</FOO>\n", metric("m"), "<BAR/>"),
  );
  const { damageCount, clusters } = read(document);
  assertEquals(damageCount, 0);
  assertEquals(hostsOf({ clusters } as GangliaDocument), { a: { m: "1.5" } });
});

Deno.test("GangliaReader needs nothing after the end of the root, not even an end", () => {
  const document = cluster(host("a", metric("m")));
  const more = `${document}</GANGLIA_XML><HOST NAME="b">garbage & more`;
  assertEquals(read(more), read(document));
});

Deno.test("GangliaReader refuses what is something else altogether", () => {
  const cases: [string, string][] = [
    ["", "the answer is empty"],
    [
      "HTTP/1.1 400 Bad Request\r\n\r\n",
      'the answer is no XML of Ganglia: it begins with "HTTP/1.1 400 Bad Request',
    ],
    ["<html><body>", 'it begins with "<html>'],
    ["\x00\x01\x02", 'it begins with "'],
    ["</GANGLIA_XML>", "it begins with"],
    ['<?xml version="1.0"?>\n<!DOCTYPE', "ends after 31 bytes, before any"],
  ];
  for (const [text, message] of cases) {
    assertThrows(() => read(text), NotGangliaError, message);
  }
});
