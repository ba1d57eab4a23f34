import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { numberText } from "../../lib/rrd/number_text.ts";
import type { DataSourceType } from "../../lib/rrd/shape.ts";
import type { Value } from "../../lib/value.ts";

Deno.test("values are as their source wrote them, where rrdtool takes that", () => {
  const cases: [
    Value,
    string | undefined,
    DataSourceType,
    string | undefined,
  ][] = [
    [0.45, "0.45", "GAUGE", "0.45"],
    [0.45, "0.450", "GAUGE", "0.450"],
    [42n, "42", "GAUGE", "42"],
    [42n, "042", "GAUGE", "042"],
    [-17n, "-17", "GAUGE", "-17"],
    [1e9, "1e9", "GAUGE", "1e9"],
    [1e9, undefined, "GAUGE", "1000000000"],
    [1e22, undefined, "GAUGE", "10000000000000000000000"],
    [1.5e-9, undefined, "GAUGE", "1.5e-9"],
    [2n ** 70n, undefined, "GAUGE", "1180591620717411303424"],
    [5, "+5", "GAUGE", "5"],
    [5, " 5", "GAUGE", "5"],
    [16n, "0x10", "GAUGE", "16"],
    [0.5, ".5", "GAUGE", "0.5"],
    [1, "1:2", "GAUGE", "1"],
    [1, "1\n", "GAUGE", "1"],
    [-0, undefined, "GAUGE", "0"],
    [null, "unknown", "GAUGE", undefined],
    [NaN, "nan", "GAUGE", undefined],
    [Infinity, "inf", "GAUGE", undefined],
    [308n, "308", "COUNTER", "308"],
    [308.75, "308.75", "COUNTER", "308"],
    [308.75, undefined, "DERIVE", "308"],
    [1e3, "1e3", "COUNTER", "1000"],
    [-3n, "-3", "COUNTER", undefined],
    [-0.5, "-0.5", "COUNTER", "0"],
    [-3n, "-3", "DERIVE", "-3"],
    [-3.9, "-3.9", "DERIVE", "-3"],
    [NaN, "nan", "COUNTER", undefined],
    [1, `1.${"0".repeat(100)}`, "GAUGE", "1"],
    [10n ** 100n, undefined, "GAUGE", "1e+100"],
    [10n ** 100n, undefined, "COUNTER", undefined],
    [10n ** 400n, undefined, "GAUGE", undefined],
    [1e200, undefined, "DERIVE", undefined],
  ];
  for (const [value, text, type, expected] of cases) {
    assertEquals(numberText({ value, text }, type), expected);
  }
});

Deno.test("whatever a value is, what is written is a number and nothing else", () => {
  const grammar = {
    GAUGE: /^-?\d+(\.\d+)?(e[-+]?\d+)?$/i,
    COUNTER: /^\d+$/,
    DERIVE: /^-?\d+$/,
  };
  fc.assert(
    fc.property(
      fc.oneof(fc.double(), fc.bigInt(), fc.bigInt({ min: -100n, max: 100n })),
      fc.option(fc.oneof(fc.string(), fc.double().map(String)), {
        nil: undefined,
      }),
      fc.constantFrom<DataSourceType>("GAUGE", "COUNTER", "DERIVE"),
      (value, text, type) => {
        const written = numberText({ value, text }, type);
        if (written === undefined) return;
        assert(grammar[type].test(written), written);
        assert(written.length <= 64, written);
      },
    ),
    { numRuns: 2000 },
  );
});
