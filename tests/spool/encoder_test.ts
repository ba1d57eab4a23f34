import { assert, assertEquals } from "@std/assert";
import { encodeHex } from "@std/encoding";
import fc from "fast-check";
import { MAX_STATISTICS, SegmentEncoder } from "../../lib/spool/encoder.ts";
import type { Value } from "../../lib/value.ts";
import { readSegment, type Report } from "./reference.ts";
import { hostOf, report } from "./hosts.ts";
import { anyRounds, encodeRounds, join } from "./rounds.ts";

/** The body of the frame in which a node's only figure goes from `before` to `after`. */
function change(before: Value | undefined, after: Value | undefined): string {
  const of = (value: Value | undefined) =>
    report("n", 0, value === undefined ? {} : { a: value });
  const [, frame] = encodeRounds([
    { time: 0, reports: [of(before)] },
    { time: 0, reports: [of(after)] },
  ]);
  const headLength = new DataView(frame.buffer).getUint32(0, true);
  return encodeHex(frame.subarray(12 + headLength));
}

Deno.test("each change of a figure has its shortest form", () => {
  const f = (
    before: Value | undefined,
    after: Value | undefined,
    hex: string,
  ) => assertEquals(change(before, after), hex, `${before} to ${after}`);
  f(7n, 7n, "");
  f(0.5, 0.5, "");
  f(NaN, NaN, "");
  f(null, null, "");
  f(undefined, undefined, "");
  f(2n ** 70n, 2n ** 70n, "");
  f(7n, null, "20");
  f(7n, undefined, "21");
  f(undefined, 0n, "80");
  f(null, 63n, "bf");
  f(1.5, -64n, "40");
  f(1000n, 1063n, "bf");
  f(1000n, 936n, "40");
  f(0n, 64n, "3840");
  f(0n, -65n, "37bf");
  f(0n, 2047n, "3fff");
  f(0n, -2048n, "3000");
  f(0n, 2048n, "228020");
  f(0n, -2049n, "228120");
  f(0n, 2n ** 51n, "2280808080808080" + "08");
  f(0n, 2n ** 51n + 1n, "2307" + "08000000000001");
  f(-(2n ** 53n) + 1n, 2n ** 53n - 1n, "2307" + "1fffffffffffff");
  f(2n ** 53n - 1n, 0n, "2301" + "00");
  f(0n, 2n ** 53n, "2307" + "20000000000000");
  f(2n ** 53n, 5n, "85");
  f(0n, 2n ** 63n - 1n, "2308" + "7fffffffffffffff");
  f(0n, 2n ** 63n, "2309" + "008000000000000000");
  f(0n, -(2n ** 63n), "2308" + "8000000000000000");
  f(0n, -(2n ** 63n) - 1n, "2309" + "ff7fffffffffffffff");
  f(undefined, 1, "c13ff0");
  f(undefined, 0, "f800");
  f(0, -0, "c080");
  f(-0, 0, "c000");
  f(5n, 0.1, "c73fb999999999999a");
  f(0.1, 0.10000000000000002, "f89b");
  f(1, 1.5, "c8f8");
  f(1.5, 1, "c8f0");
  f(1, 1.0000000000000002, "f801");
  f(1, NaN, "c17ff8");
  f(NaN, 1, "c13ff0");
  f(1, -Infinity, "c1fff0");
});

Deno.test("nodes that have not changed cost a byte, however many", () => {
  const f = (changed: number[], hex: string) => {
    const of = (i: number, value: bigint) => report(`${i}`, 0, { a: value });
    const nodes = Array.from({ length: 5000 }, (_, i) => i);
    const [, frame] = encodeRounds([
      { time: 0, reports: nodes.map((i) => of(i, 0n)) },
      {
        time: 0,
        reports: nodes.map((i) => of(i, changed.includes(i) ? 1n : 0n)),
      },
    ]);
    const headLength = new DataView(frame.buffer).getUint32(0, true);
    assertEquals(encodeHex(frame.subarray(12 + headLength)), hex);
  };
  f([], "");
  f([0, 1], "8181");
  f([1, 3], "00810081");
  f([31], "1e81");
  f([32], "1f0081");
  f([0, 33 + 127], "811f7f81");
  f([4999], "1fe72681"); // 4999 - 32 = 0x1367
});

