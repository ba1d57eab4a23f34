import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { checkProducer, nameOf, readAnswer } from "../../lib/stats/producer.ts";

class Disks {}

Deno.test("checkProducer() accepts whatever has a getStats() method", () => {
  class Inherited {
    getStats() {
      return {};
    }
  }
  checkProducer({ getStats: () => ({}) });
  checkProducer(new Inherited());
  checkProducer(Object.assign(Object.create(null), { getStats() {} }));
  checkProducer(
    class {
      static getStats() {}
    },
  );
});

Deno.test("checkProducer() refuses what has none, and names what it got", () => {
  const cases: [unknown, string][] = [
    [undefined, "undefined"],
    [null, "null"],
    [5, "the number 5"],
    [5n, "a bigint"],
    [true, "a boolean"],
    ["secret", "a string"],
    [Symbol("x"), "a symbol"],
    [{}, "Object, which has none"],
    [{ getStats: {} }, "Object, which has none"],
    [{ name: "disks", getStats: 1 }, "disks, which has none"],
    [new Disks(), "Disks, which has none"],
    [[], "Array, which has none"],
    [Object.create(null), "object, which has none"],
    [function stats() {}, "stats, which has none"],
  ];
  for (const [producer, got] of cases) {
    const error = assertThrows(() => checkProducer(producer), TypeError);
    assertEquals(
      error.message,
      `Cannot register a statistics producer: it must be an object with a getStats() method, not ${got}`,
    );
  }
});

Deno.test("nameOf() is the producer's own name, else that of its class", () => {
  const cases: [object, string][] = [
    [{ name: "disks" }, "disks"],
    [{ name: "" }, "Object"],
    [{ name: 5 }, "Object"],
    [new Disks(), "Disks"],
    [new (class {})(), "object"],
    [Object.create(null), "object"],
    [{ name: "a\nb\u2028c" }, "a b c"],
    [{ name: "x".repeat(300) }, "x".repeat(200) + "…"],
    [{
      get name() {
        throw new Error("no");
      },
    }, "object"],
  ];
  for (const [producer, expected] of cases) {
    assertEquals(nameOf(producer), expected);
  }
});

Deno.test("readAnswer() takes numbers, bigints, null and booleans, from objects and Maps", () => {
  const cases: [string, unknown, unknown][] = [
    ["zero", 0, 0],
    ["minus zero", -0, -0],
    ["negative", -3, -3],
    ["double", 0.1, 0.1],
    ["smallest", 5e-324, 5e-324],
    ["greatest", Number.MAX_VALUE, Number.MAX_VALUE],
    ["bigint", 2n ** 64n, 2n ** 64n],
    ["small bigint", 5n, 5n],
    ["wide", 2n ** 8000n - 1n, 2n ** 8000n - 1n],
    ["wide negative", 1n - 2n ** 8000n, 1n - 2n ** 8000n],
    ["not known", null, null],
    ["yes", true, 1],
    ["no", false, 0],
    ["__proto__", 1, 1],
    ["constructor", 2, 2],
    ["x".repeat(1000), 3, 3],
  ];
  const expected = cases.map(([name, , value]) => [name, value]);
  const map = new Map(cases.map(([name, value]) => [name, value]));
  for (const answer of [map, Object.fromEntries(map)]) {
    const { numbers, fault } = readAnswer(answer);
    assertEquals(fault, undefined);
    assertEquals([...numbers] as unknown[], expected);
    assertEquals(Object.is(numbers.get("minus zero"), -0), true);
  }
  assertEquals([...readAnswer({}).numbers], []);
  assertEquals(readAnswer({}).fault, undefined);
});

Deno.test("readAnswer() leaves out a value that is no number, and only that", () => {
  const cases: [unknown, string][] = [
    [NaN, "the number NaN"],
    [Infinity, "the number Infinity"],
    [-Infinity, "the number -Infinity"],
    [undefined, "undefined"],
    ["5", "a string"],
    [{}, "an object"],
    [[1], "an array"],
    [() => 1, "a function"],
    [Symbol("x"), "a symbol"],
    [new Date(0), "an object"],
    [2n ** 8000n, "an integer beyond 1,000 bytes"],
    [-(2n ** 8000n), "an integer beyond 1,000 bytes"],
  ];
  for (const [value, found] of cases) {
    const { numbers, fault } = readAnswer({ before: 1, bad: value, after: 2 });
    assertEquals([...numbers], [["before", 1], ["after", 2]]);
    assertEquals(fault, `not a number that can be sent: "bad" is ${found}`);
  }
});

Deno.test("readAnswer() leaves out a bad name, counts what else is bad, and names the first", () => {
  const answer = new Map<unknown, unknown>([["", 1], ["a", 2], [7, 3], [
    "b",
    NaN,
  ]]);
  assertEquals([...readAnswer(answer).numbers], [["a", 2]]);
  assertEquals(
    readAnswer(answer).fault,
    "not a number that can be sent: a name must not be empty (and 2 more)",
  );
  const long = readAnswer({ ["x".repeat(1001)]: 1, a: 2 });
  assertEquals([...long.numbers], [["a", 2]]);
});

Deno.test("readAnswer() survives getters and proxies that throw", () => {
  const getter = {
    a: 1,
    get b(): number {
      throw new Error("first\nsecond");
    },
    c: 3,
  };
  assertEquals([...readAnswer(getter).numbers], [["a", 1], ["c", 3]]);
  assertEquals(
    readAnswer(getter).fault,
    'not a number that can be sent: "b" cannot be read: first second',
  );
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  assertEquals(readAnswer(proxy).numbers.size, 0);
  assertEquals(typeof readAnswer(proxy).fault, "string");
});

Deno.test("readAnswer() refuses what is no object, and what holds over 10,000 numbers", () => {
  const many = Object.fromEntries(
    Array.from({ length: 10_001 }, (_, i) => [`s${i}`, i]),
  );
  const cases: [unknown, string][] = [
    [undefined, "getStats() gave undefined instead of an object of numbers"],
    [null, "getStats() gave null instead of an object of numbers"],
    [5, "getStats() gave the number 5 instead of an object of numbers"],
    ["secret", "getStats() gave a string instead of an object of numbers"],
    [[1, 2], "getStats() gave an array instead of an object of numbers"],
    [() => ({}), "getStats() gave a function instead of an object of numbers"],
    [many, "getStats() gave 10001 numbers, more than the 10000 that fit"],
  ];
  for (const [answer, fault] of cases) {
    assertEquals(readAnswer(answer).numbers.size, 0);
    assertEquals(readAnswer(answer).fault, fault);
  }
  delete many.s0;
  assertEquals(readAnswer(many).numbers.size, 10_000);
  assertEquals(readAnswer(many).fault, undefined);
});

Deno.test("readAnswer() of anything is only numbers under good names, and one line at most", () => {
  const answer = fc.oneof(
    fc.anything({ withBigInt: true, withMap: true, withNullPrototype: true }),
    fc.dictionary(
      fc.string({ unit: "binary" }),
      fc.anything({ withBigInt: true }),
    ),
  );
  fc.assert(fc.property(answer, (answer) => {
    const { numbers, fault } = readAnswer(answer);
    for (const [name, value] of numbers) {
      if (typeof name !== "string" || name === "") return false;
      if (
        value !== null && typeof value !== "bigint" && !Number.isFinite(value)
      ) return false;
    }
    return fault === undefined || fault.length <= 201 && !/\p{Cc}/u.test(fault);
  }));
});
