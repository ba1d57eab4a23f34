import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { hide, reveal } from "../../scripts/hidden.ts";

const text = fc.array(
  fc.oneof(
    fc.constantFrom("*", "/", "*/", "/*", "@", "*@", "\n", "\\", "`"),
    fc.string(),
  ),
).map((parts) => parts.join("")).filter((text) => !text.includes("*@/"));

Deno.test("what is hidden is revealed as it was, whatever it is", () => {
  fc.assert(fc.property(text, text, (before, hidden) => {
    assertEquals(reveal(before + hide(hidden)), hidden);
  }));
});

Deno.test("what is hidden is a comment and nothing else", () => {
  fc.assert(fc.property(text, (hidden) => {
    const comment = hide(hidden).trim();
    assertEquals(comment.startsWith("/*"), true);
    assertEquals(comment.indexOf("*/"), comment.length - 2);
  }));
});

Deno.test("what stands for the end of a comment cannot be hidden", () => {
  assertThrows(() => hide("a*@/b"), TypeError, "*@/");
});

Deno.test("a script that was cut off reveals nothing", () => {
  const script = "1;\n" + hide("2;");
  assertEquals(reveal(script), "2;");
  for (let length = 0; length < script.length; length++) {
    assertThrows(() => reveal(script.slice(0, length)), TypeError, "cut off");
  }
});
