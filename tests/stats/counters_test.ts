import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { Counters } from "../../lib/stats/counters.ts";

const MAX = Number.MAX_SAFE_INTEGER;

/** What a new counter reads after these deltas. */
function sum(...deltas: (number | bigint)[]): number | bigint {
  const counters = new Counters();
  for (const delta of deltas) counters.count("c", delta);
  return counters.toObject().c;
}

Deno.test("Counters keeps integers exact, as number while it can and as bigint beyond", () => {
  const cases: [(number | bigint)[], number | bigint][] = [
    [[0], 0],
    [[-0], 0],
    [[1, 2, 3], 6],
    [[5n], 5],
    [[5n, 5], 10],
    [[MAX], MAX],
    [[MAX - 1, 1], MAX],
    [[BigInt(MAX)], MAX],
    [[MAX - 1, 1n], MAX],
    [[MAX, 1], 9007199254740992n],
    [[MAX, 1, 1], 9007199254740993n],
    [[1, MAX, 1n], 9007199254740993n],
    [[2 ** 53], 9007199254740992n],
    [[2 ** 60, 1], 2n ** 60n + 1n],
    [[2n ** 64n, 0], 2n ** 64n],
    [[1e300, 1], BigInt(1e300) + 1n],
    [[1.7e308, 1.7e308], BigInt(1.7e308) * 2n],
    [[2n ** 8000n - 1n], 2n ** 8000n - 1n],
  ];
  for (const [deltas, expected] of cases) {
    const actual = sum(...deltas);
    assertEquals(Object.is(actual, expected), true, `${deltas}: ${actual}`);
  }
});

Deno.test("Counters takes fractions without losing whole numbers", () => {
  const cases: [(number | bigint)[], number | bigint][] = [
    [[0.5], 0.5],
    [[1.1], 1.1],
    [[0.5, 0.5], 1],
    [[0.25, 1n, 0.75], 2],
    [[2.5, 2], 4.5],
    [[5e-324], 5e-324],
    // A plain sum of doubles would stay at 2^52 for ever.
    [[2 ** 52, 0.25, 0.25, 0.25, 0.25], 2 ** 52 + 1],
    [[MAX, 0.5, 0.5], 9007199254740992n],
    [[2n ** 60n, 0.5], 2n ** 60n],
    [[2n ** 60n, 0.5, 0.5], 2n ** 60n + 1n],
  ];
  for (const [deltas, expected] of cases) {
    const actual = sum(...deltas);
    assertEquals(Object.is(actual, expected), true, `${deltas}: ${actual}`);
  }
});

Deno.test("Counters sums any sequence of integers and bigints exactly", () => {
  const delta = fc.oneof(
    fc.nat(),
    fc.maxSafeNat(),
    fc.bigInt({ min: 0n, max: 2n ** 80n }),
    fc.double({ min: 0, max: 2 ** 70, noNaN: true }).map(Math.trunc),
  );
  fc.assert(fc.property(fc.array(delta), (deltas) => {
    const counters = new Counters();
    counters.count("c", 0);
    let expected = 0n;
    for (const delta of deltas) {
      counters.count("c", delta);
      expected += BigInt(delta);
      const { c } = counters.toObject();
      if (BigInt(c) !== expected) return false;
      if ((typeof c === "bigint") !== (expected > MAX)) return false;
    }
    return true;
  }));
});

Deno.test("Counters never goes down, whatever is counted", () => {
  const delta = fc.oneof(
    fc.double({ min: 0, max: 4, noNaN: true }),
    fc.double({ min: 0, max: 2 ** 60, noNaN: true }),
    fc.bigInt({ min: 0n, max: 2n ** 60n }),
    fc.constantFrom(MAX, MAX - 0.5, 0.1, 1 - 2 ** -53, 2 ** -53),
  );
  fc.assert(fc.property(fc.array(delta), (deltas) => {
    const counters = new Counters();
    let before: number | bigint = 0;
    for (const delta of deltas) {
      counters.count("c", delta);
      const { c } = counters.toObject();
      if (c < before) return false;
      before = c;
    }
    return true;
  }));
});

