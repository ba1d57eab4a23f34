/**
 * The spool: what a round costs on the disk and in time, and what it takes to read one statistic
 * of the last ten minutes, as a Munin plugin does, or everything, as a server does.
 *
 *     deno run --allow-read --allow-write --allow-run bench/spool_bench.ts
 *
 * Nodes have 80 statistics of a busy Tahoe-LAFS storage server. Rounds are a minute apart.
 * "real": what such a node changes in a minute, where one in ten served anybody; "random": every
 * figure is a new double in every round. Each read of one statistic runs in a process of its own;
 * figures are medians.
 */
import { fromFileUrl, join } from "@std/path";
import { cpuUsage } from "node:process";
import type { Clock } from "../lib/clock.ts";
import { SnapshotPlugin } from "../lib/plugins/snapshot.ts";
import { SpoolPlugin } from "../lib/plugins/spool.ts";
import { readJson } from "../lib/snapshot/json.ts";
import { openPortion } from "../lib/spool/portion.ts";
import { Tree } from "../lib/tree/tree.ts";
import type { Metric } from "../lib/tree/metric.ts";
import type { Value } from "../lib/value.ts";

const WANTED = "storage_server.latencies.get.50_0_percentile";
const START = 1_800_000_000;
const SEGMENTS = 3;
const RUNS = 7;

const capture = new URL(
  "../tests/testdata/tahoe/gatherer-stats-3-busy.json",
  import.meta.url,
);

/** The figures of a node; they are replaced, never changed. */
class BenchNode {
  #metrics: Metric[];
  readonly key: string;
  sequence = 0;

  constructor(index: number, metrics: readonly Metric[]) {
    this.key = `${index}`.padStart(32, "m32izoh3ur3puwxgqaitnygpof7bwlnd");
    this.#metrics = metrics.map((metric) => ({
      ...metric,
      value: typeof metric.value === "number"
        ? metric.value * (1 + Math.random())
        : typeof metric.value === "bigint" && metric.value > 1n
        ? BigInt(Math.round(Number(metric.value) * (1 + Math.random())))
        : metric.value,
    }));
  }

  next(isRandom: boolean): Metric[] {
    const served = Math.random() < 0.1;
    const diskMoved = Math.random() < 0.3;
    const grown = BigInt(Math.floor(Math.random() * 1e8));
    return this.#metrics = this.#metrics.map((metric) => {
      const { name, value } = metric;
      const next = (changed: Value): Metric => ({ ...metric, value: changed });
      if (isRandom) return next(Math.random());
      if (/^(cpu|load)_monitor/.test(name)) return next(Math.random() / 100);
      if (name === "node.uptime") {
        return next(Number(value) + 60 + Math.random() / 1000);
      }
      if (diskMoved && typeof value === "bigint") {
        if (/disk_(avail|free)/.test(name)) return next(value - grown);
        if (/disk_used/.test(name)) return next(value + grown);
      }
      if (!served) return metric;
      if (typeof value === "bigint" && metric.slope === "positive") {
        return next(value + BigInt(Math.floor(Math.random() * 50)));
      }
      return /latencies\.(get|read)\./.test(name) && typeof value === "number"
        // Differences of a clock that counts in 2^-22 s.
        ? next(Math.round(Math.random() * 2000) / 2 ** 22)
        : metric;
    });
  }
}

async function someMetrics(): Promise<Metric[]> {
  const [node] = readJson(await Deno.readFile(capture))
    .filter(({ counters }) => counters.size > 0);
  const metrics: Metric[] = [];
  for (const [name, value] of node.counters) {
    metrics.push({ name, value, slope: "positive" });
  }
  for (const [name, value] of node.stats) {
    metrics.push({ name, value, slope: "both" });
  }
  return metrics.filter(({ name }) => !/latencies\.readv/.test(name))
    .slice(0, 80);
}

function median(figures: readonly number[]): number {
  return figures.toSorted((a, b) => a - b)[Math.floor(figures.length / 2)];
}

function print(what: string, ...figures: string[]): void {
  const line = what.padEnd(44) + figures.map((f) => f.padStart(20)).join("");
  Deno.stdout.writeSync(new TextEncoder().encode(`${line.trimEnd()}\n`));
}

const ms = (figure: number) => `${figure.toFixed(1)} ms`;
const kb = (bytes: number) => `${(bytes / 1e3).toFixed(0)} kB`;

/** Runs something, and measures for how long nobody else had a turn. */
async function watched(
  fn: () => Promise<unknown>,
): Promise<{ wall: number; cpu: number; hold: number }> {
  let hold = 0;
  let last = performance.now();
  let running = true;
  const tick = () => {
    const now = performance.now();
    hold = Math.max(hold, now - last);
    last = now;
    if (running) setTimeout(tick, 0);
  };
  setTimeout(tick, 0);
  const cpu = cpuUsage();
  const start = performance.now();
  await fn();
  const wall = performance.now() - start;
  const { user, system } = cpuUsage(cpu);
  hold = Math.max(hold, performance.now() - last);
  running = false;
  return { wall, cpu: (user + system) / 1000, hold };
}

