/**
 * gmetad's ports: what a poll's figures cost to sum up and take over, and what answers cost then.
 *
 *     deno run --allow-all bench/ganglia_ports_bench.ts [HOSTS …]
 *
 * Hosts have 30 metrics of a stock gmond, 9.4 kB of XML each. The ports are in a process of their
 * own, whose CPU is counted by the kernel (Linux only), sockets included; answers are read by this
 * one. Figures are medians, but for the longest that the event loop was held in all of the dumps.
 */
import { fromFileUrl } from "@std/path";
import { cpuUsage } from "node:process";
import { setImmediate } from "node:timers/promises";
import { systemClock } from "../lib/clock.ts";
import { summarize } from "../lib/ganglia/summary.ts";
import { parseAccess } from "../lib/net/access.ts";
import { GangliaPortsPlugin } from "../lib/plugins/ganglia_ports.ts";
import type { Host } from "../lib/tree/host.ts";
import type { Metric, MetricDetail } from "../lib/tree/metric.ts";
import type { Cluster } from "../lib/tree/tree.ts";

const POLLS = 9;
const DUMPS = 15;
const QUERIES = 50;

/** Name, type, units and group of metrics like those of a stock gmond. */
const METRICS: readonly (readonly [string, string, string, string])[] = [
  ...["load_one", "load_five", "load_fifteen"]
    .map((name) => [name, "float", " ", "load"] as const),
  ...["user", "system", "idle", "nice", "wio", "steal"]
    .map((name) => [`cpu_${name}`, "float", "%", "cpu"] as const),
  ...["free", "cached", "buffers", "shared", "total"]
    .map((name) => [`mem_${name}`, "uint32", "KB", "memory"] as const),
  ...["bytes_in", "bytes_out", "pkts_in", "pkts_out"]
    .map((name) => [name, "float", "packets/sec", "network"] as const),
  ...["disk_free", "disk_total"]
    .map((name) => [name, "double", "GB", "disk"] as const),
  ...["part_max_used", "swap_free", "proc_run", "proc_total", "cpu_num"]
    .map((name) => [name, "uint32", "count", "process"] as const),
  ["ctr_requests", "uint32", "req", "app"],
  ["ctr_errors", "uint32", "err", "app"],
  ...["os_name", "os_release", "machine_type"]
    .map((name) => [name, "string", "", "system"] as const),
];
const DETAILS = METRICS.map(([name, type, units, group]): MetricDetail => ({
  type,
  units,
  tmax: 180,
  dmax: 0,
  source: "gmond",
  extra: [
    ["GROUP", group],
    ["DESC", `Simulated value of ${name}`],
    ["TITLE", name],
  ],
}));

/** What the process with the ports says of itself once it is ready. */
interface Ready {
  readonly pid: number;
  readonly xml: number;
  readonly interactive: number;
  /** Milliseconds. */
  readonly summarize: number;
  readonly notify: number;
}

function makeCluster(hosts: number, poll: number): Cluster {
  const made = new Map<string, Host>();
  for (let i = 0; i < hosts; i++) {
    const name = `node${String(i).padStart(5, "0")}.sim.test`;
    made.set(`sim/${name}`, {
      key: `sim/${name}`,
      nickname: name,
      observation: {
        incarnation: "",
        sequence: poll,
        measuredAt: 0,
        receivedAt: 0,
        metrics: DETAILS.map(makeMetric),
      },
      life: {
        attachedAt: undefined,
        answeredAt: undefined,
        failure: undefined,
        detachReason: undefined,
        retireReason: undefined,
      },
      detail: {
        ip: `10.0.${i >> 8}.${i & 255}`,
        reported: 1_800_000_000 + poll,
        tn: (i + poll) % 18,
        tmax: 20,
        dmax: 86400,
        location: `rack${i >> 5}`,
        gmondStarted: 1_799_000_000,
        tags: "",
      },
    });
  }
  return {
    name: "sim",
    hosts: made,
    detail: { owner: "sim", latlong: "", url: "", localtime: 1_800_000_000 },
    source: {
      name: "sim",
      answeredAt: systemClock.monotonic(),
      interval: 15,
      failure: undefined,
    },
  };
}

function makeMetric(detail: MetricDetail, place: number): Metric {
  const [name, type] = METRICS[place];
  const isText = type === "string";
  const isWhole = type === "uint32";
  const text = isText
    ? "x86_64"
    : isWhole
    ? String(Math.floor(Math.random() * 4e6))
    : (Math.random() * 100).toFixed(2);
  const value = isText ? null : isWhole ? BigInt(text) : Number(text);
  return { name, value, slope: "both", text, tn: 3 + place % 9, detail };
}

