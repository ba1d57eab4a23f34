import { assertEquals, assertRejects } from "@std/assert";
import { Plugins } from "../../lib/gatherer/plugins.ts";
import type { Plugin } from "../../lib/plugins/plugin.ts";
import { type Cluster, Tree } from "../../lib/tree/tree.ts";
import { settle } from "../fake_clock.ts";
import { captureLog } from "../log_capture.ts";

/** A plugin whose notifications a test finishes one by one. */
class SlowPlugin implements Plugin {
  readonly calls: { cluster: Cluster; done: PromiseWithResolvers<void> }[] = [];
  readonly events: string[] = [];

  constructor(readonly id = "slow") {}

  start() {
    this.events.push("start");
  }

  notify(cluster: Cluster): Promise<void> {
    this.events.push(`notify ${cluster.name}`);
    const done = Promise.withResolvers<void>();
    this.calls.push({ cluster, done });
    return done.promise;
  }

  stop() {
    this.events.push("stop");
  }
}

Deno.test("while a plugin works only the newest moment of each cluster waits", async () => {
  const tree = new Tree();
  const plugin = new SlowPlugin();
  const plugins = new Plugins(tree, [plugin]);
  await plugins.start();
  for (const key of ["1", "2", "3"]) {
    tree.update("a", key, {});
    tree.commit("a");
    tree.commit("b");
  }
  assertEquals(
    plugin.calls.map(({ cluster }) => [cluster.name, cluster.hosts.size]),
    [["a", 1]],
  );
  for (let i = 0; i < 3; i++) {
    plugin.calls[i].done.resolve();
    await settle();
  }
  assertEquals(
    plugin.calls.map(({ cluster }) => [cluster.name, cluster.hosts.size]),
    [
      ["a", 1],
      ["b", 0],
      ["a", 3],
    ],
  );
  await plugins.stop();
  assertEquals(plugin.events, [
    "start",
    "notify a",
    "notify b",
    "notify a",
    "stop",
  ]);
});

Deno.test("a plugin cannot reach the tree through what it is told", async () => {
  const tree = new Tree();
  const plugin = new SlowPlugin();
  const plugins = new Plugins(tree, [plugin]);
  await plugins.start();
  tree.update("a", "k", {});
  tree.commit("a");
  (plugin.calls[0].cluster.hosts as Map<string, unknown>).clear();
  assertEquals(tree.cluster("a").hosts.size, 1);
  plugin.calls[0].done.resolve();
  await plugins.stop();
});

Deno.test("a plugin that fails is logged once, goes on, and does not disturb others", async () => {
  await using log = await captureLog();
  const tree = new Tree();
  let fail = true;
  let told = 0;
  const plugins = new Plugins(tree, [
    {
      id: "bad",
      notify() {
        if (fail) throw new Error("disk full");
      },
    },
    { id: "good", notify: () => void told++ },
  ]);
  await plugins.start();
  for (let i = 0; i < 4; i++) {
    fail = i < 3;
    tree.commit("a");
    await plugins.flush();
  }
  await plugins.stop();
  assertEquals(log.lines, [
    "error the plugin bad failed: disk full",
    "info the plugin bad works again",
  ]);
  assertEquals(told, 4);
});

Deno.test("a plugin that does not start stops those before it and keeps nothing running", async () => {
  const tree = new Tree();
  const first = new SlowPlugin("first");
  const plugins = new Plugins(tree, [first, {
    id: "second",
    start: () => Promise.reject(new Error("no such directory")),
    notify() {},
  }]);
  await assertRejects(() => plugins.start(), Error, "no such directory");
  tree.commit("a");
  assertEquals(first.events, ["start", "stop"]);
});

Deno.test("plugins hear of the end before they are waited for, and one that stops badly disturbs nobody", async () => {
  await using log = await captureLog();
  const tree = new Tree();
  const events: string[] = [];
  const slow = new SlowPlugin();
  const plugins = new Plugins(tree, [
    { id: "first", notify() {}, stop: () => void events.push("first stops") },
    {
      id: "bad",
      notify() {},
      stop: () => Promise.reject(new Error("cannot")),
    },
    Object.assign(slow, {
      stopping() {
        slow.events.push("stopping");
        slow.calls[0].done.resolve();
      },
    }),
  ]);
  await plugins.start();
  tree.commit("a");
  await plugins.stop();
  assertEquals(slow.events, ["start", "notify a", "stopping", "stop"]);
  assertEquals(events, ["first stops"]);
  assertEquals(log.lines, ["error the plugin bad did not stop well: cannot"]);
});

Deno.test("when a plugin does not start, one that then stops badly does not hide why", async () => {
  await using log = await captureLog();
  const events: string[] = [];
  const plugins = new Plugins(new Tree(), [
    { id: "first", notify() {}, stop: () => void events.push("first stops") },
    {
      id: "bad",
      notify() {},
      stop: () => Promise.reject(new Error("cannot")),
    },
    {
      id: "last",
      start: () => Promise.reject(new Error("no such directory")),
      notify() {},
    },
  ]);
  await assertRejects(() => plugins.start(), Error, "no such directory");
  assertEquals(events, ["first stops"]);
  assertEquals(log.lines, ["error the plugin bad did not stop well: cannot"]);
});

Deno.test("a summary is made once for all plugins, in steps, and not for a moment that is past", async () => {
  const tree = new Tree();
  const plugin = new SlowPlugin();
  const seen: (number | undefined)[] = [];
  const summarized: number[] = [];
  const plugins = new Plugins(
    tree,
    [plugin, {
      id: "other",
      notify: ({ summary }) => void seen.push(summary?.up),
    }],
    function* ({ hosts }) {
      summarized.push(hosts.size);
      yield;
      return { up: hosts.size, down: 0, metrics: new Map() };
    },
  );
  await plugins.start();
  for (const key of ["1", "2", "3"]) {
    tree.update("a", key, {});
    tree.commit("a");
  }
  while (plugin.calls.length < 1) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  plugin.calls[0].done.resolve();
  while (plugin.calls.length < 2) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  plugin.calls[1].done.resolve();
  await plugins.stop();
  assertEquals(summarized, [1, 3]);
  assertEquals(seen, [1, 3]);
  assertEquals(plugin.calls.map(({ cluster }) => cluster.summary?.up), [1, 3]);
});
