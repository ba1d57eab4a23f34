/**
 * The command line with a gatherer that does nothing, and that as its environment says:
 * `FAKE=fail` cannot be started, `slow` never is ready, `exit` ends without a word, `throw` dies of a
 * fault, `stubborn` does not stop, `lingers` stops and leaves something running, `bad` has a configuration that cannot be used, `unwell` is not well, `many` has 10,000
 * nodes. SIGUSR2 is a round. A program of its own: `deno run … fake_gatherer.ts serve --basedir DIR`.
 */
import { getLogger } from "@logtape/logtape";
import { cli, explain } from "../../lib/cli/cli.ts";
import { run, type RunningGatherer } from "../../lib/cli/run.ts";
import { loadConfig } from "../../lib/cli/serve_options.ts";
import { StartedLog } from "../../lib/cli/started_log.ts";
import { systemClock } from "../../lib/clock.ts";
import { UserError } from "../../lib/errors.ts";
import { makePlan, planLines } from "../../lib/gatherer/plan.ts";
import type { NodeReport } from "../../lib/status.ts";

const logger = getLogger(["gatherer"]);
const fake = Deno.env.get("FAKE") ?? "";
const since = Date.now();

function node(nickname: string, state: NodeReport["state"]): NodeReport {
  return {
    cluster: "foolscap",
    key: `key-of-${nickname}`,
    nickname,
    state,
    reason: state === "attached" ? "answers" : "connection lost",
    since,
    lastSuccess: since,
    lastError: null,
    failing: false,
    usedMs: 1,
  };
}

/** A gatherer that does nothing. */
async function startFake(
  basedir: string,
  intervalMs: number,
): Promise<RunningGatherer> {
  logger.info("the fake starts");
  if (fake === "fail") throw new UserError("cannot listen on port 1: no");
  if (fake === "exit") Deno.exit(7);
  if (fake === "throw") {
    setTimeout(() => {
      throw new Error("out of the blue");
    });
    await new Promise(() => setInterval(() => {}, 1 << 30));
  }
  if (fake === "slow") await new Promise(() => setInterval(() => {}, 1 << 30));
  const listeners = new Set<() => void>();
  Deno.addSignalListener("SIGUSR2", () => {
    for (const listener of listeners) listener();
  });
  const nodes = [node("web-1", "attached"), node("web-2", "gone")];
  if (fake === "many") {
    for (let i = 0; i < 10_000; i++) nodes.push(node(`n${i}`, "attached"));
  }
  let loadedAt = since;
  return {
    furl: "pb://secret@127.0.0.1:1/swissnum",
    status: () => ({
      state: "ready",
      since,
      version: "0.0.0",
      pid: Deno.pid,
      basedir,
      startedAt: since,
      lastRound: null,
      rounds: 0,
      intervalSeconds: intervalMs / 1000,
      degraded: fake === "unwell" ? ["the disk is full"] : [],
      listening: [{ what: "nodes", address: "0.0.0.0:1" }],
      configuration: { file: null, loadedAt },
      sources: [],
      plugins: [],
      nodes,
    }),
    reload() {
      if (fake === "bad") {
        return Promise.reject(new UserError("gatherer.toml:3: what is this?"));
      }
      loadedAt = Date.now();
      const spec = (name: string) => ({ name, settings: 1 });
      const plan = makePlan([spec("munin"), spec("web")], [
        spec("munin"),
        spec("rrd"),
      ]);
      return Promise.resolve({ lines: () => planLines(plan) });
    },
    retire(pattern) {
      const found = nodes.filter(({ nickname }) => nickname === pattern);
      return found.length === 0
        ? Promise.reject(new UserError(`no node is called "${pattern}"`))
        : Promise.resolve(found);
    },
    onRound(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async stop() {
      if (fake === "stubborn") await new Promise(() => {});
      if (fake === "lingers") setInterval(() => {}, 1 << 30);
      logger.info("the fake has stopped");
    },
  };
}

Deno.exitCode = Deno.args[0] !== "serve"
  ? await cli(Deno.args)
  : await explain("gatherer", async () => {
    const args = Deno.args.slice(1);
    const { gatherer, log } = loadConfig("serve", args);
    return await run({
      basedir: gatherer.basedir,
      private: gatherer.private,
      args,
      openLog: () => StartedLog.open(log, gatherer.basedir, systemClock),
      start: () => startFake(gatherer.basedir, gatherer.intervalMs),
    });
  });
