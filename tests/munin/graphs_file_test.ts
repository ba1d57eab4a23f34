import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { UserError } from "../../lib/errors.ts";
import type { Graph, Limits, PatternLines } from "../../lib/munin/graph.ts";
import {
  type GraphsFile,
  loadGraphsFile,
  parseGraphsFile,
} from "../../lib/munin/graphs_file.ts";

const encoder = new TextEncoder();
const example = new URL(
  "../../plugins-conf.d/graphs.json.example",
  import.meta.url,
);
const reference = new URL("../../docs/graphs-file.md", import.meta.url);

function parse(text: string): GraphsFile {
  return parseGraphsFile(encoder.encode(text), "graphs.json");
}

/** What is wrong with a file. */
function fault(text: string | Uint8Array): string {
  const bytes = typeof text === "string" ? encoder.encode(text) : text;
  const error = assertThrows(
    () => parseGraphsFile(bytes, "graphs.json"),
    UserError,
  );
  assertEquals(error.exitCode, 1);
  assert(!/[\p{Cc}\u2028\u2029]/u.test(error.message), error.message);
  return error.message;
}

/** A file of one graph, `g`, its fields on the second line. */
function oneGraph(fields: string): string {
  return `{"graphs": {"g": {\n${fields}}}}`;
}

/** The graph `g` of a file with nothing but "title" T and "statistics" `x`, but for what is given. */
function graph(
  { lines = {}, ...rest }: Partial<Omit<Graph, "lines">> & {
    lines?: Partial<PatternLines>;
  },
): Graph {
  return {
    name: "g",
    title: "T",
    category: "gatherer",
    vlabel: "value",
    info: "Statistics: x",
    ...rest,
    lines: {
      kind: "pattern",
      statistics: [{ glob: "x" }],
      per: "node",
      labels: new Map(),
      draw: "LINE1",
      ...lines,
    },
  };
}

Deno.test("a graph with every field, and limits of another", () => {
  const { graphs, limits } = parse(`\ufeff{
  "graphs": {
    "mailer_queue": {
      "title": "Mail queue",
      "category": "mail",
      "vlabel": "messages",
      "info": "How many <b>messages</b> wait. #1",
      "args": "--base 1000 --lower-limit 0 --color BACK#ffffff",
      "statistics": ["mailer.queue.*", "counters:mailer.sent", "stats:a:b"],
      "nodes": "mail-*",
      "per": "node",
      "label": "{node} {stat} {",
      "labels": { "mailer.queue.active": "active", "mailer.sent": "é" },
      "type": "GAUGE",
      "draw": "AREASTACK",
      "min": -0.5, "max": 1e3,
      "warning": 800, "critical": " 10 : 9.5e2"
    }
  },
  "limits": {
    "tahoe_storage_consumed": { "warning": ":1e12", "critical": ":2e12" },
    "gatherer_stat_x": {}
  }
}
`);
  assertEquals(graphs, [{
    name: "mailer_queue",
    title: "Mail queue",
    category: "mail",
    vlabel: "messages",
    info: "How many <b>messages</b> wait. #1",
    args: "--base 1000 --lower-limit 0 --color BACK#ffffff",
    limits: { warning: "800", critical: "10:950" },
    lines: {
      kind: "pattern",
      statistics: [
        { glob: "mailer.queue.*" },
        { group: "counters", glob: "mailer.sent" },
        { group: "stats", glob: "a:b" },
      ],
      nodes: "mail-*",
      per: "node",
      label: "{node} {stat} {",
      labels: new Map([["mailer.queue.active", "active"], [
        "mailer.sent",
        "é",
      ]]),
      type: "GAUGE",
      draw: "AREASTACK",
      min: -0.5,
      max: 1000,
    },
  }]);
  assertEquals(
    limits,
    new Map<string, Limits>([
      ["tahoe_storage_consumed", {
        warning: ":1000000000000",
        critical: ":2000000000000",
      }],
      ["gatherer_stat_x", {}],
    ]),
  );
});

