import { assertEquals } from "@std/assert";
import { closest } from "../lib/closest.ts";

Deno.test("closest() finds what was meant, and no more", () => {
  const keys = ["title", "label", "labels", "min", "max", "warning", "draw"];
  const f = (name: string, candidates: string[], expected: string[]) =>
    assertEquals(closest(name, candidates), expected, name.slice(0, 50));
  f("titel", keys, ["title"]);
  f("TITLE", keys, ["title"]);
  f("lable", keys, ["label", "labels"]);
  f("labl", keys, ["label", "labels"]);
  f("warn", keys, ["warning"]);
  f("wa", keys, []);
  f("mn", keys, ["min"]);
  f("mox", keys, ["max"]);
  f("abc", keys, []);
  f("", keys, []);
  f("colour", keys, []);
  f("x".repeat(100_000), keys, []);
  f("gauge", ["GAUGE", "DERIVE"], ["GAUGE"]);
  f("tahoe_storage_consumd", [
    "tahoe_storage_allocated",
    "tahoe_storage_consumed",
  ], [
    "tahoe_storage_consumed",
  ]);
  f("aaaaaaaaaa", ["aaaaaaaaab", "aaaaaaaabb", "aaaaaaaaaa", "aaaaaaabbb"], [
    "aaaaaaaaaa",
    "aaaaaaaaab",
    "aaaaaaaabb",
  ]);
});
