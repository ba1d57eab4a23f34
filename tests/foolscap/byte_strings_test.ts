import { assertEquals, assertStrictEquals } from "@std/assert";
import fc from "fast-check";
import { ByteStrings } from "../../lib/foolscap/byte_strings.ts";

const bytesOf = (text: string) => new TextEncoder().encode(text);

Deno.test("a string that comes again is kept, and given out as the same array", () => {
  const pool = new ByteStrings();
  const text = bytesOf("xnode.uptimex");
  assertEquals(pool.get(text, 1, 12), undefined);
  const kept = pool.get(text, 1, 12)!;
  assertEquals(kept, bytesOf("node.uptime"));
  assertStrictEquals(pool.get(bytesOf("node.uptime"), 0, 11), kept);
  // An array of its own: what it was read from may be written over.
  text.fill(0);
  assertEquals(kept, bytesOf("node.uptime"));
});

Deno.test("a long string is never kept", () => {
  const pool = new ByteStrings();
  const text = new Uint8Array(97);
  assertEquals([1, 2, 3].map(() => pool.get(text, 0, 97)), [
    undefined,
    undefined,
    undefined,
  ]);
});

Deno.test("property: whatever comes in whatever order, what is given is what was asked", () => {
  const strings = fc.uint8Array({ maxLength: 100 });
  fc.assert(fc.property(fc.array(strings, { maxLength: 50 }), (list) => {
    const pool = new ByteStrings();
    for (const bytes of [...list, ...list, ...list.toReversed()]) {
      const given = pool.get(bytes, 0, bytes.length);
      if (given !== undefined) assertEquals(given, bytes);
    }
  }));
});
