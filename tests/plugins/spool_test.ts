import { assert, assertEquals, assertRejects } from "@std/assert";
import { UserError } from "../../lib/errors.ts";
import { SpoolPlugin } from "../../lib/plugins/spool.ts";
import { MAX_STATISTICS } from "../../lib/spool/encoder.ts";
import { openPortion } from "../../lib/spool/portion.ts";
import { Tree } from "../../lib/tree/tree.ts";
import type { Value } from "../../lib/value.ts";
import { FakeClock } from "../fake_clock.ts";
import { captureLog } from "../log_capture.ts";
import { readSegment } from "../spool/reference.ts";

const MINUTE = 60_000;
const DAY = 86_400_000;
const START = 1_700_000_000;

const canMount = await mountsTmpfs();

type Options = Partial<ConstructorParameters<typeof SpoolPlugin>[0]>;

/** A plugin that has been started, with a tree that it is told of by hand. */
class Context implements AsyncDisposable {
  readonly tree = new Tree();
  readonly clock = new FakeClock(START * 1000);
  readonly directory: string;
  readonly #sequences = new Map<string, number>();
  plugin!: SpoolPlugin;

  constructor(readonly home: string, readonly options: Options) {
    this.directory = `${home}/spool`;
  }

  /** Stops the plugin, if there is one, and starts another. */
  async restart(options: Options = {}): Promise<void> {
    this.plugin?.stop();
    this.plugin = new SpoolPlugin({
      directory: this.directory,
      clock: this.clock,
      mode: 0o644,
      ...this.options,
      ...options,
    });
    await this.plugin.start();
  }

