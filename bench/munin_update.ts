/**
 * What a round of Munin costs, the whole of it: the real munin-update asks for 26 graphs of 100
 * nodes, in each of the ways that there are.
 *
 *     deno run --allow-all bench/munin_update.ts [--nodes 100] [--runs 5]
 *
 * A gatherer (`serve`, built as a script) polls nodes that are in this process. Its clock and the
 * master's run five times as fast as the machine's, so that a poll is due every 12 seconds and a
 * round of Munin every 60: five polls a round, as in real life. CPU time is read from /proc, which
 * Deno allows only with all permissions. Needs Debian's munin and munin-node; strace, if it is
 * there, counts processes, in a round that is not timed.
 */

import { parseArgs } from "@std/cli";
import { systemClock } from "../lib/clock.ts";
import { scanStat } from "../lib/snapshot/scan.ts";
import { connect, StatsProvider } from "../mod.ts";
import { builtScript } from "../tests/executable.ts";
import { preload } from "../tests/peers/fake_time.ts";
import { type MuninHost, MuninMaster } from "../tests/peers/munin_master.ts";
import { MuninClient, MuninNode } from "../tests/peers/munin_node.ts";
import { tahoeGraphs } from "../tests/peers/tahoe_graphs.ts";

const args = parseArgs(Deno.args, { string: ["nodes", "runs"] });
const nodes = Number(args.nodes ?? 100);
const runs = Number(args.runs ?? 5);
/** How fast the faked clock runs. */
const speed = 5;
/** Real milliseconds of a round of Munin. */
const roundTime = 300_000 / speed;
const origin = systemClock.now();

/** Something that the master asks. */
interface Way {
  readonly name: string;
  readonly hosts: readonly MuninHost[];
  readonly pid: number;
  /** CPU seconds that it takes in a second anyway. */
  readonly idle: number;
}

/** What a run took, in seconds. */
interface Cost {
  readonly wall: number;
  readonly master: number;
  readonly node: number;
}

await using executable = await builtScript();
await preload(
  executable,
  `const now = Date.now; Date.now = () => ${origin} + ${speed} * (now() - ${origin});`,
);
const basedir = `${executable.dir}/base`;
const statsfile = `${basedir}/stats.msgpack`;
const select = tahoeGraphs.map(({ name }) => name).join(" ");
await using running = new AsyncDisposableStack();
const gatherer = await startGatherer();
await attachNodes();

const ways: Way[] = [
  await muninNode("munin-node, 26 links", select.split(" ")),
  await muninNode("munin-node, link gatherer", ["gatherer"]),
  ...await ownPorts(),
];
const masters: MuninMaster[] = [];
for (const { hosts } of ways) {
  masters.push(running.use(await MuninMaster.create(hosts)));
}
const costs = ways.map((): Cost[] => []);
for (let run = 0; run <= runs; run++) {
  const began = systemClock.monotonic();
  // In turn, so that a change of the machine's speed touches all alike.
  for (const [index, way] of ways.entries()) {
    costs[index].push(await cost(way, masters[index]));
  }
  await pause(Math.max(0, roundTime - (systemClock.monotonic() - began)));
}

say(
  "asked                       series  the first  wall median (min–max)  " +
    "CPU: master   node  processes of the node",
);
for (const [index, way] of ways.entries()) {
  const [first, ...rest] = costs[index];
  const wall = rest.map(({ wall }) => wall).sort((a, b) => a - b);
  const series = (await masters[index].rrdFiles()).length;
  say(
    way.name.padEnd(28) + String(series).padStart(6) +
      `${first.wall.toFixed(1)} s`.padStart(11) +
      `${median(wall).toFixed(2)} s`.padStart(9) +
      ` (${wall[0].toFixed(1)}–${wall.at(-1)!.toFixed(1)})`.padEnd(14) +
      `${median(rest.map(({ master }) => master)).toFixed(2)} s`.padStart(12) +
      `${median(rest.map(({ node }) => node)).toFixed(2)} s`.padStart(8) +
      await processes(way, masters[index]),
  );
}

/** The figures of 26 graphs, and what a storage server has besides: 80 in all. */
function attach(furl: string, index: number): AsyncDisposable {
  const provider = new StatsProvider();
  const counted = tahoeGraphs.filter(({ category }) => category === "counters");
  const measured = tahoeGraphs.filter(({ category }) => category === "stats");
  provider.registerProducer({
    getStats() {
      for (const { stat } of counted) provider.count(stat, 1 + index);
      const figures: Record<string, number> = {};
      for (const { stat } of measured) figures[stat] = Math.random() * 1e9;
      for (let i = tahoeGraphs.length; i < 80; i++) {
        figures[`storage_server.latencies.read.${i}_percentile`] = Math
          .random();
      }
      return figures;
    },
  });
  return connect(provider, {
    furl,
    nickname: `storage-node-${String(index).padStart(3, "0")}`,
    identityFile: `${executable.dir}/${index}.pem`,
    loadMonitor: false,
  });
}

/** Attaches all nodes, and waits until the snapshot has each of them. */
async function attachNodes(): Promise<void> {
  for (let index = 0; index < nodes; index++) {
    running.use(attach(gatherer.furl, index));
  }
  const { category, stat } = tahoeGraphs[0];
  let seen = 0;
  while (seen < nodes) {
    await pause(500);
    seen = scanStat(await Deno.readFile(statsfile), category, stat)
      .filter(({ value }) => value !== undefined).length;
  }
}

