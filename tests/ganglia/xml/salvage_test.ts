import { assertEquals } from "@std/assert";
import type { Damage } from "../../../lib/ganglia/xml/document.ts";
import type { XmlLimits } from "../../../lib/ganglia/xml/limits.ts";
import {
  cluster,
  everyCut,
  ganglia,
  host,
  hostsOf,
  metric,
  read,
} from "./reading.ts";

const good = host("good", metric("m", "1"));
const last = host("last", metric("m", "2"));
const BOTH = { good: { m: "1" }, last: { m: "2" } };
const bad = host("bad", metric("m", "9"), metric("n", "9"));

/** A damaged host between two good ones, and what is said of it. */
const DAMAGED: readonly [what: string, host: string, said: string][] = [
  [
    "garbage in a host",
    bad.replace("<EXTRA_DATA>", "\x00\xff garbage"),
    "text between the tags",
  ],
  ["a lost quote", bad.replace('VAL="9"', 'VAL="9'), "a quote is missing"],
  [
    "a lost quote in the host's tag",
    bad.replace('IP="', "IP="),
    "an attribute without quotes",
  ],
  ["a lost <", bad.replace("<METRIC", "METRIC"), "text between the tags"],
  [
    "a lost >",
    bad.replace(">\n<METRIC", "\n<METRIC"),
    "a quote is missing",
  ],
  ["a lost </METRIC>", bad.replace("</METRIC>\n", ""), "a metric does not end"],
  ["a lost </HOST>", bad.replace("</HOST>\n", ""), "the host does not end"],
  [
    "a metric's end elsewhere",
    bad.replace("</EXTRA_DATA>", ""),
    "the end of METRIC in EXTRA_DATA",
  ],
  [
    "the end of something unknown",
    bad.replace("</METRIC>", "</METRIK>"),
    "the end of an unknown element in METRIC",
  ],
  ["a beginning that got lost", bad.slice(200), "text between the tags"],
  ["an end that got lost", bad.slice(0, 200), "a quote is missing"],
  ["half a tag", bad.slice(0, 30), "a quote is missing"],
  ["no NAME", bad.replace(' NAME="bad"', ""), "no NAME"],
  ["an empty NAME", bad.replace('"bad"', '""'), "an empty NAME"],
  [
    "a long NAME",
    bad.replace('"bad"', `"${"x".repeat(256)}"`),
    "a NAME longer than 255 bytes",
  ],
  [
    "an absurd TN",
    bad.replace(' TN="2"', ' TN="soon"'),
    "a time of bad is no number of seconds",
  ],
  [
    "an absurd REPORTED",
    bad.replace("998", "99999999999999999"),
    "a time of bad is no number of seconds",
  ],
  [
    "an attribute that comes twice",
    bad.replace("TAGS=", "IP="),
    "IP comes twice",
  ],
  [
    "a control character",
    bad.replace('"9"', '"\x07"'),
    "a control character in a value",
  ],
  [
    "CDATA",
    bad.replace("<METRIC", "<![CDATA[x]]><METRIC"),
    "a declaration that does not belong here",
  ],
  [
    "a deep nest",
    bad.replace("<METRIC", `${"<A>".repeat(20)}<METRIC`),
    "elements more than 10 deep",
  ],
];

for (const [what, damaged, said] of DAMAGED) {
  Deno.test(`Salvage: ${what} costs that host only, however it arrives`, () => {
    const document = cluster(good, damaged, last);
    const offset = document.indexOf(damaged);
    const whole = read(document);
    const [damage] = whole.damages;
    assertEquals(hostsOf(whole), BOTH);
    assertEquals(whole.cut, undefined);
    assertEquals(damage.what, said);
    assertEquals(damage.cluster, "c");
    // Until the host's tag was read, it has no name.
    if (damage.host !== undefined) assertEquals(damage.host, "bad");
    if (damage.cost === "host") assertEquals(damage.offset, offset);
    // The bytes from there to where reading went on are kept.
    assertEquals(whole.kept.length > 0, true);
    assertEquals(
      whole.kept.map(({ text }) => text).join("").endsWith(
        damaged.slice(damage.offset - offset).slice(-20),
      ),
      true,
    );
    for (const cut of [7, 64, 500].map((step) => stepsOf(document, step))) {
      assertEquals(read(document, {}, cut), whole);
    }
    assertEquals(read(document, {}, everyCut(document.length)), whole);
  });
}

function stepsOf({ length }: string, step: number): number[] {
  return Array.from(
    { length: Math.ceil(length / step) - 1 },
    (_, i) => (i + 1) * step,
  );
}

