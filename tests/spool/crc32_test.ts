import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { crc32 as zlibCrc32 } from "node:zlib";
import { crc32 } from "../../lib/spool/crc32.ts";

Deno.test("crc32() is that of gzip, in one go, in two, and of a part", () => {
  assertEquals(crc32(new TextEncoder().encode("123456789")), 0xcbf43926);
  assertEquals(crc32(new Uint8Array()), 0);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 50 }), fc.nat(50), (bytes, cut) => {
      const middle = Math.min(cut, bytes.length);
      const whole = zlibCrc32(bytes);
      assertEquals(crc32(bytes), whole);
      const begun = crc32(bytes, 0, middle);
      assertEquals(begun, zlibCrc32(bytes.subarray(0, middle)));
      assertEquals(crc32(bytes, middle, bytes.length, begun), whole);
    }),
  );
});
