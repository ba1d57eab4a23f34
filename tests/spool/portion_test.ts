import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import fc from "fast-check";
import { UserError } from "../../lib/errors.ts";
import { openPortion } from "../../lib/spool/portion.ts";
import type { Sample } from "../../lib/spool/sample.ts";
import { report } from "./hosts.ts";
import { soundRounds } from "./rounds.ts";
import {
  expectedSeries,
  seriesOf,
  tempDirectory,
  writeSegments,
} from "./segments.ts";

const NAMES = ["a", "b", "storage_server.get", "", "ключ"];
const START = 1_700_000_000;

/** A round of one node, whose counter `a` is `value`. */
function round(seconds: number, value: bigint, key = "n") {
  return {
    time: seconds * 1000,
    reports: [report(key, seconds * 1000, { a: value })],
  };
}

Deno.test("a portion has what was reported from its second on, each node's in order", async () => {
  await using directory = await tempDirectory();
  let count = 0;
  await fc.assert(
    fc.asyncProperty(
      soundRounds.filter((rounds) => rounds.length > 0),
      fc.array(fc.nat(11), { maxLength: 3 }),
      fc.integer({ min: -10, max: 800 }),
      async (rounds, cuts, offset) => {
        const path = `${directory.path}/${count++}`;
        Deno.mkdirSync(path);
        const ends = new Set([...cuts.map((cut) => cut + 1), rounds.length]);
        let start = 0;
        const segments = [...ends].sort((a, b) => a - b)
          .filter((end) => end <= rounds.length)
          .map((end) => rounds.slice(start, start = end));
        writeSegments(path, segments);
        const from = START + offset;
        const complaints: string[] = [];
        const portion = await openPortion(path, { from, complaints });
        assertEquals([portion.from, portion.complete], [from, true]);
        const times = rounds.flatMap(({ reports }) =>
          reports.map(({ receivedAt }) => receivedAt / 1000)
        ).filter((time) => Math.floor(time) >= from);
        assertEquals(portion.end, times.length ? Math.max(...times) : from);
        for (const group of ["counters", "stats"] as const) {
          for (const stat of NAMES) {
            assertEquals(
              seriesOf(portion, group, stat),
              expectedSeries(rounds, group, stat, from),
            );
          }
        }
        assertEquals(complaints, []);
      },
    ),
    { numRuns: 300 },
  );
});

Deno.test("portions of any bounds, one after the other, have everything and come to an end", async () => {
  await using directory = await tempDirectory();
  let count = 0;
  await fc.assert(
    fc.asyncProperty(
      soundRounds.filter((rounds) => rounds.length > 0),
      fc.record({
        maxBytes: fc.nat(2000),
        maxSamples: fc.nat(20),
      }, { requiredKeys: [] }),
      async (rounds, bounds) => {
        const path = `${directory.path}/${count++}`;
        Deno.mkdirSync(path);
        writeSegments(
          path,
          [rounds.slice(0, 5), rounds.slice(5)]
            .filter((part) => part.length > 0),
        );
        const seen: Record<string, Map<number, Sample>> = {};
        let from = START - 100;
        for (let portions = 0;; portions++) {
          assert(portions <= rounds.length, "it does not come to an end");
          const portion = await openPortion(path, { from, ...bounds });
          assertEquals(
            seriesOf(portion, "counters", "a"),
            expectedSeries(rounds, "counters", "a", from, portion.end),
          );
          for (const [key, list] of portion.series("counters", "a")) {
            seen[key] ??= new Map();
            for (const sample of list) seen[key].set(sample.time, sample);
          }
          if (portion.complete) break;
          assert(Math.floor(portion.end) > from, "it does not get on");
          from = Math.floor(portion.end);
        }
        assertEquals(
          Object.fromEntries(
            Object.entries(seen).map(([key, map]) => [key, [...map.values()]]),
          ),
          expectedSeries(rounds, "counters", "a"),
        );
      },
    ),
    { numRuns: 300 },
  );
});

Deno.test("bounds keep a portion small", async () => {
  await using directory = await tempDirectory();
  const rounds = Array.from(
    { length: 20 },
    (_, i) => round(START + i * 60, BigInt(i)),
  );
  writeSegments(directory.path, [rounds.slice(0, 10), rounds.slice(10)]);
  const f = async (
    options: { maxBytes?: number; maxSamples?: number; from?: number },
    samples: number,
    complete: boolean,
  ) => {
    const portion = await openPortion(directory.path, {
      from: START,
      ...options,
    });
    assertEquals(
      [portion.series("counters", "a").get("n")?.length, portion.complete],
      [samples, complete],
    );
  };
  await f({}, 20, true);
  await f({ maxSamples: 20 }, 20, true);
  await f({ maxSamples: 19 }, 19, false);
  // The first one of a later second than asked for, whatever the bound.
  await f({ maxSamples: 1 }, 2, false);
  await f({ maxBytes: 1 }, 2, false);
  await f({ maxBytes: 1, from: START - 1 }, 1, false);
  await f({ maxBytes: 1, from: START + 1080 }, 2, true);
  await f({ maxBytes: 1, from: START + 1140 }, 1, true);
});