/** A damaged metric, and what is left of its host. */
const METRICS: readonly [what: string, metric: string, said: string][] = [
  ["no NAME", metric("m").replace(' NAME="m"', ""), "METRIC left out: no NAME"],
  [
    "no VAL",
    metric("m").replace(' VAL="1.5"', ""),
    "METRIC left out: no VAL or no TYPE",
  ],
  [
    "an absurd TN",
    metric("m").replace('TN="3"', 'TN="x"'),
    "METRIC left out: its TN is no number of seconds",
  ],
  [
    "an absurd DMAX",
    metric("m").replace('DMAX="0"', 'DMAX="1e9"'),
    "METRIC left out: its TMAX or DMAX is no number of seconds",
  ],
];

for (const [what, damaged, said] of METRICS) {
  Deno.test(`Salvage: ${what} costs that metric only`, () => {
    const document = read(
      cluster(host("a", metric("before"), damaged, metric("after"))),
    );
    assertEquals(hostsOf(document), { a: { before: "1.5", after: "1.5" } });
    const [{ cost, host: name, what }] = document.damages;
    assertEquals([cost, name, what], ["metric", "a", said]);
    assertEquals(document.kept, []);
  });
}

Deno.test("Salvage: damage between hosts costs none", () => {
  for (
    const garbage of ["garbage\n", "</METRIC>\n", "<!x>\n", "<FOO>\n", "& < >"]
  ) {
    const document = read(cluster(good, garbage, last));
    assertEquals(hostsOf(document), BOTH, garbage);
    assertEquals(document.damageCount > 0, true, garbage);
    assertEquals(document.damages.map(({ host }) => host), [undefined]);
  }
});

Deno.test("Salvage: a cluster whose tag is damaged costs that cluster only", () => {
  const inner = (name: string) =>
    `<CLUSTER ${name} LOCALTIME="1000" OWNER="" LATLONG="" URL="">\n${good}</CLUSTER>\n`;
  for (const broken of ["", 'NAME="', 'NAME=""', 'NAME="x" NAME="x"']) {
    const document = read(
      ganglia(inner('NAME="a"'), inner(broken), inner('NAME="b"')),
    );
    assertEquals(
      document.clusters.map(({ name, hosts }) => [name, hosts.length]),
      [
        ["a", 1],
        ["b", 1],
      ],
      broken,
    );
    assertEquals(document.damages[0].cost, "cluster", broken);
    assertEquals(document.cut, undefined);
  }
});

Deno.test("Salvage: an end of a cluster that got lost ends it where the next begins", () => {
  const inner = (name: string, end: string) =>
    `<CLUSTER NAME="${name}" LOCALTIME="1000" OWNER="" LATLONG="" URL="">\n${good}${end}\n`;
  const document = read(
    ganglia(inner("a", ""), inner("b", "</CLUSTER>"), inner("c", "")),
  );
  assertEquals(
    document.clusters.map(({ name, hosts }) => [name, hosts.length]),
    [["a", 1], ["b", 1], ["c", 1]],
  );
  assertEquals(document.damages.map(({ what }) => what), [
    "CLUSTER does not end",
    "the end of GANGLIA_XML in CLUSTER",
  ]);
});

Deno.test("Salvage: damaged METRICS of a grid cost no more than those", () => {
  const sum = (name: string, sum = "5") =>
    `<METRICS NAME="${name}" SUM="${sum}" NUM="2" TYPE="double" UNITS="" SLOPE="both" SOURCE="gmond">\n<EXTRA_DATA>\n</EXTRA_DATA>\n</METRICS>\n`;
  for (
    const broken of [
      sum("x", "abc"),
      sum("x", "nan"),
      sum("x").replace('SUM="', "SUM="),
      sum("x").slice(40),
    ]
  ) {
    const { grids: [{ summary }], damages } = read(ganglia(
      `<GRID NAME="g" AUTHORITY="">\n<HOSTS UP="1" DOWN="2"/>\n${
        sum("a")
      }${broken}${sum("b")}</GRID>\n`,
    ));
    assertEquals([summary.up, summary.down], [1, 2]);
    assertEquals([...summary.metrics.keys()], ["a", "b"], broken);
    assertEquals(damages.length > 0, true);
  }
});

