/**
 * The page /metrics with many series: time, CPU, memory, and for how long the event loop is held at
 * most, beside a naive exposition that is made as one text.
 *
 *     deno run --allow-all bench/metrics_bench.ts [SERIES …]
 *
 * Each way runs in a process of its own: nodes of 80 statistics each (40 counters, 40 gauges) are in
 * one cluster, each with names of its own memory, as they come from the wire. A client in another
 * process asks four times and reads all. Time and CPU are of the fastest but the first, pause and
 * memory the worst of all; memory is the process's peak over what it had before the first answer.
 */
import { fromFileUrl } from "@std/path";
import process from "node:process";
import { createServer } from "node:http";
import { systemClock } from "../lib/clock.ts";
import type { GathererStatus } from "../lib/status.ts";
import type { Host } from "../lib/tree/host.ts";
import type { Metric } from "../lib/tree/metric.ts";
import { pollLimits } from "../lib/tree/state.ts";
import type { Cluster } from "../lib/tree/tree.ts";
import { HttpPlugin } from "../lib/web/http.ts";

const PER_NODE = 80;
const ROUNDS = 4;
/** How often the loop is looked at, in milliseconds. */
const LOOK_MS = 1;

type Way = "gatherer" | "gatherer, gzip" | "naive";

/** Figures of one answer. */
interface Figures {
  readonly way: Way;
  readonly series: number;
  readonly seconds: number;
  readonly firstByteMs: number;
  readonly cpuSeconds: number;
  readonly pauseMs: number;
  readonly megabytes: number;
  readonly riseMiB: number;
}

/** A text that shares its memory with no other. */
function fresh(text: string): string {
  return String.fromCharCode(...[...text].map((char) => char.charCodeAt(0)));
}

function makeNode(index: number): Host {
  const metrics: Metric[] = [];
  for (let i = 0; i < PER_NODE / 2; i++) {
    metrics.push({
      name: fresh(`storage_server.counter_${i}`),
      value: BigInt(index * 1_000_003 * i),
      slope: "positive",
    });
  }
  for (let i = 0; i < PER_NODE / 2; i++) {
    metrics.push({
      name: fresh(`storage_server.latencies.get.${i}_0_percentile`),
      value: Math.random(),
      slope: "both",
    });
  }
  const now = systemClock.now();
  const monotonic = systemClock.monotonic();
  return {
    key: `m32izoh3ur3puwxgqaitny${index}`.padEnd(32, "a"),
    nickname: `storage-${index}`,
    observation: {
      incarnation: `${index}`,
      sequence: 1,
      measuredAt: now,
      receivedAt: now,
      metrics,
    },
    life: {
      attachedAt: monotonic,
      answeredAt: monotonic,
      failure: undefined,
      detachReason: undefined,
      retireReason: undefined,
    },
  };
}

function makeCluster(series: number): Cluster {
  const hosts = new Map<string, Host>();
  for (let index = 0; index < series / PER_NODE; index++) {
    const host = makeNode(index);
    hosts.set(host.key, host);
  }
  return { name: "foolscap", hosts };
}

function status(): GathererStatus {
  const now = systemClock.now();
  return {
    state: "ready",
    since: now,
    version: "bench",
    pid: Deno.pid,
    basedir: "",
    startedAt: now,
    lastRound: now,
    rounds: 1,
    intervalSeconds: 60,
    degraded: [],
    listening: [],
    configuration: { file: null, loadedAt: now },
    sources: [],
    plugins: [],
    nodes: [],
  };
}

async function serve(way: Way, cluster: Cluster): Promise<number> {
  if (way === "naive") return serveNaively(cluster);
  const plugin = new HttpPlugin({
    host: "127.0.0.1",
    port: 0,
    allow: "127.0.0.1",
    clock: systemClock,
    status,
    lives: { limits: () => pollLimits(60_000, 20_000) },
    limits: { compressesLocally: true },
  });
  await plugin.start();
  plugin.notify(cluster);
  return plugin.address!.port;
}

/** As one would write it first: a map of families, and one text. */
function serveNaively({ name, hosts }: Cluster): Promise<number> {
  const server = createServer((_, response) => {
    const families = new Map<string, string[]>();
    for (const { key, nickname, observation } of hosts.values()) {
      for (const metric of observation!.metrics) {
        const isCounter = metric.slope === "positive";
        const family = metric.name.replaceAll(/[^a-zA-Z0-9_]/g, "_") +
          (isCounter ? "_total" : "");
        let lines = families.get(family);
        if (!lines) {
          families.set(
            family,
            lines = [
              `# HELP ${family} ${metric.name}`,
              `# TYPE ${family} ${isCounter ? "counter" : "gauge"}`,
            ],
          );
        }
        lines.push(
          `${family}{cluster="${name}",node="${nickname}",key="${key}"} ${metric.value}`,
        );
      }
    }
    const text = [...families.values()].map((lines) => lines.join("\n"))
      .join("\n") + "\n";
    response.end(text);
  });
  return new Promise((resolve) =>
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      resolve(typeof address === "object" ? address!.port : 0);
    })
  );
}

