/**
 * RRDs: what it costs to write values into 30,000 of them, through `rrdtool -` and through an
 * rrdcached, against one rrdtool process for each value. CPU is that of all processes that take
 * part, by the kernel's account: ours, and rrdtool's or rrdcached's. Making the files is not in it.
 *
 *     deno run --allow-all bench/rrd_bench.ts [--hosts 1000] [--metrics 30] [--rounds 4]
 *
 * Each file has one archive of 5,856 rows. They need 1.4 GB in a temporary directory.
 */
import { parseArgs } from "@std/cli";
import { cpuUsage } from "node:process";
import { type Clock, systemClock } from "../lib/clock.ts";
import { RrdPlugin } from "../lib/plugins/rrd.ts";
import { RrdcachedWriter } from "../lib/rrd/rrdcached.ts";
import { RrdtoolWriter } from "../lib/rrd/rrdtool.ts";
import type { RrdWriter } from "../lib/rrd/writer.ts";
import type { Host } from "../lib/tree/host.ts";
import type { Cluster } from "../lib/tree/tree.ts";

const args = parseArgs(Deno.args, { string: ["hosts", "metrics", "rounds"] });
const HOSTS = Number(args.hosts ?? 1000);
const METRICS = Number(args.metrics ?? 30);
const ROUNDS = Number(args.rounds ?? 4);
const BASELINE = 300;
const STEP = 10;
const START = 1_800_000_000;
/** Of the kernel's clock ticks. */
const TICK_MS = 10;

const detail = {
  type: "float",
  units: "",
  tmax: 60,
  dmax: 0,
  source: "gmond",
  extra: [],
};

/** All hosts at a time. */
function poll(): Cluster {
  const hosts = new Map<string, Host>();
  for (let h = 0; h < HOSTS; h++) {
    const name = `node${h}.bench.test`;
    hosts.set(name, {
      key: name,
      nickname: name,
      life: {
        attachedAt: undefined,
        answeredAt: undefined,
        failure: undefined,
        detachReason: undefined,
        retireReason: undefined,
      },
      observation: {
        incarnation: "",
        sequence: 1,
        measuredAt: time * 1000,
        receivedAt: time * 1000,
        metrics: Array.from({ length: METRICS }, (_, m) => {
          const text = (Math.random() * 100).toFixed(2);
          const value = Number(text);
          return { name: `metric_${m}`, value, text, slope: "both", detail };
        }),
      },
      detail: {
        ip: "",
        reported: time,
        tn: 0,
        tmax: 20,
        dmax: 0,
        location: "",
        gmondStarted: 0,
        tags: "",
      },
    });
  }
  return {
    name: "bench cluster",
    hosts,
    detail: { owner: "", latlong: "", url: "", localtime: time },
    source: {
      name: "bench",
      answeredAt: systemClock.monotonic(),
      interval: STEP,
      failure: undefined,
    },
  };
}

let time = START;
/** The machine's, but that it is always the time of the values. */
const clock: Clock = { ...systemClock, now: () => time * 1000 };

const own = () => {
  const { user, system } = cpuUsage();
  return (user + system) / 1000;
};

/** CPU of another process, in milliseconds. */
function cpuOf(pid: number): number {
  const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return TICK_MS * (Number(fields[11]) + Number(fields[12]));
}

/** The process of a program that was started by us. */
function child(program: string): number {
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = Deno.readTextFileSync(`/proc/${name}/stat`);
      if (
        stat.includes(`(${program})`) &&
        stat.slice(stat.lastIndexOf(")") + 4).startsWith(`${Deno.pid} `)
      ) return Number(name);
    } catch {
      // It has ended.
    }
  }
  throw new Error(`${program} does not run`);
}

/** For how long nobody else had a turn, at most, in milliseconds. */
class Hold {
  #most = 0;
  #last = performance.now();
  #timer = setInterval(() => this.#look(), 1);

  end(): number {
    clearInterval(this.#timer);
    this.#look();
    return this.#most;
  }

  #look(): void {
    const now = performance.now();
    this.#most = Math.max(this.#most, now - this.#last);
    this.#last = now;
  }
}