Deno.test("what a graph leaves out has a default", () => {
  const f = (fields: string, expected: Graph) =>
    assertEquals(
      parse(oneGraph(`"title": "T", ${fields}`)),
      { graphs: [expected], limits: new Map() },
      fields,
    );
  f('"statistics": "x"', graph({}));
  f('"statistics": ["x"]', graph({}));
  f('"statistics": "x", "warning": "5:"', graph({ limits: { warning: "5:" } }));
  f('"statistics": "x", "critical": 5', graph({ limits: { critical: "5" } }));
  f('"statistics": "x", "min": 5', graph({ lines: { min: 5 } }));
  f(
    '"statistics": "x", "per": "total", "label": "{stat}"',
    graph({ lines: { per: "total", label: "{stat}" } }),
  );
  f(
    '"statistics": "x", "type": "DERIVE"',
    graph({ vlabel: "per ${graph_period}", lines: { type: "DERIVE" } }),
  );
  f(
    '"statistics": ["counters:x", "counters:y"]',
    graph({
      vlabel: "per ${graph_period}",
      info: "Statistics: counters:x, counters:y",
      lines: {
        statistics: [
          { group: "counters", glob: "x" },
          { group: "counters", glob: "y" },
        ],
      },
    }),
  );
  f(
    '"statistics": ["counters:x", "y"]',
    graph({
      info: "Statistics: counters:x, y",
      lines: {
        statistics: [{ group: "counters", glob: "x" }, { glob: "y" }],
      },
    }),
  );
  f(
    '"statistics": "counters:x", "type": "GAUGE"',
    graph({
      info: "Statistics: counters:x",
      lines: { statistics: [{ group: "counters", glob: "x" }], type: "GAUGE" },
    }),
  );
  f(
    '"statistics": "<a&b>"',
    graph({
      info: "Statistics: &#60;a&#38;b&#62;",
      lines: { statistics: [{ glob: "<a&b>" }] },
    }),
  );
  f(
    '"statistics": ["counter[:]x", "counter"]',
    graph({
      info: "Statistics: counter[:]x, counter",
      lines: { statistics: [{ glob: "counter[:]x" }, { glob: "counter" }] },
    }),
  );
  const nothing: GraphsFile = { graphs: [], limits: new Map() };
  assertEquals(parse("{}"), nothing);
  assertEquals(parse('{"limits": {}, "graphs": {}}'), nothing);
});

Deno.test("names of graphs", () => {
  const f = (name: string, message?: string) => {
    const text = `{"graphs": {"${name}": {"title": "T", "statistics": "x"}}}`;
    if (message === undefined) {
      assertEquals(parse(text).graphs, [graph({ name })], name);
    } else {
      assertEquals(fault(text), `graphs.json:1:13: graph "${message}`, name);
    }
  };
  const syntax =
    'a name has letters, digits and "_", no digit first, and at most 100 characters';
  const builtIn =
    'names that begin with "tahoe_" or "gatherer_" are for built-in graphs; take another';
  const reserved = "this name is reserved; take another";
  f("g");
  f("_");
  f("Tahoe_9");
  f("tahoe");
  f("__proto__");
  f("constructor");
  f("x".repeat(100));
  f("x".repeat(101), `${"x".repeat(100)}…": ${syntax}`);
  f("", `": ${syntax}`);
  f("9a", `9a": ${syntax}`);
  f("a-b", `a-b": ${syntax}`);
  f("a.b", `a.b": ${syntax}`);
  f("é", `é": ${syntax}`);
  f("a\\n", `a\\n": ${syntax}`);
  f("a\\u0085", `a ": ${syntax}`);
  f("tahoe_x", `tahoe_x": ${builtIn}`);
  f("gatherer_", `gatherer_": ${builtIn}`);
  f("gatherer", `gatherer": ${reserved}`);
  f("multigraph", `multigraph": ${reserved}`);
  f("root", `root": ${reserved}`);
});

const fieldNames =
  '"title", "statistics", "nodes", "per", "label", "labels", ' +
  '"category", "vlabel", "info", "args", "type", "draw", "min", "max", "warning", "critical"';