  /** A node reports; its sequence number goes on by itself. */
  report(
    key: string,
    figures: Record<string, Value>,
    change: { sequence?: number; nickname?: string; receivedAt?: number } = {},
  ): void {
    const sequence = change.sequence ?? (this.#sequences.get(key) ?? 0) + 1;
    this.#sequences.set(key, sequence);
    const receivedAt = change.receivedAt ?? this.clock.now();
    this.tree.update("c", key, {
      nickname: change.nickname ?? key,
      observation: {
        incarnation: "i",
        sequence,
        measuredAt: receivedAt,
        receivedAt,
        metrics: Object.entries(figures)
          .map(([name, value]) => ({ name, value, slope: "both" })),
      },
    });
  }

  notify(cluster = "c"): Promise<void> {
    return this.plugin.notify(this.tree.cluster(cluster));
  }

  /** A node reports `value` of the statistic `s`, and the round is closed; a minute goes by. */
  async round(value: bigint | number, key = "n"): Promise<void> {
    this.report(key, { s: value });
    await this.notify();
    this.clock.jump(MINUTE);
  }

  /** The names of the files, and how many frames each has. */
  files(): Record<string, number> {
    const files: Record<string, number> = {};
    for (const { name } of Deno.readDirSync(this.directory)) {
      const bytes = Deno.readFileSync(`${this.directory}/${name}`);
      files[name] = readSegment(bytes).length;
    }
    return files;
  }

  /** What is there of a node's statistic `s`. */
  async values(from = 0, key = "n"): Promise<Value[]> {
    const complaints: string[] = [];
    const portion = await openPortion(this.directory, { from, complaints });
    assertEquals(complaints, []);
    const samples = portion.series("stats", "s").get(key) ?? [];
    return samples.map(({ value }) => value);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.plugin.stop();
    await Deno.remove(this.home, { recursive: true });
  }
}

async function setUp(options: Options = {}): Promise<Context> {
  const context = new Context(await Deno.makeTempDir(), options);
  await context.restart();
  return context;
}

/** The name of a segment that begins so many minutes after the start. */
function nameAt(number: number, minutes: number): string {
  const digits = String(number).padStart(10, "0");
  return `${digits}-${START + minutes * 60}.spool`;
}

Deno.test("each round is a frame of the nodes that reported, with the time of receipt", async () => {
  await using context = await setUp();
  const { clock, tree, plugin } = context;
  tree.update("c", "silent", { nickname: "silent" });
  context.report("a", { s: 1n, t: 0.5 }, { receivedAt: clock.now() - 1500 });
  context.report("b", { s: null });
  await context.notify();
  await clock.advance(MINUTE);
  await context.notify();
  assertEquals(plugin.counts.frames, 1, "nothing was new");
  context.report("b", { s: 2n }, { nickname: "new" });
  await context.notify();
  const name = nameAt(1, 0);
  const bytes = await Deno.readFile(`${context.directory}/${name}`);
  assertEquals(
    readSegment(bytes).map(({ time, reports }) => [
      time,
      ...reports.map((report) => ({ ...report, stats: { ...report.stats } })),
    ]),
    [
      [
        START * 1000,
        {
          cluster: "c",
          key: "a",
          nickname: "a",
          incarnation: "i",
          receivedAt: START * 1000 - 1500,
          counters: Object.create(null),
          stats: { s: 1n, t: 0.5 },
        },
        {
          cluster: "c",
          key: "b",
          nickname: "b",
          incarnation: "i",
          receivedAt: START * 1000,
          counters: Object.create(null),
          stats: { s: null },
        },
      ],
      [
        START * 1000 + MINUTE,
        {
          cluster: "c",
          key: "b",
          nickname: "new",
          incarnation: "i",
          receivedAt: START * 1000 + MINUTE,
          counters: Object.create(null),
          stats: { s: 2n },
        },
      ],
    ],
  );
  assertEquals(plugin.counts, { frames: 2, bytes: bytes.length, missed: 0 });
});

Deno.test("counters and stats of one name, and nodes of one key in two clusters, are kept apart", async () => {
  await using context = await setUp();
  const { tree, clock } = context;
  for (const cluster of ["c", "d"]) {
    tree.update(cluster, "k", {
      observation: {
        incarnation: "",
        sequence: 1,
        measuredAt: 0,
        receivedAt: clock.now(),
        metrics: [
          { name: "s", value: cluster === "c" ? 1n : 3n, slope: "positive" },
          { name: "s", value: cluster === "c" ? 2n : 4n, slope: "zero" },
        ],
      },
    });
    await context.notify(cluster);
    clock.jump(1000);
  }
  const portion = await openPortion(context.directory, { from: 0 });
  const values = (group: "counters" | "stats") =>
    portion.series(group, "s").get("k")?.map(({ value }) => value);
  assertEquals(values("counters"), [1n, 3n]);
  assertEquals(values("stats"), [2n, 4n]);
});

Deno.test("what was read from a snapshot, or has no usable time, is no report", async () => {
  await using context = await setUp();
  context.report("n", { s: 1n }, { sequence: 0 });
  context.report("m", { s: 1n }, { receivedAt: NaN });
  context.report("o", { s: 1n }, { receivedAt: 2 ** 50 });
  await context.notify();
  assertEquals(context.files(), {});
  await context.round(2n);
  assertEquals(await context.values(), [2n]);
  assertEquals(context.plugin.counts.missed, 0);
});

Deno.test("observations that never came here are counted", async () => {
  await using context = await setUp();
  const f = async (sequence: number, missed: number) => {
    context.report("n", { s: 1n }, { sequence });
    await context.notify();
    assertEquals(context.plugin.counts.missed, missed);
  };
  await f(1, 0);
  await f(2, 0);
  await f(5, 2);
  await f(5, 6); // another observation of the same number is from another life
  await f(1, 6);
  await f(3, 7);
});

Deno.test("a segment lasts ten minutes, and every start begins one", async () => {
  await using context = await setUp();
  for (let i = 0n; i < 25n; i++) await context.round(i);
  assertEquals(context.files(), {
    [nameAt(1, 0)]: 10,
    [nameAt(2, 10)]: 10,
    [nameAt(3, 20)]: 5,
  });
  await context.restart();
  assertEquals(Object.keys(context.files()).length, 3, "none without a round");
  await context.round(25n);
  assertEquals(context.files()[nameAt(4, 25)], 1);
  assertEquals(
    await context.values(),
    Array.from({ length: 26 }, (_, i) => BigInt(i)),
  );
  assertEquals(await context.values(START + 9 * 60), [
    ...Array.from({ length: 17 }, (_, i) => BigInt(i + 9)),
  ]);
});

Deno.test("segments keep their order when the clock jumps, either way", async () => {
  await using context = await setUp({ maxAgeMs: 1000 * DAY });
  const { clock } = context;
  await context.round(0n);
  clock.jump(365 * DAY);
  await context.round(1n);
  clock.jump(-365 * DAY);
  await context.round(2n);
  clock.jump(-10 * MINUTE);
  await context.round(3n);
  clock.jump(-START * 1000 - DAY);
  await context.round(4n);
  assertEquals(
    Object.keys(context.files()).sort().map((name) => name.split("-")[0]),
    ["1", "2", "3", "4", "5"].map((number) => number.padStart(10, "0")),
  );
  // Round 2 was three minutes after the start, round 3 six minutes before.
  assertEquals(await context.values(START - 3600), [3n]);
  assertEquals(await context.values(START - 300), [0n, 2n]);
});

Deno.test("the oldest segments go when there are too many bytes, never the one in the making", async () => {
  await using context = await setUp({ maxBytes: 20_000 });
  const wide = (value: number) =>
    Object.fromEntries(
      Array.from({ length: 100 }, (_, i) => [`s${i}`, value + i / 7]),
    );
  await Deno.writeTextFile(`${context.directory}/README`, "x".repeat(50_000));
  let most = 0;
  const sizes = () => {
    let sum = 0;
    for (const { name } of Deno.readDirSync(context.directory)) {
      if (name === "README") continue;
      sum += Deno.statSync(`${context.directory}/${name}`).size;
    }
    return sum;
  };
  for (let round = 0; round < 100; round++) {
    context.report("n", { ...wide(Math.random()), s: BigInt(round) });
    await context.notify();
    context.clock.jump(MINUTE);
    most = Math.max(most, sizes());
    const values = await context.values();
    assertEquals(values.at(-1), BigInt(round));
    const first = Number(values[0]);
    assertEquals(values.length, round - first + 1, "a hole");
  }
  assert(most <= 20_000 && most > 15_000, `${most} bytes at most`);
  assert((await context.values()).length > 10);
  assertEquals((await Deno.stat(`${context.directory}/README`)).size, 50_000);
  // A round that is larger than everything may be is written all the same, alone.
  await context.restart({ maxBytes: 100 });
  context.report("n", { ...wide(0.1), s: 100n });
  await context.notify();
  assertEquals(await context.values(), [100n]);
});

Deno.test("segments go when they are too old, one a round", async () => {
  await using context = await setUp({ maxAgeMs: DAY });
  for (let i = 0n; i < 30n; i++) await context.round(i);
  await context.restart();
  context.clock.jump(DAY - 15 * MINUTE);
  // A day and fifteen minutes after the start: the first segment ended ten minutes after it.
  await context.round(30n);
  assertEquals((await context.values())[0], 10n);
  await context.round(31n);
  assertEquals((await context.values())[0], 10n);
  // A clock that is ahead for three rounds costs three segments.
  context.clock.jump(365 * DAY);
  await context.round(32n);
  assertEquals((await context.values())[0], 20n);
  assertEquals(Object.keys(context.files()).length, 3);
});

Deno.test({
  name:
    "files and directory have the mode that is asked for, those of before as well",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using context = await setUp({ mode: 0o600 });
    const modes = () => {
      const of = (path: string) => Deno.statSync(path).mode! & 0o777;
      return [
        of(context.directory),
        ...Object.keys(context.files()).sort().map((name) =>
          of(`${context.directory}/${name}`)
        ),
      ];
    };
    await context.round(1n);
    assertEquals(modes(), [0o700, 0o600]);
    await context.restart({ mode: 0o644 });
    assertEquals(modes(), [0o755, 0o644]);
    // More than what most umasks leave.
    await context.restart({ mode: 0o666 });
    await context.round(2n);
    assertEquals(modes(), [0o777, 0o666, 0o666]);
    await context.restart();
    assertEquals(modes(), [0o700, 0o600, 0o600]);
  },
});