Deno.test("Counters takes any name, those of Object's own properties too", () => {
  const names = [
    "storage_server.read",
    "__proto__",
    "constructor",
    "hasOwnProperty",
    "toString",
    "7",
    " ",
    "größe",
    "x".repeat(1000),
    "ü".repeat(500),
    "€".repeat(333) + "x",
    "😀".repeat(250),
  ];
  const counters = new Counters();
  for (const name of names) counters.count(name, 3);
  for (const name of names) counters.count(name, 4);
  const sums = counters.toObject();
  assertEquals(Object.getPrototypeOf(sums), null);
  assertEquals(
    Object.entries(sums).toSorted(),
    names.map((name): [string, number] => [name, 7]).toSorted(),
  );
});

Deno.test("Counters refuses what cannot be counted, and says why", () => {
  // deno-lint-ignore no-explicit-any
  const cases: [any, any, typeof TypeError | typeof RangeError, string][] = [
    ["", 1, RangeError, "Cannot count: a name must not be empty"],
    [
      "x".repeat(1001),
      1,
      RangeError,
      `Cannot count: the name "${"x".repeat(60)}…" is longer than 1000 bytes`,
    ],
    [
      "ü".repeat(501),
      1,
      RangeError,
      `Cannot count: the name "${"ü".repeat(60)}…" is longer than 1000 bytes`,
    ],
    [
      "€".repeat(334),
      1,
      RangeError,
      `Cannot count: the name "${"€".repeat(60)}…" is longer than 1000 bytes`,
    ],
    [
      "a\ud800",
      1,
      RangeError,
      'Cannot count: the name "a\\ud800" holds half a surrogate pair',
    ],
    [
      undefined,
      1,
      TypeError,
      "Cannot count: a name must be a string, not undefined",
    ],
    [
      7,
      1,
      TypeError,
      "Cannot count: a name must be a string, not the number 7",
    ],
    [
      Symbol("x"),
      1,
      TypeError,
      "Cannot count: a name must be a string, not a symbol",
    ],
    [
      "c",
      -1,
      RangeError,
      'Cannot count "c": the delta must be finite and not negative, but is -1',
    ],
    [
      "c",
      -1n,
      RangeError,
      'Cannot count "c": the delta must be finite and not negative, but is a negative bigint',
    ],
    [
      "c",
      NaN,
      RangeError,
      'Cannot count "c": the delta must be finite and not negative, but is NaN',
    ],
    [
      "c",
      Infinity,
      RangeError,
      'Cannot count "c": the delta must be finite and not negative, but is Infinity',
    ],
    [
      "c",
      "1",
      TypeError,
      'Cannot count "c": the delta must be a number or a bigint, not a string',
    ],
    [
      "c",
      null,
      TypeError,
      'Cannot count "c": the delta must be a number or a bigint, not null',
    ],
    [
      "c",
      2n ** 8000n,
      RangeError,
      'Cannot count "c": the sum would need more than 1,000 bytes, which no gatherer accepts',
    ],
  ];
  const counters = new Counters();
  for (const [name, delta, errorClass, message] of cases) {
    const error = assertThrows(() => counters.count(name, delta), errorClass);
    assertEquals(error.message, message);
  }
  assertEquals(Object.keys(counters.toObject()), []);
});

Deno.test("Counters leaves a counter as it was when a delta is refused", () => {
  const counters = new Counters();
  counters.count("c", 2n ** 8000n - 1n);
  assertThrows(() => counters.count("c", 1), RangeError);
  assertThrows(() => counters.count("c", -1), RangeError);
  counters.count("d", 0.75);
  assertThrows(() => counters.count("d", 2n ** 8000n), RangeError);
  assertEquals(counters.toObject().c, 2n ** 8000n - 1n);
  assertEquals(counters.toObject().d, 0.75);
});

Deno.test("Counters holds 10,000 names and refuses one more, while the old ones go on", () => {
  const counters = new Counters();
  for (let i = 0; i < 10_000; i++) counters.count(`c${i}`, 1);
  const error = assertThrows(() => counters.count("one more", 1), RangeError);
  assertEquals(
    error.message,
    'Cannot count "one more": there are 10000 counters already, the most that fit into one answer; do not make names out of data',
  );
  counters.count("c9999", 1);
  assertEquals(counters.toObject().c9999, 2);
  assertEquals(Object.keys(counters.toObject()).length, 10_000);
});