Deno.test("fields that are missing, unknown, there twice, or not fit for each other", () => {
  const f = (fields: string, place: string, message: string) =>
    assertEquals(
      fault(oneGraph(fields)),
      `graphs.json:${place}: graph "g": ${message}`,
    );
  f("", "1:13", 'the field "title" is missing');
  f('"title": "T"', "1:13", 'the field "statistics" is missing');
  f('"titel": "T"', "2:1", 'there is no field "titel": did you mean "title"?');
  f(
    '"labl": "T"',
    "2:1",
    'there is no field "labl": did you mean "label" or "labels" or "vlabel"?',
  );
  f('"é": {', "2:1", `there is no field "é": known are ${fieldNames}`);
  f(
    '"__proto__": 5',
    "2:1",
    `there is no field "__proto__": known are ${fieldNames}`,
  );
  f(
    '"title": "T",\n\n  "titl\\u0065": "T"',
    "4:3",
    'field "title" is in line 2 already; keep one of them',
  );
  const rest = '"title": "T", "statistics": "x",\n';
  f(
    `${rest}"max": 5, "min": 5`,
    "3:8",
    'field "max": it must be more than "min"',
  );
  f(
    `${rest}"max": -1`,
    "3:8",
    'field "max": it must be more than 0, the minimum of counters',
  );
  f(
    `${rest}"type": "DERIVE", "max": 0`,
    "3:26",
    'field "max": it must be more than 0, the minimum of counters',
  );
  f(
    `${rest}"label": "{node}", "per": "total"`,
    "3:10",
    'field "label": there is no {node} where "per" is "total"',
  );
  f(
    `${rest}"labels": {"x": "X", "y": "Y"}`,
    "3:22",
    'field "labels": nothing in "statistics" matches "y"',
  );
  assertEquals(
    parse(oneGraph(`${rest}"type": "GAUGE", "max": -1`)).graphs,
    [graph({ lines: { type: "GAUGE", max: -1 } })],
  );
  assertEquals(
    parse(oneGraph('"title": "T", "statistics": "stats:x", "max": -1')).graphs,
    [graph({
      info: "Statistics: stats:x",
      lines: { statistics: [{ group: "stats", glob: "x" }], max: -1 },
    })],
  );
});

