import { assertEquals } from "@std/assert";
import {
  type SnapshotPace,
  SnapshotPlugin,
} from "../../lib/plugins/snapshot.ts";
import { decodeSnapshot } from "../../lib/snapshot/codec.ts";
import { Tree } from "../../lib/tree/tree.ts";
import { FakeClock } from "../fake_clock.ts";

function observe(tree: Tree, cluster: string, key: string, value: bigint) {
  tree.update(cluster, key, {
    nickname: key,
    observation: {
      incarnation: "",
      sequence: 1,
      measuredAt: 1000,
      receivedAt: 1500,
      metrics: [
        { name: "c", value, slope: "positive" },
        { name: "c", value: 0.5, slope: "both" },
      ],
    },
  });
}

async function setUp(pace?: SnapshotPace) {
  const dir = await Deno.makeTempDir();
  const path = `${dir}/stats.msgpack`;
  return {
    plugin: new SnapshotPlugin(path, 0o644, pace),
    read: async () => decodeSnapshot(await Deno.readFile(path)),
    [Symbol.asyncDispose]: () => Deno.remove(dir, { recursive: true }),
  };
}

Deno.test("counters and stats of one name are kept apart, with the time of receipt", async () => {
  await using context = await setUp();
  const tree = new Tree();
  observe(tree, "a", "k", 7n);
  await context.plugin.notify(tree.cluster("a"));
  assertEquals(await context.read(), [{
    key: "k",
    nickname: "k",
    timestamp: 1.5,
    counters: new Map([["c", 7n]]),
    stats: new Map([["c", 0.5]]),
  }]);
});

Deno.test("nodes keep their order of arrival over all clusters; those that left the tree go", async () => {
  await using context = await setUp();
  const tree = new Tree();
  observe(tree, "a", "a1", 1n);
  await context.plugin.notify(tree.cluster("a"));
  observe(tree, "b", "b1", 1n);
  await context.plugin.notify(tree.cluster("b"));
  observe(tree, "a", "a2", 1n);
  observe(tree, "a", "a1", 2n);
  await context.plugin.notify(tree.cluster("a"));
  assertEquals(
    (await context.read()).map((node) => [node.key, node.counters.get("c")]),
    [
      ["a1", 2n],
      ["b1", 1n],
      ["a2", 1n],
    ],
  );
  await context.plugin.notify({ name: "a", hosts: new Map() });
  assertEquals((await context.read()).map(({ key }) => key), ["b1"]);
});

Deno.test("a node without figures is not in the snapshot", async () => {
  await using context = await setUp();
  const tree = new Tree();
  tree.update("a", "k", { nickname: "new" });
  await context.plugin.notify(tree.cluster("a"));
  assertEquals(await context.read(), []);
});

Deno.test("each transaction is one write of the snapshot's size", async () => {
  await using context = await setUp();
  const tree = new Tree();
  for (let i = 0; i < 1200; i++) observe(tree, "a", `k${i}`, BigInt(i));
  await context.plugin.notify(tree.cluster("a"));
  const { writes, bytes } = context.plugin.counts;
  assertEquals([writes, (await context.read()).length], [1, 1200]);
  await context.plugin.notify(tree.cluster("a"));
  assertEquals(context.plugin.counts, { writes: 2, bytes: bytes * 2 });
});

Deno.test("what comes between the rounds is written with them, a new node sooner, and all of it at the end", async () => {
  const clock = new FakeClock();
  await using context = await setUp({
    clock,
    cluster: "rounds",
    intervalMs: 60_000,
  });
  const { plugin } = context;
  const tree = new Tree();
  const notify = async (cluster: string, key: string, value: bigint) => {
    observe(tree, cluster, key, value);
    await plugin.notify(tree.cluster(cluster));
    return plugin.counts.writes;
  };
  assertEquals(await notify("rounds", "a", 1n), 1);
  await clock.advance(5000);
  assertEquals(await notify("web", "b", 1n), 1);
  await clock.advance(5000);
  // Each round is written, with what else has come.
  assertEquals(await notify("rounds", "a", 2n), 2);
  assertEquals((await context.read()).length, 2);
  await clock.advance(9_999);
  assertEquals(await notify("web", "c", 1n), 2);
  await clock.advance(1);
  assertEquals(await notify("web", "d", 1n), 3);
  assertEquals((await context.read()).length, 4);
  await clock.advance(59_999);
  assertEquals(await notify("web", "d", 2n), 3);
  // Without rounds it is written as often as with them.
  await clock.advance(1);
  assertEquals(await notify("web", "d", 3n), 4);
  assertEquals(await notify("web", "d", 4n), 4);
  await plugin.stop();
  assertEquals((await context.read()).at(-1)!.counters.get("c"), 4n);
});
