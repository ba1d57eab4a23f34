/**
 * States, retirement and incarnations in a gatherer as a whole.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { systemClock } from "../../lib/clock.ts";
import { type Gatherer, startGatherer } from "../../lib/gatherer/gatherer.ts";
import { decodeSnapshot } from "../../lib/snapshot/codec.ts";
import { countersBegan } from "../../lib/tree/incarnation.ts";
import { connect, StatsProvider } from "../../mod.ts";
import { captureLog } from "../log_capture.ts";

/** A base directory, and a program that is a node. */
class Setting implements AsyncDisposable {
  readonly directory = Deno.makeTempDirSync();

  start(): Promise<Gatherer> {
    return startGatherer({
      basedir: `${this.directory}/g`,
      clock: systemClock,
      host: "127.0.0.1",
      hostname: "127.0.0.1",
      intervalMs: 500,
    });
  }

  attach(gatherer: Gatherer) {
    const stats = new StatsProvider();
    stats.count("c");
    return connect(stats, {
      furl: gatherer.furl!,
      nickname: "program",
      identityFile: `${this.directory}/node.pem`,
      loadMonitor: false,
    });
  }

  /** The node, when it is as it is to be. */
  async node(gatherer: Gatherer, isSo: (host: Node) => boolean): Promise<Node> {
    while (true) {
      const host = nodeOf(gatherer);
      if (host && isSo(host)) return host;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  /** The nodes of the snapshot, once there is one of which that holds. */
  async snapshot(isSo: (nicknames: string[]) => boolean) {
    while (true) {
      const nodes = decodeSnapshot(
        await Deno.readFile(`${this.directory}/g/stats.msgpack`),
      );
      if (isSo(nodes.map(({ nickname }) => nickname))) return nodes;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Deno.remove(this.directory, { recursive: true });
  }
}

type Node = NonNullable<ReturnType<typeof nodeOf>>;

function nodeOf(gatherer: Gatherer) {
  return [...gatherer.tree.cluster("foolscap").hosts.values()].find((host) =>
    host.nickname === "program"
  );
}

function reportOf(gatherer: Gatherer) {
  return gatherer.status().nodes.find(({ nickname }) => nickname === "program");
}

Deno.test("a restart of the gatherer keeps what it knows of a node's incarnation", async () => {
  await using setting = new Setting();
  const first = await setting.start();
  const attachment = setting.attach(first);
  const { observation, key } = await setting.node(
    first,
    ({ observation }) => observation !== undefined,
  );
  await setting.snapshot((names) => names.includes("program"));
  await first.stop();
  await attachment.close();
  const { incarnation } = observation!;
  assert(incarnation !== "");

  await using second = await setting.start();
  const restored = nodeOf(second)!;
  assertEquals(restored.observation!.incarnation, incarnation);
  const began = countersBegan(restored)!;
  assert(Math.abs(began - observation!.began!) < 1, "when it began");
  assertEquals([reportOf(second)!.state, reportOf(second)!.since], [
    "gone",
    null,
  ]);
  // Another program with the node's key.
  await using _again = setting.attach(second);
  const fresh = await setting.node(
    second,
    ({ observation }) => observation!.sequence > 0,
  );
  assertEquals(fresh.key, key);
  assert(fresh.observation!.incarnation !== incarnation);
  assert(countersBegan(fresh)! > began);
  assertEquals(reportOf(second)!.state, "attached");
});

Deno.test("a node that is retired is in the list, and nowhere else, also after a restart", async () => {
  await using setting = new Setting();
  await using log = await captureLog();
  const first = await setting.start();
  const attachment = setting.attach(first);
  await setting.snapshot((names) => names.includes("program"));
  const [{ key }] = await first.retire("prog*");
  await setting.snapshot((names) => !names.includes("program"));
  const report = reportOf(first)!;
  assertEquals([report.key, report.state], [key, "retired"]);
  assert(Math.abs(report.since! - Date.now()) < 60_000);
  await first.stop();
  await attachment.close();

  log.lines.length = 0;
  await using second = await setting.start();
  assertEquals(nodeOf(second), undefined);
  assertEquals(reportOf(second), {
    ...report,
    lastSuccess: null,
    lastError: null,
    usedMs: 0,
  });
  await using _again = setting.attach(second);
  await setting.node(second, ({ life }) => life.attachedAt !== undefined);
  const { rounds } = second.status();
  while (second.status().rounds < rounds + 2) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assertEquals(nodeOf(second)!.observation, undefined);
  assertEquals(
    log.lines.filter((line) => line.includes("program")).map((line) =>
      line.replaceAll(key, "KEY").replace(/127.0.0.1:\d+/, "ADDRESS")
    ),
    [
      "warning program (KEY) attached from ADDRESS, but is retired: it is not polled; to bring it back: gatherer retire KEY --undo",
    ],
  );
  assertEquals(await second.retire(key, true), [
    { cluster: "foolscap", key, nickname: "program" },
  ]);
  await setting.snapshot((names) => names.includes("program"));
  assertEquals(reportOf(second)!.state, "attached");
});
