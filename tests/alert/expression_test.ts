import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import type { Facts } from "../../lib/alert/evaluate.ts";
import { ExpressionError } from "../../lib/alert/expression.ts";
import { readCondition, type Subject } from "../../lib/alert/rule.ts";

/** Facts of a host: `a` is 6, `b` is 0, `weird name-%` is 7; nothing else is known. */
function factsOf(words: Record<string, number | boolean> = {}): Facts {
  const metrics = new Map([["a", 6], ["b", 0], ["weird name-%", 7], [
    "x.y",
    1,
  ]]);
  return {
    word: (word) => words[word],
    metric: (name) => metrics.get(name),
  };
}

function ask(
  text: string,
  words?: Record<string, number | boolean>,
  subject: Subject = "metric",
): boolean | undefined {
  return readCondition(text, subject).holds(factsOf(words));
}

Deno.test("conditions hold, do not hold, or are not known", () => {
  const cases: [
    text: string,
    expected: boolean | undefined,
    words?: Record<string, number | boolean>,
  ][] = [
    ["value > 5", true, { value: 6 }],
    ["value > 5", false, { value: 5 }],
    ["$val >= 5", true, { value: 5 }],
    ["$val>=5 and$val<6", true, { value: 5 }],
    ["value < 5 or value > 10", false, { value: 7 }],
    ["value == 0.1", true, { value: 0.1 }],
    ["value != 1", true, { value: 2 }],
    ["1 < value < 3", true, { value: 2 }],
    ["1 < value < 3", false, { value: 3 }],
    ["3 > value >= 1 < 2", true, { value: 1 }],
    // Precedence, from loose to tight.
    ["1 == 2 and 1 == 2 or 1 == 1", true],
    ["1 == 1 or 1 == 1 and 1 == 2", true],
    ["not 1 == 2 and 1 == 1", true],
    ["not (1 == 1 or 1 == 2)", false],
    ["not not 1 == 1", true],
    ["2 + 3 * 4 == 14", true],
    ["(2 + 3) * 4 == 20", true],
    ["2 - 3 - 4 == -5", true],
    ["24 / 4 / 2 == 3", true],
    ["-2 * -3 == 6", true],
    ["2--3 == 5", true],
    ["- -2 == +2", true],
    ["-(1 + 1) < 0", true],
    // Numbers.
    [".5 + 1. == 1.5", true],
    ["1e3 == 1000", true],
    ["1.5E-1 == 0.15", true],
    ["007 == 7", true],
    // Metrics of the host.
    ["a == 6", true],
    ["[a] == 6", true],
    ["[weird name-%] == 7", true],
    ["[ x.y ] == x.y", true],
    ["value / a * 100 > 90", true, { value: 5.9 }],
    // What is not known.
    ["value > 5", undefined],
    ["missing > 5", undefined],
    ["not missing > 5", undefined],
    ["missing > 5 or a == 6", true],
    ["a == 6 or missing > 5", true],
    ["missing > 5 and a == 7", false],
    ["a == 7 and missing > 5", false],
    ["missing > 5 and a == 6", undefined],
    ["a == 6 and missing > 5", undefined],
    ["missing > 5 or a == 7", undefined],
    ["1 < missing < 0", undefined],
    ["2 < 1 < missing", false],
    ["missing < 2 < 1", false],
    ["missing + 1 > 0", undefined],
    ["-missing > 0", undefined],
    ["a / b > 0", undefined],
    ["b / b > 0", undefined],
    ["1e308 * 10 > 0", undefined],
    // Words that are conditions.
    ["silent", true, { silent: true }],
    ["not silent and age < 60", true, { silent: false, age: 3 }],
    // Lines.
    ["value >\n\t 5", true, { value: 6 }],
  ];
  for (const [text, expected, words] of cases) {
    assertEquals(ask(text, words), expected, text);
  }
  assertEquals(
    ask("down and age > 60", { down: true, age: 61 }, "source"),
    true,
  );
});