Deno.test("only the segments that matter are read", async () => {
  await using directory = await tempDirectory();
  const { path } = directory;
  const segments = [0, 600, 1200].map((at) => [
    round(START + at, 1n),
    round(START + at + 60, 2n),
  ]);
  const f = async (from: number, read: number[], samples: number) => {
    const files = writeSegments(path, segments);
    const portion = await openPortion(path, { from });
    const list = portion.series("counters", "a").get("n") ?? [];
    assertEquals(list.length, samples);
    for (const file of files) await Deno.writeTextFile(file, "damaged");
    const complaints: string[] = [];
    await openPortion(path, { from, complaints });
    assertEquals(
      complaints.map((line) => files.findIndex((file) => line.includes(file))),
      read,
    );
  };
  await f(START, [0, 1, 2], 6);
  // Figures of the very second in which the next one began may be in the one before.
  await f(START + 600, [0, 1, 2], 4);
  await f(START + 601, [1, 2], 3);
  await f(START + 660, [1, 2], 3);
  await f(START + 1201, [2], 1);
  await f(START + 1800, [2], 0);
  await f(START + 1801, [], 0);
});

Deno.test("a figure of the last fraction of a second before the next segment is not lost", async () => {
  await using directory = await tempDirectory();
  writeSegments(directory.path, [
    [round(START + 0.7, 1n)],
    [round(START + 0.9, 2n)],
  ]);
  const portion = await openPortion(directory.path, { from: START });
  assertEquals(seriesOf(portion, "counters", "a"), {
    n: [{ time: START + 0.7, value: 1n }, { time: START + 0.9, value: 2n }],
  });
});

Deno.test("one statistic is read without the others, and no other can be asked for", async () => {
  await using directory = await tempDirectory();
  await fc.assert(
    fc.asyncProperty(
      soundRounds.filter((rounds) => rounds.length > 0),
      fc.subarray(NAMES, { minLength: 1 }),
      async (rounds, names) => {
        writeSegments(directory.path, [rounds]);
        const portion = await openPortion(directory.path, {
          from: 0,
          wants: (group, stat) => group === "stats" && names.includes(stat),
        });
        for (const stat of names) {
          assertEquals(
            seriesOf(portion, "stats", stat),
            expectedSeries(rounds, "stats", stat),
          );
          assertThrows(() => portion.series("counters", stat), RangeError);
        }
      },
    ),
  );
});

Deno.test("series() is a map like any other", async () => {
  await using directory = await tempDirectory();
  writeSegments(directory.path, [[
    {
      time: 2000,
      reports: [
        report("x", 1000, { a: 1n }),
        report("y", 1001, { b: 2n }),
        report("z", 1002, { a: null }),
      ],
    },
  ]]);
  const portion = await openPortion(directory.path, { from: 0 });
  const series = portion.series("counters", "a");
  const entries = [
    ["x", [{ time: 1, value: 1n }]],
    ["z", [{ time: 1.002, value: null }]],
  ];
  assertEquals([...series] as unknown[], entries);
  assertEquals([...series.entries()] as unknown[], entries);
  assertEquals([...series.keys()], ["x", "z"]);
  assertEquals(
    [...series.values()] as unknown[],
    entries.map(([, list]) => list),
  );
  const told: unknown[] = [];
  series.forEach((list, key, map) => told.push([key, list, map === series]));
  assertEquals(told, entries.map((entry) => [...entry, true]));
  assertEquals(series.size, 2);
  assertEquals(["x", "y", "?"].map((key) => series.has(key)), [
    true,
    false,
    false,
  ]);
  assertEquals(series.get("z"), [{ time: 1.002, value: null }]);
  assertEquals([series.get("y"), series.get("?")], [undefined, undefined]);
  assertEquals(portion.series("stats", "a").size, 0);
});

