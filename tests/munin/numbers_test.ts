import { assert, assertEquals, assertMatch } from "@std/assert";
import fc from "fast-check";
import { formatValue } from "../../lib/munin/numbers.ts";
import type { Value } from "../../lib/value.ts";

Deno.test("values are printed as Python prints them, and as Munin reads them", () => {
  const cases: [Value, string | undefined, string | undefined][] = [
    // value, GAUGE, DERIVE
    [0n, "0", "0"],
    [-5n, "-5", "-5"],
    [9_007_199_254_740_993n, "9007199254740993", "9007199254740993"],
    [10n ** 28n, "1" + "0".repeat(28), "1" + "0".repeat(28)],
    [10n ** 29n, "1" + "0".repeat(29), undefined],
    [-(10n ** 28n), "-1" + "0".repeat(28), undefined],
    [10n ** 299n, "1" + "0".repeat(299), undefined],
    [10n ** 300n, undefined, undefined],
    [10n ** 5000n, undefined, undefined],
    [0, "0.0", "0"],
    [-0, "-0.0", "0"],
    [5, "5.0", "5"],
    [-5, "-5.0", "-5"],
    [0.1, "0.1", "0"],
    [-0.9, "-0.9", "0"],
    [2.999, "2.999", "2"],
    [-2.999, "-2.999", "-2"],
    [0.1 + 0.2, "0.30000000000000004", "0"],
    [1795247172.4634383, "1795247172.4634383", "1795247172"],
    [0.0001, "0.0001", "0"],
    [9999999999999998, "9999999999999998.0", "9999999999999998"],
    // From here on Python prints exponents.
    [0.00001, "0.00001", "0"],
    [0.000012345, "0.000012345", "0"],
    [1e-7, "0.0000001", "0"],
    [-1.5e-7, "-0.00000015", "0"],
    [5e-324, "0." + "0".repeat(323) + "5", "0"],
    [1e16, "10000000000000000.0", "10000000000000000"],
    [-1e16, "-10000000000000000.0", "-10000000000000000"],
    [123456789012345680000, "123456789012345680000.0", "123456789012345683968"],
    [1e21, "1000000000000000000000.0", "1000000000000000000000"],
    [1.5e22, "15000000000000000000000.0", "15000000000000000000000"],
    [1.25e300, undefined, undefined],
    [Number.MAX_VALUE, undefined, undefined],
    [1e29, "1" + "0".repeat(29) + ".0", "99999999999999991433150857216"],
    [1e30, "1" + "0".repeat(30) + ".0", undefined],
    [NaN, undefined, undefined],
    [Infinity, undefined, undefined],
    [-Infinity, undefined, undefined],
    [null, undefined, undefined],
  ];
  for (const [value, gauge, derive] of cases) {
    assertEquals(formatValue(value, "GAUGE"), gauge, `GAUGE ${value}`);
    assertEquals(formatValue(value, "DERIVE"), derive, `DERIVE ${value}`);
  }
});

Deno.test("property: a GAUGE of any double is plain and reads back as the same double", () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true }), (double) => {
      const text = formatValue(double, "GAUGE");
      if (Math.abs(double) >= 1e300) return assertEquals(text, undefined);
      assertMatch(text!, /^-?\d+\.\d+$/);
      assert(Object.is(Number(text), double));
    }),
    { numRuns: 5_000 },
  );
});

Deno.test("property: a DERIVE is the integer part, in digits that RRD can hold", () => {
  fc.assert(fc.property(
    fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.bigInt()),
    (value) => {
      const text = formatValue(value, "DERIVE");
      const integer = typeof value === "bigint"
        ? value
        : BigInt(Math.trunc(value));
      assertEquals(text, `${integer}`.length > 29 ? undefined : `${integer}`);
    },
  ));
});
