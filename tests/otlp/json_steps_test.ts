import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { OtlpError } from "../../lib/otlp/error.ts";
import { parseInSteps } from "../../lib/otlp/json_steps.ts";
import { finish } from "../../lib/otlp/tally.ts";

const parse = (text: string) => finish(parseInSteps(text));

/** A value as text, whatever its prototypes; or that there is none. */
function outcome(parse: () => unknown): string {
  try {
    return JSON.stringify(parse());
  } catch (error) {
    assert(error instanceof SyntaxError || error instanceof OtlpError);
    return "no JSON";
  }
}

Deno.test("property: what JSON.parse gives, at any depth", () => {
  fc.assert(fc.property(
    fc.json({ maxDepth: 12, depthSize: "large" }),
    fc.constantFrom("", "\n", " \t\r\n"),
    (json, blank) => {
      const text = blank + json.replaceAll(",", `${blank},${blank}`) + blank;
      assertEquals(outcome(() => parse(text)), outcome(() => JSON.parse(text)));
    },
  ));
});

Deno.test("property: what is no JSON is refused, and nothing else", () => {
  const token = fc.constantFrom(
    ...[
      "{",
      "}",
      "[",
      "]",
      ",",
      ":",
      '"',
      '"a"',
      '"\\""',
      "\\",
      "1",
      "-",
      "true",
    ],
    ...["nul", "null", " ", "\u0001", "\ud800", '"__proto__":', "1e5", ".5"],
  );
  fc.assert(
    fc.property(fc.array(token, { maxLength: 14 }), (tokens) => {
      const text = tokens.join("");
      for (const whole of [text, `[${text}]`, `{"a":${text}}`]) {
        assertEquals(
          outcome(() => parse(whole)),
          outcome(() => JSON.parse(whole)),
        );
      }
    }),
    { numRuns: 2000 },
  );
});

Deno.test("long integers of two fields are texts, near the root and far from it", () => {
  const long =
    '{"asInt":9007199254740993,"intValue" : -9007199254740993 ,"b":12345678901234567}';
  const values = {
    asInt: "9007199254740993",
    intValue: "-9007199254740993",
    b: 12345678901234567,
  };
  for (const depth of [0, 8, 9, 12]) {
    const inner = JSON.stringify(values);
    assertEquals(
      JSON.stringify(parse("[".repeat(depth) + long + "]".repeat(depth))),
      "[".repeat(depth) + inner + "]".repeat(depth),
    );
  }
});

Deno.test("others have their turn while a text is parsed", () => {
  const point = `{"a":"${"x".repeat(1000)}"},`;
  const steps = parseInSteps(`[${point.repeat(1000)}0]`);
  let count = 0;
  while (!steps.next().done) count++;
  assert(count >= 10, `${count}`);
  const deep = "[".repeat(9) + `[${"0,".repeat(600_000)}0]` + "]".repeat(9);
  const error = assertThrows(() => parse(deep), OtlpError);
  assert(error.isTooLarge);
});
