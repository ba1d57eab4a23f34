import fc from "fast-check";
import type { StatSample } from "../../lib/snapshot/scan.ts";

/** Nicknames that come near each other once smashed, and any others. */
const anyNickname = fc.oneof(
  fc.constantFrom(
    "",
    "x",
    "x-",
    "x_",
    "9",
    "_9",
    "root",
    ".",
    "\n.\n",
    "x.value 1\n# timeout",
    "\ud83d",
    "😀",
    "x_abcd",
    "x_abcda",
    "_4",
    "x".repeat(134),
    "x".repeat(135),
    "x".repeat(400),
  ),
  fc.string({ unit: "binary", maxLength: 40 }),
);

/** TUBIDs with common beginnings, and text that is none. */
const anyKey = fc.oneof(
  fc.string({ unit: fc.constantFrom("a", "7"), maxLength: 28, minLength: 28 })
    .map((end) => "abcd" + end),
  fc.string({
    unit: fc.constantFrom(..."abcdefghijklmnopqrstuvwxyz234567"),
    minLength: 32,
    maxLength: 32,
  }),
  fc.constantFrom("", "abcd", "abcda", "abcd_", "ABCD", "\n", "é".repeat(40)),
  fc.string({ unit: "binary" }),
);

const anyValue = fc.oneof(
  fc.bigInt(),
  fc.bigInt({ min: -(10n ** 320n), max: 10n ** 320n }),
  fc.double(),
  fc.integer().map((integral) => integral * 1e10),
  fc.constantFrom(null, undefined, NaN, Infinity, -Infinity, -0, 1e16, 1e-5),
);

const anyTimestamp = fc.oneof(
  fc.integer({ min: 1_700_000_000 - 302, max: 1_700_000_000 + 2 }),
  fc.double(),
);

/** Any node of a snapshot with its value of some statistic. */
export function anyNode(): fc.Arbitrary<StatSample> {
  return fc.record({
    key: anyKey,
    nickname: anyNickname,
    timestamp: anyTimestamp,
    value: anyValue,
  });
}
