import { assertEquals } from "@std/assert";
import { nodeReports } from "../../lib/gatherer/node_reports.ts";
import { restoreNode } from "../../lib/gatherer/restore.ts";
import { statusOfHost } from "../../lib/ganglia/host_state.ts";
import { pollLimits } from "../../lib/tree/state.ts";
import { Tree } from "../../lib/tree/tree.ts";
import { gmondHost, source } from "../ganglia/captures.ts";
import { FakeClock } from "../fake_clock.ts";
import { node } from "../snapshot/nodes.ts";

const limits = pollLimits(60_000, 20_000);

Deno.test("nodeReports() tells of every node, whoever brought it, with times of the wall clock", () => {
  const clock = new FakeClock(1_000_000_000);
  const tree = new Tree();
  tree.update("foolscap", "good", {
    nickname: "n",
    life: { attachedAt: -5000, answeredAt: -2000 },
  });
  tree.update("foolscap", "bad", {
    nickname: "m",
    life: {
      attachedAt: -5000,
      answeredAt: -4000,
      failure: "boom",
      failedAt: -1000,
    },
  });
  tree.retire("foolscap", "old", "retired on 2001-09-09");
  tree.update("foolscap", "old", { nickname: "o" });
  const host = gmondHost("h", [], { tn: 3, tmax: 20 });
  tree.replace({
    name: "c",
    hosts: new Map([[host.key, {
      ...host,
      life: { ...host.life, attachedAt: -9000, answeredAt: -3000 },
    }]]),
    source: source({ failure: "refused" }),
  });
  const doing = { lastError: { at: 5, reason: "boom" }, usedMs: 7 };
  const reports = nodeReports({
    tree,
    clock,
    limits,
    doingOf: (key) => key === "bad" ? doing : { lastError: null, usedMs: 3 },
    retired: [
      { cluster: "foolscap", key: "old", nickname: "o", since: 12 },
      { cluster: "foolscap", key: "older", nickname: "x", since: 11 },
    ],
  });
  const quiet = { lastError: null, usedMs: 3, failing: false };
  assertEquals(reports, [
    {
      cluster: "foolscap",
      key: "good",
      nickname: "n",
      state: "attached",
      reason: "answers",
      since: 999_995_000,
      lastSuccess: 999_998_000,
      ...quiet,
    },
    {
      cluster: "foolscap",
      key: "bad",
      nickname: "m",
      state: "late",
      reason: "boom",
      since: 999_999_000,
      lastSuccess: 999_996_000,
      failing: true,
      ...doing,
    },
    {
      cluster: "foolscap",
      key: "old",
      nickname: "o",
      state: "retired",
      reason: "retired on 2001-09-09",
      since: 12,
      lastSuccess: null,
      ...quiet,
    },
    {
      cluster: "c",
      key: "c/h",
      nickname: "h",
      state: "late",
      reason: "its source test fails: refused",
      since: null,
      lastSuccess: 999_997_000,
      lastError: null,
      usedMs: 0,
      failing: true,
    },
    {
      cluster: "foolscap",
      key: "older",
      nickname: "x",
      state: "retired",
      reason: "retired on 1970-01-01",
      since: 11,
      lastSuccess: null,
      lastError: null,
      usedMs: 0,
      failing: false,
    },
  ]);
});

Deno.test("a node of a snapshot has its age, its incarnation and its beginning; clocks that jump later do not touch it", () => {
  const clock = new FakeClock(2_000_000);
  const tree = new Tree();
  restoreNode(
    tree,
    "c",
    {
      ...node("k", { counters: { a: 1n }, stats: { b: null } }, 1940),
      incarnation: "i",
      began: 1000.5,
    },
    clock,
  );
  restoreNode(tree, "c", node("of the future", {}, 5000), clock);
  restoreNode(tree, "c", node("of a time not known", {}, NaN), clock);
  const { observation, life, nickname } = tree.host("c", "k")!;
  assertEquals(nickname, "nick of k");
  assertEquals(observation, {
    incarnation: "i",
    began: 1_000_500,
    sequence: 0,
    measuredAt: 1_940_000,
    receivedAt: 1_940_000,
    metrics: [
      { name: "a", value: 1n, slope: "positive" },
      { name: "b", value: null, slope: "both" },
    ],
  });
  assertEquals(life.answeredAt, -60_000);
  assertEquals(tree.host("c", "of the future")!.life.answeredAt, 0);
  const f = () =>
    [...tree.cluster("c").hosts.values()].map((host) => {
      const instant = { monotonic: clock.monotonic(), now: clock.now() };
      const status = statusOfHost(host, tree.cluster("c"), limits, instant);
      return [status.state, status.isPresent];
    });
  const expected = [["gone", true], ["gone", true], ["gone", false]];
  assertEquals(f(), expected);
  for (const ms of [86_400_000, -172_800_000]) {
    clock.jump(ms);
    assertEquals(f(), expected);
  }
});
