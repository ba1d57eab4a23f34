/**
 * Reading gmond: what a poll costs, whole (connection, reading, tree and summary), and what its parts
 * cost, for 100, 1,000 and 5,000 hosts × 30 metrics.
 *
 *     deno run --allow-all bench/gmond_bench.ts [--polls N] [--gzip]
 *
 * The gmond is a process of its own, and so is the reader: CPU is the reader's alone, user and
 * system. In each poll the values of 27 metrics of 30 differ from those of the poll before, and every
 * TN, which is the worst that a real gmond does. Figures are medians.
 */
import { parseArgs } from "@std/cli";
import { fromFileUrl } from "@std/path";
import process from "node:process";
import { systemClock } from "../lib/clock.ts";
import { summarize } from "../lib/ganglia/summary.ts";
import { GangliaReader, ReaderMemory } from "../lib/ganglia/xml/reader.ts";
import { mergeCluster } from "../lib/sources/gmond_cluster.ts";
import { fetchDocument } from "../lib/sources/gmond_fetch.ts";
import { GmondStore } from "../lib/sources/gmond_store.ts";
import { type Cluster, Tree } from "../lib/tree/tree.ts";

const SIZES = [100, 1000, 5000];
const METRICS = 30;
/** Metrics that never change: two of text, one number. */
const CONSTANT = 3;
const CHUNK = 64 * 1024;
/** Until the engine has compiled what it will. */
const WARM_UP = 4;

/** A document as gmond sends it, of which each is different. */
function makeDocument(hosts: number, tick: number): Uint8Array {
  const parts = [
    '<?xml version="1.0" encoding="ISO-8859-1" standalone="yes"?>\n',
    '<GANGLIA_XML VERSION="3.7.2" SOURCE="gmond">\n',
    `<CLUSTER NAME="bench" LOCALTIME="${1_800_000_000 + tick * 15}" `,
    'OWNER="o" LATLONG="unspecified" URL="unspecified">\n',
  ];
  for (let host = 0; host < hosts; host++) {
    const tn = (host + tick) % 18;
    parts.push(
      `<HOST NAME="node${String(host).padStart(5, "0")}.bench.test" `,
      `IP="10.0.${host >> 8}.${host & 255}" TAGS="" `,
      `REPORTED="${1_800_000_000 + tick * 15 - tn}" TN="${tn}" TMAX="20" `,
      `DMAX="86400" LOCATION="rack${host >> 5}" GMOND_STARTED="1799000000">\n`,
    );
    for (let metric = 0; metric < METRICS; metric++) {
      parts.push(makeMetric(metric, host, tick));
    }
    parts.push("</HOST>\n");
  }
  parts.push("</CLUSTER>\n</GANGLIA_XML>\n");
  return new TextEncoder().encode(parts.join(""));
}

function makeMetric(metric: number, host: number, tick: number): string {
  const isConstant = metric >= METRICS - CONSTANT;
  const type = metric === METRICS - 1 || metric === METRICS - 2
    ? "string"
    : metric % 3 === 0
    ? "uint32"
    : "float";
  const seed = (host * 31 + metric * 7919 + tick * 104_729) % 1_000_003;
  const value = type === "string"
    ? "Linux"
    : isConstant
    ? "16"
    : type === "uint32"
    ? String(seed)
    : (seed / 100).toFixed(2);
  return `<METRIC NAME="metric_${metric}" VAL="${value}" TYPE="${type}" UNITS="KB" ` +
    `TN="${
      (tick * 15 + metric * 7) % 180
    }" TMAX="180" DMAX="0" SLOPE="both">\n` +
    '<EXTRA_DATA>\n<EXTRA_ELEMENT NAME="GROUP" VAL="memory"/>\n' +
    `<EXTRA_ELEMENT NAME="DESC" VAL="What metric ${metric} is about, in a few words"/>\n` +
    `<EXTRA_ELEMENT NAME="TITLE" VAL="Metric ${metric}"/>\n</EXTRA_DATA>\n</METRIC>\n`;
}