Deno.test("fields whose value is wrong", () => {
  const f = (name: string, value: string, message: string, column = 0) => {
    assertEquals(
      fault(oneGraph(`"${name}":${value}`)),
      `graphs.json:2:${
        name.length + 4 + column
      }: graph "g": field "${name}": ${message}`,
    );
  };
  for (
    const name of [
      "title",
      "vlabel",
      "label",
      "info",
      "args",
      "nodes",
      "category",
    ]
  ) {
    const expected = 'expected a text in "", got';
    f(name, "5", `${expected} 5`);
    f(name, "null", `${expected} null`);
    f(name, '["x"]', `${expected} a list`);
    f(name, '{"x": 5}', `${expected} an object`);
    f(name, '""', "it must not be empty, nor begin or end with a blank");
    f(name, '" x"', "it must not be empty, nor begin or end with a blank");
    f(name, '"x\\t"', "it must not be empty, nor begin or end with a blank");
    const control = "it must have no line break or control character";
    f(name, '"x\\n.\\nx"', control);
    f(name, '"x\\rx"', control);
    f(name, '"x\\u0000x"', control);
    f(name, '"x\\u0085x"', control);
    f(name, '"x\\u2028x"', control);
    f(
      name,
      '"x # timeout"',
      'at "# timeout" Munin would give up on the whole host',
    );
  }
  for (const name of ["title", "vlabel", "label"]) {
    f(name, '"x #1"', 'it must have no "#": Munin cannot draw it');
    f(name, '"a\\\\b"', 'it must have no "\\\\": Munin cannot draw it');
  }
  f("label", '"{stat} {host}"', "there are {node} and {stat}, but no {host}");
  f("label", '"{}"', "there are {node} and {stat}, but no {}");
  f("label", '"{Node}"', "there are {node} and {stat}, but no {Node}");
  f("labels", '"x"', 'expected an object in {}, got "x"');
  f("labels", '{"x":5}', 'label "x": expected a text in "", got 5', 5);
  f(
    "labels",
    '{"x":"#"}',
    'label "x": it must have no "#": Munin cannot draw it',
    5,
  );
  f(
    "labels",
    '{"x":"a","x":"b"}',
    'label "x" is in line 2 already; keep one of them',
    9,
  );

  const category = 'expected lower-case letters, digits, "_", "." and "-", ' +
    "a letter or digit first, at most 100";
  f("category", '"Mail"', `${category}: perhaps "mail"`);
  f("category", '"mail & news"', `${category}: perhaps "mail_news"`);
  f("category", '"../x"', `${category}: perhaps "x"`);
  f("category", '".."', category);
  f(
    "category",
    `"${"x".repeat(101)}"`,
    `${category}: perhaps "${"x".repeat(100)}"`,
  );

  const stat = 'expected a text in "", got';
  f("statistics", "{}", `${stat} an object`);
  f("statistics", "true", `${stat} true`);
  f("statistics", "[]", "the list is empty");
  f("statistics", '["x", 5]', `${stat} 5`, 6);
  f("statistics", '[["x"]]', `${stat} a list`, 1);
  f(
    "statistics",
    '["x", ""]',
    "it must not be empty, nor begin or end with a blank",
    6,
  );
  f(
    "statistics",
    '"counters:"',
    'a pattern must follow "counters:" at once; "*" is any',
  );
  f(
    "statistics",
    '"stats: x"',
    'a pattern must follow "stats:" at once; "*" is any',
  );
  f(
    "statistics",
    '"counter:x:y"',
    'there is no "counter:": did you mean "counters:"? ' +
      '(A statistic whose name begins so: "counter[:]x:y")',
  );
  f(
    "statistics",
    '["x", "counters:[z-a]"]',
    'the pattern "[z-a]" has a range in brackets that runs backwards',
    6,
  );
  f(
    "nodes",
    '"[z-a]"',
    'the pattern "[z-a]" has a range in brackets that runs backwards',
  );

  f("per", '"nodes"', 'expected "node" or "total", got "nodes"');
  f("per", "null", 'expected "node" or "total", got null');
  f("type", '"gauge"', 'expected "GAUGE" or "DERIVE", got "gauge"');
  f("type", '["GAUGE"]', 'expected "GAUGE" or "DERIVE", got a list');
  f("type", '"constructor"', 'expected "GAUGE" or "DERIVE", got "constructor"');
  f(
    "type",
    '"COUNTER"',
    'expected "GAUGE" or "DERIVE", got "COUNTER": it takes a restart for an overflow and draws a peak; use "DERIVE" with "min": 0',
  );
  f(
    "type",
    '"ABSOLUTE"',
    'expected "GAUGE" or "DERIVE", got "ABSOLUTE": it is for counters that begin again whenever they are read, and no statistic does; use "DERIVE" with "min": 0',
  );
  f(
    "draw",
    '"LINE"',
    'expected "LINE1" or "LINE2" or "LINE3" or "AREA" or "STACK" or "AREASTACK", got "LINE"',
  );
  f("min", '"0"', 'expected a number, got "0"');
  f("min", "null", "expected a number, got null");
  f("min", "NaN", "expected a number, got NaN");
  f("min", "-Infinity", "expected a number, got -Infinity");
  f("max", "1e309", "expected a number, got 1e309");
  f("max", "9".repeat(400), `expected a number, got ${"9".repeat(100)}…`);
  const range =
    'expected a range, "max", "min:", ":max" or "min:max", numbers with min not above max, got';
  f("warning", '"10:5"', `${range} "10:5"`);
  f("warning", '":"', `${range} ":"`);
  f("critical", '"90%\\n"', `${range} "90%\\n"`);
  f("critical", "NaN", `${range} NaN`);
  f("critical", "1e300", `${range} 1e300`);
  f("critical", "[5]", `${range} a list`);
});

