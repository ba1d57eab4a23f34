import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { ByteWriter } from "../../lib/spool/bytes.ts";
import { crc32 } from "../../lib/spool/crc32.ts";
import { openPortion } from "../../lib/spool/portion.ts";
import type { Sample } from "../../lib/spool/sample.ts";
import { readSegment } from "./reference.ts";
import { report } from "./hosts.ts";
import {
  encodeRounds,
  join,
  type PlannedRound,
  soundRounds,
} from "./rounds.ts";
import { expectedSeries, pathOf, seriesOf, tempDirectory } from "./segments.ts";

const GROUPS = ["counters", "stats"] as const;
const NAMES = ["a", "b", "c", "storage_server.get", "", "ключ"];
const MAGIC = new TextEncoder().encode("gspool1\n");

/** A segment that comes after, so that the one before is not being written any more. */
const after: PlannedRound = {
  time: 1_800_000_000_000,
  reports: [report("after", 1_800_000_000_000, { after: 1n })],
};

type Series = Record<string, Sample[]>;

/** Reads a segment of these bytes, alone or before another, and every statistic in it. */
async function read(
  bytes: Uint8Array,
  isLast = false,
): Promise<{ all: Map<string, Series>; complaints: string[] }> {
  await using directory = await tempDirectory();
  const first = pathOf(directory.path, 1, { time: 0, reports: [] });
  Deno.writeFileSync(first, bytes);
  if (!isLast) {
    Deno.writeFileSync(
      pathOf(directory.path, 2, after),
      join(encodeRounds([after])),
    );
  }
  const complaints: string[] = [];
  const portion = await openPortion(directory.path, { from: 0, complaints });
  const all = new Map<string, Series>();
  for (const group of GROUPS) {
    for (const stat of NAMES) {
      all.set(`${group} ${stat}`, seriesOf(portion, group, stat));
    }
  }
  if (!isLast) {
    assertEquals([...portion.series("counters", "after").keys()], ["after"]);
  }
  return {
    all,
    complaints: complaints.map((line) => line.replace(first, "S")),
  };
}

function expectedAll(rounds: readonly PlannedRound[]): Map<string, Series> {
  const all = new Map<string, Series>();
  for (const group of GROUPS) {
    for (const stat of NAMES) {
      all.set(`${group} ${stat}`, expectedSeries(rounds, group, stat));
    }
  }
  return all;
}

Deno.test("every beginning of a segment is the beginning of its frames", async () => {
  const rounds: PlannedRound[] = [0, 1, 2, 3].map((i) => ({
    time: 1000 * (i + 1),
    reports: [
      report("n", 1000 * i, { a: BigInt(i) }, { b: i / 3 }),
      report("m", 1000 * i + 5, i === 2 ? {} : { a: 0n }),
    ],
  }));
  const bytes = join(encodeRounds(rounds));
  const ends = [MAGIC.length, ...readSegment(bytes).map(({ end }) => end)];
  for (let length = 0; length <= bytes.length; length++) {
    const part = bytes.subarray(0, length);
    const whole = Math.max(0, ends.findLastIndex((end) => end <= length));
    const expected = expectedAll(rounds.slice(0, whole));
    const begun = await read(part);
    assertEquals(begun.all, expected);
    assertEquals(
      begun.complaints,
      ends.includes(length) ? [] : [
        `the segment "S" is damaged at byte ${ends[whole]}, ` +
        "what stands before that is used: it ends within a frame",
      ],
    );
    // The last one may be in the making.
    const making = await read(part, true);
    assertEquals(making.all, expected);
    assertEquals(making.complaints, []);
  }
});

Deno.test("a byte that has changed is noticed, and nothing wrong is read", async () => {
  await fc.assert(
    fc.asyncProperty(
      soundRounds.filter((rounds) => rounds.length > 0),
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      async (rounds, place, change) => {
        const bytes = join(encodeRounds(rounds));
        bytes[place % bytes.length] ^= change;
        const { all, complaints } = await read(bytes);
        const expected = expectedAll(rounds);
        for (const [stat, series] of all) {
          for (const [key, list] of Object.entries(series)) {
            assertEquals(list, expected.get(stat)![key].slice(0, list.length));
          }
        }
        // A column of a statistic that is not asked for here is not looked at.
        const stats = rounds.flatMap(({ reports }) =>
          reports.flatMap(({ counters, stats }) => [
            ...Object.keys(counters),
            ...Object.keys(stats),
          ])
        );
        if (stats.every((stat) => NAMES.includes(stat))) {
          assertEquals(complaints.length, 1);
        } else {
          assert(complaints.length <= 1);
        }
      },
    ),
    { numRuns: 500 },
  );
});

