import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { NotGangliaError } from "../../../lib/ganglia/xml/document.ts";
import { MetricTemplates } from "../../../lib/ganglia/xml/metric_templates.ts";
import {
  GangliaReader,
  ReaderMemory,
} from "../../../lib/ganglia/xml/reader.ts";
import { readCapture } from "../captures.ts";
import { bytesOf, cluster, ganglia, read, type Reading } from "./reading.ts";

/** A memory without the short way for metrics. */
function longWay(): ReaderMemory {
  const templates = new MetricTemplates();
  templates.read = () => 0;
  return { templates, details: new ReaderMemory().details };
}

/** What came of it; of something else altogether only that. */
function outcome(...args: Parameters<typeof read>): Reading | "something else" {
  try {
    return read(...args);
  } catch (error) {
    if (error instanceof NotGangliaError) return "something else";
    throw error;
  }
}

// Texts with all that gmond does not escape, and a few that look like markup.
const text = fc.oneof(
  fc.string({ unit: "binary-ascii", maxLength: 12 }),
  fc.constantFrom(
    "load_one",
    "1.25",
    "17",
    "float",
    "uint32",
    "string",
    "both",
    "&amp;",
    "a & b",
    'say "hi" now',
    'x" TN=',
    "\xc2\xb0C",
    "\xb0C",
    "<HOST x",
    "</HOST>",
    "-->",
    "",
  ),
);
const number = fc.oneof(
  fc.nat({ max: 200 }).map(String),
  fc.constantFrom("-1", "x", "9999999999999", ""),
);
const often = <T>(value: T, other: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 8, arbitrary: fc.constant(value) }, {
    weight: 1,
    arbitrary: other,
  });
const extra = fc.tuple(text, text).map(([name, value]) =>
  `<EXTRA_ELEMENT NAME="${name}" VAL="${value}"/>\n`
);
const metric = fc.record({
  name: fc.oneof(fc.constantFrom("a", "b", "c", "d"), text),
  value: fc.oneof(text, fc.double().map(String), fc.integer().map(String)),
  type: often("float", fc.oneof(fc.constantFrom("uint32", "string"), text)),
  tn: number,
  dmax: often("0", number),
  extras: often<string[]>(
    ['<EXTRA_ELEMENT NAME="GROUP" VAL="g"/>\n'],
    fc.array(extra, { maxLength: 3 }),
  ),
  damage: often("", fc.constantFrom("&", "<", '"', "</METRIC>", "<X>", "x")),
}).map(({ name, value, type, tn, dmax, extras, damage }) =>
  `<METRIC NAME="${name}" VAL="${value}" TYPE="${type}" UNITS="%" TN="${tn}" TMAX="60" DMAX="${dmax}" SLOPE="both">\n` +
  `<EXTRA_DATA>\n${extras.join("")}${damage}</EXTRA_DATA>\n</METRIC>\n`
);
const host = fc.tuple(
  fc.constantFrom("h1", "h2", "h3", "h4"),
  often("2", number),
  fc.array(metric, { maxLength: 6 }),
).map(([name, tn, metrics]) =>
  `<HOST NAME="${name}" IP="" REPORTED="998" TN="${tn}" TMAX="20" DMAX="0" GMOND_STARTED="9">\n${
    metrics.join("")
  }</HOST>\n`
);
const document = fc.array(host, { maxLength: 6 }).chain((hosts) =>
  fc.constantFrom(
    cluster(...hosts),
    ganglia(
      `<GRID NAME="g" AUTHORITY=""><CLUSTER NAME="c" LOCALTIME="1">${
        hosts.join("")
      }</CLUSTER></GRID>`,
    ),
  )
).map(bytesOf);

const captures = [
  "gmond-multi.xml",
  "edge-input.xml",
  "edge-gmetad-c.xml",
  "gmetad-grid-of-grids.xml",
  "gmetad-python-8651.xml",
].map(readCapture);
/** Without the tags around hosts: a document with another of those is another document. */
const PIECES = [
  "<",
  ">",
  '"',
  "'",
  "&",
  "/",
  "=",
  "\0",
  "\xff",
  "<!--",
  "-->",
  "<?",
  "<!",
  "<HOST ",
  "</HOST>",
  "<METRIC ",
  "</METRIC>",
  "<EXTRA_DATA>",
  " NAME=",
].map(bytesOf);

interface Mutation {
  readonly at: number;
  readonly remove: number;
  readonly insert: Uint8Array;
}

function mutate(bytes: Uint8Array, { at, remove, insert }: Mutation) {
  const mutated = new Uint8Array(bytes.length - remove + insert.length);
  mutated.set(bytes.subarray(0, at));
  mutated.set(insert, at);
  mutated.set(bytes.subarray(at + remove), at + insert.length);
  return mutated;
}

function mutation(from: number, to: number): fc.Arbitrary<Mutation> {
  return fc.record({
    at: fc.integer({ min: from, max: to - 1 }),
    remove: fc.oneof(fc.nat({ max: 3 }), fc.nat({ max: 2000 })),
    insert: fc.oneof(
      fc.constantFrom(...PIECES),
      fc.uint8Array({ maxLength: 4 }),
    ),
  }).map(({ at, remove, insert }) => ({
    at,
    remove: Math.min(remove, to - at),
    insert,
  }));
}

