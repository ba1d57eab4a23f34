import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  compilePattern,
  PatternError,
} from "../../lib/ganglia/output/pattern.ts";

// deno-fmt-ignore
const table: [pattern: string, matching: string[], others: string[]][] = [
  ["", ["", "a"], []],
  ["web", ["web", "web1", "my-web"], ["we", "Web"]],
  ["^web\\d+$", ["web1", "web42"], ["web", "web1.x", "xweb1"]],
  ["^a.c$", ["abc", "a.c", "a😀c"], ["ac", "abbc"]],
  ["^a\\.c$", ["a.c"], ["abc"]],
  ["^(a|bc)+$", ["a", "bc", "abca"], ["", "b", "ab"]],
  ["^(?:a|b)?c$", ["c", "ac", "bc"], ["abc"]],
  ["^a{2}$", ["aa"], ["a", "aaa"]],
  ["^a{2,}$", ["aa", "aaaa"], ["a"]],
  ["^a{0,2}$", ["", "a", "aa"], ["aaa"]],
  ["^[a-c_]x$", ["ax", "cx", "_x"], ["dx", "x"]],
  ["^[^a-c]$", ["d", "-"], ["a", "dd"]],
  ["^[]a]$", ["]", "a"], ["b"]],
  ["^[^]a]$", ["b"], ["]", "a"]],
  ["^[a-]$", ["a", "-"], ["b"]],
  ["^[\\d.]+$", ["1.5"], ["1,5"]],
  ["^\\w\\s\\D\\S\\W$", ["a x-!"], ["a xx1"]],
  ["a|b$", ["ax", "xb"], ["bx"]],
  ["^a*$", ["", "aaa"], ["ab"]],
  ["(a*)*b", ["b", "aab"], ["aa"]],
  ["^()$", [""], ["a"]],
  ["x^", [], ["x"]],
  ["^$", [""], ["a"]],
];

Deno.test("patterns match as regular expressions do", () => {
  for (const [pattern, matching, others] of table) {
    const matches = compilePattern(pattern);
    for (const text of matching) {
      assert(matches(text), `${pattern} must match ${text}`);
    }
    for (const text of others) {
      assert(!matches(text), `${pattern} must not match ${text}`);
    }
  }
});

Deno.test("patterns that cannot be used are refused", () => {
  // deno-fmt-ignore
  const table: [string, string][] = [
    ["(", "( without"], [")", ") without"], ["(a", "( without"],
    ["a)", ") without"], ["[a", "too early"], ["[]", "too early"],
    ["a\\", "too early"], ["*", "nothing before *"], ["|+", "nothing before +"],
    ["(?=a)", "(? other"], ["a{", "braces"], ["a{x}", "braces"],
    ["a{2,1}", "bounds"], ["a{1000}", "braces"], ["[b-a]", "range b-a"],
    ["\\q", "unknown \\q"], ["(a)\\1", "unknown \\1"],
    ["a".repeat(256), "more than 256 steps"],
    ["(a{99}){99}", "more than 256 steps"],
    ["(".repeat(17) + ")".repeat(17), "more than 16 groups"],
  ];
  for (const [pattern, reason] of table) {
    assertThrows(() => compilePattern(pattern), PatternError, reason);
  }
});

Deno.test("property: they say what the runtime's own say", () => {
  const atom = fc.constantFrom("a", "b", ".", "[ab]", "[^a]", "\\w", "c");
  const { pattern } = fc.letrec<{ pattern: string; part: string }>((tie) => ({
    part: fc.oneof(
      { depthSize: "small" },
      atom,
      fc.tuple(
        tie("part"),
        fc.constantFrom("*", "+", "?", "{2}", "{1,2}", "{0,}"),
      )
        .map(([part, times]) => `(?:${part})${times}`),
      fc.tuple(tie("part"), tie("part")).map((parts) => parts.join("")),
      fc.tuple(tie("part"), tie("part")).map((parts) => `(${parts.join("|")})`),
    ),
    pattern: fc.tuple(
      fc.constantFrom("", "^"),
      tie("part"),
      fc.constantFrom("", "$"),
    ).map((parts) => parts.join("")),
  }));
  const text = fc.string({
    unit: fc.constantFrom("a", "b", "c", "\n", "€"),
    maxLength: 8,
  });
  fc.assert(
    fc.property(pattern, text, (pattern, text) => {
      let matches;
      try {
        matches = compilePattern(pattern);
      } catch (error) {
        fc.pre(!(error instanceof PatternError));
        throw error;
      }
      assertEquals(matches(text), new RegExp(pattern, "su").test(text));
    }),
    { numRuns: 2000 },
  );
});

Deno.test("no pattern takes long, however many ways there are to match", () => {
  const text = "a".repeat(2000);
  for (
    const pattern of ["(a*)*b", "(a|a)*b", "(a|aa)+$b", "(.*)(.*)(.*)(.*)b"]
  ) {
    const matches = compilePattern(pattern);
    const begun = performance.now();
    assertEquals(matches(text), false);
    // Backtracking would take longer than the universe has been there.
    assert(performance.now() - begun < 2000);
  }
});

Deno.test("a long set costs no more than a short one, however often it is repeated", () => {
  let set = "";
  for (let code = 0x100; code < 0x100 + 1200; code++) {
    set += String.fromCodePoint(code);
  }
  const text = "a".repeat(255);
  const matches = compilePattern(`(?:[${set}a]?){120}b`);
  const begun = performance.now();
  for (let i = 0; i < 20; i++) assertEquals(matches(text), false);
  // Each character against each of the set, at each step, would take some seconds.
  assert(performance.now() - begun < 1000);
});
