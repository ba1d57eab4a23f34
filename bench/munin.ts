/**
 * What a Munin fetch costs, as a whole process: the built executable through a symlink, from
 * snapshots of 10 to 10,000 nodes with 80 statistics each.
 *
 *     deno task build
 *     deno run -P=bench bench/munin.ts [--original SCRIPT] [--runs 15]
 *
 * `--original` is Tahoe-LAFS's own plugin (`tahoe_stats`, with `/usr/bin/python3` to run it): it is
 * timed in turn with ours, from a stats.json of the same figures, and its output compared.
 */

import { parseArgs } from "@std/cli";
import { fromFileUrl, join } from "@std/path";
import { systemClock } from "../lib/clock.ts";
import { encodeNode, encodeSnapshot } from "../lib/snapshot/codec.ts";
import { readAny } from "../lib/snapshot/scan.ts";
import { writeJson } from "../lib/snapshot/json.ts";
import type { Value } from "../lib/value.ts";

const args = parseArgs(Deno.args, { string: ["original", "runs"] });
const runs = Number(args.runs ?? 15);
const graph = "tahoe_storage_operations_get";
const executable = fromFileUrl(new URL("../dist/gatherer", import.meta.url));
const dir = await Deno.makeTempDir({ prefix: "gatherer-bench-" });
await Deno.chmod(dir, 0o755);
/** As munin-node does: as nobody, with nothing in the environment but Munin's. */
const asNobody = Deno.uid() === 0
  ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
  : [];
const say = (line: string) =>
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));

await Deno.symlink(executable, join(dir, graph));
if (args.original) {
  await Deno.mkdir(join(dir, "original"));
  await Deno.symlink(
    await Deno.realPath(args.original),
    join(dir, "original", graph),
  );
}

say(
  "nodes   snapshot  plugin              wall median (min–max)     CPU median",
);
for (const nodes of [10, 100, 1000, 10_000]) {
  const msgpack = snapshotOf(nodes);
  const statsfile = join(dir, `${nodes}.msgpack`);
  const jsonfile = join(dir, `${nodes}.json`);
  await Deno.writeFile(statsfile, msgpack);
  await Deno.writeTextFile(jsonfile, writeJson(readAny(msgpack)));
  // Plain values, as the original prints them; and as they are by default, with their time.
  const plain = { timestamps: "no" };
  const commands: [string, string[], Record<string, string>][] = [
    ["ours, snapshot", [join(dir, graph)], { statsfile, ...plain }],
    ["ours, stats.json", [join(dir, graph)], { statsfile: jsonfile, ...plain }],
    ["ours, with times", [join(dir, graph)], { statsfile }],
  ];
  if (args.original) {
    commands.push(["original, stats.json", [
      "/usr/bin/python3",
      join(dir, "original", graph),
    ], { statsfile: jsonfile }]);
  }
  const outputs = new Set<string>();
  const times = commands.map(() => [] as { wall: number; cpu: number }[]);
  // In turn, so that a change of the machine's speed touches all alike.
  for (let run = -1; run < runs; run++) {
    for (const [index, [, command, env]] of commands.entries()) {
      const { output, ...time } = await timed(command, env);
      outputs.add(output.replaceAll(/ \d{10}:/g, " "));
      if (run >= 0) times[index].push(time);
    }
  }
  if (outputs.size !== 1) throw new Error("the outputs differ");
  for (const [index, [name]] of commands.entries()) {
    const wall = times[index].map(({ wall }) => wall).sort((a, b) => a - b);
    const cpu = times[index].map(({ cpu }) => cpu).sort((a, b) => a - b);
    const middle = Math.floor(runs / 2);
    say(
      `${String(nodes).padStart(6)}  ${
        (msgpack.length / 1e6).toFixed(2).padStart(5)
      } MB  ` +
        `${name.padEnd(20)}${wall[middle].toFixed(0).padStart(4)} ms ` +
        `(${wall[0].toFixed(0)}–${wall[runs - 1].toFixed(0)})`.padEnd(14) +
        `${cpu[middle].toFixed(0).padStart(10)} ms`,
    );
  }
}
await Deno.remove(dir, { recursive: true });

/** Runs a command as munin-node does; milliseconds of wall clock, and of user and system time. */
async function timed(command: string[], env: Record<string, string>) {
  const began = systemClock.monotonic();
  const { stdout, stderr, success } = await new Deno.Command("bash", {
    args: [
      "-c",
      'TIMEFORMAT="%U %S"; time "$@"',
      "bash",
      ...asNobody,
      ...command,
    ],
    env: { ...env, PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C" },
    clearEnv: true,
  }).output();
  const wall = systemClock.monotonic() - began;
  const text = new TextDecoder().decode(stderr).trim();
  if (!success) throw new Error(`${command.join(" ")} failed: ${text}`);
  const [user, system] = text.split("\n").at(-1)!.split(" ").map(Number);
  return {
    output: new TextDecoder().decode(stdout),
    wall,
    cpu: (user + system) * 1000,
  };
}

function snapshotOf(nodes: number): Uint8Array {
  const now = systemClock.now() / 1000;
  return encodeSnapshot(Array.from({ length: nodes }, (_, index) => {
    const counters: [string, Value][] = [["storage_server.get", BigInt(index)]];
    const stats: [string, Value][] = [];
    for (let i = 0; i < 40; i++) {
      counters.push([
        `storage_server.operation_${i}`,
        BigInt(index * 1000 + i),
      ]);
      stats.push([
        `storage_server.latencies.read.${i}_percentile`,
        Math.random(),
      ]);
    }
    return encodeNode({
      key: tubidOf(index),
      timestamp: now,
      nickname: `node-${index}`,
      counters,
      stats,
    });
  }));
}

/** A key that looks like a tubid, and is another for each index. */
function tubidOf(index: number): string {
  let text = "";
  for (let i = 0, x = index + 1; i < 32; i++) {
    x = (x * 1103515245 + 12345) % 2147483648;
    text += "abcdefghijklmnopqrstuvwxyz234567"[(x >> 16) & 31];
  }
  return text;
}