Deno.test("what is wrong with a condition is said with line and column", () => {
  const cases: [text: string, message: string, subject?: Subject][] = [
    [
      "",
      'line 1, column 1: expected a number, a name or "(", found the end',
    ],
    [
      "value >",
      'line 1, column 8: expected a number, a name or "(", found the end',
    ],
    [
      "value > > 8",
      'line 1, column 9: expected a number, a name or "(", found ">"',
    ],
    [
      "value >\n  and 3",
      'line 2, column 3: expected a number, a name or "(", found "and"',
    ],
    [
      "value",
      'line 1, column 1: expected a condition such as "value > 5", but this is a number',
    ],
    [
      "1 < 2 and (value)",
      'line 1, column 11: expected a condition such as "value > 5", but this is a number',
    ],
    [
      "not a",
      'line 1, column 5: expected a condition such as "value > 5", but this is a number',
    ],
    [
      "(a > 1) + 2 > 3",
      "line 1, column 1: expected a number, but this is a condition",
    ],
    [
      "a > 1 == b > 2 and silent > 3",
      "line 1, column 20: expected a number, but this is a condition",
    ],
    [
      "- silent > 3",
      "line 1, column 3: expected a number, but this is a condition",
    ],
    ["(value > 5", 'line 1, column 11: expected ")", found the end'],
    [
      "value > 5)",
      'line 1, column 10: expected "and", "or" or the end, found ")"',
    ],
    [
      "value > 5 6",
      'line 1, column 11: expected "and", "or" or the end, found "6"',
    ],
    ["value = 5", 'line 1, column 7: "=" is not understood: "equals" is =='],
    [
      "value > 5 && a > 1",
      'line 1, column 11: "&&" is not understood: "and" is written as a word',
    ],
    [
      "a > 1 || b > 1",
      'line 1, column 7: "||" is not understood: "or" is written as a word',
    ],
    [
      "! silent",
      'line 1, column 1: "!" is not understood: "not" is written as a word, "differs from" is !=',
    ],
    [
      "value == 'up'",
      'line 1, column 10: "\'" is not understood: texts cannot be compared; ' +
      "names of metrics stand in [brackets]",
    ],
    [
      "value > 5m",
      'line 1, column 9: "5m" is not understood: a number has digits, a point and an exponent only',
    ],
    [
      "value > 0x10",
      'line 1, column 9: "0x10" is not understood: a number has digits, a point and an exponent only',
    ],
    ["value > 1e999", "line 1, column 9: 1e999 is too large"],
    [
      "[cpu idle > 5",
      'line 1, column 1: "[" is not understood: a name in brackets needs a closing bracket on the same line',
    ],
    [
      "$value > 5",
      'line 1, column 1: "$" is not understood: the value is $val',
    ],
    ["value > 5 ; rm", 'line 1, column 11: ";" is not understood'],
    [
      "value ** 2 > 5",
      'line 1, column 8: expected a number, a name or "(", found "*"',
    ],
    [
      "__import__('os')",
      'line 1, column 1: there is no function "__import__"',
    ],
    ["🦕 > 1", 'line 1, column 1: "🦕" is not understood'],
    [
      "[🦕] > 1 !",
      'line 1, column 9: "!" is not understood: "not" is written as a word, "differs from" is !=',
    ],
    [
      "value > 5",
      'line 1, column 1: "value": a source has no metrics; there are age and down',
      "source",
    ],
    [
      "$val > 5",
      "line 1, column 1: $val is of rules with a metric only",
      "host",
    ],
    [
      `${"(".repeat(101)}1`,
      "line 1, column 101: nested more than 100 deep",
    ],
    [`${"not ".repeat(101)}1`, "line 1, column 401: nested more than 100 deep"],
    [
      `1 >${" ".repeat(5000)}`,
      "line 1, column 4097: more than 4096 characters",
    ],
  ];
  for (const [text, message, subject = "metric"] of cases) {
    const error = assertThrows(
      () => readCondition(text, subject),
      ExpressionError,
    );
    assertEquals(error.message, message, text);
  }
});

Deno.test("the metrics of a condition are known, words are none", () => {
  const { metrics } = readCondition(
    "value > a and ([b c] < d.e or silent) and not [age] == [a]",
    "metric",
  );
  assertEquals([...metrics], ["a", "b c", "d.e", "age"]);
});

Deno.test("any text is read or refused, and nothing else happens", () => {
  const piece = fc.constantFrom(
    ..."value $val a [b] 1 2.5 ( ) + - * / < <= == != and or not silent ' = & \n"
      .split(" "),
  );
  fc.assert(fc.property(
    fc.oneof(
      fc.string(),
      fc.array(piece, { maxLength: 30 }).map((all) => all.join(" ")),
    ),
    (text) => {
      try {
        const truth = readCondition(text, "metric").holds(
          factsOf({ value: 1, silent: false }),
        );
        assertEquals(
          [true, false, undefined].includes(truth),
          true,
        );
      } catch (error) {
        if (!(error instanceof ExpressionError)) throw error;
      }
    },
  ));
});

Deno.test("arithmetic is that of numbers", () => {
  const number = fc.integer({ min: -1000, max: 1000 });
  fc.assert(fc.property(number, number, number, (a, b, c) => {
    const words = { value: a };
    assertEquals(
      ask(`value * ${b} + ${c} > value - ${c}`, words),
      a * b + c > a - c,
    );
    assertEquals(
      ask(`value < ${b} and not ${b} <= ${c} or value == ${c}`, words),
      a < b && !(b <= c) || a === c,
    );
  }));
});