Deno.test("limits", () => {
  const f = (text: string, limits: [string, Limits][]) =>
    assertEquals(parse(text).limits, new Map(limits), text);
  const g = '"graphs": {"g": {"title": "T", "statistics": "x", "warning": 5}}';
  f('{"limits": {"tahoe_x": {"warning": 5}}}', [["tahoe_x", { warning: "5" }]]);
  f(`{"limits": {"g": {"critical": 9}}, ${g}}`, [["g", { critical: "9" }]]);

  const wrong = (text: string, message: string) =>
    assertEquals(fault(text), `graphs.json:1:${message}`, text);
  wrong(
    '{"limits": []}',
    '12: section "limits": expected an object in {}, got a list',
  );
  wrong(
    '{"limits": {"tahoe_x": {"warn": 5}}}',
    '25: section "limits": graph "tahoe_x": there is no field "warn": did you mean "warning"?',
  );
  wrong(
    '{"limits": {"tahoe_x": {"warning": "x"}}}',
    '36: section "limits": graph "tahoe_x": field "warning": expected a range, "max", "min:", ":max" or "min:max", numbers with min not above max, got "x"',
  );
  wrong(
    '{"limits": {"tahoe_x": {}, "tahoe_x": {}}}',
    '28: section "limits": graph "tahoe_x" is in line 1 already; keep one of them',
  );
  wrong(
    `{"limits": {"g": {"critical": 9, "warning": 9}}, ${g}}`,
    '13: section "limits": graph "g" has a "warning" itself; keep one of them',
  );
  wrong(
    `{"limits": {"gg": {}}, ${g}}`,
    '13: section "limits": there is no graph "gg", neither in this file nor built in: did you mean "g"?',
  );
  wrong(
    '{"limits": {"tahoe": {}}}',
    '13: section "limits": there is no graph "tahoe", neither in this file nor built in',
  );

  const known = (text: string) =>
    parseGraphsFile(
      encoder.encode(text),
      "graphs.json",
      (name) => name === "a-b",
    );
  assertEquals(known('{"limits": {"a-b": {}}}').limits, new Map([["a-b", {}]]));
  assertThrows(
    () => known('{"limits": {"tahoe_x": {}}}'),
    UserError,
    'there is no graph "tahoe_x"',
  );
});

Deno.test("what is no JSON, or not the object that is wanted", () => {
  const f = (text: string | Uint8Array, message: string) =>
    assertEquals(fault(text), `graphs.json:${message}`);
  const ends = "this is not JSON: the file ends in the middle of the object";
  f("", `1:1: ${ends}`);
  f("\n\n", `3:1: ${ends}`);
  f('{"graphs": {\n', `2:1: ${ends}`);
  f("[]", "1:1: expected an object in {}, got a list");
  f('"x"', '1:1: expected an object in {}, got "x"');
  f(
    '{"graph": {}}',
    '1:2: there is no section "graph": did you mean "graphs"?',
  );
  f('{"x": {}}', '1:2: there is no section "x": known are "graphs", "limits"');
  f(
    '{"graphs": {},\n"graphs": {}}',
    '2:1: section "graphs" is in line 1 already; keep one of them',
  );
  f('{"graphs": 5}', "1:12: expected an object in {}, got 5");
  const g = '{"title": "T", "statistics": "x"}';
  f(
    `{"graphs": {"g": ${g},\n"h": ${g},\n"g": ${g}}}`,
    '3:1: graph "g" is in line 1 already; keep one of them',
  );
  f(
    `{"graphs": {"g": ${g},\n}}`,
    "2:1: this is not JSON: expected a text as key; take the comma before it away",
  );
  f(
    '{"graphs": {"g": {"statistics": ["x",\n]}}}',
    "2:1: this is not JSON: expected a value; take the comma before it away",
  );
  f(
    `{"graphs": {"g": ${g}\n"h": ${g}}}`,
    '2:1: this is not JSON: expected a comma or "}"',
  );
  f(
    '{\n// mine\n"graphs": {}}',
    "2:1: this is not JSON: expected a text as key; JSON has no comments",
  );
  f(
    "{'graphs': {}}",
    '1:2: this is not JSON: expected a text as key; texts are in double quotes, ""',
  );
  f(
    '{"graphs": {"g": {"title": "T,\n"statistics": "x"}}}',
    "1:31: this is not JSON: expected no control character in a text; is a quote missing before it?",
  );
  f(
    '{"graphs": {}} x',
    "1:16: this is not JSON: more follows after the end of the object",
  );
  f('{"graphs" {}}', "1:11: this is not JSON: expected a colon");
  f(
    '{"graphs": {"g": {"title": "\\x"}}}',
    "1:29: this is not JSON: a text has an unknown escape",
  );
  f(
    new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]),
    "1:3: this is not JSON: a text is not valid UTF-8",
  );
  f(
    `{"graphs": ${"[".repeat(200_000)}`,
    "1:112: this is not JSON: nested more than 100 deep",
  );
  f(oneGraph('"min": 01'), '2:9: this is not JSON: expected a comma or "}"');
  f(oneGraph('"min": +1'), "2:8: this is not JSON: expected a value");
});