function print(what: string, ...figures: string[]): void {
  const line = what.padEnd(38) + figures.map((f) => f.padStart(16)).join("");
  Deno.stdout.writeSync(new TextEncoder().encode(`${line.trimEnd()}\n`));
}

const ms = (figure: number) => `${figure.toFixed(2)} ms`;

async function measure(
  name: string,
  program: string,
  root: string,
  writer: RrdWriter,
  flush: () => Promise<void>,
): Promise<void> {
  const rras = ["RRA:AVERAGE:0.5:1:5856"];
  const plugin = new RrdPlugin({ root, writer, clock, rras });
  await plugin.start();
  const write = async () => {
    time += STEP;
    const cluster = poll();
    const cpu = own();
    const began = performance.now();
    const hold = new Hold();
    await plugin.notify(cluster);
    while (plugin.counts.queued > 0) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    return {
      cpu: own() - cpu,
      wall: performance.now() - began,
      hold: hold.end(),
    };
  };
  await write();
  await flush();
  const pid = child(program);
  const before = cpuOf(pid);
  let cpu = 0;
  let wall = 0;
  let hold = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const figures = await write();
    cpu += figures.cpu;
    wall += figures.wall;
    hold = Math.max(hold, figures.hold);
  }
  const taken = cpuOf(pid) - before;
  await flush();
  const all = cpuOf(pid) - before;
  if (plugin.counts.updates !== (ROUNDS + 1) * HOSTS * METRICS) {
    throw new Error(`not all was written: ${JSON.stringify(plugin.counts)}`);
  }
  const thousands = ROUNDS * HOSTS * METRICS / 1000;
  print(
    name,
    ms(cpu / thousands),
    ms(taken / thousands),
    ms(all / thousands),
    ms(wall / thousands),
    ms(hold),
  );
  await plugin.stop();
}

const dir = await Deno.makeTempDir({ prefix: "gatherer-bench-" });
try {
  const root = `${dir}/rrds`;
  print(
    `${HOSTS * METRICS} files; for 1,000 values`,
    "CPU, ours",
    "CPU, theirs",
    "and to disk",
    "time",
    "longest hold",
  );
  const pipe = new RrdtoolWriter({ clock });
  await measure("rrdtool -", "rrdtool", root, pipe, async () => {});

  const socket = `${dir}/rrdcached.sock`;
  const daemon = new Deno.Command("rrdcached", {
    args: ["-g", "-l", `unix:${socket}`, "-p", `${dir}/pid`, "-w", "3600"],
    stdout: "null",
    stderr: "null",
  }).spawn();
  while (!await Deno.stat(socket).catch(() => undefined)) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const ask = async (command: string) => {
    using connection = await Deno.connect({ transport: "unix", path: socket });
    await connection.write(new TextEncoder().encode(`${command}\n`));
    const buffer = new Uint8Array(4096);
    const length = await connection.read(buffer);
    return new TextDecoder().decode(buffer.subarray(0, length!));
  };
  const cached = new RrdcachedWriter({
    address: { transport: "unix", path: socket },
    clock,
  });
  await measure("rrdcached", "rrdcached", root, cached, async () => {
    await ask("FLUSHALL");
    do await new Promise((resolve) => setTimeout(resolve, 200)); while (
      !/QueueLength: 0\n/.test(await ask("STATS"))
    );
  });
  daemon.kill("SIGTERM");
  await daemon.status;

  const began = performance.now();
  const before = childrenCpu() + own();
  for (let i = 0; i < BASELINE; i++) {
    const path = `${root}/bench cluster/node${i}.bench.test/metric_0.rrd`;
    const { success } = await new Deno.Command("rrdtool", {
      args: ["update", path, `${time + STEP}:1`],
    }).output();
    if (!success) throw new Error("rrdtool update failed");
  }
  print(
    "a process for each",
    "",
    "",
    ms((childrenCpu() + own() - before) / BASELINE * 1000),
    ms((performance.now() - began) / BASELINE * 1000),
  );
} finally {
  await Deno.remove(dir, { recursive: true });
}

/** CPU of all processes that we have waited for, in milliseconds. */
function childrenCpu(): number {
  const stat = Deno.readTextFileSync("/proc/self/stat");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return TICK_MS * (Number(fields[13]) + Number(fields[14]));
}
