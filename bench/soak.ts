/**
 * An hour and more of a gatherer's life on a fast clock: nodes come and go, sources die and come
 * back, masters and pages ask, the configuration is reloaded, nodes are retired and brought back.
 * What it takes must not grow: heap after a collection, descriptors, timers.
 *
 *     deno run --allow-all --v8-flags=--expose-gc bench/soak.ts [--minutes 120] [--speed 40]
 *       [--stay 50] [--come-and-go 50]
 *
 * The nodes are a process of their own; so is the simulated gmond. Descriptors are counted in /proc, which Deno allows only with
 * all permissions. Ends with 1 if anything has grown.
 */

import { parseArgs } from "@std/cli";
import { join } from "@std/path";
import { type Clock, sleep, systemClock, type Timer } from "../lib/clock.ts";
import { parseGmetadConf } from "../lib/ganglia/conf/parse.ts";
import { startGatherer } from "../lib/gatherer/gatherer.ts";
import type { GathererOptions } from "../lib/gatherer/options.ts";
import { noGraphs } from "../lib/munin/graphs_file.ts";

const args = parseArgs(Deno.args, {
  string: ["minutes", "speed", "stay", "come-and-go"],
});
const minutes = Number(args.minutes ?? 120);
const speed = Number(args.speed ?? 40);
const stay = Number(args.stay ?? 50);
const comeAndGo = Number(args["come-and-go"] ?? 50);
/** Minutes of the fast clock from one line to the next. */
const every = Math.max(1, minutes / 12);
/** What may be more at the end than it was after the first third, in parts. */
const ALLOWED = 0.1;

/** The machine's clock, faster, which knows how many timers are set. */
class FastClock implements Clock {
  readonly #origin = systemClock.now();
  pending = 0;

  now(): number {
    return this.#origin + this.monotonic();
  }

  monotonic(): number {
    return systemClock.monotonic() * speed;
  }

  setTimer(
    fn: () => void,
    ms: number,
    options?: { keepAlive?: boolean },
  ): Timer {
    this.pending++;
    let isSet = true;
    const unset = () => {
      if (isSet) this.pending--;
      isSet = false;
    };
    const timer = systemClock.setTimer(
      () => {
        unset();
        fn();
      },
      ms / speed,
      options,
    );
    return {
      cancel() {
        unset();
        timer.cancel();
      },
    };
  }
}

interface Sample {
  readonly minute: number;
  readonly heap: number;
  readonly rss: number;
  readonly descriptors: number;
  readonly timers: number;
}

const say = (line: string) =>
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
const clock = new FastClock();
const basedir = await Deno.makeTempDir({ prefix: "gatherer-soak-" });
await using cleanup = new AsyncDisposableStack();
cleanup.defer(() => Deno.remove(basedir, { recursive: true }));

const gmond = spawn([
  "run",
  "--quiet",
  "--allow-net",
  new URL("ganglia_gmond.ts", import.meta.url).pathname,
  ...["soak", "50", "30"],
]);
const lines = gmond.stdout.pipeThrough(new TextDecoderStream()).getReader();
const gmondPort = Number((await lines.read()).value);
// Or its pipe fills.
void (async () => {
  while (!(await lines.read()).done);
})().catch(() => {});

const options: GathererOptions = {
  basedir,
  host: "127.0.0.1",
  hostname: "127.0.0.1",
  intervalMs: 60_000,
  // So that segments are closed and dropped as in a week.
  spoolBytes: 4 * 1024 ** 2,
  munin: {
    all: { host: "127.0.0.1", port: 0 },
    allow: "127.0.0.1",
    hostName: "soak",
    select: "",
    drilldown: "auto",
    operators: noGraphs,
  },
  ganglia: ganglia("soak"),
  http: { host: "127.0.0.1", port: 0, allow: "127.0.0.1", otlp: true },
  statistics: [{ name: "nobody", url: "http://127.0.0.1:9/" }],
};
let next = options;
const gatherer = await startGatherer({
  ...options,
  clock,
  load: () => ({ options: next, file: undefined }),
});
cleanup.defer(() => gatherer.stop());
const nodes = spawn([
  ...["run", "--quiet", "--allow-net", "--allow-read", "--allow-write"],
  "--allow-env",
  new URL("soak_nodes.ts", import.meta.url).pathname,
  ...[gatherer.furl!, stay, comeAndGo, 300_000 / speed].map(String),
  join(basedir, "keys"),
]);
void nodes.stdout.cancel();

const stop = new AbortController();
const rest = [askForEver(), reloadForEver(), retireForEver()];
const samples: Sample[] = [];
say("minute  rounds  attaches    heap     RSS  descriptors  timers");
const began = clock.monotonic();
for (let minute = every; minute <= minutes; minute += every) {
  await sleep(clock, began + minute * 60_000 - clock.monotonic());
  samples.push(await sample(minute));
}
stop.abort();
await Promise.all(rest);
const problems = grown(samples);
say(
  problems.length === 0 ? "nothing has grown" : `GROWN: ${problems.join(", ")}`,
);
Deno.exitCode = problems.length === 0 ? 0 : 1;

