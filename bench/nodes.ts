/**
 * Many nodes on one gatherer, over real TLS connections from separate processes: what a poll costs
 * the gatherer in CPU, and what a round writes.
 *
 *     deno run --allow-all bench/nodes.ts [--nodes 500] [--processes 2] [--rounds 5] [--interval 10]
 *       [--peers foolscap] [--gatherer PROGRAM]
 *
 * The gatherer is a child process (`main.ts serve`, or PROGRAM); its CPU time and memory are read from
 * /proc, which Deno allows only with all permissions, its writes from its own statistics. The nodes
 * are `bench/node_process.ts`, or with `--peers foolscap` real ones, `bench/foolscap_nodes.py`, which
 * wants Debian's python3-foolscap.
 */

import { parseArgs } from "@std/cli";
import { fromFileUrl, join } from "@std/path";
import { systemClock } from "../lib/clock.ts";
import { scanStat } from "../lib/snapshot/scan.ts";

const args = parseArgs(Deno.args, {
  string: [
    "nodes",
    "processes",
    "rounds",
    "interval",
    "stats",
    "gatherer",
    "peers",
  ],
});
const nodes = Number(args.nodes ?? 500);
const processes = Number(args.processes ?? 2);
const rounds = Number(args.rounds ?? 5);
const interval = Number(args.interval ?? 10);
const stats = Number(args.stats ?? 80);
const root = fromFileUrl(new URL("../", import.meta.url));
const basedir = await Deno.makeTempDir({ prefix: "gatherer-bench-" });

const say = (line: string) =>
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));

const gatherer = spawn(
  args.gatherer ? [args.gatherer] : [
    Deno.execPath(),
    "run",
    "-q",
    "--allow-net",
    "--allow-read",
    "--allow-write",
    "--allow-env",
    "--allow-sys",
    join(root, "main.ts"),
  ],
  [
    "serve",
    "--basedir",
    basedir,
    "--hostname",
    "127.0.0.1",
    "--interval",
    String(interval),
  ],
);
const furl = (await gatherer.line())!;

const began = systemClock.monotonic();
const cpuBefore = cpuSeconds(gatherer.pid);
const children = Array.from({ length: processes }, (_, index) =>
  spawn(
    args.peers === "foolscap"
      ? ["/usr/bin/python3", join(root, "bench/foolscap_nodes.py")]
      : [
        Deno.execPath(),
        "run",
        "-q",
        "--allow-net",
        "--allow-read",
        "--allow-write",
        "--allow-env",
        join(root, "bench/node_process.ts"),
      ],
    [
      furl,
      String(
        Math.floor(nodes / processes) + (index < nodes % processes ? 1 : 0),
      ),
      String(stats),
      join(basedir, `keys-${index}`),
      `p${index}`,
    ],
  ));
for (const child of children) {
  const line = await child.line();
  if (!line?.startsWith("made")) {
    throw new Error(`a node process failed: ${line}`);
  }
}
say(
  `${nodes} identities made after ${seconds(began)} s; attaching all at once`,
);
const attaching = systemClock.monotonic();
for (const child of children) await child.write("go\n");
for (const child of children) await child.line();
say(
  `${nodes} nodes attached and polled once after ${seconds(attaching)} s ` +
    `(gatherer: ${(cpuSeconds(gatherer.pid) - cpuBefore).toFixed(2)} s of CPU)`,
);

let last = await snapshotRound();
for (let round = 0; round < 2; round++) last = await nextRound(last);
const cpu0 = cpuSeconds(gatherer.pid);
const io0 = await counter("gatherer.snapshot_bytes");
const t0 = systemClock.monotonic();
const polls0 = await counter("gatherer.polls");
for (let round = 0; round < rounds; round++) last = await nextRound(last);
const cpu = cpuSeconds(gatherer.pid) - cpu0;
const wall = (systemClock.monotonic() - t0) / 1000;
const polls = await counter("gatherer.polls") - polls0;
const failures = await counter("gatherer.poll_failures");
const bytes = await counter("gatherer.snapshot_bytes") - io0;
const size = (await Deno.stat(join(basedir, "stats.msgpack"))).size;
const status = await Deno.readTextFile(`/proc/${gatherer.pid}/status`);
const rss = Number(/VmRSS:\s+(\d+)/.exec(status)![1]) / 1024;
say(
  `rounds ${rounds} of ${interval} s: ${polls} polls, ${failures} failures since the start`,
);
say(
  `CPU a poll: ${(cpu / polls * 1000).toFixed(3)} ms; ${
    (cpu / wall * 100).toFixed(1)
  } % of a core`,
);
say(
  `snapshot ${size} bytes; written a round: ${
    Math.round(bytes / rounds)
  } bytes, ` +
    `${(bytes / rounds / size).toFixed(3)} × the snapshot`,
);
say(`memory ${rss.toFixed(0)} MiB resident`);

for (const child of children) child.kill();
gatherer.kill();
await Promise.all([...children, gatherer].map((child) => child.ended));
await Deno.remove(basedir, { recursive: true });

function seconds(since: number): string {
  return ((systemClock.monotonic() - since) / 1000).toFixed(1);
}

/** User and system CPU time of a process, in seconds. */
function cpuSeconds(pid: number): number {
  const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

async function counter(name: string): Promise<number> {
  const bytes = await Deno.readFile(join(basedir, "stats.msgpack"));
  const own = scanStat(bytes, "counters", name).find(({ value }) =>
    value !== undefined
  );
  return Number(own!.value);
}

async function snapshotRound(): Promise<number> {
  return await counter("gatherer.rounds");
}

async function nextRound(round: number): Promise<number> {
  while (true) {
    const now = await snapshotRound();
    if (now > round) return now;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function spawn(command: readonly string[], rest: readonly string[]) {
  const [program, ...first] = command;
  const child = new Deno.Command(program, {
    args: [...first, ...rest],
    stdin: "piped",
    stdout: "piped",
    stderr: Deno.env.get("BENCH_STDERR") ? "inherit" : "null",
  }).spawn();
  const lines = child.stdout.pipeThrough(new TextDecoderStream());
  const reader = lines.getReader();
  const writer = child.stdin.getWriter();
  let text = "";
  return {
    pid: child.pid,
    async line(): Promise<string | undefined> {
      while (!text.includes("\n")) {
        const { value, done } = await reader.read();
        if (done) return undefined;
        text += value;
      }
      const end = text.indexOf("\n");
      const line = text.slice(0, end);
      text = text.slice(end + 1);
      return line;
    },
    write: (line: string) => writer.write(new TextEncoder().encode(line)),
    kill() {
      try {
        child.kill("SIGTERM");
      } catch {
        // It has ended by itself.
      }
    },
    get ended() {
      reader.cancel().catch(() => {});
      writer.close().catch(() => {});
      return child.status;
    },
  };
}
