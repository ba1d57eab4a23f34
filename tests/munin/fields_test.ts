import { assert, assertEquals, assertMatch } from "@std/assert";
import fc from "fast-check";
import {
  fieldNames,
  maxFieldLength,
  type NamedNode,
  smash,
} from "../../lib/munin/fields.ts";
import { tahoeStats as graphs } from "../../lib/munin/tahoe_stats.ts";
import { anyNode } from "./arbitrary.ts";

/** A TUBID that begins as given. */
const tubid = (start: string) => start.padEnd(32, "z");

Deno.test("smash makes one _ of every character that is not an ASCII letter or digit", () => {
  const cases: [string, string][] = [
    ["storage-3", "storage_3"],
    ["Storage  3!", "Storage__3_"],
    ["", ""],
    ["bücher", "b_cher"],
    ["a😀b", "a_b"],
    ["a\ud83db", "a_b"],
    ["e\u0301", "e_"],
    ["a\r\n.\n", "a____"],
    ["_a_", "_a_"],
    ["ＡＢ١", "___"],
  ];
  for (const [text, expected] of cases) assertEquals(smash(text), expected);
});

Deno.test("field names are the original's, and legal where the original's are not", () => {
  const long = "n".repeat(300);
  const cases: [string, [string, string][], string[]][] = [
    ["the original's", [
      ["storage-3", tubid("m32i")],
      ["Zoë's node", tubid("hvfy")],
      ["", tubid("2abc")],
      ["_", tubid("2abc")],
    ], ["storage_3_m32i", "Zo__s_node_hvfy", "_2abc", "__2abc"]],
    ["a digit in front", [
      ["9lives", tubid("abcd")],
      ["8lives", tubid("abcd")],
      ["9", tubid("abcd")],
    ], ["_9lives_abcd", "_8lives_abcd", "_9_abcd"]],
    ["a digit in front against a real _", [
      ["9lives", tubid("abcde")],
      ["_9lives", tubid("abcdf")],
      ["-9lives", tubid("abcdg")],
    ], ["_9lives_abcd", "_9lives_abcdf", "_9lives_abcdg"]],
    ["lines of their own", [
      ["a\n.\nb", tubid("abcd")],
      ["a.value 1\n.", tubid("abcd")],
    ], ["a___b_abcd", "a_value_1___abcd"]],
    ["the earlier keeps its name, the later shows more of its TUBID", [
      ["x", tubid("abcdzz")],
      ["x", tubid("abcdaa")],
      ["x", tubid("abcdab")],
      ["x", tubid("abcdabc")],
    ], ["x_abcd", "x_abcda", "x_abcdab", "x_abcdabc"]],
    ["nicknames that differ in what is smashed", [
      ["a b", tubid("abcd2")],
      ["a-b", tubid("abcd3")],
    ], ["a_b_abcd", "a_b_abcd3"]],
    ["root is no name", [["root", tubid("abcd")], ["roo", "t"]], [
      "root_abcd",
      "roo_t",
    ]],
    ["cut to length", [
      [long, tubid("abcd")],
      [long + "!", tubid("abcde")],
      ["1" + long, tubid("abcd")],
      ["n".repeat(135), tubid("abcf")],
      ["n".repeat(136), tubid("abcf")],
    ], [
      "n".repeat(135) + "_abcd",
      "n".repeat(134) + "_abcde",
      "_1" + "n".repeat(133) + "_abcd",
      "n".repeat(135) + "_abcf",
      "n".repeat(134) + "_abcfz",
    ]],
    ["keys that are no TUBIDs", [
      ["x", "a-b"],
      ["x", "a_b"],
      ["x", "a.b"],
      ["x", ""],
      ["x", ""],
      ["x", "é".repeat(500)],
      ["x", "è".repeat(500)],
    ], [
      "x_a_b",
      "x_a_b_1",
      "x_a_b_2",
      "x_",
      "x__4",
      "x_____",
      "x______",
    ]],
  ];
  for (const [what, nodes, expected] of cases) {
    const names = fieldNames(
      nodes.map(([nickname, key]) => ({ nickname, key })),
    );
    assertEquals(names, expected, what);
  }
});

Deno.test("the longest series fits into a file name", () => {
  const [field] = fieldNames([{
    nickname: "x".repeat(999),
    key: tubid("abcd"),
  }]);
  assertEquals(field.length, maxFieldLength);
  const service = Math.max(...graphs.map(({ name }) => name.length));
  const file = `${"h".repeat(64)}-${"s".repeat(service)}-${field}-g.rrd`;
  assert(file.length + 8 <= 255, `${file.length}`);
});

Deno.test("property: names are legal and all different, for any nodes", () => {
  fc.assert(fc.property(fc.array(anyNode(), { maxLength: 30 }), (nodes) => {
    const names = fieldNames(nodes);
    assertEquals(names.length, nodes.length);
    assertEquals(new Set(names).size, nodes.length);
    for (const name of names) {
      assertMatch(name, /^[A-Za-z_][A-Za-z0-9_]*$/);
      assert(name.length <= maxFieldLength);
      assert(name !== "root");
    }
  }));
});

Deno.test("property: a node keeps its name whatever comes after it", () => {
  const nodes = fc.array(anyNode(), { maxLength: 20 });
  fc.assert(fc.property(nodes, nodes, (old: NamedNode[], newcomers) => {
    assertEquals(
      fieldNames([...old, ...newcomers]).slice(0, old.length),
      fieldNames(old),
    );
  }));
});

Deno.test("ten thousand nodes of one nickname and one TUBID beginning are named in no time", () => {
  const keys = Array.from({ length: 10_000 }, (_, i) => ({
    nickname: "same",
    key: `abcd${"z".repeat(20)}${String(i).padStart(8, "a")}`,
  }));
  const noTubids = Array.from({ length: 10_000 }, () => ({
    nickname: "same",
    key: "abcd".padEnd(32, "z") + "more than a TUBID",
  }));
  const before = performance.now();
  assertEquals(new Set(fieldNames([...keys, ...noTubids])).size, 20_000);
  assert(performance.now() - before < 5_000);
});