/** The process with the ports: polls, says what that cost, and answers until it is killed. */
async function serve(hosts: number): Promise<void> {
  const plugin = new GangliaPortsPlugin({
    gridName: "Bench",
    authority: "http://bench/",
    xmlPort: 0,
    interactivePort: 0,
    host: "127.0.0.1",
    trusted: parseAccess("127.0.0.1", "bench"),
    clock: systemClock,
    version: "bench",
  });
  await plugin.start();
  const costs: Record<"summarize" | "notify", number[]> = {
    summarize: [],
    notify: [],
  };
  for (let poll = 0; poll < POLLS; poll++) {
    const cluster = makeCluster(hosts, poll);
    const begun = cpuMs();
    const now = { monotonic: systemClock.monotonic(), now: systemClock.now() };
    const summary = summarize(cluster, now);
    const summarized = cpuMs();
    plugin.notify({ ...cluster, summary });
    costs.notify.push(cpuMs() - summarized);
    costs.summarize.push(summarized - begun);
    await setImmediate();
  }
  const { xml, interactive } = plugin.listening!;
  const ready: Ready = {
    pid: Deno.pid,
    xml: xml.port,
    interactive: interactive.port,
    summarize: median(costs.summarize),
    notify: median(costs.notify),
  };
  say(JSON.stringify(ready));
  await watchTurns();
}

/**
 * Asked once, begins to watch how long others have to wait for their turn; asked again, says the
 * longest and stops.
 */
async function watchTurns(): Promise<void> {
  let longest = 0;
  let watching = false;
  const watch = async () => {
    while (watching) {
      const begun = performance.now();
      await new Promise((resolve) => setTimeout(resolve, 1));
      longest = Math.max(longest, performance.now() - begun - 1);
    }
  };
  for await (const _ of Deno.stdin.readable) {
    watching = !watching;
    if (watching) watch();
    else say(JSON.stringify(longest));
  }
}

function cpuMs(): number {
  const { user, system } = cpuUsage();
  return (user + system) / 1000;
}

/** All that a process has used, in milliseconds, by the scheduler's account. */
function cpuOf(pid: number): number {
  let nanoseconds = 0;
  for (const { name } of Deno.readDirSync(`/proc/${pid}/task`)) {
    const path = `/proc/${pid}/task/${name}/schedstat`;
    nanoseconds += Number(Deno.readTextFileSync(path).split(" ")[0]);
  }
  return nanoseconds / 1e6;
}

/** Asks some times; medians of time and CPU in milliseconds, and the bytes of the last answer. */
async function measure(
  times: number,
  pid: number,
  port: number,
  query: string,
): Promise<{ wall: number; cpu: number; bytes: number }> {
  const walls: number[] = [];
  const cpus: number[] = [];
  let bytes = 0;
  const buffer = new Uint8Array(1 << 20);
  for (let i = 0; i < times; i++) {
    const cpu = cpuOf(pid);
    const begun = performance.now();
    const connection = await Deno.connect({ hostname: "127.0.0.1", port });
    await connection.write(new TextEncoder().encode(query));
    bytes = 0;
    for (let count; (count = await connection.read(buffer)) !== null;) {
      bytes += count;
    }
    walls.push(performance.now() - begun);
    connection.close();
    // What it does after an answer counts as well.
    await new Promise((resolve) => setTimeout(resolve, 20));
    cpus.push(cpuOf(pid) - cpu);
  }
  return { wall: median(walls), cpu: median(cpus), bytes };
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1];
}

async function bench(hosts: number): Promise<void> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--allow-net",
      fromFileUrl(import.meta.url),
      "serve",
      `${hosts}`,
    ],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const writer = child.stdin.getWriter();
  // Each of its lines is one write, and is read as one.
  const readLine = async () => JSON.parse((await lines.read()).value ?? "null");
  try {
    const { pid, xml, interactive, ...poll }: Ready = await readLine();
    // Its garbage is not to be counted with the answers.
    await new Promise((resolve) => setTimeout(resolve, 2000));
    const watch = () => writer.write(new TextEncoder().encode("?"));
    const host = "/sim/node00042.sim.test";
    const ask = (query: string) => measure(QUERIES, pid, interactive, query);
    const dump = await measure(DUMPS, pid, xml, "");
    await watch();
    await measure(DUMPS, pid, xml, "");
    await watch();
    const hold: number = await readLine();
    const results = {
      dump,
      "one host": await ask(`${host}\n`),
      "one metric": await ask(`${host}/load_one\n`),
      summary: await ask("/?filter=summary\n"),
    };
    say(
      `${hosts} hosts: a poll takes ${
        poll.summarize.toFixed(1)
      } ms of CPU to ` +
        `sum up and ${poll.notify.toFixed(1)} ms to take over; ` +
        `a dump held the event loop ${hold.toFixed(1)} ms at most`,
    );
    for (const [name, { wall, cpu, bytes }] of Object.entries(results)) {
      say(
        `  ${name}: ${wall.toFixed(2)} ms, CPU ${
          cpu.toFixed(2)
        } ms, ${bytes} bytes`,
      );
    }
  } finally {
    child.kill();
    await child.status;
  }
}

function say(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
}

if (Deno.args[0] === "serve") await serve(Number(Deno.args[1]));
else {
  const sizes = Deno.args.length > 0
    ? Deno.args.map(Number)
    : [100, 1000, 5000];
  for (const hosts of sizes) await bench(hosts);
}