function ganglia(name: string): GathererOptions["ganglia"] {
  const text = [
    `data_source "${name}" 15 127.0.0.1:${gmondPort}`,
    'data_source "nobody" 15 127.0.0.1:9',
    "write_rrds off",
    "xml_port 0",
    "interactive_port 0",
  ].join("\n");
  return {
    host: "127.0.0.1",
    conf: parseGmetadConf(text, "soak.conf", { env: () => undefined }),
  };
}

function spawn(args: string[]): Deno.ChildProcess {
  const process = new Deno.Command(Deno.execPath(), {
    args,
    stdin: "null",
    stdout: "piped",
  }).spawn();
  cleanup.defer(async () => {
    process.kill("SIGKILL");
    await process.status;
  });
  return process;
}

/** Masters and readers: some read all, some hang up half-way, some say nothing. */
async function askForEver(): Promise<void> {
  for (let turn = 0; !stop.signal.aborted; turn++) {
    const munin = gatherer.munin.all?.port;
    const ports = gatherer.ganglia;
    // Between the two halves of a change nobody listens.
    if (munin !== undefined && ports) {
      await Promise.all([
        ask(munin, "cap multigraph\nfetch gatherer\nquit\n", turn % 3 === 1),
        ask(ports.xml.port, "", turn % 3 === 2),
        ask(ports.interactive.port, "/?filter=summary\n", false),
        ask(gatherer.port!, "", true),
        ask(
          gatherer.http!.port,
          "GET /metrics HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
          turn % 4 === 3,
        ),
      ]);
    }
    await sleep(clock, 20_000);
  }
}

async function ask(port: number, text: string, hangsUp: boolean) {
  try {
    using connection = await Deno.connect({ hostname: "127.0.0.1", port });
    await connection.write(new TextEncoder().encode(text));
    const buffer = new Uint8Array(16_384);
    if (hangsUp) await connection.read(buffer);
    else while (await connection.read(buffer) !== null);
  } catch {
    // Whoever is being changed hangs up.
  }
}

async function reloadForEver(): Promise<void> {
  for (let turn = 1; !stop.signal.aborted; turn++) {
    await sleep(clock, 120_000);
    next = {
      ...options,
      munin: { ...options.munin!, select: turn % 2 ? "tahoe_*" : "" },
      ganglia: ganglia(turn % 4 < 2 ? "soak" : "other"),
      intervalMs: turn % 3 ? 60_000 : 55_000,
    };
    await gatherer.reload();
  }
}

async function retireForEver(): Promise<void> {
  for (let turn = 0; !stop.signal.aborted; turn++) {
    await sleep(clock, 90_000);
    await gatherer.retire("comes-1*", turn % 2 === 1).catch(() => {});
  }
}

async function sample(minute: number): Promise<Sample> {
  // deno-lint-ignore no-explicit-any
  const { gc } = globalThis as any;
  // What finalizers let go of is collected by the next.
  for (let i = 0; i < 3; i++) {
    gc();
    await sleep(systemClock, 20);
  }
  const { heapUsed, rss } = Deno.memoryUsage();
  const sample = {
    minute,
    heap: heapUsed,
    rss,
    descriptors: [...Deno.readDirSync("/proc/self/fd")].length,
    timers: clock.pending,
  };
  const self = gatherer.tree.host("foolscap", gatherer.tubid);
  const attaches = self?.observation?.metrics.find(({ name }) =>
    name === "gatherer.attaches"
  )?.value;
  say(
    String(minute).padStart(6) +
      String(gatherer.status().rounds).padStart(8) +
      String(attaches).padStart(10) +
      `${(heapUsed / 1024 ** 2).toFixed(1)} M`.padStart(8) +
      `${(rss / 1024 ** 2).toFixed(0)} M`.padStart(8) +
      String(sample.descriptors).padStart(13) +
      String(sample.timers).padStart(8),
  );
  return sample;
}

/** What is more in the last third than it was in the second. */
function grown(samples: readonly Sample[]): string[] {
  const third = Math.floor(samples.length / 3);
  const middle = samples.slice(third, 2 * third);
  const last = samples.slice(2 * third);
  return (["heap", "descriptors", "timers"] as const).flatMap((what) => {
    // Nodes come and go: of those that are there a third, each some of all.
    const most = Math.max(...middle.map((sample) => sample[what]));
    const least = Math.min(...last.map((sample) => sample[what]));
    return least > most * (1 + ALLOWED)
      ? [`${what} from at most ${most} to at least ${least}`]
      : [];
  });
}
