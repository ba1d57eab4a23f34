/**
 * What gmetad's work costs, the real gmetad and ours in one run: polling a simulated gmond, with
 * and without RRDs, and answering.
 *
 *     deno run --allow-all bench/ganglia.ts [--hosts 100,1000,5000] [--polls 5] [--rrds both]
 *
 * `--rrds` is without, with or both. Each daemon is a process of its own (ours is built as a script
 * and called as `gmetad`), and they run one after the other. CPU time and memory are read from
 * /proc, children such as rrdtool included, which Deno allows only with all permissions. RRDs have
 * one small archive: with gmetad's own, those of 5,000 hosts would take 95 GB. Needs Debian's
 * gmetad and rrdtool.
 */

import { parseArgs } from "@std/cli";
import { systemClock } from "../lib/clock.ts";
import { builtScript } from "../tests/executable.ts";
import { hostName } from "../tests/ganglia_sim.ts";
import {
  ask,
  Daemon,
  freePorts,
  gmetadConf,
  type GmetadPlaces,
  RealGmetad,
} from "../tests/peers/gmetad.ts";

const metrics = 30;
const cluster = "bench";
const kinds = ["real", "ours"] as const;
const args = parseArgs(Deno.args, { string: ["hosts", "polls", "rrds"] });
const sizes = (args.hosts ?? "100,1000,5000").split(",").map(Number);
const polls = Number(args.polls ?? 5);
const choices: Record<string, boolean[]> = {
  without: [false],
  with: [true],
  both: [false, true],
};
const withRrds = choices[args.rrds ?? "both"];

/** A daemon that runs. */
interface Running extends AsyncDisposable, GmetadPlaces {
  readonly daemon: Daemon;
}

/** A simulated gmond that runs. */
interface Gmond extends AsyncDisposable {
  readonly port: number;
  /** Resolves when it has been asked once more. */
  asked(): Promise<void>;
}

/** What a kind of question costs, in milliseconds. */
interface Answering {
  readonly cpu: number;
  readonly wall: number;
  readonly bytes: number;
}

await using executable = await builtScript();
const gmetad = `${executable.dir}/gmetad`;
await Deno.symlink(executable.path, gmetad);

const idle = await idleMemory();
say(`idle: real ${mib(idle.real)}, ours ${mib(idle.ours)}`);
say(
  "hosts  RRDs  who   CPU a poll (min–max)    memory over idle   longest wait" +
    "   dump: CPU    wall       one host: CPU  wall   summary: CPU  wall",
);
for (const hosts of sizes) {
  for (const rrds of withRrds) {
    for (const kind of kinds) await measure(kind, hosts, rrds);
  }
}

async function measure(
  kind: typeof kinds[number],
  hosts: number,
  rrds: boolean,
): Promise<void> {
  await using gmond = await startGmond(hosts);
  // Long enough that everything of a poll, and all questions, come before the next.
  const seconds = Math.max(5, Math.ceil(hosts / (rrds ? 250 : 330)));
  await using running = await start(kind, gmond.port, seconds, rrds);
  const { pid } = running.daemon;
  // The first makes all files, the second sees everything for the second time.
  for (let i = 0; i < 3; i++) await gmond.asked();
  const costs: number[] = [];
  for (let i = 0; i < polls; i++) {
    const before = cpu(pid);
    // What is done from this question on belongs to the poll that it begins.
    await gmond.asked();
    costs.push(cpu(pid) - before);
  }
  const used = memory(pid) - idle[kind];
  if (rrds) await assertWritten(running, hosts, 2 * seconds);
  await settled(pid);
  const dump = await answering(running, 5, (to) => ask(to.xmlPort));
  await gmond.asked();
  await settled(pid);
  const path = `/${cluster}/${hostName(hosts >> 1)}`;
  const one = await answering(
    running,
    100,
    (to) => ask(to.interactivePort, `${path}\n`),
  );
  const summary = await answering(
    running,
    50,
    (to) => ask(to.interactivePort, "/?filter=summary\n"),
  );
  const wait = await longestWait(running, gmond, path);
  running.daemon.assertAlive();
  const sorted = costs.toSorted((a, b) => a - b);
  say(
    String(hosts).padStart(5) + (rrds ? "   yes" : "    no") +
      `  ${kind}` +
      `${(median(costs) / 1000).toFixed(3)} s`.padStart(10) +
      ` (${(sorted[0] / 1000).toFixed(3)}–${
        (sorted.at(-1)! / 1000).toFixed(3)
      })`.padEnd(18) +
      mib(used).padStart(12) + `${wait.toFixed(0)} ms`.padStart(15) +
      shown(dump).padStart(24) + shown(one).padStart(22) +
      shown(summary).padStart(22),
  );
}

function shown({ cpu, wall }: Answering): string {
  return `${cpu.toFixed(2)} ms ${wall.toFixed(2)} ms`;
}

