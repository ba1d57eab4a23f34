import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { PageError, readPage } from "../../lib/tahoe_statistics/page.ts";
import type { Value } from "../../lib/value.ts";
import { captures, figuresOf, page, readCapture } from "./pages.ts";

const encoder = new TextEncoder();

for (const name of captures) {
  Deno.test(`readPage() reads the captured page ${name} exactly`, () => {
    const bytes = readCapture(name);
    const { counters, stats, dropped } = readPage(bytes);
    const wanted = figuresOf(bytes);
    assertEquals(wanted.stats.length >= 2, true);
    assertEquals([...counters], wanted.counters);
    assertEquals([...stats], wanted.stats);
    assertEquals(dropped, []);
  });
}

function stat(text: string): Value | undefined {
  return readPage(page(`"x": ${text}`)).stats.get("x");
}

const values: [text: string, value: Value][] = [
  ["0", 0n],
  ["-3", -3n],
  ["9007199254740993", 9007199254740993n],
  ["123456789012345678901234567890", 123456789012345678901234567890n],
  ["5.0", 5],
  ["0.0", 0],
  ["1e3", 1000],
  ["5e-324", 5e-324],
  ["null", null],
  ["NaN", null],
  ["Infinity", null],
  ["-Infinity", null],
  ["1e999", null],
  ["true", 1n],
  ["false", 0n],
];

for (const [text, value] of values) {
  Deno.test(`readPage(): ${text} keeps its kind`, () => {
    assertEquals(stat(text), value);
  });
}

const wrong = [
  '"text"',
  '"true"',
  "[1, 2]",
  '{"a": 1}',
  "[]",
  `1${"0".repeat(2500)}`,
  `-1${"0".repeat(2500)}`,
];

for (const text of wrong) {
  Deno.test(`readPage() leaves out ${text.slice(0, 20)} alone`, () => {
    const { stats, dropped } = readPage(
      page(`"a": 1, "x\\n": ${text}, "b": 2`),
    );
    assertEquals([...stats], [["a", 1n], ["b", 2n]]);
    assertEquals(dropped, ['"x " is no number']);
  });
}

Deno.test("readPage() leaves out figures without a usable name", () => {
  const long = "n".repeat(1001);
  const { stats, dropped } = readPage(
    page(
      `"": 1, "${long}": 2, "${"é".repeat(501)}": 3, "__proto__": 4, "${
        "é".repeat(500)
      }": 5`,
    ),
  );
  assertEquals([...stats], [["__proto__", 4n], ["é".repeat(500), 5n]]);
  assertEquals(dropped, [
    '"" is no usable name',
    `"${"n".repeat(60)}" is no usable name`,
    `"${"é".repeat(60)}" is no usable name`,
  ]);
});

Deno.test("readPage() tells of some of what it leaves out, and how many more there are", () => {
  const many = Array.from({ length: 9 }, (_, i) => `"x${i}": []`).join();
  assertEquals(readPage(page(many, '"y": "z"')).dropped, [
    '"y" is no number',
    '"x0" is no number',
    '"x1" is no number',
    '"x2" is no number',
    '"x3" is no number',
    "and 5 more",
  ]);
});

Deno.test("readPage() passes over other fields, and of two the last counts", () => {
  const bytes = encoder.encode(
    '{"version": [{"stats": 1}], "stats": {"a": 1, "b": 2, "a": 3}, "counters": {"c": 4}, "z": null}',
  );
  const { counters, stats } = readPage(bytes);
  assertEquals([...counters], [["c", 4n]]);
  assertEquals([...stats], [["a", 3n], ["b", 2n]]);
});

const refused: [text: string, reason: string][] = [
  ["", "it ends in the middle of the object (line 1, column 1)"],
  ["[]", "expected an object (line 1, column 1)"],
  ["null", "expected an object (line 1, column 1)"],
  ["7", "expected an object (line 1, column 1)"],
  ['"text"', "expected an object (line 1, column 1)"],
  ["<html></html>", "expected an object (line 1, column 1)"],
  ["{}", 'it has no "counters"'],
  ['{"counters": {}}', 'it has no "stats"'],
  ['{"stats": {}}', 'it has no "counters"'],
  [
    '{"counters": {}, "stats": []}',
    '"stats" is no object (line 1, column 27)',
  ],
  [
    '{"counters": null, "stats": {}}',
    '"counters" is no object (line 1, column 14)',
  ],
  [
    '{"counters": {}, "stats": {"a": 1',
    "it ends in the middle of the object (line 1, column 34)",
  ],
  [
    '{"counters": {}, "stats": {}} {}',
    "more follows after the end of the object (line 1, column 31)",
  ],
  [
    '{"counters": {},\n "stats": {"a": nan}}',
    "expected a value (line 2, column 17)",
  ],
];

for (const [text, reason] of refused) {
  Deno.test(`readPage() refuses ${JSON.stringify(text)}`, () => {
    assertThrows(
      () => readPage(encoder.encode(text)),
      PageError,
      `its answer is no statistics: ${reason}`,
    );
  });
}

Deno.test("readPage() refuses a page with more figures than a node may have", () => {
  const figures = (count: number) =>
    Array.from({ length: count }, (_, i) => `"x${i}": ${i}`).join();
  assertEquals(readPage(page(figures(10_000))).stats.size, 10_000);
  assertThrows(
    () => readPage(page(figures(10_001))),
    PageError,
    "there are more than 10000 figures",
  );
});

Deno.test("readPage() refuses every part of a page that is not the whole", () => {
  const whole = readCapture("client-1-1-some-traffic");
  const end = whole.lastIndexOf("}".charCodeAt(0)) + 1;
  for (let length = 0; length < end; length++) {
    assertThrows(() => readPage(whole.subarray(0, length)), PageError);
  }
  readPage(whole.subarray(0, end));
});

Deno.test("readPage() throws nothing but PageError, whatever the bytes", () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.uint8Array(), fc.json().map((text) => encoder.encode(text))),
      (bytes) => {
        try {
          readPage(bytes);
        } catch (error) {
          if (!(error instanceof PageError)) throw error;
        }
      },
    ),
    { numRuns: 2000 },
  );
});
