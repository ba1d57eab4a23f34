import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  formatRecord,
  jsonForm,
  lineOf,
  textForm,
} from "../../lib/log/line.ts";
import { record, TIME } from "./records.ts";

Deno.test("a line of text has time, level and message", () => {
  for (
    const [level, shown] of [
      ["trace", "debug  "],
      ["debug", "debug  "],
      ["info", "info   "],
      ["warning", "warning"],
      ["error", "error  "],
      ["fatal", "fatal  "],
    ] as const
  ) {
    assertEquals(
      formatRecord(record(level, ["node ", "web1", " attached"])),
      `2026-11-21T15:57:50.123Z ${shown} node web1 attached`,
    );
  }
});

Deno.test("the time of a line is the one it was made with", () => {
  const made = lineOf(record("info", ["x"]), TIME + 1000);
  assertEquals(textForm(made), "2026-11-21T15:57:51.123Z info    x");
  assertEquals(textForm({ ...made, time: NaN }), "- info    x");
});

Deno.test("an error in a message is its message; what has no text does no harm", () => {
  assertEquals(
    lineOf(
      record("info", [
        "a ",
        new Error("broken\nby us"),
        " b ",
        Object.create(null),
        " c ",
        Symbol("s"),
        " d ",
        undefined,
        "",
      ]),
      TIME,
    ).text,
    "a broken by us b (an object) c Symbol(s) d undefined",
  );
});

Deno.test("a JSON line has its keys in order, and the properties that are plain", () => {
  const made = lineOf(
    record("warning", ["it took ", 1.5, " s"], {
      text: 'a "b"\n\u2028c',
      seconds: 1.5,
      endless: Infinity,
      small: 12n,
      big: 2n ** 64n,
      yes: true,
      none: null,
      error: new Error("broken"),
      nothing: undefined,
      list: [1],
      object: { a: 1 },
      call: () => 1,
    }),
    TIME,
  );
  assertEquals(
    jsonForm({ ...made, folded: 3 }),
    '{"time":"2026-11-21T15:57:50.123Z","level":"warning","category":"gatherer.nodes",' +
      '"message":"it took 1.5 s","folded":3,"properties":{"text":"a \\"b\\" c","seconds":1.5,' +
      '"endless":"Infinity","small":12,"big":"18446744073709551616","yes":true,"none":null,' +
      '"error":"broken"}}',
  );
});

Deno.test("a JSON line without properties does not have the key", () => {
  assertEquals(
    jsonForm(lineOf(record("info", ["x"]), TIME)),
    '{"time":"2026-11-21T15:57:50.123Z","level":"info","category":"gatherer.nodes","message":"x"}',
  );
});

Deno.test("a long message is cut, and it is said by how much", () => {
  const { text, properties } = lineOf(
    record("info", ["x".repeat(10_000)], { long: "y".repeat(8193) }),
    TIME,
  );
  assertEquals(text, `${"x".repeat(8192)} … (1808 characters more)`);
  assertEquals(
    properties.long,
    `${"y".repeat(8192)} … (1 characters more)`,
  );
});

Deno.test("whatever a message holds, it is one line, and JSON can be read", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: "binary" }),
      fc.dictionary(
        fc.string(),
        fc.oneof(fc.anything(), fc.string({ unit: "binary" })),
      ),
      (text, properties) => {
        const made = lineOf(record("info", [text], properties), TIME);
        assert(!/[\p{Cc}\u2028\u2029]/u.test(textForm(made)));
        const json = jsonForm(made);
        assert(!/[\n\r\u0085\u2028\u2029]/.test(json));
        assertEquals(JSON.parse(json).message, made.text);
      },
    ),
  );
});
