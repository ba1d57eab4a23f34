import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  decodeSnapshot,
  encodeNode,
  encodeSnapshot,
  SnapshotError,
  type SnapshotNode,
} from "../../lib/snapshot/codec.ts";
import { formatFloat, readJson, writeJson } from "../../lib/snapshot/json.ts";
import { JsonReader } from "../../lib/snapshot/json_reader.ts";
import type { Value } from "../../lib/value.ts";
import { anyNodes, node } from "./nodes.ts";

const encoder = new TextEncoder();
const captures = [
  "0-attached",
  "1-some-traffic",
  "2-a-quarter-hour-later",
  "3-busy",
].map((name) =>
  new URL(`../testdata/tahoe/gatherer-stats-${name}.json`, import.meta.url)
);

function read(text: string): SnapshotNode[] {
  return readJson(encoder.encode(text));
}

/** What a stats.json with this one value gives. */
function readValue(text: string): Value | undefined {
  const [{ stats }] = read(
    `{"k": {"nickname": "n", "stats": {"stats": {"x": ${text}}}}}`,
  );
  return stats.get("x");
}

Deno.test("the original gatherer's files come back byte for byte, through the snapshot too", () => {
  for (const url of captures) {
    const text = Deno.readTextFileSync(url);
    const nodes = read(text);
    assertEquals(nodes.length, 9);
    assertEquals(writeJson(nodes), text);
    assertEquals(
      writeJson(decodeSnapshot(encodeSnapshot(nodes.map(encodeNode)))),
      text,
    );
  }
});

Deno.test("readJson() reads a capture as what it says", () => {
  const nodes = readJson(Deno.readFileSync(captures[0]));
  const first = nodes[0];
  assertEquals(
    [first.key, first.nickname, first.timestamp, first.counters.size],
    ["m32izoh3ur3puwxgqaitnygpof7bwlnd", "storage-3", 1795247172.4634383, 0],
  );
  assertEquals(first.stats.get("storage_server.disk_avail"), 80588887552n);
  assertEquals(first.stats.get("node.uptime"), 70.45582103729248);
});

Deno.test("readJson() tells integers from floats and loses no digit", () => {
  const f = (text: string, value: Value | undefined) =>
    assertEquals(readValue(text), value, text);
  f("0", 0n);
  f("-0", 0n);
  f("-12", -12n);
  f("999999999999999", 999999999999999n);
  f("-999999999999999", -999999999999999n);
  f("9007199254740993", 9007199254740993n);
  f("-9007199254740993", -9007199254740993n);
  f("1" + "0".repeat(9999), 10n ** 9999n);
  f("5.0", 5);
  f("-0.0", -0);
  f("1e3", 1000);
  f("1E+3", 1000);
  f("25e-1", 2.5);
  f("1e+22", 1e22);
  f("1e999", Infinity);
  f("null", null);
  f("NaN", NaN);
  f("Infinity", Infinity);
  f("-Infinity", -Infinity);
  f("true", undefined);
  f("false", undefined);
  f('"1"', undefined);
  f('[1, [2], {}, {"a": null}]', undefined);
  f("{}", undefined);
});

Deno.test("readJson() reads every escape, white space and a byte order mark", () => {
  const f = (text: string, nickname: string) =>
    assertEquals(
      read(`{"k": {"nickname": ${text}, "stats": {}}}`)[0].nickname,
      nickname,
    );
  f('"\\"\\\\\\/\\b\\f\\n\\r\\t"', '"\\/\b\f\n\r\t');
  f('"\\u00e9\\u00E9 é"', "éé é");
  f('"\\ud83d\\ude00 😀"', "😀 😀");
  f('"\\ud83d x \\ude00"', "\ufffd x \ufffd");
  f('"\\\\u0041"', "\\u0041");
  f('"\ufeff\u2028\u007f"', "\ufeff\u2028\u007f");
  assertEquals(
    read(
      '\ufeff \r\n\t{ "k\\n" :\n{"nickname":"n","stats":{"stats" : { "a\\u0041" : 1 , "b":2 } } } } \n',
    ),
    [node("k\n", { stats: { aA: 1n, b: 2n } }, NaN, "n")],
  );
  assertEquals(read("{}"), []);
});