Deno.test("a spool that is taken away while it runs is begun anew", async () => {
  await using context = await setUp();
  await context.round(1n);
  await Deno.remove(context.directory, { recursive: true });
  context.clock.jump(10 * MINUTE);
  await context.round(2n);
  assertEquals(await context.values(), [2n]);
});

Deno.test("a spool that cannot be used keeps the gatherer from starting", async () => {
  await using context = await setUp();
  await Deno.writeTextFile(`${context.home}/file`, "");
  const f = async (directory: string, reason: string) => {
    const error = await assertRejects(
      () => context.restart({ directory }),
      UserError,
    );
    assertEquals(
      error.message,
      `cannot use the spool ${JSON.stringify(directory)}: ${reason}`,
    );
  };
  await f(`${context.home}/none/spool`, "no such file or directory");
  await f(`${context.home}/file/spool`, "not a directory");
});

Deno.test("a node that reports too much is told of once, and the others lose nothing", async () => {
  await using context = await setUp();
  await using log = await captureLog();
  const many = Object.fromEntries(
    Array.from({ length: MAX_STATISTICS + 5 }, (_, i) => [`made-up-${i}`, 1n]),
  );
  for (let i = 0; i < 3; i++) {
    context.report("bad", many, { nickname: "bad\none" });
    await context.round(BigInt(i));
  }
  assertEquals(await context.values(), [0n, 1n, 2n]);
  assertEquals(log.lines, [
    "warning bad one (bad) reports more than the spool keeps of a node: 5 figures are left out",
  ]);
});