async function start(
  kind: typeof kinds[number],
  port: number,
  seconds: number,
  rrds: boolean,
): Promise<Running> {
  const setup = {
    sources: [`data_source "${cluster}" ${seconds} 127.0.0.1:${port}`],
    more: rrds ? ["RRAs RRA:AVERAGE:0.5:1:60"] : ["write_rrds off"],
  };
  if (kind === "real") return await RealGmetad.start(setup);
  await using stack = new AsyncDisposableStack();
  const dir = await Deno.makeTempDir({ prefix: "gatherer-bench-" });
  stack.defer(() => Deno.remove(dir, { recursive: true }));
  const [xmlPort, interactivePort] = freePorts(2);
  const places = { xmlPort, interactivePort, rrdRootdir: `${dir}/rrds` };
  await Deno.writeTextFile(`${dir}/gmetad.conf`, gmetadConf(setup, places));
  const daemon = stack.use(Daemon.start(
    gmetad,
    ["--conf", `${dir}/gmetad.conf`, "--foreground"],
    { asSelf: true },
  ));
  await daemon.listensOn(xmlPort);
  await daemon.listensOn(interactivePort);
  const running = stack.move();
  return {
    ...places,
    daemon,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

async function startGmond(hosts: number): Promise<Gmond> {
  const process = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "--allow-net"],
      new URL("ganglia_gmond.ts", import.meta.url).pathname,
      ...[cluster, String(hosts), String(metrics)],
    ],
    stdin: "null",
    stdout: "piped",
  }).spawn();
  let waiting: (() => void)[] = [];
  const port = Promise.withResolvers<number>();
  const reading = (async () => {
    let text = "";
    for await (
      const piece of process.stdout.pipeThrough(new TextDecoderStream())
    ) {
      const lines = (text + piece).split("\n");
      text = lines.pop()!;
      for (const line of lines) {
        if (line !== "asked") port.resolve(Number(line));
        else for (const resolve of waiting.splice(0)) resolve();
      }
    }
    waiting = [];
  })();
  return {
    port: await port.promise,
    asked: () => new Promise((resolve) => waiting.push(resolve)),
    async [Symbol.asyncDispose]() {
      process.kill("SIGKILL");
      await process.status;
      await reading;
    },
  };
}

/** What a process takes that polls one host. */
async function idleMemory(): Promise<Record<typeof kinds[number], number>> {
  const used = { real: 0, ours: 0 };
  for (const kind of kinds) {
    await using gmond = await startGmond(1);
    await using running = await start(kind, gmond.port, 5, false);
    for (let i = 0; i < 3; i++) await gmond.asked();
    await pause(1000);
    used[kind] = memory(running.daemon.pid);
  }
  return used;
}

async function answering(
  running: Running,
  times: number,
  once: (running: Running) => Promise<Uint8Array>,
): Promise<Answering> {
  const walls: number[] = [];
  let bytes = 0;
  const before = cpu(running.daemon.pid);
  for (let i = 0; i < times; i++) {
    const began = systemClock.monotonic();
    bytes = (await once(running)).length;
    walls.push(systemClock.monotonic() - began);
  }
  if (bytes < 1000) throw new Error(`an answer of ${bytes} bytes`);
  return {
    cpu: (cpu(running.daemon.pid) - before) / times,
    wall: median(walls),
    bytes,
  };
}

/** @throws Error when the RRDs of some hosts lack, or got no value lately: then nothing is measured. */
async function assertWritten(
  { rrdRootdir, daemon }: Running,
  hosts: number,
  seconds: number,
): Promise<void> {
  for (const host of [0, hosts >> 1, hosts - 1]) {
    const path = `${rrdRootdir}/${cluster}/${hostName(host)}/load_one.rrd`;
    const { stdout } = await new Deno.Command("rrdtool", {
      args: ["last", path],
    }).output();
    const last = Number(new TextDecoder().decode(stdout));
    const age = systemClock.now() / 1000 - last;
    if (age > seconds + 5) {
      throw new Error(`${path} was written ${age} s ago:\n${daemon.output}`);
    }
  }
}

/** The longest that a question had to wait while two polls were dealt with, in milliseconds. */
async function longestWait(
  running: Running,
  gmond: Gmond,
  path: string,
): Promise<number> {
  let isOver = false;
  let longest = 0;
  const polling = (async () => {
    await gmond.asked();
    await gmond.asked();
    await pause(3000);
    isOver = true;
  })();
  while (!isOver) {
    const began = systemClock.monotonic();
    await ask(running.interactivePort, `${path}\n`);
    longest = Math.max(longest, systemClock.monotonic() - began);
    await pause(5);
  }
  await polling;
  return longest;
}

/** Waits until a process does next to nothing. */
async function settled(pid: number): Promise<void> {
  for (let before = cpu(pid);;) {
    await pause(500);
    const now = cpu(pid);
    if (now - before < 25) return;
    before = now;
  }
}

/** CPU time of all threads of a process and of those that it has started, in milliseconds. */
function cpu(pid: number): number {
  let sum = 0;
  for (const { name } of Deno.readDirSync(`/proc/${pid}/task`)) {
    const task = `/proc/${pid}/task/${name}`;
    try {
      const [ran] = Deno.readTextFileSync(`${task}/schedstat`).split(" ");
      sum += Number(ran) / 1e6;
      for (const child of words(Deno.readTextFileSync(`${task}/children`))) {
        sum += cpu(Number(child));
      }
    } catch (error) {
      // A thread may have ended just now.
      if (!isGone(error)) throw error;
    }
  }
  return sum;
}

/** Memory that a process and those that it has started have in use, in bytes. */
function memory(pid: number): number {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  let sum = 1024 * Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0);
  for (const { name } of Deno.readDirSync(`/proc/${pid}/task`)) {
    const children = Deno.readTextFileSync(
      `/proc/${pid}/task/${name}/children`,
    );
    for (const child of words(children)) sum += memory(Number(child));
  }
  return sum;
}

function isGone(error: unknown): boolean {
  return error instanceof Deno.errors.NotFound ||
    error instanceof Error && /ESRCH|No such process/.test(error.message);
}

function words(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== "");
}

function mib(bytes: number): string {
  return `${(bytes / 1024 ** 2).toFixed(0)} MiB`;
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function say(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}