Deno.test("readJson() leaves out what is no node or no number, as others write this file", () => {
  const good =
    '{"nickname": "n", "timestamp": 5, "stats": {"counters": {"x": 1}}}';
  const f = (text: string, nodes: SnapshotNode[]) =>
    assertEquals(read(text), nodes, text);
  const k = node("k", { counters: { x: 1n } }, 5, "n");
  f(`{"k": ${good}, "l": 5, "m": null, "n": [], "o": "text"}`, [k]);
  f(`{"a": {"nickname": "n"}, "b": {"stats": {}}, "k": ${good}}`, [k]);
  f(
    `{"a": {"nickname": 5, "stats": {}}, "b": {"nickname": "n", "stats": 5}, "k": ${good}}`,
    [k],
  );
  f('{"k": {"nickname": "n", "timestamp": "now", "stats": {"counters": 5}}}', [
    node("k", {}, NaN, "n"),
  ]);
  f('{"k": {"nickname": "n", "timestamp": 1e999, "stats": {}}}', [
    node("k", {}, NaN, "n"),
  ]);
  f(
    '{"k": {"nickname": "n", "timestamp": null, "stats": {"stats": {"x": true, "y": 1}}}}',
    [
      node("k", { stats: { y: 1n } }, NaN, "n"),
    ],
  );
});

Deno.test("of two entries of one name the later counts, as in Python", () => {
  assertEquals(
    read(
      '{"k": 5, "k": {"nickname": "a", "nickname": "n", "timestamp": 1, "timestamp": 5,' +
        '"stats": {"stats": {"y": 1}, "stats": {"x": 1, "x": 2, "z": 1, "z": "text"}}}}',
    ),
    [node("k", { stats: { x: 2n } }, 5, "n")],
  );
  assertEquals(read('{"k": {"nickname": "a", "stats": {}}, "k": 5}'), []);
});

Deno.test("readJson() refuses what is no JSON, with line and column", () => {
  const f = (text: string | Uint8Array, message: string) => {
    const bytes = typeof text === "string" ? encoder.encode(text) : text;
    const error = assertThrows(() => readJson(bytes), SnapshotError);
    assertEquals(error.message, message);
  };
  const value = (text: string) =>
    `{"k": {"nickname": "n", "stats": {"stats": {"x": ${text}}}}}`;
  f("", "the file ends in the middle of the object (line 1, column 1)");
  f("[]", "expected an object (line 1, column 1)");
  f("{\n", "the file ends in the middle of the object (line 2, column 1)");
  f('{\n"k" 5}', "expected a colon (line 2, column 5)");
  f('{\n"é😀" 5}', "expected a colon (line 2, column 6)");
  f("{k: 5}", "expected a text as key (line 1, column 2)");
  f('{"k": 5,}', "expected a text as key (line 1, column 9)");
  f('{"k": 5 "l": 6}', 'expected a comma or "}" (line 1, column 9)');
  f(
    '{"k": [5 6]}',
    "expected a comma or a closing bracket (line 1, column 10)",
  );
  f('{"k": [5,]}', "expected a value (line 1, column 10)");
  f('{"k": nul}', "expected a value (line 1, column 7)");
  f(
    '{"k": "a\nb"}',
    "expected no control character in a text (line 1, column 9)",
  );
  f('{"k": 5}{', "more follows after the end of the object (line 1, column 9)");
  f('{"k": "', "the file ends in the middle of the object (line 1, column 8)");
  f(
    '{"k": "\\',
    "the file ends in the middle of the object (line 1, column 9)",
  );
  f(value("01"), 'expected a comma or "}" (line 1, column 51)');
  f(value("-"), "expected a digit (line 1, column 51)");
  f(value("+1"), "expected a value (line 1, column 50)");
  f(value("1."), "expected a digit (line 1, column 52)");
  f(value(".5"), "expected a value (line 1, column 50)");
  f(value("1e"), "expected a digit (line 1, column 52)");
  f(value("1e+"), "expected a digit (line 1, column 53)");
  f(value("-NaN"), "expected a digit (line 1, column 51)");
  f(
    value("1".repeat(10_001)),
    "a number has more than 10000 characters (line 1, column 50)",
  );
  f(
    value("0." + "1".repeat(9_999)),
    "a number has more than 10000 characters (line 1, column 50)",
  );
  f('{"\\x": 5}', "a text has an unknown escape (line 1, column 3)");
  f('{"\\u12g4": 5}', "a text has an unknown escape (line 1, column 3)");
  f(
    new Uint8Array([0x7b, 0x0a, 0x22, 0xc3, 0x28, 0x22]),
    "a text is not valid UTF-8 (line 2, column 2)",
  );
  f(
    `{"k": ${"[".repeat(101)}`,
    "nested more than 100 deep (line 1, column 107)",
  );
  assertEquals(read(`{"k": ${"[".repeat(100)}${"]".repeat(100)}}`), []);
});