Deno.test("a file has 1,000 graphs, and limits for 1,000, and no more", () => {
  const text = (count: number, section: string, value: string) =>
    `{"${section}": {${
      Array.from({ length: count }, (_, i) =>
        `"tahoe${i ? "_" : ""}${i}":${value}`)
        .join()
    }}}`;
  const graphs = (count: number) =>
    text(count, "graphs", '{"title":"T","statistics":"x"}').replaceAll(
      "tahoe_",
      "g",
    );
  const limits = (count: number) =>
    text(count, "limits", "{}").replace("tahoe0", "tahoe_0");
  assertEquals(parse(graphs(1000)).graphs.length, 1000);
  assertEquals(parse(limits(1000)).limits.size, 1000);
  const message = "there are more than 1000 graphs";
  assertEquals(fault(graphs(1001)).replace(/^.*: /, ""), message);
  assertEquals(fault(limits(1001)).replace(/^.*: /, ""), message);
});

Deno.test("loadGraphsFile() reads a file of up to 1 MiB, or says why not", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const path = `${directory}/graphs "1".json`;
    const f = (message: string) => {
      const error = assertThrows(() => loadGraphsFile(path), UserError);
      assertEquals(error.message, message);
    };
    const quoted = JSON.stringify(path);
    f(
      `cannot read the graphs file ${quoted}: no such file; mind that munin-node's service usually cannot see /home, /root and /tmp`,
    );
    const text = '{"limits": {"tahoe_x": {}}}';
    Deno.writeTextFileSync(path, text + " ".repeat(1024 * 1024 - text.length));
    assertEquals(loadGraphsFile(path).limits, new Map([["tahoe_x", {}]]));
    assertThrows(() => loadGraphsFile(path, () => false), UserError, "tahoe_x");
    Deno.writeTextFileSync(path, " ", { append: true });
    f(`the graphs file ${quoted} has more than 1048576 bytes; make it shorter`);
    Deno.writeTextFileSync(path, "{\n5}");
    f(`${path}:2:1: this is not JSON: expected a text as key`);
    Deno.removeSync(path);
    Deno.mkdirSync(path);
    f(`cannot read the graphs file ${quoted}: it is a directory, not a file`);
    Deno.removeSync(path);
    Deno.symlinkSync(path, path);
    const error = assertThrows(() => loadGraphsFile(path), UserError);
    assert(!error.message.includes("os error"), error.message);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("the example and every file in the reference are in order", () => {
  const { graphs, limits } = loadGraphsFile(example.pathname);
  assertEquals(graphs.map(({ name }) => name), [
    "mailer_queue",
    "mailer_rates",
    "grid_disk_used",
  ]);
  assertEquals([...limits.keys()], ["tahoe_storage_consumed"]);
  const blocks = [
    ...Deno.readTextFileSync(reference).matchAll(/```json\n(.*?)```/gs),
  ].map(([, text]) => parse(text));
  assertEquals(blocks.map(({ graphs }) => graphs.length), [3]);
});

Deno.test("the reference has every field, and no other", () => {
  const rows = [
    ...Deno.readTextFileSync(reference).matchAll(/^\| `"(\w+)"` \|/gm),
  ].map(([, name]) => `"${name}"`);
  assertEquals(rows.join(", "), fieldNames);
});

/** A text that lines of Munin may have. */
const plainText = fc.string({
  unit: fc.constantFrom(..."abcé😀 <>&:.*-_/$", "{", "}"),
  minLength: 1,
}).filter((text) => text.trim() === text && !/[{]/.test(text));

const number = fc.double({ noNaN: true, noDefaultInfinity: true });

const anyFields = fc.record({
  title: plainText,
  statistics: fc.array(
    fc.tuple(
      fc.constantFrom(undefined, "counters", "stats"),
      plainText.filter((text) => !text.includes(":")),
    ),
    { minLength: 1, maxLength: 4 },
  ),
  nodes: plainText,
  label: plainText.map((text) => `${text} {stat}`),
  category: fc.stringMatching(/^[a-z0-9][a-z0-9_.-]{0,20}$/),
  vlabel: plainText,
  info: plainText,
  args: plainText,
  type: fc.constantFrom("GAUGE" as const, "DERIVE" as const),
  draw: fc.constantFrom("LINE2" as const, "AREA" as const, "STACK" as const),
  min: number,
  warning: fc.integer(),
}, { requiredKeys: ["title", "statistics"] });

Deno.test("property: any definition that is in order comes back as it was written", () => {
  fc.assert(fc.property(
    anyFields,
    fc.constantFrom(undefined, 1, "	"),
    (fields, space) => {
      const written = fields.statistics.map(([group, glob]) =>
        group === undefined ? glob : `${group}:${glob}`
      );
      const text = JSON.stringify(
        { graphs: { g: { ...fields, statistics: written } } },
        undefined,
        space,
      );
      const counters = fields.type === "DERIVE" || (fields.type === undefined &&
        fields.statistics.every(([group]) => group === "counters"));
      const { title, category, vlabel, info, args, warning } = fields;
      const { statistics, nodes, label, type, draw, min } = fields;
      assertEquals(
        parse(text).graphs.map(plain),
        [plain({
          name: "g",
          title,
          category: category ?? "gatherer",
          vlabel: vlabel ?? (counters ? "per ${graph_period}" : "value"),
          info: info ??
            `Statistics: ${
              written.join(", ").replaceAll("&", "&#38;")
                .replaceAll("<", "&#60;").replaceAll(">", "&#62;")
            }`,
          args,
          limits: warning === undefined ? undefined : { warning: `${warning}` },
          lines: {
            kind: "pattern",
            statistics: statistics.map(([group, glob]) => ({ group, glob })),
            nodes,
            per: "node",
            label,
            labels: new Map(),
            type,
            draw: draw ?? "LINE1",
            min,
          },
        } as Graph)],
      );
    },
  ));
});

/** Without what is undefined, and maps as objects. */
function plain(graph: Graph): unknown {
  return JSON.parse(JSON.stringify(graph));
}

Deno.test("property: whatever is done to a file, it is read or refused in one line", () => {
  const whole = Deno.readTextFileSync(example);
  const piece = fc.oneof(
    fc.constantFrom(
      ..."{}[]\":,\\\n#'-+0e.",
      "null",
      '"x"',
      '{"a":1}',
      "NaN",
      "\\u0000",
      '"__proto__":',
      "\ufeff",
      "# timeout",
    ),
    fc.string({ unit: "binary", maxLength: 5 }),
    fc.tuple(fc.nat(whole.length), fc.nat(60)).map(([at, length]) =>
      whole.slice(at, at + length)
    ),
  );
  const change = fc.tuple(fc.nat(whole.length), fc.nat(20), piece);
  const anyBytes = fc.oneof(
    fc.array(change, { minLength: 1, maxLength: 4 }).map((changes) => {
      let text = whole;
      for (const [at, length, put] of changes) {
        text = text.slice(0, at) + put + text.slice(at + length);
      }
      return encoder.encode(text);
    }),
    fc.json().map((text) => encoder.encode(`{"graphs":{"g":${text}}}`)),
    fc.json().map((text) => encoder.encode(text)),
    fc.uint8Array(),
  );
  fc.assert(
    fc.property(anyBytes, (bytes) => {
      try {
        for (
          const { name, title, info, args } of parseGraphsFile(bytes, "f")
            .graphs
        ) {
          const line = `${name}|${title}|${info}|${args}`;
          assert(!/[\p{Cc}]|# timeout/u.test(line), line);
        }
      } catch (error) {
        assert(error instanceof UserError, `${error}`);
        assert(/^f:\d+:\d+: [^\p{Cc}]+$/u.test(error.message), error.message);
      }
    }),
    { numRuns: 2_000 },
  );
});