Deno.test("random damage never throws", async () => {
  await fc.assert(
    fc.asyncProperty(
      soundRounds.filter((rounds) => rounds.length > 0),
      fc.array(
        fc.tuple(fc.nat(), fc.nat(8), fc.uint8Array({ maxLength: 8 })),
        { minLength: 1, maxLength: 5 },
      ),
      async (rounds, edits) => {
        let bytes: Uint8Array<ArrayBuffer> = join(encodeRounds(rounds));
        for (const [place, removed, added] of edits) {
          const at = place % (bytes.length + 1);
          bytes = join([
            bytes.slice(0, at),
            added.slice(),
            bytes.slice(at + removed),
          ]);
        }
        await read(bytes);
        await read(bytes, true);
      },
    ),
    { numRuns: 300 },
  );
});

/** A frame whose CRCs are right, whatever is in it. */
function frame(
  head: Uint8Array,
  body = new Uint8Array(),
  lengths: [number, number] = [head.length, body.length],
): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter();
  writer.uint32(lengths[0]);
  writer.uint32(lengths[1]);
  const crc = crc32(writer.bytes, 0, 8);
  writer.uint32(crc32(head, 0, head.length, crc));
  writer.raw(head);
  writer.raw(body);
  return writer.bytes.slice(0, writer.length);
}

/** A head of numbers, with bytes and texts as they are. */
function head(...items: (number | string | Uint8Array)[]): Uint8Array {
  const writer = new ByteWriter();
  for (const item of items) {
    if (typeof item === "number") writer.varint(item);
    else if (typeof item === "string") writer.text(item);
    else writer.raw(item);
  }
  return writer.bytes.slice(0, writer.length);
}

Deno.test("nonsense with a right CRC never throws", async () => {
  const column = fc.uint8Array({ maxLength: 30 });
  const number = fc.oneof(
    fc.nat(3),
    fc.nat(200),
    fc.constantFrom(2 ** 32, 2 ** 50, 2 ** 53 - 1),
  );
  const anyHead = fc.oneof(
    fc.uint8Array({ maxLength: 60 }),
    fc.array(number, { maxLength: 40 }).map((numbers) => head(...numbers)),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(anyHead, column), { maxLength: 4 }),
      async (frames) => {
        const bytes = join([
          MAGIC.slice(),
          ...frames.map(([head, body]) => frame(head, body)),
        ]);
        await read(bytes);
      },
    ),
    { numRuns: 500 },
  );
  // A sound head with a body that is none.
  const node = ["c", "n", "", ""];
  await fc.assert(
    fc.asyncProperty(column, async (body) => {
      const crc = new ByteWriter();
      crc.uint32(crc32(body));
      const sound = head(
        ...[5000, 2, ...node, ...node, 1, 0, "a", 1, 0, 2, 0, 0],
        ...[1, 0, body.length, crc.bytes.slice(0, 4)],
      );
      await read(join([MAGIC.slice(), frame(sound, body)]));
    }),
    { numRuns: 500 },
  );
});