Deno.test("a node that is named anew, or in two clusters, is one", async () => {
  await using directory = await tempDirectory();
  const of = (time: number, change: object) => ({
    time,
    reports: [{ ...report("n", time, { a: BigInt(time) }), ...change }],
  });
  writeSegments(directory.path, [
    [of(1000, {}), of(2000, { incarnation: "new" }), of(3000, {})],
    [of(4000, { nickname: "other" }), of(5000, { cluster: "d" })],
  ]);
  const portion = await openPortion(directory.path, { from: 0 });
  assertEquals(seriesOf(portion, "counters", "a"), {
    n: [1, 2, 3, 4, 5].map((time) => ({
      time,
      value: BigInt(time * 1000),
      ...(time === 2 ? { incarnation: "new" } : {}),
    })),
  });
});

Deno.test("a portion knows each node's last report before it, as far as it was to look", async () => {
  await using directory = await tempDirectory();
  let count = 0;
  await fc.assert(
    fc.asyncProperty(
      soundRounds.filter((rounds) => rounds.length > 0).map((rounds) =>
        // A tubid is in one cluster.
        rounds.map(({ time, reports }) => ({
          time,
          reports: reports.map((report) => ({ ...report, cluster: "c" })),
        }))
      ),
      fc.integer({ min: 1, max: 11 }),
      fc.integer({ min: -10, max: 800 }),
      async (rounds, cut, offset) => {
        const path = `${directory.path}/${count++}`;
        Deno.mkdirSync(path);
        const segments = [rounds.slice(0, cut), rounds.slice(cut)];
        writeSegments(path, segments.filter((part) => part.length > 0));
        const from = START + offset;
        const portion = await openPortion(path, { from, context: 10_000 });
        const last = new Map<string, { time: number; incarnation: string }>();
        const former: typeof last = new Map();
        for (const { reports } of rounds) {
          for (const { key, receivedAt, incarnation } of reports) {
            if (receivedAt >= from * 1000) continue;
            const before = last.get(key);
            if (before && before.incarnation !== incarnation) {
              former.set(key, before);
            }
            last.set(key, { time: receivedAt / 1000, incarnation });
          }
        }
        const keys = rounds.flatMap(({ reports }) =>
          reports.map(({ key }) => key)
        );
        for (const key of keys) {
          const expected = former.get(key) ?? last.get(key);
          assertEquals(portion.before(key), expected, key);
        }
      },
    ),
    { numRuns: 200 },
  );
});

Deno.test("of a segment before the portion only who reported last is read, and that only if asked for", async () => {
  await using directory = await tempDirectory();
  const of = (seconds: number, incarnation: string) => ({
    time: (START + seconds) * 1000,
    reports: [{
      ...report("n", (START + seconds) * 1000, { a: 1n }),
      incarnation,
    }],
  });
  writeSegments(directory.path, [
    [of(0, "one"), of(590, "two")],
    [of(605, "two"), of(660, "three")],
    [of(1300, "three")],
  ]);
  const f = async (from: number, context: number | undefined) => {
    const portion = await openPortion(directory.path, {
      from: START + from,
      context,
    });
    const mark = portion.before("n");
    return [
      mark && [mark.time - START, mark.incarnation],
      seriesOf(portion, "counters", "a").n?.map(({ incarnation }) =>
        incarnation
      ),
    ];
  };
  const all = ["two", "three", "three"];
  assertEquals(await f(601, undefined), [undefined, all]);
  // It was restarted before its last report.
  assertEquals(await f(601, 1), [[0, "one"], all]);
  assertEquals(await f(661, 60), [[605, "two"], ["three"]]);
  assertEquals(await f(1206, 600), [[605, "two"], ["three"]]);
  assertEquals(await f(1206, 0), [undefined, ["three"]]);
  assertEquals(await f(1301, 0), [[1300, "three"], undefined]);
});

Deno.test("when the clock was put back, what was written last counts", async () => {
  const times = [0, 60, 120, /* back */ 30, 90, 150];
  const rounds = times.map((at, i) => round(START + at, BigInt(i)));
  const f = async (
    segments: (typeof rounds)[],
    from: number,
    expected: [number, bigint][],
  ) => {
    await using directory = await tempDirectory();
    writeSegments(directory.path, segments);
    const portion = await openPortion(directory.path, {
      from: START + from,
    });
    assertEquals(seriesOf(portion, "counters", "a"), {
      n: expected.map(([at, value]) => ({ time: START + at, value })),
    });
    return portion.end - START;
  };
  const all: [number, bigint][] = [[0, 0n], [30, 3n], [90, 4n], [150, 5n]];
  const parts = [rounds.slice(0, 3), rounds.slice(3)];
  assertEquals(await f(parts, 0, all), 150);
  assertEquals(await f([rounds], 0, all), 150);
  // While the time has not come again, there is nothing of later than now.
  const early = [rounds.slice(0, 3), rounds.slice(3, 4)];
  assertEquals(await f(early, 0, all.slice(0, 2)), 30);
  // A jump ahead and back again.
  const ahead = [round(START, 0n), round(START + 1e8, 1n)];
  const again = [round(START + 60, 2n)];
  assertEquals(await f([ahead, again], 0, [[0, 0n], [60, 2n]]), 60);
  // And one back and ahead again, to before what is asked for.
  const lost = [round(START, 0n), round(0, 1n), round(START + 60, 2n)];
  assertEquals(await f([lost], 0, [[0, 0n], [60, 2n]]), 60);
});

