import { assertEquals, assertStrictEquals } from "@std/assert";
import fc from "fast-check";
import { attributeText, latin1 } from "../../../lib/ganglia/xml/text.ts";
import { Kind, secondsOf, valueOf } from "../../../lib/ganglia/xml/numbers.ts";
import type { Value } from "../../../lib/value.ts";
import { bytesOf } from "./reading.ts";

function textOf(bytes: Uint8Array, old?: string): string {
  return attributeText(bytes, 0, bytes.length, old);
}

const TEXTS: readonly [bytes: string, text: string][] = [
  ["", ""],
  ["plain", "plain"],
  ["a longer text than eight", "a longer text than eight"],
  ["a &amp; b", "a & b"],
  ["&lt;&gt;&quot;&apos;", "<>\"'"],
  ["&#65;&#x42;&#x1F600;", "AB\u{1f600}"],
  // gmond does not escape.
  ["Test & Lab", "Test & Lab"],
  ["?a=1&b=2", "?a=1&b=2"],
  ["a&", "a&"],
  // Once only.
  ["&amp;lt;", "&lt;"],
  // Never expanded, whatever a document type declares.
  ["&entity;", "&entity;"],
  // What XML cannot hold is left as it is.
  ["&#0;&#xD800;&#x110000;&#99999999;", "&#0;&#xD800;&#x110000;&#99999999;"],
  ["a\tb\r\nc\nd&#10;e", "a b c d\ne"],
  // ISO-8859-1, and not windows-1252: 0x80 to 0x9f are control characters.
  ["21\xb0C", "21°C"],
  ["\x93\xe4\x94", "\u0093ä\u0094"],
  // UTF-8, as the C gmetad sends it whatever it declares.
  ["\xc2\xb0C", "°C"],
  ["\xe2\x82\xac", "€"],
  ["\xef\xbb\xbfx", "\ufeffx"],
  // Begins like UTF-8, but is none.
  ["\xc3\xa4\xb0", "Ã¤°"],
  ["\xb0 &amp; \xb0", "° & °"],
];

for (const [bytes, text] of TEXTS) {
  Deno.test(`attributeText() of ${JSON.stringify(bytes)}`, () => {
    assertEquals(textOf(bytesOf(bytes)), text);
    assertEquals(textOf(bytesOf(bytes), text), text);
    assertEquals(textOf(bytesOf(bytes), "something else"), text);
  });
}

Deno.test("latin1() takes bytes of any length as they are", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 20 }), (bytes) => {
    assertEquals(bytesOf(latin1(bytes, 0, bytes.length)), bytes);
  }));
  const long = new Uint8Array(100_000).map((_, i) => i * 7);
  assertEquals(bytesOf(latin1(long, 0, long.length)), long);
});

function value(kind: number, text: string): Value {
  const bytes = bytesOf(text);
  return valueOf(kind, bytes, 0, bytes.length);
}

const VALUES: readonly [text: string, integer: Value, real: Value][] = [
  ["0", 0n, 0],
  ["5", 5n, 5],
  ["-5", -5n, -5],
  ["+5", 5n, 5],
  [" 5", 5n, 5],
  ["4294967295", 4294967295n, 4294967295],
  ["12345678901234567890", 12345678901234567890n, 12345678901234567000],
  ["21.5", 21.5, 21.5],
  ["-0.25", -0.25, -0.25],
  ["0.1", 0.1, 0.1],
  [".5", 0.5, 0.5],
  ["5.", 5, 5],
  ["3.14159265358979", 3.14159265358979, 3.14159265358979],
  ["3.141592653589793", 3.141592653589793, 3.141592653589793],
  ["1e10", 1e10, 1e10],
  ["1.5E-3", 0.0015, 0.0015],
  ["", null, null],
  ["-", null, null],
  [".", null, null],
  ["abc", null, null],
  ["5 apples", null, null],
  ["1.2.3", null, null],
  ["0x10", null, null],
  ["nan", null, null],
  ["inf", null, null],
  ["1e999", null, null],
];

for (const [text, integer, real] of VALUES) {
  Deno.test(`valueOf() of ${JSON.stringify(text)}`, () => {
    assertStrictEquals(value(Kind.integer, text), integer);
    assertStrictEquals(value(Kind.timestamp, text), integer);
    assertStrictEquals(value(Kind.real, text), real);
    assertStrictEquals(value(Kind.text, text), null);
  });
}

Deno.test("valueOf() reads every decimal as the double nearest to it", () => {
  fc.assert(fc.property(
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.nat({ max: 20 }),
    (number, places) => {
      for (const text of [String(number), number.toFixed(places)]) {
        assertStrictEquals(value(Kind.real, text), Number(text));
      }
    },
  ));
  fc.assert(fc.property(fc.bigInt(), (integer) => {
    assertStrictEquals(value(Kind.integer, String(integer)), integer);
  }));
});

Deno.test("secondsOf() takes integers, and what is below 0 as 0", () => {
  const seconds = (text: string) =>
    secondsOf(bytesOf(text), 0, bytesOf(text).length);
  assertEquals(
    ["0", "15", "4294967295", "-3", "999999999999"].map(seconds),
    [0, 15, 4294967295, 0, 999999999999],
  );
  for (const text of ["", "-", "1.5", "abc", "1e3", "+1", "9999999999999"]) {
    assertEquals(seconds(text), undefined, text);
  }
});
