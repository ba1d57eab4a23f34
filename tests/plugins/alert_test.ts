import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { GONE_MS } from "../../lib/alert/decide.ts";
import { AlertPlugin } from "../../lib/plugins/alert.ts";
import { Tree } from "../../lib/tree/tree.ts";
import { alertConfig, clusterOf, type HostSketch } from "../alert/world.ts";
import { FakeClock } from "../fake_clock.ts";
import { runPlugins } from "../gatherer/plugin_runner.ts";
import { captureLog } from "../log_capture.ts";

/** The plugin under its runner, on a tree. */
async function world(section: string) {
  const log = await captureLog();
  const clock = new FakeClock();
  const tree = new Tree();
  const plugin = new AlertPlugin(alertConfig(section), clock);
  const runner = await runPlugins(tree, [plugin]);
  return {
    clock,
    tree,
    plugin,
    runner,
    /** What was logged since the last time. */
    said: () => log.lines.splice(0),
    /** A cluster was read, or not. */
    async read(
      hosts: Record<string, HostSketch>,
      source: Parameters<typeof clusterOf>[2] = {},
    ) {
      const cluster = clusterOf(clock, hosts, source);
      tree.replace({ ...cluster, hosts: new Map(cluster.hosts) });
      tree.commit("web");
      await runner.flush();
    },
    async [Symbol.asyncDispose]() {
      await runner.stop();
      await log[Symbol.asyncDispose]();
    },
  };
}

Deno.test("alerts are said once when they begin and once when they end", async () => {
  await using at = await world(`
    rule load
    metric load_one
    raise value > 8
    clear value < 6
    for 30s
    repeat 10m
    message the load is {value}`);
  for (let i = 0; i < 60; i++) {
    await at.read({ www1: { metrics: { load_one: 9 } }, www2: {} });
    await at.clock.advance(15_000);
  }
  await at.read({ www1: { metrics: { load_one: 7 } } });
  await at.read({ www1: { metrics: { load_one: 5 } } });
  await at.read({ www1: { metrics: { load_one: 5 } } });
  assertEquals(at.said(), [
    "warning load raised: web/www1 load_one = 9: the load is 9",
    "warning load still raised: web/www1 load_one = 9: the load is 9",
    "info load cleared: web/www1 load_one = 5: the load is 5",
  ]);
  assertEquals(at.plugin.counts, { raised: 1, cleared: 1, notices: 3 });
});

Deno.test("when all hosts of a dead source grow silent, that is one line", async () => {
  await using at = await world(`
    rule silent
    raise silent
    rule down
    source *
    raise down`);
  const hosts = Object.fromEntries(
    Array.from({ length: 500 }, (_, i) => [`h${i}`, {}]),
  );
  await at.read(hosts);
  const answeredAt = at.clock.monotonic();
  await at.clock.advance(15_000);
  await at.read(hosts, { answeredAt, failure: "connection refused" });
  assertEquals(at.said(), [
    "warning down raised: source web source heard of 15 s ago",
  ]);
  // The source says no more; the hosts' ages grow all the same.
  await at.clock.advance(75_000);
  assertEquals(at.said(), [
    "warning silent raised: web/h0 heard of 90 s ago; web/h1 heard of 90 s ago; " +
    "web/h2 heard of 90 s ago; and 497 more",
  ]);
  await at.read(hosts);
  assertEquals(at.said(), [
    "info down cleared: source web source heard of 0 s ago",
  ]);
  await at.clock.advance(60_000);
  const [line, ...others] = at.said();
  assertEquals([line.slice(0, 33), others], [
    "info silent cleared: web/h0 heard",
    [],
  ]);
});

Deno.test("a cluster that is taken out has its alerts cleared after a while", async () => {
  await using at = await world(`
    metricrule load "$val > 8" "too much"`);
  assertEquals(at.said(), [
    "warning alert: there is no toaddress: each metricrule is logged, no mail is sent",
  ]);
  await at.read({ www1: { metrics: { load: 9 } } });
  assertEquals(at.said(), ["warning load raised: web/www1 load = 9: too much"]);
  at.tree.remove("web");
  at.tree.commit("web");
  await at.runner.flush();
  await at.clock.advance(GONE_MS - 1000);
  assertEquals(at.said(), []);
  await at.clock.advance(16_000);
  assertEquals(at.said(), [
    "info load cleared, because it is no longer reported: web/www1 load = 9: too much",
  ]);
});

Deno.test("a grid whose gmetad is down is a source that is down", async () => {
  await using at = await world(`
    rule down
    source lab*
    raise down and age > 60`);
  const grid = {
    name: "grid",
    authority: "",
    localtime: 0,
    summary: { up: 0, down: 0, metrics: new Map() },
    source: {
      name: "labs",
      answeredAt: at.clock.monotonic(),
      interval: 15,
      failure: "timed out",
    },
  };
  at.tree.setGrid(grid);
  await at.clock.advance(60_000);
  assertEquals(at.said(), []);
  await at.clock.advance(15_000);
  assertEquals(at.said(), [
    "warning down raised: source labs heard of 75 s ago",
  ]);
});

Deno.test("at the end what waits is said, and actions that do not end are ended", async () => {
  const directory = await Deno.makeTempDir();
  try {
    await using at = await world(`
      command slow /bin/sh -c "echo x >> $0; exec sleep 1000" ${directory}/ran
      rule a
      metric load
      raise value > 8
      do slow log`);
    await at.read({ h: { metrics: { load: 9 } } });
    while (
      !await Deno.stat(join(directory, "ran")).then(() => true, () => false)
    ) await new Promise((resolve) => setTimeout(resolve, 2));
    await at.read({ h: { metrics: { load: 1 } } });
    at.said();
    const stopped = at.runner.stop();
    // The last notices are waited for with a timer, beside that of the command.
    while (at.clock.pending < 2) await new Promise((r) => setTimeout(r, 1));
    await at.clock.advance(1500);
    await stopped;
    assertEquals(at.said(), [
      "info a cleared: web/h load = 1",
      "warning the command slow was not done with its notices in time: " +
      "one is given up, and 1 that waited",
    ]);
    assertEquals(at.clock.pending, 0);
    assertEquals(await Deno.readTextFile(join(directory, "ran")), "x\n");
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("a program that is not there is complained about at the start", async () => {
  await using at = await world(`
    command gone /nonexistent/pager
    toaddress ops@example.org
    sendmailpath /nonexistent/sendmail
    rule a
    raise silent
    do gone mail`);
  assertEquals(at.said(), [
    "warning the program /nonexistent/pager of an action is not there",
    "warning the program /nonexistent/sendmail of an action is not there",
  ]);
});