async function bench(count: number, isRandom: boolean): Promise<void> {
  const directory = await Deno.makeTempDir();
  const spool = join(directory, "spool");
  let now = START * 1000;
  const clock = { now: () => now } as Clock;
  const plugin = new SpoolPlugin({ directory: spool, clock, mode: 0o644 });
  const snapshot = new SnapshotPlugin(join(directory, "stats.msgpack"), 0o644);
  try {
    await plugin.start();
    const metrics = await someMetrics();
    const nodes = Array.from(
      { length: count },
      (_, i) => new BenchNode(i, metrics),
    );
    const tree = new Tree();
    const firsts: number[] = [];
    const others: number[] = [];
    const walls: number[] = [];
    const cpus: number[] = [];
    let hold = 0;
    for (let round = 0; round < SEGMENTS * 10; round++) {
      now = (START + round * 60) * 1000;
      nodes.forEach((node, i) => {
        tree.update("bench", node.key, {
          nickname: `storage-${i}`,
          observation: {
            incarnation: "m32izoh3ur3puwxg",
            sequence: ++node.sequence,
            measuredAt: now,
            receivedAt: now + Math.floor(i / 5 + Math.random() * 20),
            metrics: node.next(isRandom),
          },
        });
      });
      now += 3000;
      const before = plugin.counts.bytes;
      const cost = await watched(() => plugin.notify(tree.cluster("bench")));
      (round % 10 === 0 ? firsts : others).push(plugin.counts.bytes - before);
      // The first segment is the engine's, to compile the code.
      if (round < 10) continue;
      walls.push(cost.wall);
      cpus.push(cost.cpu);
      hold = Math.max(hold, cost.hold);
    }
    plugin.stop();
    await snapshot.notify(tree.cluster("bench"));
    const figures = count * metrics.length;
    const average = (median(firsts) + 9 * median(others)) / 10;
    const size = snapshot.counts.bytes;
    print(
      `${count} nodes, ${isRandom ? "random" : "real"}: a round`,
      kb(average),
      `${(average / figures).toFixed(2)} bytes/value`,
      `${(average / size * 100).toFixed(0)} % of ${kb(size)}`,
    );
    print(
      "  first of a segment, the others",
      kb(median(firsts)),
      kb(median(others)),
    );
    print(
      "  a round's time, most, CPU, longest hold",
      ms(median(walls)),
      ms(Math.max(...walls)),
      ms(median(cpus)),
      ms(hold),
    );
    await benchReading(spool, count, now);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

async function benchReading(
  spool: string,
  count: number,
  now: number,
): Promise<void> {
  // That reaches into the segment before.
  const from = Math.floor(now / 1000) - 610;
  const runs = [];
  for (let run = 0; run < RUNS; run++) {
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--quiet",
        `--allow-read=${spool}`,
        fromFileUrl(import.meta.url),
        "--read",
        spool,
        String(from),
      ],
    }).output();
    runs.push(JSON.parse(new TextDecoder().decode(stdout)));
  }
  const perNode = runs[0].samples / runs[0].nodes;
  if (runs[0].nodes !== count) throw new Error(`${runs[0].nodes} nodes`);
  print(
    "  one statistic of 610 s, a fresh process",
    ms(median(runs.map(({ open }) => open))),
    ms(median(runs.map(({ series }) => series))),
    `${perNode} a node`,
  );
  let portions = 0;
  const portion = await watched(async () => {
    let next = 0;
    while (true) {
      const { complete, end } = await openPortion(spool, { from: next });
      portions++;
      if (complete) break;
      next = Math.floor(end);
    }
  });
  const all = await openPortion(spool, { from });
  const start = performance.now();
  all.series("stats", WANTED);
  print(
    "  everything: time, longest hold, portions",
    ms(portion.wall),
    ms(portion.hold),
    String(portions),
    ` ${ms(performance.now() - start)} a statistic`,
  );
}

/** What a plugin does, in this process; prints what it took. */
async function readOnce(spool: string, from: number): Promise<void> {
  const start = performance.now();
  const portion = await openPortion(spool, {
    from,
    wants: (_, stat) => stat === WANTED,
  });
  const opened = performance.now();
  const series = portion.series("stats", WANTED);
  const read = performance.now();
  let samples = 0;
  for (const list of series.values()) samples += list.length;
  Deno.stdout.writeSync(new TextEncoder().encode(JSON.stringify({
    open: opened - start,
    series: read - opened,
    nodes: series.size,
    samples,
  })));
}

if (Deno.args[0] === "--read") await readOnce(Deno.args[1], +Deno.args[2]);
else {
  for (const count of [100, 10_000]) {
    for (const isRandom of [false, true]) await bench(count, isRandom);
  }
}