/** A line of /proc/self/status, in MiB. */
function memory(line: "VmHWM" | "VmRSS"): number {
  const text = Deno.readTextFileSync("/proc/self/status");
  return Number(new RegExp(`${line}:\\s+(\\d+)`).exec(text)![1]) / 1024;
}

/** The server's process: prints its port, then figures for each line that it is sent. */
async function child(way: Way, series: number): Promise<void> {
  const port = await serve(way, makeCluster(series));
  (globalThis as { gc?: () => void }).gc?.();
  const before = memory("VmRSS");
  let pauseMs = 0;
  let last = performance.now();
  setInterval(() => {
    const now = performance.now();
    pauseMs = Math.max(pauseMs, now - last - LOOK_MS);
    last = now;
  }, LOOK_MS);
  const say = (what: unknown) =>
    Deno.stdout.writeSync(
      new TextEncoder().encode(`${JSON.stringify(what)}\n`),
    );
  say({ port });
  let cpu = process.cpuUsage();
  for await (
    const _ of Deno.stdin.readable.pipeThrough(new TextDecoderStream())
  ) {
    const used = process.cpuUsage(cpu);
    say({
      cpuSeconds: (used.user + used.system) / 1e6,
      pauseMs,
      riseMiB: memory("VmHWM") - before,
    });
    pauseMs = 0;
    last = performance.now();
    cpu = process.cpuUsage();
  }
  Deno.exit();
}

async function measure(way: Way, series: number): Promise<Figures> {
  const server = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--allow-all",
      "--v8-flags=--expose-gc",
      fromFileUrl(import.meta.url),
      "--child",
      way,
      String(series),
    ],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const lines = server.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const next = async () => JSON.parse((await lines.read()).value!);
  const writer = server.stdin.getWriter();
  const { port } = await next();
  const rounds: Figures[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    await writer.write(new TextEncoder().encode("\n"));
    await next();
    const begun = performance.now();
    const { firstByteMs, bytes } = await read(port, way === "gatherer, gzip");
    const seconds = (performance.now() - begun) / 1000;
    await writer.write(new TextEncoder().encode("\n"));
    rounds.push({
      ...await next(),
      way,
      series,
      seconds,
      firstByteMs,
      megabytes: bytes / 1e6,
    });
  }
  await writer.close();
  await server.status;
  const [, ...warm] = rounds;
  const [best] = warm.sort((a, b) => a.seconds - b.seconds);
  return {
    ...best,
    pauseMs: Math.max(...rounds.map(({ pauseMs }) => pauseMs)),
    riseMiB: Math.max(...rounds.map(({ riseMiB }) => riseMiB)),
  };
}

/** Reads an answer to its end, in this process, without unpacking it. */
async function read(
  port: number,
  gzip: boolean,
): Promise<{ firstByteMs: number; bytes: number }> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const begun = performance.now();
  await connection.write(
    new TextEncoder().encode(
      `GET /metrics HTTP/1.1\r\nHost: h\r\nConnection: close\r\n${
        gzip ? "Accept-Encoding: gzip\r\n" : ""
      }\r\n`,
    ),
  );
  const buffer = new Uint8Array(1 << 20);
  let bytes = 0;
  let firstByteMs = 0;
  for (let count; (count = await connection.read(buffer)) !== null;) {
    if (bytes === 0) firstByteMs = performance.now() - begun;
    bytes += count;
  }
  return { firstByteMs, bytes };
}

if (Deno.args[0] === "--child") {
  await child(Deno.args[1] as Way, Number(Deno.args[2]));
} else {
  const sizes = Deno.args.length > 0
    ? Deno.args.map(Number)
    : [100_000, 1_000_000];
  const print = (line: string) =>
    Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
  print(
    "| series | way | time | first byte | CPU | longest pause | memory rises by | sent |",
  );
  print("| --- | --- | --- | --- | --- | --- | --- | --- |");
  for (const series of sizes) {
    for (const way of ["gatherer", "gatherer, gzip", "naive"] as const) {
      const one = await measure(way, series);
      print(
        `| ${series.toLocaleString("en")} | ${way} | ${
          one.seconds.toFixed(2)
        } s | ${one.firstByteMs.toFixed(0)} ms | ${
          one.cpuSeconds.toFixed(2)
        } s | ${one.pauseMs.toFixed(0)} ms | ${one.riseMiB.toFixed(0)} MiB | ${
          one.megabytes.toFixed(1)
        } MB |`,
      );
    }
  }
}