Deno.test("JsonReader takes lists item by item", () => {
  const f = (text: string, expected: unknown[]) => {
    const reader = new JsonReader(encoder.encode(text));
    assertEquals(reader.atList(), true, text);
    const found: unknown[] = [];
    reader.list(() => found.push(reader.value()));
    reader.end();
    assertEquals(found, expected, text);
  };
  f("[]", []);
  f(" [ ] ", []);
  f("[1]", [1n]);
  f('[1, "a" , [2, [3]],null]', [1n, undefined, undefined, null]);
  const fails = (text: string, message: string) => {
    const reader = new JsonReader(encoder.encode(text));
    const error = assertThrows(
      () => reader.list(() => reader.skip()),
      SnapshotError,
    );
    assertEquals(error.message, message, text);
  };
  fails("{}", "expected a list (line 1, column 1)");
  fails("[1,]", "expected a value (line 1, column 4)");
  fails("[1 2]", 'expected a comma or "]" (line 1, column 4)');
  fails("[1", "the file ends in the middle of the object (line 1, column 3)");
  fails("[", "the file ends in the middle of the object (line 1, column 2)");
});

Deno.test("JsonReader gives any item's bytes as they are, and stands after it", () => {
  const items = ["-1.50e+3", '"a \\"b"', "{}", '{"a": [1 , 2]}', "null"];
  const reader = new JsonReader(encoder.encode(`[ ${items.join(" , ")} ]`));
  const found: string[] = [];
  reader.list(() => found.push(new TextDecoder().decode(reader.source())));
  reader.end();
  assertEquals(found, items);
});

Deno.test("JsonReader counts lines and characters, and throws what it is told to", () => {
  const bytes = encoder.encode('{"é😀": 1,\n\n "b": x}');
  const reader = new JsonReader(
    bytes,
    (message, offset, { line, column }) =>
      new RangeError(`${message} ${offset} ${line}:${column}`),
  );
  assertEquals(reader.place(0), { line: 1, column: 1 });
  assertEquals(reader.place(8), { line: 1, column: 5 });
  assertEquals(reader.place(bytes.length), { line: 3, column: 9 });
  const error = assertThrows(() => reader.skip(), RangeError);
  assertEquals(error.message, "expected a value 21 3:7");
});

Deno.test("formatFloat() writes floats as Python's repr does", () => {
  const f = (value: number, text: string) =>
    assertEquals(formatFloat(value), text);
  f(5, "5.0");
  f(-5, "-5.0");
  f(0, "0.0");
  f(-0, "-0.0");
  f(0.1, "0.1");
  f(0.0001, "0.0001");
  f(0.00001, "1e-05");
  f(0.000012345, "1.2345e-05");
  f(-8.916854858398438e-5, "-8.916854858398438e-05");
  f(9999999999999998, "9999999999999998.0");
  f(1e16, "1e+16");
  f(1.5e16, "1.5e+16");
  f(1e22, "1e+22");
  f(1e100, "1e+100");
  f(5e-324, "5e-324");
  f(Number.MAX_VALUE, "1.7976931348623157e+308");
  f(NaN, "nan");
  f(Infinity, "inf");
  f(-Infinity, "-inf");
});

Deno.test("writeJson() writes ASCII, and null for what JSON has no number for", () => {
  const text = writeJson([
    node(
      "ké",
      { stats: { a: NaN, b: -Infinity, c: null } },
      NaN,
      'q"\\\n\u0001😀\ud800',
    ),
  ]);
  assertEquals(
    text,
    '{"k\\u00e9": {"timestamp": null, "nickname": "q\\"\\\\\\n\\u0001\\ud83d\\ude00\\ufffd", ' +
      '"stats": {"counters": {}, "stats": {"a": null, "b": null, "c": null}}}}',
  );
});

Deno.test("readJson() gives back what writeJson() was given, kinds and all", () => {
  fc.assert(fc.property(anyNodes, (nodes) => {
    const text = writeJson(nodes);
    assertEquals(
      read(text),
      nodes.map((one) => ({
        ...one,
        counters: finite(one.counters),
        stats: finite(one.stats),
      })),
    );
    JSON.parse(text);
  }));
});

function finite(half: ReadonlyMap<string, Value>): Map<string, Value> {
  return new Map([...half].map(([name, value]) => [
    name,
    typeof value === "number" && !Number.isFinite(value) ? null : value,
  ]));
}
