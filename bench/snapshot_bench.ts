/**
 * The snapshot: encoding a node when its data arrives, writing a round, and what a Munin plugin
 * does with the file.
 *
 *     deno run --allow-read --allow-write --allow-run bench/snapshot_bench.ts
 *
 * Each scan runs in a process of its own, as the plugin does: what the engine has not compiled yet
 * counts. Figures are the median of five.
 */
import { fromFileUrl, join } from "@std/path";
import { systemClock } from "../lib/clock.ts";
import {
  decodeSnapshot,
  encodeNode,
  encodeSnapshot,
  type SnapshotNode,
  snapshotParts,
} from "../lib/snapshot/codec.ts";
import { readSnapshotFile, writeSnapshot } from "../lib/snapshot/file.ts";
import { writeJson } from "../lib/snapshot/json.ts";
import { scanStat } from "../lib/snapshot/scan.ts";

const WANTED = "storage_server.latencies.get.17_0_percentile";
const RUNS = 5;

/** A node with 40 counters and 40 stats. */
function makeNode(index: number): SnapshotNode {
  const counters = new Map<string, bigint>();
  const stats = new Map<string, number>();
  for (let i = 0; i < 40; i++) {
    counters.set(`storage_server.counter_${i}`, BigInt(index * 1_000_003 * i));
    stats.set(`storage_server.latencies.get.${i}_0_percentile`, Math.random());
  }
  return {
    key: `m32izoh3ur3puwxgqaitny${index}`.padEnd(32, "a"),
    timestamp: 1_700_000_000 + index / 7,
    nickname: `storage-${index}`,
    counters,
    stats,
  };
}

function median(figures: number[]): number {
  return figures.toSorted((a, b) => a - b)[Math.floor(figures.length / 2)];
}

async function timed(fn: () => unknown): Promise<number> {
  const start = performance.now();
  await fn();
  return performance.now() - start;
}

function print(what: string, ...figures: string[]): void {
  const line = what.padEnd(44) + figures.map((f) => f.padStart(14)).join("");
  Deno.stdout.writeSync(new TextEncoder().encode(`${line.trimEnd()}\n`));
}

function ms(figure: number): string {
  return `${figure.toFixed(1)} ms`;
}

function mb(bytes: number): string {
  return `${(bytes / 1e6).toFixed(2)} MB`;
}

/** One scan as a plugin does it, in this process; prints what it took. */
async function scanOnce(path: string): Promise<void> {
  let bytes = new Uint8Array();
  const read = await timed(async () => {
    bytes = new Uint8Array(await readSnapshotFile(path, systemClock));
  });
  let found = 0;
  const scan = await timed(() => {
    found = scanStat(bytes, "stats", WANTED)
      .filter(({ value }) => value !== undefined).length;
  });
  Deno.stdout.writeSync(
    new TextEncoder().encode(JSON.stringify({ read, scan, found })),
  );
}

async function scanInProcess(
  path: string,
  count: number,
): Promise<{ read: number; scan: number }> {
  const runs: { read: number; scan: number }[] = [];
  for (let run = 0; run < RUNS; run++) {
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--quiet",
        `--allow-read=${path}`,
        fromFileUrl(import.meta.url),
        "--scan",
        path,
      ],
    }).output();
    const { read, scan, found } = JSON.parse(new TextDecoder().decode(stdout));
    if (found !== count) throw new Error(`found ${found} of ${count}`);
    runs.push({ read, scan });
  }
  return {
    read: median(runs.map(({ read }) => read)),
    scan: median(runs.map(({ scan }) => scan)),
  };
}

async function main(): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    const fleet = Array.from({ length: 10_000 }, (_, i) => makeNode(i));
    fleet.slice(0, 2000).forEach(encodeNode); // until the engine has compiled it
    let entries: Uint8Array[] = [];
    const encode = await timed(() => entries = fleet.map(encodeNode));
    const snapshot = encodeSnapshot(entries);
    print(
      "encodeNode, 80 stats",
      `${(encode / 10).toFixed(1)} us`,
      `${entries[0].length} bytes`,
      `${(snapshot.length / 1e3 / encode).toFixed(0)} MB/s`,
    );
    const decode = await timed(() => decodeSnapshot(snapshot));
    print(
      "decodeSnapshot, 10,000 nodes",
      ms(decode),
      mb(snapshot.length),
      `${(snapshot.length / 1e3 / decode).toFixed(0)} MB/s`,
    );

    for (const count of [1000, 10_000]) {
      const path = join(directory, "written.msgpack");
      const parts = snapshotParts(entries.slice(0, count));
      const rounds: number[] = [];
      for (let round = 0; round < RUNS; round++) {
        rounds.push(
          await timed(() => writeSnapshot(path, parts, { mode: 0o644 })),
        );
      }
      const { size } = await Deno.stat(path);
      print(
        `writeSnapshot with fsync, ${count} nodes`,
        ms(median(rounds)),
        mb(size),
      );
    }

    print("one statistic, a fresh process", "size", "read", "scan");
    for (const count of [10, 100, 1000, 10_000]) {
      const nodes = fleet.slice(0, count);
      const files: [string, string | Uint8Array<ArrayBuffer>][] = [
        ["msgpack", encodeSnapshot(entries.slice(0, count))],
        ["json", writeJson(nodes)],
      ];
      for (const [format, content] of files) {
        const path = join(directory, `${count}.${format}`);
        await Deno.writeFile(
          path,
          typeof content === "string"
            ? new TextEncoder().encode(content)
            : content,
        );
        const { read, scan } = await scanInProcess(path, count);
        print(
          `  ${count} nodes, ${format}`,
          mb((await Deno.stat(path)).size),
          ms(read),
          ms(scan),
        );
      }
    }
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

if (Deno.args[0] === "--scan") await scanOnce(Deno.args[1]);
else await main();
