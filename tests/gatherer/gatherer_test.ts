import { assert, assertEquals, assertRejects } from "@std/assert";
import { systemClock } from "../../lib/clock.ts";
import { UserError } from "../../lib/errors.ts";
import { type Gatherer, startGatherer } from "../../lib/gatherer/gatherer.ts";
import {
  decodeSnapshot,
  encodeNode,
  encodeSnapshot,
} from "../../lib/snapshot/codec.ts";
import { connect, StatsProvider } from "../../mod.ts";
import { captureLog } from "../log_capture.ts";

async function tempDir(): Promise<{ path: string } & AsyncDisposable> {
  const path = await Deno.makeTempDir();
  return {
    path,
    [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }),
  };
}

function start(basedir: string, options = {}): Promise<Gatherer> {
  return startGatherer({
    basedir,
    clock: systemClock,
    host: "127.0.0.1",
    hostname: "127.0.0.1",
    intervalMs: 1000,
    ...options,
  });
}

/** Resolves at the first commit after which `done` holds. */
function committed(gatherer: Gatherer, done: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    const end = gatherer.tree.onCommit(() => {
      if (!done()) return;
      end();
      resolve();
    });
  });
}

const node = (gatherer: Gatherer, nickname: string) =>
  [...gatherer.tree.cluster("foolscap").hosts.values()].find((host) =>
    host.nickname === nickname
  );

Deno.test("a fresh start shows the gatherer's own numbers before anybody is told that it is ready", async () => {
  await using temp = await tempDir();
  await using gatherer = await start(`${temp.path}/g`);
  const [self, ...others] = decodeSnapshot(
    await Deno.readFile(`${temp.path}/g/stats.msgpack`),
  );
  assertEquals(others, []);
  assertEquals([self.key, self.nickname], [gatherer.tubid, "gatherer"]);
  assertEquals(self.counters.get("gatherer.polls"), 1n);
  assertEquals(self.stats.get("gatherer.nodes_attached"), 1n);
  assertEquals(self.stats.get("gatherer.nodes_gone"), 0n);
  assertEquals(typeof self.stats.get("node.uptime"), "number");
  assertEquals(
    (await Deno.stat(`${temp.path}/g/stats.msgpack`)).mode! & 0o777,
    0o644,
  );
  assertEquals(
    await Deno.readTextFile(`${temp.path}/g/stats_gatherer.furl`),
    gatherer.furl! + "\n",
  );
});

Deno.test("a private gatherer keeps its directory and snapshot to itself", async () => {
  await using temp = await tempDir();
  // Also one that was open before.
  await Deno.mkdir(`${temp.path}/g`, { mode: 0o755 });
  await using _gatherer = await start(`${temp.path}/g`, { private: true });
  assertEquals((await Deno.stat(`${temp.path}/g`)).mode! & 0o777, 0o700);
  assertEquals(
    (await Deno.stat(`${temp.path}/g/stats.msgpack`)).mode! & 0o777,
    0o600,
  );
});

Deno.test("a program counts, attaches, is polled and lands in the snapshot", async () => {
  await using temp = await tempDir();
  await using log = await captureLog();
  await using gatherer = await start(`${temp.path}/g`);
  const stats = new StatsProvider();
  stats.count("big", 2n ** 70n);
  stats.registerProducer({
    getStats: () => ({ half: 0.5, unknown: null, wrong: NaN }),
  });
  const attachment = connect(stats, {
    furl: gatherer.furl!,
    nickname: "program",
    identityFile: `${temp.path}/node.pem`,
  });
  await committed(
    gatherer,
    () => node(gatherer, "program")?.observation !== undefined,
  );
  const gone = committed(
    gatherer,
    () => node(gatherer, "program")?.life.attachedAt === undefined,
  );
  await attachment.close();
  await gone;
  const nodes = decodeSnapshot(
    await Deno.readFile(`${temp.path}/g/stats.msgpack`),
  );
  const seen = nodes.find(({ nickname }) => nickname === "program")!;
  assertEquals(seen.counters, new Map([["big", 2n ** 70n]]));
  assertEquals(seen.stats.get("half"), 0.5);
  assertEquals(seen.stats.get("unknown"), null);
  assertEquals(seen.stats.has("wrong"), false);
  const [attached, detached] = log.lines.filter((line) =>
    line.includes(`program (${seen.key})`)
  );
  assert(attached.includes("attached from 127.0.0.1:"), attached);
  assertEquals(
    detached,
    `info program (${seen.key}) detached: the peer closed the connection`,
  );
});

Deno.test("a restart keeps port, FURL and the figures of nodes that have not come back", async () => {
  await using temp = await tempDir();
  const first = await start(temp.path);
  const { furl, port, tubid } = first;
  await first.stop();
  const old = {
    key: "m32izoh3ur3puwxgqaitnygpof7bwlnd",
    timestamp: 1_600_000_000.25,
    nickname: "old",
    counters: [["c", 2n ** 63n]] as [string, bigint][],
    stats: [["f", 5]] as [string, number][],
  };
  await Deno.writeFile(
    `${temp.path}/stats.msgpack`,
    encodeSnapshot([
      encodeNode({ ...old, key: tubid, nickname: "gatherer" }),
      encodeNode(old),
    ]),
  );
  await using second = await start(temp.path);
  assertEquals([second.furl, second.port, second.tubid], [furl, port, tubid]);
  const nodes = decodeSnapshot(
    await Deno.readFile(`${temp.path}/stats.msgpack`),
  );
  assertEquals(nodes.map(({ nickname }) => nickname), ["gatherer", "old"]);
  assertEquals(nodes[1], {
    ...old,
    counters: new Map(old.counters),
    stats: new Map(old.stats),
  });
  assertEquals(
    second.tree.host("foolscap", old.key)!.life.detachReason,
    "not seen since this gatherer started",
  );
  assertEquals(nodes[0].stats.get("gatherer.nodes_gone"), 1n);
});

Deno.test("an unreadable snapshot is set aside, the backup used, and the log says so", async () => {
  await using temp = await tempDir();
  await (await start(temp.path)).stop();
  const good = await Deno.readFile(`${temp.path}/stats.msgpack`);
  await Deno.writeFile(`${temp.path}/stats.msgpack.bak`, good);
  await Deno.writeFile(
    `${temp.path}/stats.msgpack`,
    good.subarray(0, good.length - 1),
  );
  await using log = await captureLog();
  await using _gatherer = await start(temp.path);
  const aside = [...Deno.readDirSync(temp.path)].find(({ name }) =>
    name.includes("unreadable")
  )!;
  assertEquals(
    await Deno.readFile(`${temp.path}/${aside.name}`),
    good.subarray(0, -1),
  );
  assertEquals(
    log.lines.filter((line) => line.includes("set aside as")).length,
    1,
  );
  assertEquals(
    log.lines.filter((line) => line.includes("using the backup")).length,
    1,
  );
});

Deno.test("what keeps a gatherer from starting is one line, and leaves nothing running", async () => {
  await using temp = await tempDir();
  await using running = await start(`${temp.path}/a`);
  await assertRejects(
    () => start(`${temp.path}/b`, { port: running.port }),
    UserError,
    `cannot listen on port ${running.port}: another program uses it already`,
  );
  await Deno.mkdir(`${temp.path}/c/stats.msgpack`, { recursive: true });
  await assertRejects(
    () => start(`${temp.path}/c`),
    UserError,
    "it is a directory",
  );
});