Deno.test("a segment is what the document says, byte for byte", () => {
  const [first, second] = encodeRounds([
    {
      time: 300,
      reports: [
        { ...report("k", 298, { a: 1n }, { b: 0.5 }), nickname: "é" },
        report("l", 301, {}, { b: null }),
      ],
    },
    { time: 400, reports: [report("l", 401, {}, { b: null })] },
  ]);
  const magic = "6773706f6f6c310a";
  // The CRCs are checked by the reference reader.
  assertEquals(
    encodeHex(first).replace(/^(.{32}).{8}/, "$1CRC"),
    magic + "2b000000" + "05000000" + "CRC" + "ac02" +
      "02" + "0163" + "016b" + "02c3a9" + "00" +
      "0163" + "016c" + "016c" + "00" +
      "02" + "000161" + "010162" +
      "01" + "0002" + "0401" +
      "02" + "0001" + "3b5cbd48" + "0104" + "f62792a5" +
      "81" + "c13fe020",
  );
  assertEquals(
    encodeHex(second).replace(/^(.{16}).{8}/, "$1CRC"),
    "09000000" + "00000000" + "CRC" + "9003" + "00" + "00" +
      "01" + "0201" + "00" + "00",
  );
  assertEquals(readSegment(join([first, second])).map(({ end }) => end), [
    first.length,
    first.length + second.length,
  ]);
});

Deno.test("what was written is what is read, by whoever goes by the document", () => {
  fc.assert(
    fc.property(anyRounds, (rounds) => {
      const read = readSegment(join(
        rounds.length === 0
          ? [new TextEncoder().encode("gspool1\n")]
          : encodeRounds(rounds),
      ));
      assertEquals(
        read.map(({ time, reports }) => ({ time, reports })),
        rounds.map(({ time, reports }) => ({
          time,
          reports: reports.map(plain),
        })),
      );
    }),
    { numRuns: 500 },
  );
});

/** The same in objects without a prototype. */
function plain(report: Report): Report {
  const bare = (half: Record<string, Value>) =>
    Object.assign(Object.create(null), half);
  return {
    ...report,
    counters: bare(report.counters),
    stats: bare(report.stats),
  };
}

Deno.test("add() keeps the first of two metrics of a name, and says what it leaves out", () => {
  const encoder = new SegmentEncoder();
  const host = hostOf(report("n", 0));
  const add = (metrics: [string, Value][]) => {
    encoder.begin(0);
    const leftOut = encoder.add("c", host, {
      ...host.observation,
      metrics: metrics.map(([name, value]) => ({ name, value, slope: "both" })),
    });
    return { leftOut, frame: encoder.finish() };
  };
  const large = 2n ** 1023n;
  const many = Array.from(
    { length: MAX_STATISTICS },
    (_, i): [string, Value] => [`s${i}`, 1n],
  );
  const written = [
    add([["s0", 1n], ["s0", 2n], ["s1", 3n]]),
    add([["s1", -large], ["s2", large], ["s3", -large - 1n], ["s0", 1n]]),
    add([["s0", large], ...many, ["t", 1n]]),
    add([["t", 5n], ["s0", 7n], ["u", 5n]]),
  ];
  assertEquals(written.map(({ leftOut }) => leftOut), [1, 2, 2, 2]);
  const read = readSegment(join(written.map(({ frame }) => frame)))
    .map(({ reports: [{ stats }] }) => ({ ...stats }));
  assertEquals(read, [
    { s0: 1n, s1: 3n },
    { s0: 1n, s1: -large },
    Object.fromEntries(many),
    { s0: 7n },
  ]);
});

Deno.test("a node that is named anew all the time has no more room for that", () => {
  const encoder = new SegmentEncoder();
  const frames = [0, 1, 2, 3].map((round) => {
    const host = hostOf({ ...report("n", 0), nickname: `${round}` });
    encoder.begin(0);
    const metrics = Array.from(
      { length: 900 },
      (_, i) => ({ name: `${round} ${i}`, value: 1n, slope: "both" as const }),
    );
    encoder.add("c", host, { ...host.observation, metrics });
    return encoder.finish();
  });
  assertEquals(
    readSegment(join(frames)).map(({ reports: [{ nickname, stats }] }) => [
      nickname,
      Object.keys(stats).length,
    ]),
    [["0", 900], ["1", 900], ["2", MAX_STATISTICS - 1800], ["3", 0]],
  );
});

Deno.test("statistics in another order each time are found again", () => {
  const names = Array.from({ length: 20 }, (_, i) => `s${i}`);
  const encoder = new SegmentEncoder();
  const host = hostOf(report("n", 0));
  const frames = fc.sample(
    fc.shuffledSubarray(names, { minLength: 15 }),
    50,
  ).map((order, round) => {
    encoder.begin(0);
    encoder.add("c", host, {
      ...host.observation,
      metrics: order.map((name) => ({
        name,
        value: BigInt(round) * 1000n + BigInt(name.slice(1)),
        slope: "positive",
      })),
    });
    return { order, frame: encoder.finish() };
  });
  const read = readSegment(join(frames.map(({ frame }) => frame)));
  for (const [round, { reports: [{ counters }] }] of read.entries()) {
    assertEquals(Object.keys(counters).sort(), frames[round].order.sort());
    for (const [name, value] of Object.entries(counters)) {
      assertEquals(value, BigInt(round) * 1000n + BigInt(name.slice(1)));
    }
  }
  assert(read.length === 50);
});
