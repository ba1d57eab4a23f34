import { type Clock, sleep, systemClock } from "../clock.ts";
import { startGatherer } from "../gatherer/gatherer.ts";
import { connect } from "../stats/connect.ts";
import { CpuMonitor } from "../stats/cpu_monitor.ts";
import { StatsProvider } from "../stats/provider.ts";
import { Uptime } from "../stats/uptime.ts";
import { dump } from "./dump.ts";
import { muninPlugin } from "./munin.ts";
import { readOptions } from "./options.ts";
import { untilSignal } from "./signals.ts";
import { wantsColor, writeStderr, writeStdout } from "./terminal.ts";

/** What `gatherer demo --help` says. */
export const demoHelp = `\
Usage: gatherer demo

Shows the main job on this machine, with real connections: a gatherer in a temporary base
directory, two small nodes that count and attach to it by its FURL, and every few seconds the
snapshot as "gatherer dump" prints it and one graph as Munin gets it. On a terminal it goes on
until Ctrl-C; else it ends by itself after two rounds.

Example:
  gatherer demo
`;

const INTERVAL_MS = 2000;
const GRAPH = "tahoe_storage_operations_get";

/**
 * Runs the demonstration.
 * @returns The exit code.
 */
export async function demo(args: readonly string[]): Promise<number> {
  readOptions("demo", args, {});
  const clock = systemClock;
  const signal = untilSignal().then(() => "signal" as const);
  const basedir = await Deno.makeTempDir({ prefix: "gatherer-demo-" });
  await using cleanup = new AsyncDisposableStack();
  cleanup.defer(() => Deno.remove(basedir, { recursive: true }));

  const gatherer = cleanup.use(
    await startGatherer({
      basedir,
      clock,
      host: "127.0.0.1",
      hostname: "127.0.0.1",
      port: 0,
      intervalMs: INTERVAL_MS,
    }),
  );
  await writeStdout(
    `A gatherer runs in ${basedir} and polls every ${INTERVAL_MS / 1000} s.\n` +
      "Two nodes attach to it by its FURL, over TLS:\n\n",
  );
  for (const [nickname, pace] of [["alpha", 120], ["beta", 450]] as const) {
    cleanup.use(startNode(nickname, pace, basedir, gatherer.furl!, clock));
  }

  const snapshot = `${basedir}/stats.msgpack`;
  const endless = Deno.stdout.isTerminal();
  for (let round = 1; endless || round <= 2; round++) {
    const wait = sleep(clock, INTERVAL_MS + 500).then(() => "time" as const);
    if (await Promise.race([wait, signal]) === "signal") break;
    await writeStdout(
      `── round ${round} ── $ gatherer dump --stat 'storage_server.*'\n`,
    );
    const io = { stdout: writeStdout, clock, color: wantsColor() };
    await dump([snapshot, "--stat", "storage_server.*"], io);
    for (const phase of round === 1 ? ["config", undefined] : [undefined]) {
      await writeStdout(
        `\n── what Munin gets ── $ ${GRAPH}${phase ? ` ${phase}` : ""}\n`,
      );
      await muninPlugin(GRAPH, phase ? [phase] : [], {
        ...io,
        stderr: writeStderr,
        env: { statsfile: snapshot },
      });
    }
    await writeStdout("\n");
  }
  await writeStdout("Your turn: gatherer serve --help\n");
  return 0;
}

/** A node whose figures change: it counts operations and reports what it holds. */
function startNode(
  nickname: string,
  paceMs: number,
  basedir: string,
  furl: string,
  clock: Clock,
): AsyncDisposable {
  const stats = new StatsProvider();
  const stop = new AbortController();
  let allocated = 0;
  stats.registerProducer(new CpuMonitor());
  stats.registerProducer(new Uptime());
  stats.registerProducer({
    name: "storage",
    getStats: () => ({ "storage_server.allocated": allocated }),
  });
  const work = async () => {
    while (true) {
      await sleep(clock, paceMs * (0.5 + Math.random()), stop.signal);
      stats.count("storage_server.get");
      const size = Math.ceil(Math.random() * 100_000);
      stats.count("storage_server.bytes_added", size);
      allocated += size;
    }
  };
  const ended = work().catch(() => {});
  const attachment = connect(stats, {
    furl,
    nickname,
    identityFile: `${basedir}/${nickname}.pem`,
  });
  return {
    async [Symbol.asyncDispose]() {
      stop.abort();
      await ended;
      await attachment.close();
    },
  };
}
