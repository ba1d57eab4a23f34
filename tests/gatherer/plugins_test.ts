import { assertEquals, assertRejects } from "@std/assert";
import type { Plugin } from "../../lib/plugins/plugin.ts";
import { type Cluster, Tree } from "../../lib/tree/tree.ts";
import { FakeClock, settle } from "../fake_clock.ts";
import { captureLog } from "../log_capture.ts";
import { runPlugins } from "./plugin_runner.ts";

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
  const plugins = await runPlugins(tree, [plugin]);
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
  const plugins = await runPlugins(tree, [plugin]);
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
  const plugins = await runPlugins(tree, [
    {
      id: "bad",
      notify() {
        if (fail) throw new Error("disk full");
      },
    },
    { id: "good", notify: () => void told++ },
  ]);
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

Deno.test("plugins hear of the end before they are waited for, and one that stops badly disturbs nobody", async () => {
  await using log = await captureLog();
  const tree = new Tree();
  const events: string[] = [];
  const slow = new SlowPlugin();
  const plugins = await runPlugins(tree, [
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
  tree.commit("a");
  await plugins.stop();
  assertEquals(slow.events, ["start", "notify a", "stopping", "stop"]);
  assertEquals(events, ["first stops"]);
  assertEquals(log.lines, ["error the plugin bad did not stop well: cannot"]);
});

Deno.test("a summary is made once for all plugins, in steps, and not for a moment that is past", async () => {
  const tree = new Tree();
  const plugin = new SlowPlugin();
  const seen: (number | undefined)[] = [];
  const summarized: number[] = [];
  const plugins = await runPlugins(
    tree,
    [Object.assign(plugin, { wantsSummary: true }), {
      id: "other",
      wantsSummary: true,
      notify: ({ summary }) => void seen.push(summary?.up),
    }, {
      id: "without",
      notify: ({ summary }) => assertEquals(summary, undefined),
    }],
    {
      *summarize({ hosts }) {
        summarized.push(hosts.size);
        yield;
        return { up: hosts.size, down: 0, metrics: new Map() };
      },
    },
  );
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

Deno.test("a plugin that comes later is told what the others know, and no more", async () => {
  const tree = new Tree();
  tree.update("not yet", "1", {});
  const plugins = await runPlugins(tree, []);
  for (const cluster of ["a", "b"]) {
    tree.update(cluster, "1", {});
    tree.commit(cluster);
  }
  const told: string[] = [];
  await plugins.add({
    id: "late",
    notify: ({ name, hosts }) => void told.push(`${name} ${hosts.size}`),
  });
  await plugins.flush();
  assertEquals(told, ["a 1", "b 1"]);
  tree.commit("a");
  await plugins.flush();
  assertEquals(told, ["a 1", "b 1", "a 1"]);
  await plugins.stop();
});

Deno.test("a plugin that does not start is not told anything; one that is removed no more", async () => {
  const tree = new Tree();
  const plugin = new SlowPlugin();
  const plugins = await runPlugins(tree, [plugin]);
  await assertRejects(
    () =>
      plugins.add({
        id: "bad",
        start: () => Promise.reject(new Error("no such directory")),
        notify: () => void plugin.events.push("bad"),
      }),
    Error,
    "no such directory",
  );
  tree.commit("a");
  const removed = plugins.remove(plugin);
  tree.commit("a");
  plugin.calls[0].done.resolve();
  await removed;
  assertEquals(plugin.events, ["start", "notify a", "stop"]);
  assertEquals(plugins.plugins, []);
  await plugins.stop();
});

Deno.test("the status tells how a plugin is and what it has taken", async () => {
  await using _log = await captureLog();
  const clock = new FakeClock(1000);
  const tree = new Tree();
  let fails = true;
  const plugins = await runPlugins(tree, [{
    id: "one",
    async notify() {
      await clock.advance(20);
      if (fails) throw new Error("disk full");
    },
  }], { clock });
  tree.commit("a");
  await plugins.flush();
  const lastError = { at: 1020, reason: "disk full" };
  const first = { id: "one", calls: 1, lastSuccess: null, lastError };
  assertEquals(plugins.status, [{ ...first, failing: true, usedMs: 20 }]);
  fails = false;
  tree.commit("a");
  await plugins.flush();
  assertEquals(plugins.status, [{
    ...first,
    calls: 2,
    lastSuccess: 1040,
    failing: false,
    usedMs: 40,
  }]);
  await plugins.stop();
});

Deno.test("what happens in the very moment when a plugin is done is told, too", async () => {
  // Promises settle in steps: a commit may come between any two of them.
  for (let steps = 0; steps < 20; steps++) {
    const tree = new Tree();
    const told: number[] = [];
    const plugins = await runPlugins(tree, [{
      id: "quick",
      notify: ({ hosts }) => void told.push(hosts.size),
    }]);
    tree.commit("a");
    for (let step = 0; step < steps; step++) await undefined;
    tree.update("a", "1", {});
    tree.commit("a");
    await settle();
    assertEquals(told.at(-1), 1, `after ${steps} steps`);
    await plugins.stop();
  }
});
