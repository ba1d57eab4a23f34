import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { parseRange, plainDecimal } from "../../lib/munin/limits.ts";

Deno.test("parseRange() knows the four forms, and writes numbers as Munin reads them", () => {
  const f = (text: string, range: string | undefined) =>
    assertEquals(parseRange(text), range, text);
  f("800", "800");
  f("0", "0");
  f("-5", "-5");
  f("10:", "10:");
  f(":10", ":10");
  f("1:10", "1:10");
  f("5:5", "5:5");
  f("-10:-1.5", "-10:-1.5");
  f("0:0", "0:0");
  f(" 1 : 10 ", "1:10");
  f(":1e12", ":1000000000000");
  f("1e-3:1E+3", "0.001:1000");
  f("+1.50:", "1.5:");
  f("", undefined);
  f(":", undefined);
  f("10:1", undefined);
  f("1e3:999", undefined);
  f("-1:-10", undefined);
  f("1:2:3", undefined);
  f("U", undefined);
  f("90%", undefined);
  f("1,5", undefined);
  f("0x10", undefined);
  f("1 0", undefined);
  f("1_000", undefined);
  f("NaN", undefined);
  f("Infinity", undefined);
  f("-Infinity:", undefined);
  f("1:\n2 ", "1:2");
  f("٣", undefined);
});

Deno.test("plainDecimal() loses no digit and keeps no more than is needed", () => {
  const f = (text: string, number: string | undefined) =>
    assertEquals(plainDecimal(text), number, text);
  f("9007199254740993", "9007199254740993");
  f(
    "0.1000000000000000055511151231257827",
    "0.1000000000000000055511151231257827",
  );
  f("007", "7");
  f("-0.0", "0");
  f("+0", "0");
  f("-0e5", "0");
  f("5.", "5");
  f(".5", "0.5");
  f("-.5e1", "-5");
  f("12.34e1", "123.4");
  f("12.34e2", "1234");
  f("12.34e4", "123400");
  f("12.34e-1", "1.234");
  f("12.34e-2", "0.1234");
  f("12.34e-4", "0.001234");
  f("1e300", undefined);
  f("9e299", "9" + "0".repeat(299));
  f("-1e300", undefined);
  f("1e-300", "0." + "0".repeat(299) + "1");
  f("1e-301", undefined);
  f("0e999999999", undefined);
  f("1".repeat(100), "1".repeat(100));
  f("1".repeat(101), undefined);
  f("", undefined);
  f(".", undefined);
  f("-", undefined);
  f("e5", undefined);
  f("1e", undefined);
  f("--1", undefined);
  f(" 1", undefined);
});

Deno.test("property: plainDecimal() is the same number, and stays as it is", () => {
  fc.assert(fc.property(
    fc.double({ noNaN: true, min: -1e299, max: 1e299 }),
    (double) => {
      const plain = plainDecimal(String(double));
      if (plain === undefined) return assert(Math.abs(double) < 1e-280);
      // Number("-0") is not 0, but the sign of zero means nothing in a range.
      assert(Number(plain) === double, plain);
      assert(/^-?(0|[1-9]\d*)(\.\d*[1-9])?$/.test(plain), plain);
      assertEquals(plainDecimal(plain), plain.length > 100 ? undefined : plain);
    },
  ));
});

Deno.test("property: what parseRange() gives is a range to Munin, and to parseRange()", () => {
  const end = fc.oneof(
    fc.constant(""),
    fc.integer().map(String),
    fc.double({ noNaN: true, min: -1e20, max: 1e20 }).map(String),
    fc.string({ unit: fc.constantFrom(..."0123456789.eE+-: x") }),
  );
  fc.assert(fc.property(end, end, (min, max) => {
    const range = parseRange(`${min}:${max}`);
    if (range === undefined) return;
    // As get_limits of Munin 2.0 reads it.
    assert(/^[-+\d.]*:[-+\d.]*$/.test(range), range);
    if (range.length < 100) assertEquals(parseRange(range), range);
  }));
});