async function startGatherer() {
  const [all, each] = [freePort(), freePort()];
  const child = new Deno.Command(executable.path, {
    args: [
      ...["serve", "--basedir", basedir, "--hostname", "127.0.0.1"],
      ...["--interval", String(60 / speed)],
      ...["--munin", String(all), "--munin-nodes", String(each)],
      ...["--munin-name", "gatherer.example", "--munin-select", select],
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  running.defer(async () => {
    child.kill("SIGTERM");
    await child.status;
  });
  const lines = child.stdout.pipeThrough(new TextDecoderStream());
  let text = "";
  for await (const piece of lines.values({ preventCancel: true })) {
    text += piece;
    if (text.includes("\n")) break;
  }
  // It says nothing more on stdout.
  running.defer(() => lines.cancel());
  return { pid: child.pid, furl: text.split("\n")[0], all, each };
}

function freePort(): number {
  using probe = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return probe.addr.port;
}

/** A munin-node with links to the executable. */
async function muninNode(name: string, links: string[]): Promise<Way> {
  const node = await MuninNode.install({
    dir: `${executable.dir}/node-${links.length}`,
    hostName: "node.example",
    links: Object.fromEntries(links.map((link) => [link, executable.path])),
    pluginConf: `[*]\nenv.statsfile ${statsfile}\nenv.select ${select}\n`,
  });
  const { pid } = running.use(await node.start());
  return { name, hosts: asOneHost(node.port), pid, idle: 0 };
}

/** The gatherer's own, for all nodes as one host, and for each node as one. */
async function ownPorts(): Promise<Way[]> {
  const { pid, all, each } = gatherer;
  const before = cpu(pid).all;
  const began = systemClock.monotonic();
  await pause(2 * 60_000 / speed);
  const idle = (cpu(pid).all - before) /
    ((systemClock.monotonic() - began) / 1000);
  using client = await MuninClient.connect(each);
  await client.line();
  const [, ...names] = (await client.askLines("nodes")).trimEnd().split("\n");
  const hosts = names.map((name) => ({
    ...asOneHost(each)[0],
    name,
    useNodeName: false,
  }));
  return [
    { name: "own port", hosts: asOneHost(all), pid, idle },
    { name: `own port, ${names.length} hosts`, hosts, pid, idle },
  ];
}

function asOneHost(port: number): MuninHost[] {
  return [{ name: "grid-1", address: "127.0.0.1", port, useNodeName: true }];
}

/** One round of the master. */
async function cost(way: Way, master: MuninMaster): Promise<Cost> {
  const self = cpu("self");
  const node = cpu(way.pid);
  const began = systemClock.monotonic();
  await update(way, master);
  const wall = (systemClock.monotonic() - began) / 1000;
  // The CPU time of a child counts from when its parent has been told of its end.
  while (children(way.pid) !== "") await pause(10);
  return {
    wall,
    master: cpu("self").children - self.children,
    node: cpu(way.pid).all - node.all - way.idle * wall,
  };
}

async function update(way: Way, master: MuninMaster): Promise<void> {
  const at = Math.floor(
    (origin + speed * (systemClock.now() - origin)) / 1000,
  );
  const trouble = await master.update({ at });
  if (trouble.length > 0) {
    throw new Error(`${way.name}: ${trouble.slice(0, 5).join("\n")}`);
  }
}

/** User and system CPU time of a process and of its children that have ended, in seconds. */
function cpu(pid: number | "self"): { all: number; children: number } {
  const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
  const [user, system, userOfChildren, systemOfChildren] = stat
    .slice(stat.lastIndexOf(")") + 2).split(" ").slice(11, 15).map(Number);
  const children = (userOfChildren + systemOfChildren) / 100;
  return { all: (user + system) / 100 + children, children };
}

/** The processes that a process has started and that have not ended. */
function children(pid: number): string {
  return Deno.readTextFileSync(`/proc/${pid}/task/${pid}/children`);
}

/** How many processes the node starts in a round, threads left out. */
async function processes(way: Way, master: MuninMaster): Promise<string> {
  const trace = `${executable.dir}/trace`;
  let strace;
  try {
    strace = new Deno.Command("strace", {
      args: [
        ...["-f", "-e", "trace=fork,vfork,clone,clone3"],
        ...["-o", trace, "-p", String(way.pid)],
      ],
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      return "  not counted: no strace";
    }
    throw error;
  }
  const said = strace.stderr.getReader();
  // "Process 123 attached"
  await said.read();
  await update(way, master);
  while (children(way.pid) !== "") await pause(10);
  strace.kill("SIGINT");
  await strace.status;
  await said.cancel();
  const text = await Deno.readTextFile(trace);
  return String(countStarted(text)).padStart(8);
}

/** The processes that were started, in what strace wrote; threads are none. */
function countStarted(trace: string): number {
  const threads = new Set<string>();
  let count = 0;
  for (const line of trace.split("\n")) {
    const [pid] = line.split(" ", 1);
    // A call may be on two lines: "clone(… <unfinished ...>" and "<... clone resumed>… = 123".
    if (line.includes("CLONE_THREAD")) threads.add(pid);
    else if (!line.includes("resumed>")) threads.delete(pid);
    if (/ = [1-9]\d*$/.test(line) && !threads.has(pid)) count++;
  }
  return count;
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