const mutated = fc.constantFrom(...captures).chain((bytes) =>
  fc.array(mutation(0, bytes.length), { maxLength: 4 }).map((mutations) =>
    mutations.reduce(
      (result, mutation) =>
        mutation.at + mutation.remove <= result.length
          ? mutate(result, mutation)
          : result,
      bytes,
    )
  )
);

function cutsOf(bytes: Uint8Array): fc.Arbitrary<number[]> {
  const cut = fc.integer({ min: 0, max: bytes.length });
  return fc.oneof(
    fc.array(cut, { maxLength: 20 }).map((cuts) => cuts.sort((a, b) => a - b)),
    fc.integer({ min: 1, max: 3000 }).map((step) =>
      Array.from(
        { length: Math.floor(bytes.length / step) },
        (_, i) => (i + 1) * step,
      )
    ),
  );
}

Deno.test("GangliaReader reads the same however a document arrives", () => {
  const cases = fc.oneof(document, mutated).chain((bytes) =>
    fc.tuple(fc.constant(bytes), cutsOf(bytes), fc.boolean())
  );
  fc.assert(
    fc.property(cases, ([bytes, cuts, scalable]) => {
      assertEquals(
        outcome(bytes, { scalable }, cuts),
        outcome(bytes, { scalable }),
      );
    }),
    { numRuns: 300 },
  );
});

Deno.test("GangliaReader reads the same with what it remembers and without", () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(document, mutated), { minLength: 1, maxLength: 3 }),
      (documents) => {
        const memory = new ReaderMemory();
        for (const bytes of [...documents, ...documents]) {
          const quick = outcome(bytes, { memory });
          assertEquals(quick, outcome(bytes, { memory: longWay() }));
        }
      },
    ),
    { numRuns: 200 },
  );
});

Deno.test("GangliaReader: whatever happens inside a host costs no other host", () => {
  const bytes = readCapture("gmond-multi.xml");
  const text = String.fromCharCode(...bytes);
  const hosts = read(bytes).clusters[0].hosts;
  assertEquals(hosts.length, 6);
  const cases = fc.nat({ max: hosts.length - 1 }).chain((index) => {
    const from = text.indexOf(`<HOST NAME="${hosts[index].name}"`);
    const to = text.indexOf("</HOST>", from) + "</HOST>".length;
    return fc.tuple(fc.constant(index), mutation(from, to));
  });
  fc.assert(
    fc.property(cases, ([index, mutation]) => {
      const { clusters, cut } = read(mutate(bytes, mutation));
      const found = new Map(clusters[0].hosts.map((host) => [host.name, host]));
      assertEquals(cut, undefined);
      hosts.forEach((host, i) => {
        if (i !== index) assertEquals(found.get(host.name), host);
      });
    }),
    { numRuns: 1000 },
  );
});

Deno.test("GangliaReader: whatever arrives, it takes little memory and little time", () => {
  const head = cluster().slice(0, cluster().indexOf("</CLUSTER>"));
  const open = `${head}<HOST NAME="h" IP="">\n`;
  const streams: [what: string, head: string, again: string][] = [
    ["text", open, "garbage "],
    ["text outside", head, "garbage "],
    ["a value", `${open}<METRIC NAME="`, "x"],
    ["a tag", `${open}<METRIC`, " "],
    ["attributes", `${open}<METRIC`, ' A=""'],
    ["a comment", `${head}<!--`, " - "],
    ["a document type", "<!DOCTYPE G [", "<!ELEMENT A>"],
    ["a host", open, '<METRIC NAME="m" VAL="1" TYPE="int8"/>'],
    ["unknown elements", open, "<A/>"],
    ["a nest", open, "<A>"],
    ["hosts that begin", open, '<HOST NAME="h" '],
    ["hosts that look like comments", open, "<HOST NAME='h'><!--"],
    ["markers", head, "</GRID>"],
    ["blanks", head, " "],
    ["names", head, "<HOST NAME='h'><METRIC NAME='"],
  ];
  for (const [what, head, again] of streams) {
    const chunk = bytesOf(again.repeat(Math.ceil(60_000 / again.length)));
    const reader = new GangliaReader({
      memory: new ReaderMemory(),
      scalable: true,
      now: 0,
    });
    const before = Deno.memoryUsage().external;
    const start = performance.now();
    try {
      reader.push(bytesOf(head));
      for (let i = 0; i < 500 && !reader.done; i++) reader.push(chunk);
      reader.end();
    } catch (error) {
      if (!(error instanceof NotGangliaError)) throw error;
    }
    const elapsed = performance.now() - start;
    const taken = Deno.memoryUsage().external - before;
    assertEquals(taken < 40e6, true, `${what}: ${taken} bytes`);
    assertEquals(elapsed < 5000, true, `${what}: ${elapsed} ms`);
  }
});