Deno.test("a spool that is not there is empty; one that cannot be read is told of", async () => {
  await using directory = await tempDirectory();
  const missing = await openPortion(`${directory.path}/none`, { from: 5 });
  assertEquals(
    [missing.from, missing.end, missing.complete],
    [5, 5, true],
  );
  assertEquals(missing.series("stats", "a").size, 0);
  await Deno.writeTextFile(`${directory.path}/file`, "");
  const error = await assertRejects(
    () => openPortion(`${directory.path}/file`, { from: 5 }),
    UserError,
  );
  assertEquals(
    error.message,
    `cannot read the spool ${
      JSON.stringify(`${directory.path}/file`)
    }: not a directory`,
  );
});

Deno.test("other files are of no concern; a segment that cannot be read costs only itself", async () => {
  await using directory = await tempDirectory();
  const { path } = directory;
  const [first, second] = writeSegments(path, [
    [round(START, 1n)],
    [round(START + 600, 2n)],
    [round(START + 1200, 3n)],
  ]);
  for (
    const name of [
      "README",
      "1-2.spool",
      "0000000009-x.spool",
      "0000000002-1.spool.bak",
    ]
  ) await Deno.writeTextFile(`${path}/${name}`, "?");
  await Deno.remove(second);
  await Deno.mkdir(second);
  const complaints: string[] = [];
  const f = async () => {
    const portion = await openPortion(path, { from: 0, complaints });
    return seriesOf(portion, "counters", "a").n.map(({ value }) => value);
  };
  assertEquals(await f(), [1n, 3n]);
  assertEquals(complaints, [
    `cannot read ${JSON.stringify(second)}: it is a directory`,
  ]);
  // It was there when the directory was read.
  await Deno.remove(second);
  await Deno.symlink("gone", second);
  complaints.length = 0;
  assertEquals(await f(), [1n, 3n]);
  assertEquals(complaints, []);
  assert(await Deno.stat(first));
});

Deno.test("who reads imports nothing of the runtime's modules", async () => {
  const seen = new Set<string>();
  const visit = async (url: URL) => {
    if (seen.has(url.href)) return;
    seen.add(url.href);
    const source = await Deno.readTextFile(url);
    const imports = source.matchAll(
      /^(?:import|export)(?! type)[^;]*? from "([^"]+)"/gm,
    );
    for (const [, specifier] of imports) {
      assert(specifier.startsWith("."), `${url} imports ${specifier}`);
      await visit(new URL(specifier, url));
    }
  };
  await visit(new URL("../../lib/spool/portion.ts", import.meta.url));
  assert(seen.size > 8, "the imports were not found");
});

Deno.test("rounds, reports and names tell when all and each were heard from, and of what", async () => {
  await using directory = await tempDirectory();
  const both = {
    time: (START + 62) * 1000,
    reports: [
      report("n", (START + 60) * 1000, { a: 2n }),
      report("m", (START + 61) * 1000, { b: 3n }),
    ],
  };
  writeSegments(directory.path, [
    [round(START, 1n), both],
    [round(START + 120, 3n)],
  ]);
  const portion = await openPortion(directory.path, { from: START + 60 });
  assertEquals(portion.rounds, [START + 62, START + 120]);
  assertEquals(
    [...portion.reports()],
    [["n", [START + 60, START + 120]], ["m", [START + 61]]],
  );
  assertEquals(portion.names("counters"), ["a", "b"]);
  assertEquals(portion.names("stats"), []);
  const until = await openPortion(directory.path, {
    from: START,
    until: START + 100,
  });
  assertEquals([until.rounds, until.complete], [[START, START + 62], false]);
});

Deno.test("when the clock was put back, rounds that seem to come later no longer count", async () => {
  await using directory = await tempDirectory();
  writeSegments(directory.path, [
    [round(START, 1n), round(START + 300, 2n)],
    [round(START + 60, 3n)],
  ]);
  const portion = await openPortion(directory.path, { from: START });
  assertEquals(portion.rounds, [START, START + 60]);
  assertEquals([...portion.reports()], [["n", [START, START + 60]]]);
});