/** Serves three documents in turn, and says on stdout where. */
async function serve(hosts: number, gzip: boolean): Promise<void> {
  const documents: Uint8Array[] = [];
  for (let tick = 0; tick < 3; tick++) {
    const bytes = makeDocument(hosts, tick);
    documents.push(gzip ? await compress(bytes) : bytes);
  }
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  print(String((listener.addr as Deno.NetAddr).port));
  let count = 0;
  for await (const connection of listener) {
    const bytes = documents[count++ % documents.length];
    (async () => {
      for (let done = 0; done < bytes.length;) {
        done += await connection.write(bytes.subarray(done));
      }
    })().catch(() => {}).finally(() => connection.close());
  }
}

async function compress(bytes: Uint8Array): Promise<Uint8Array> {
  const stream = new Blob([bytes.slice()]).stream()
    .pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** What a poll takes, in milliseconds and MiB. */
interface Figures {
  readonly cpu: number;
  readonly wall: number;
  /** The longest that nobody else had a turn, in any poll. */
  readonly hold: number;
  /** Over the idle process, after all polls. */
  readonly memory: number;
}

/** Polls one after the other, as a source does, and says on stdout what it took. */
async function poll(port: number, polls: number): Promise<void> {
  const idle = Deno.memoryUsage().rss;
  const moment = () => ({
    now: systemClock.now(),
    monotonic: systemClock.monotonic(),
  });
  const tree = new Tree("bench");
  tree.onCommit((cluster) => void summarize(cluster, moment()));
  const store = new GmondStore(tree, { name: "bench", intervalSeconds: 15 }, {
    forgetSeconds: 86_400,
    hosts: 100_000,
    hostMetrics: 20_000,
    metrics: Infinity,
    clusters: 10,
  });
  const memory = new ReaderMemory();
  const steady: Omit<Figures, "memory">[] = [];
  let hold = 0;
  let last = performance.now();
  const ticker = setInterval(() => {
    hold = Math.max(hold, performance.now() - last - 1);
    last = performance.now();
  }, 1);
  for (let i = 0; i < polls + WARM_UP; i++) {
    hold = 0;
    last = performance.now();
    const before = process.cpuUsage();
    const begun = performance.now();
    const { document, problem } = await fetchDocument(
      { host: "127.0.0.1", port },
      {
        clock: systemClock,
        limits: { connectMs: 5000, idleMs: 10_000, pollMs: 60_000 },
        connect: Deno.connect,
        signal: new AbortController().signal,
        reader: {
          memory,
          scalable: true,
          now: 0,
          previous: (name) => tree.grid.clusters.get(name),
        },
      },
    );
    if (!document || problem) throw new Error(problem);
    await store.take(document, moment());
    const { user, system } = process.cpuUsage(before);
    const wall = performance.now() - begun;
    await new Promise((resolve) => setTimeout(resolve, 5));
    if (i >= WARM_UP) {
      steady.push({ cpu: (user + system) / 1000, wall, hold });
    }
  }
  clearInterval(ticker);
  const figures: Figures = {
    cpu: median(steady.map(({ cpu }) => cpu)),
    wall: median(steady.map(({ wall }) => wall)),
    hold: median(steady.map(({ hold }) => hold)),
    memory: (Deno.memoryUsage().rss - idle) / 2 ** 20,
  };
  print(JSON.stringify(figures));
}

/** What the parts take, in memory, in milliseconds. */
interface Parts {
  readonly bytes: number;
  /** Bytes to text, and no more. */
  readonly decode: number;
  /** To the document, when nothing is remembered. */
  readonly first: number;
  /** To the document, with the one before remembered. */
  readonly again: number;
}

/** Reads from memory, and says on stdout what it took. */
function readParts(hosts: number, polls: number): void {
  const documents = [0, 1, 2].map((tick) => makeDocument(hosts, tick));
  const decode: number[] = [];
  const first: number[] = [];
  const again: number[] = [];
  let previous: Pick<Cluster, "hosts"> | undefined;
  const kept = new ReaderMemory();
  const read = (bytes: Uint8Array, memory: ReaderMemory) => {
    const reader = new GangliaReader({
      memory,
      scalable: true,
      now: 0,
      previous: () => memory === kept ? previous : undefined,
    });
    for (let at = 0; at < bytes.length; at += CHUNK) {
      reader.push(bytes.subarray(at, at + CHUNK));
    }
    return reader.end();
  };
  for (let i = 0; i < polls + WARM_UP; i++) {
    const bytes = documents[i % documents.length];
    let begun = process.cpuUsage();
    const took = () => {
      const { user, system } = process.cpuUsage(begun);
      begun = process.cpuUsage();
      return (user + system) / 1000;
    };
    const decoder = new TextDecoder();
    for (let at = 0; at < bytes.length; at += CHUNK) {
      decoder.decode(bytes.subarray(at, at + CHUNK), { stream: true });
    }
    decode.push(took());
    read(bytes, new ReaderMemory());
    first.push(took());
    const { clusters: [cluster] } = read(bytes, kept);
    again.push(took());
    previous = mergeCluster(
      cluster,
      undefined,
      { name: "", answeredAt: 0, interval: 15, failure: undefined },
      { now: 0, monotonic: 0 },
      () => "",
      {
        forgetSeconds: 1,
        hosts: Infinity,
        hostMetrics: Infinity,
        metrics: Infinity,
      },
    );
  }
  const parts: Parts = {
    bytes: documents[0].length,
    decode: median(decode.slice(WARM_UP)),
    first: median(first.slice(WARM_UP)),
    again: median(again.slice(WARM_UP)),
  };
  print(JSON.stringify(parts));
}

function median(figures: number[]): number {
  return figures.toSorted((a, b) => a - b)[Math.floor(figures.length / 2)];
}

function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

/** This program again, as another process. */
function spawn(...args: string[]): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--allow-all",
      fromFileUrl(import.meta.url),
      ...args,
    ],
    stdout: "piped",
  }).spawn();
}

