import { assertEquals, assertMatch } from "@std/assert";
import fc from "fast-check";
import { hostNames } from "../../lib/munin/hosts.ts";

Deno.test("hostNames: nickname, tubid's beginning, and the host that answers", () => {
  const cases: [nickname: string, key: string, name: string][] = [
    ["storage-1", "abcdefgh", "storage-1-abcd"],
    ["Storage 1!", "efghefgh", "storage-1-efgh"],
    ["storage_1", "abcdzzzz", "storage-1-abcdz"],
    ["", "ijklmnop", "node-ijkl"],
    ["...", "ijklzzzz", "node-ijklz"],
    ["größe", "qrstuvwx", "gr-e-qrst"],
    ["x".repeat(100), "qrstuvwx", `${"x".repeat(58)}-qrst`],
    ["storage-1", "abcdefgh", "storage-1-abcde"],
  ];
  const nodes = cases.map(([nickname, key]) => ({ nickname, key }));
  assertEquals(
    hostNames(nodes, "grid.example"),
    cases.map(([, , name]) => `${name}.grid.example`),
  );
});

Deno.test("property: host names are legal, all different, and do not depend on who comes later", () => {
  const node = fc.record({
    nickname: fc.oneof(
      fc.string({ unit: "binary" }),
      fc.constantFrom("a", "A", "a-", "a-aaaa", "", "-"),
    ),
    key: fc.oneof(
      fc.string({ unit: fc.constantFrom("a", "b"), maxLength: 8 }),
      fc.string({ unit: "binary" }),
    ),
  });
  fc.assert(fc.property(fc.array(node, { maxLength: 12 }), (nodes) => {
    const names = hostNames(nodes, "h");
    assertEquals(new Set(names).size, nodes.length);
    for (const name of names) {
      assertMatch(name, /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.h$/);
    }
    assertEquals(hostNames(nodes.slice(0, -1), "h"), names.slice(0, -1));
  }));
});
