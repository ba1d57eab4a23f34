import { assertEquals, assertThrows } from "@std/assert";
import { UserError } from "../lib/errors.ts";
import { globMatcher, globsMatcher } from "../lib/glob.ts";

Deno.test("globMatcher() matches as the shell does", () => {
  const f = (glob: string, matching: string[], others: string[]) => {
    const matches = globMatcher(glob);
    for (const text of matching) {
      assertEquals(matches(text), true, `${glob} ${text}`);
    }
    for (const text of others) {
      assertEquals(matches(text), false, `${glob} ${text}`);
    }
  };
  f("a", ["a"], ["", "A", "aa", "ba"]);
  f("", [""], ["a"]);
  f("*", ["", "a", "a/b", "a\nb"], []);
  f("***", ["", "a"], []);
  f("storage-*", ["storage-", "storage-1"], ["a storage-1", "Storage-1"]);
  f("*.disk_*", ["storage_server.disk_avail"], ["disk_avail", "xdisk_"]);
  f("?", ["a", ".", "\n", "é", "😀"], ["", "ab"]);
  f("a.c+(x)|{y}^$/", ["a.c+(x)|{y}^$/"], ["abc+(x)|{y}^$/"]);
  f("[a-c]x", ["ax", "cx"], ["dx", "-x", "x"]);
  f("[!a-c]x", ["dx", "😀x"], ["ax", "x"]);
  f("[^a-c]x", ["dx"], ["ax"]);
  f("[]x]", ["]", "x"], ["[", "[]x]"]);
  f("[!]x]", ["a"], ["]", "x"]);
  f("[a^]", ["a", "^"], ["b"]);
  f("[a[]", ["a", "["], ["b"]);
  f("[a-]", ["a", "-"], ["b"]);
  f("[é😀]", ["é", "😀"], ["e"]);
  f("[", ["["], ["", "a"]);
  f("[]", ["[]"], ["["]);
  f("[abc", ["[abc"], ["a"]);
  f("a]", ["a]"], ["a"]);
  f("\\*\\?\\[a]\\\\", ["*?[a]\\"], ["x?[a]\\"]);
  f("a\\", ["a\\"], ["a"]);
  f("\\😀", ["😀"], []);
});

Deno.test("globMatcher() refuses a range that runs backwards", () => {
  const error = assertThrows(() => globMatcher("[z-a]"), UserError);
  assertEquals(error.exitCode, 2);
  assertEquals(
    error.message,
    'the pattern "[z-a]" has a range in brackets that runs backwards',
  );
});

Deno.test("a pattern with many stars takes no longer than a text and a pattern are long", () => {
  const text = "a".repeat(100_000);
  assertEquals(globMatcher("*a".repeat(20) + "*b")(text), false);
  assertEquals(globMatcher("*a".repeat(20) + "*")(text), true);
});

Deno.test("globsMatcher() matches one of several, and with none everything", () => {
  const matches = globsMatcher(" tahoe_*,mailer_? ");
  assertEquals(
    ["tahoe_x", "mailer_1", "mailer_", "x"].map(matches),
    [true, true, false, false],
  );
  assertEquals(["", "x"].map(globsMatcher(" , ")), [true, true]);
});