async function answerOf(...args: string[]): Promise<string> {
  const { stdout, success } = await spawn(...args).output();
  if (!success) throw new Error(`${args.join(" ")} failed`);
  return new TextDecoder().decode(stdout);
}

async function compare(polls: number, gzip: boolean): Promise<void> {
  print(
    "hosts      MB   MB/s | decode  first  again | poll: CPU   wall   hold | memory",
  );
  for (const hosts of SIZES) {
    const parts: Parts = JSON.parse(
      await answerOf("--parts", String(hosts), "--polls", String(polls)),
    );
    const server = spawn(
      "--serve",
      String(hosts),
      ...(gzip ? ["--gzip"] : []),
    );
    const output = server.stdout.getReader();
    try {
      const { value } = await output.read();
      const port = new TextDecoder().decode(value).trim();
      const { cpu, wall, hold, memory }: Figures = JSON.parse(
        await answerOf("--poll", port, "--polls", String(polls)),
      );
      const column = (figure: number, width: number, digits = 0) =>
        figure.toFixed(digits).padStart(width);
      const { bytes, decode, first, again } = parts;
      print([
        column(hosts, 5),
        column(bytes / 1e6, 8, 1),
        column(bytes / 1e3 / again, 7),
        " |",
        column(decode, 7, 1),
        column(first, 7, 1),
        column(again, 7, 1),
        " |",
        column(cpu, 10, 1),
        column(wall, 7, 1),
        column(hold, 7, 1),
        " |",
        column(memory, 7),
      ].join(""));
    } finally {
      server.kill();
      await output.cancel();
      await server.status;
    }
  }
  print("Milliseconds; memory in MiB over the idle process.");
}

const options = parseArgs(Deno.args, {
  string: ["serve", "poll", "parts", "polls"],
  boolean: ["gzip"],
});
const polls = Number(options.polls ?? 15);
if (options.serve) await serve(Number(options.serve), options.gzip);
else if (options.poll) await poll(Number(options.poll), polls);
else if (options.parts) readParts(Number(options.parts), polls);
else await compare(polls, options.gzip);