Deno.test("what says that it is large must be large: nothing is made beforehand", async () => {
  const huge = 2 ** 53 - 1;
  const node = ["c", "n", "", ""];
  const stat = ["a"];
  const crc = new Uint8Array(4);
  const f = async (segment: Uint8Array<ArrayBuffer>, reason: string) => {
    const { all, complaints } = await read(join([MAGIC.slice(), segment]));
    assertEquals(all, expectedAll([]));
    assertEquals(complaints.length, 1);
    assertStringIncludes(complaints[0], reason);
  };
  const cut = "it ends in the middle";
  const noNodes = "a frame names nodes that are not there";
  const noColumns = "a frame names columns that are not there";
  await f(frame(head(), undefined, [2 ** 32 - 1, 0]), "has 4294967307 bytes");
  await f(frame(head(), undefined, [0, 2 ** 32 - 1]), "has 4294967307 bytes");
  await f(frame(head(), undefined, [2 ** 28 - 12, 0]), "ends within a frame");
  await f(frame(head(), undefined, [2 ** 28 - 11, 0]), "has 268435457 bytes");
  await f(frame(head(2 ** 50)), "a time is too large");
  await f(frame(head(0, huge)), cut);
  await f(frame(head(0, 1, huge)), cut);
  await f(frame(head(0, 0, huge)), cut);
  await f(frame(head(0, 0, 1, 2)), "there is no group 2");
  await f(frame(head(0, 0, 1, 0, huge)), cut);
  await f(frame(head(0, 0, 0, huge)), cut);
  await f(frame(head(0, 0, 0, 1, 0, 1)), noNodes);
  await f(frame(head(0, 1, ...node, 0, 1, 0, huge, 0, 0)), noNodes);
  await f(frame(head(0, 1, ...node, 0, 1, 1, 1, 0, 0)), noNodes);
  await f(frame(head(0, 1, ...node, 0, 2, 0, 1, 1, 1)), noNodes);
  await f(frame(head(0, 1, ...node, 0, 1, 0, 1, 2 ** 51)), "too large");
  await f(frame(head(0, 0, 0, 0, huge)), noColumns);
  await f(frame(head(0, 0, 0, 0, 1, 0, 0, crc)), noColumns);
  await f(frame(head(0, 0, 1, 0, ...stat, 0, 1, 0, huge, crc)), noColumns);
  await f(frame(head(0, 0, 1, 0, ...stat, 0, 1, 1, 0, crc)), noColumns);
  await f(
    frame(head(0, 0, 1, 0, ...stat, 0, 2, 0, 0, crc, 0, 0, crc)),
    noColumns,
  );
  await f(frame(head(0, 0, 0, 0, 0), crc), "do not fill the body");
  await f(frame(head(0, 0, 0, 0, 0, 0)), "a head is too long");
  await f(
    frame(head(0, 0, 0, new Uint8Array(9).fill(255))),
    "a number is too large",
  );
});

Deno.test("a column that is none costs its statistic what stands behind it", async () => {
  const [nodes, statistics] = [2, 1];
  const f = async (hex: number[], reason: string) => {
    // The figure of n is then 2^53 - 1.
    const sound = Uint8Array.of(0x23, 7, 0x1f, ...new Array(6).fill(255), 0x82);
    const bad = Uint8Array.from(hex);
    const heads = [sound, bad, sound].map((body, i) => {
      const crc = new ByteWriter();
      crc.uint32(crc32(body));
      const names = ["c", "n", "", "", "c", "m", "", ""];
      return frame(
        head(
          ...[1000 * (i + 1), i === 0 ? nodes : 0, ...(i === 0 ? names : [])],
          ...(i === 0 ? [statistics, 0, "a"] : [0]),
          ...[1, 0, 2, 0, 0, 1, 0, body.length, crc.bytes.slice(0, 4)],
        ),
        body,
      );
    });
    const { all, complaints } = await read(join([MAGIC.slice(), ...heads]));
    assertEquals(complaints, [`the segment "S" is damaged: ${reason}`]);
    assertEquals(all.get("counters a"), {
      n: [{ time: 1, value: 2n ** 53n - 1n }],
      m: [{ time: 1, value: 2n }],
    });
  };
  await f([0x80, 0x80, 0x80], "a column has more figures than there are nodes");
  await f([0x1f, 0x00, 0x80], "a column has more figures than there are nodes");
  await f([0x1f], "it ends in the middle");
  await f([0x24], "a column has the unknown code 36");
  await f([0x2f], "a column has the unknown code 47");
  await f([0x23, 0], "an integer has 0 bytes");
  await f([0x23, 129], "an integer has 129 bytes");
  await f([0x23, 2, 0], "it ends in the middle");
  await f([0x30], "it ends in the middle");
  await f([0x22], "it ends in the middle");
  await f([0xc9], "a double is not whole");
  await f([0xff, 0, 0, 0, 0, 0, 0, 0, 0], "a double is not whole");
  const beyond = "a difference leads beyond the safe integers";
  await f([0x81], beyond);
  await f([0x38, 0x01], beyond);
  await f([0x22, 0x02], beyond);
});
