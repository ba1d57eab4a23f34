import fc from "fast-check";
import { SegmentEncoder } from "../../lib/spool/encoder.ts";
import type { Value } from "../../lib/value.ts";
import { anyValue } from "../snapshot/nodes.ts";
import { hostOf } from "./hosts.ts";
import type { Round } from "./reference.ts";

/** What is known of a round before it is written. */
export type PlannedRound = Omit<Round, "end">;

/** The frames of a segment. */
export function encodeRounds(
  rounds: readonly PlannedRound[],
): Uint8Array<ArrayBuffer>[] {
  const encoder = new SegmentEncoder();
  return rounds.map(({ time, reports }) => {
    encoder.begin(time);
    for (const report of reports) {
      const host = hostOf(report);
      encoder.add(report.cluster, host, host.observation);
    }
    return encoder.finish();
  });
}

/** Bytes behind one another. */
export function join(
  parts: readonly Uint8Array<ArrayBuffer>[],
): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, p) => sum + p.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** What a statistic may be from one round to the next: anything, or much the same. */
const anyFigure: fc.Arbitrary<Value> = fc.oneof(
  { weight: 2, arbitrary: anyValue },
  { weight: 3, arbitrary: fc.bigInt({ min: -5000n, max: 5000n }) },
  { weight: 3, arbitrary: fc.constantFrom(1n, 2n, 100n, 0.5, 0.25, null) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      2n ** 53n - 1n,
      1n - 2n ** 53n,
      2n ** 53n,
      -(2n ** 53n),
      2n ** 1023n - 1n,
      -(2n ** 1023n),
      1.0000000000000002,
      -Infinity,
      Number.MAX_VALUE,
    ),
  },
).filter((value) =>
  typeof value !== "bigint" || BigInt.asIntN(1024, value) === value
);

const anyName = fc.constantFrom(
  "a",
  "b",
  "c",
  "storage_server.get",
  "",
  "ключ",
  "\ufeffx",
  "__proto__",
  "n".repeat(1000),
);

const anyHalf = fc.dictionary(anyName, anyFigure, { maxKeys: 6 });

const anyReport = fc.record({
  cluster: fc.constantFrom("c", "d"),
  key: fc.constantFrom(
    ...Array.from({ length: 6 }, (_, i) => `node-${i}`),
    "",
    "é",
  ),
  nickname: fc.oneof(
    { weight: 5, arbitrary: fc.constant("nick") },
    { weight: 1, arbitrary: fc.string({ unit: "grapheme", maxLength: 5 }) },
  ),
  incarnation: fc.oneof(
    { weight: 5, arbitrary: fc.constant("one") },
    { weight: 1, arbitrary: fc.constant("two") },
  ),
  lag: fc.oneof(
    { weight: 5, arbitrary: fc.nat(3000) },
    { weight: 1, arbitrary: fc.integer({ min: -1e9, max: 1e12 }) },
  ),
  counters: anyHalf,
  stats: anyHalf,
});

/**
 * Rounds in which nodes come and go, and so do their statistics; times mostly grow by a minute.
 */
export const anyRounds: fc.Arbitrary<PlannedRound[]> = fc.array(
  fc.tuple(
    fc.oneof(
      { weight: 9, arbitrary: fc.integer({ min: 50_000, max: 70_000 }) },
      { weight: 1, arbitrary: fc.integer({ min: -1e9, max: 1e10 }) },
    ),
    fc.uniqueArray(anyReport, {
      selector: ({ cluster, key }) => JSON.stringify([cluster, key]),
      minLength: 1,
      maxLength: 9,
    }),
  ),
  { maxLength: 12 },
).map((rounds) => {
  let time = 1_700_000_000_000;
  return rounds.map(([step, reports]) => {
    time = Math.max(0, time + step);
    return {
      time,
      reports: reports.map(({ lag, ...report }) => ({
        ...report,
        receivedAt: time - lag,
      })),
    };
  });
});

/**
 * Rounds as a gatherer with a sound clock has them: what a round brings came after the one before.
 */
export const soundRounds: fc.Arbitrary<PlannedRound[]> = anyRounds.map(
  (rounds) =>
    rounds.map(({ reports }, i) => {
      const time = 1_700_000_000_000 + i * 50_000;
      const unique = new Map(reports.map((report) => [report.key, report]));
      return {
        time,
        reports: [...unique.values()].map((report, j) => ({
          ...report,
          receivedAt: time - 1 - (report.nickname.length * 997 + j * 13) % 3000,
        })),
      };
    }),
);