Deno.test("whoever reads while rounds are written, and old ones go, finds whole ones", async () => {
  await using context = await setUp({ maxBytes: 4_000_000 });
  let writing = true;
  let written = -1;
  let reads = 0;
  const writes = (async () => {
    // However the two share the machine, some reads are to come in between.
    for (let round = 0; round < 150 || reads < 3; round++) {
      const nickname = `${"x".repeat(100_000)}${round}`;
      context.report("wide", {}, { nickname });
      await context.round(BigInt(round));
      written = round;
    }
    writing = false;
  })();
  while (writing) {
    // What is small is read without a wait: the one who writes needs a turn.
    await new Promise((resolve) => setTimeout(resolve, 0));
    const before = written;
    const values = await context.values();
    const last = Number(values.at(-1) ?? -1);
    assert(last >= before, `${last} is the last one, ${before} was written`);
    // The newest are all there; of the oldest some may have gone meanwhile.
    const newest = values.slice(-10);
    const first = last + 1 - newest.length;
    assertEquals(newest, newest.map((_, i) => BigInt(first + i)));
    reads++;
  }
  await writes;
  assert((await context.values())[0] !== 0n, "none has gone");
});

Deno.test("others have their turn while many nodes are encoded", async () => {
  await using context = await setUp();
  const figures = Object.fromEntries(
    Array.from({ length: 100 }, (_, i) => [`s${i}`, i / 7]),
  );
  for (let i = 0; i < 3000; i++) context.report(`n${i}`, figures);
  let turns = 0;
  let running = true;
  const turn = () => {
    turns++;
    if (running) setTimeout(turn, 0);
  };
  const done = context.notify().then(() => running = false);
  setTimeout(turn, 0);
  await done;
  assert(turns >= 5, `${turns} turns for 300,000 figures`);
});

Deno.test({
  name:
    "a full disk costs the rounds in which it is full, and nothing of the last day" +
    (canMount ? "" : " (skipped: no tmpfs can be mounted)"),
  ignore: !canMount,
  async fn() {
    await using context = await setUp();
    const { directory, clock, plugin } = context;
    await run("mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", directory);
    try {
      await context.round(0n);
      await context.round(1n);
      const ballast = `${directory}/ballast`;
      // One that leaves no page, and one that leaves half a frame's room.
      for (const [room, length] of [[0, 10], [8192, 20_000]]) {
        await Deno.writeFile(ballast, new Uint8Array(256 * 1024 - 8192 - room))
          .catch(() => {});
        const before = await context.values();
        for (let i = 0; i < 3; i++) {
          context.report("n", { s: 2n, [`${"x".repeat(length)}${i}`]: 1n });
          context.report("big", { s: 1n }, { nickname: "x".repeat(20_000) });
          const error = await assertRejects(() => context.notify(), UserError);
          assertEquals(
            error.message,
            `cannot write the spool ${
              JSON.stringify(directory)
            }: no space is left for it; what is there can still be read, make room`,
          );
          clock.jump(MINUTE);
          assertEquals(await context.values(), before);
        }
        const frames = plugin.counts.frames;
        await Deno.remove(ballast);
        await context.round(BigInt(frames));
        assertEquals(await context.values(), [...before, BigInt(frames)]);
        assertEquals(plugin.counts.frames, frames + 1);
      }
      assertEquals(plugin.counts.missed, 10);
      // Those of more than a day ago make room.
      clock.jump(DAY);
      await context.round(4n);
      const left = Object.keys(context.files()).sort();
      assertEquals(left.length, 4);
      await fill(ballast);
      clock.jump(MINUTE);
      context.report("n", { s: 5n });
      context.report("big", { s: 1n }, { nickname: "x".repeat(6000) });
      await context.notify();
      assertEquals((await context.values()).at(-1), 5n);
      const kept = (await Array.fromAsync(Deno.readDir(directory)))
        .map(({ name }) => name).filter((name) => name !== "ballast").sort();
      assert(kept.length < left.length, "no old one has made room");
      assertEquals(kept.at(-1), left.at(-1));
    } finally {
      plugin.stop();
      await run("umount", directory);
    }
  },
});

/** Fills the disk to the last byte. */
async function fill(path: string): Promise<void> {
  using file = await Deno.open(path, { write: true, create: true });
  try {
    while (true) await file.write(new Uint8Array(4096));
  } catch {
    // It is full.
  }
}

async function mountsTmpfs(): Promise<boolean> {
  const directory = await Deno.makeTempDir();
  try {
    await run("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", directory);
    await run("umount", directory);
    return true;
  } catch {
    return false;
  } finally {
    await Deno.remove(directory);
  }
}

async function run(command: string, ...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(command, { args })
    .output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}