Deno.test("Salvage: of a document that is cut anywhere, the hosts that are whole count", () => {
  const document = cluster(good, bad, last);
  const ends = [good, bad, last].map((text) =>
    document.indexOf(text) + text.trimEnd().length
  );
  const begin = document.indexOf("<CLUSTER");
  for (let length = begin + 10; length < document.trimEnd().length; length++) {
    const part = read(document.slice(0, length));
    const names = (part.clusters[0]?.hosts ?? []).map(({ name }) => name);
    const whole = ["good", "bad", "last"].filter((_, i) => length >= ends[i]);
    assertEquals(names, whole, `cut at ${length}`);
    assertEquals(
      part.cut?.startsWith(`the answer ends after ${length} bytes`),
      true,
      part.cut,
    );
  }
  const inBad = read(document.slice(0, document.indexOf(last) - 20));
  assertEquals(inBad.cut?.endsWith(", in the host bad"), true);
});

Deno.test("Salvage: of a grid only the whole counts", () => {
  const grid = ganglia(
    '<GRID NAME="g" AUTHORITY=""><HOSTS UP="1" DOWN="2"/></GRID>',
  );
  assertEquals(read(grid).grids.length, 1);
  assertEquals(read(grid.slice(0, grid.indexOf("</GRID>"))).grids, []);
});

function limited(limits: Partial<XmlLimits>, ...hosts: string[]) {
  return read(cluster(...hosts), { limits });
}

Deno.test("Salvage: limits of a host cost that host, limits of a document the rest", () => {
  const many = host("many", ...["a", "b", "c"].map((name) => metric(name)));
  const extra = many.replace(
    "<EXTRA_ELEMENT",
    '<EXTRA_ELEMENT NAME="a" VAL="b"/>\n<EXTRA_ELEMENT',
  );
  const cases: [Partial<XmlLimits>, string, string | undefined][] = [
    [{ hostMetrics: 2 }, many, "more than 2 metrics"],
    [{ hostBytes: 400 }, many, "longer than 400 bytes"],
    [{ extraElements: 1 }, extra, "more than 1 EXTRA_ELEMENTs"],
    [
      { attributeBytes: 20 },
      bad.replace('"9"', `"${"9".repeat(21)}"`),
      "an attribute is longer than 20 bytes",
    ],
    [
      { tagBytes: 300 },
      bad.replace("<HOST", `<HOST${" ".repeat(200)}`),
      "a tag is longer than 300 bytes",
    ],
  ];
  for (const [limits, damaged, said] of cases) {
    const document = limited(limits, good, damaged, last);
    assertEquals(hostsOf(document), BOTH, said);
    assertEquals(document.damages.map(({ what }) => what), [said]);
  }
  const cuts: [Partial<XmlLimits>, string][] = [
    [{ documentBytes: 900 }, "the answer is larger than 900 bytes"],
    [{ hosts: 2 }, "the answer has more than 2 hosts"],
    [{ metrics: 3 }, "the answer has more than 3 metrics"],
    [{ clusters: 0 }, "the answer has more than 0 clusters and grids"],
  ];
  for (const [limits, said] of cuts) {
    const document = limited(limits, good, bad, last, last);
    assertEquals(document.cut, said);
    assertEquals(Object.keys(hostsOf(document)).includes("last"), false);
  }
});

Deno.test("Salvage: a document with too much damage is given up", () => {
  const broken = bad.replace('VAL="9"', 'VAL="9');
  const document = limited(
    { damages: 5 },
    good,
    ...Array<string>(10).fill(broken),
    last,
  );
  assertEquals(document.cut, "the answer has 5 damaged places");
  assertEquals(hostsOf(document), { good: { m: "1" } });
  // From each of the hosts in this one, all that follows looks like a comment.
  const nested = `${"<HOST NAME='y'><!--".repeat(100)}-->garbage`;
  assertEquals(
    limited({ rereadBytes: 20_000 }, nested).cut,
    "the damaged places of the answer are too large",
  );
});

Deno.test("Salvage: excerpts are no longer than their limit, wherever the next host is", () => {
  const broken = bad.replace("<METRIC", `${"garbage ".repeat(1000)}<METRIC`);
  const document = cluster(good, broken, last);
  const start = document.indexOf(broken);
  for (const cuts of [[], stepsOf(document, 100)]) {
    const { kept } = read(document, { limits: { excerptBytes: 300 } }, cuts);
    assertEquals(
      kept.map(({ text }) => text),
      [document.slice(start, start + 300)],
    );
  }
});

Deno.test("Salvage: damages are described up to a hundred, and all are counted", () => {
  const broken = bad.replace('VAL="9"', 'VAL="9');
  const document = read(cluster(...Array<string>(150).fill(broken), last));
  assertEquals(document.damages.length, 100);
  assertEquals(document.damageCount, 150);
  assertEquals(hostsOf(document), { last: { m: "2" } });
  const first: Damage = document.damages[0];
  assertEquals([first.cost, first.host, first.at > first.offset], [
    "host",
    "bad",
    true,
  ]);
});
