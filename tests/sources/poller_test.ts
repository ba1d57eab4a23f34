import { assertEquals } from "@std/assert";
import {
  type PolledNode,
  Poller,
  type Report,
} from "../../lib/sources/poller.ts";
import { statusOf } from "../../lib/tree/state.ts";
import { momentOf, Tree } from "../../lib/tree/tree.ts";
import type { Value } from "../../lib/value.ts";
import { FakeClock, settle } from "../fake_clock.ts";
import { captureLog } from "../log_capture.ts";

const EPOCH = 1_700_000_000_000;

/** A node whose answers a test gives one by one. */
class ScriptedNode implements PolledNode {
  incarnation = "1234";
  readonly address = "192.0.2.1:5";
  readonly polls: PromiseWithResolvers<Report>[] = [];

  constructor(readonly key: string, readonly nickname = key) {}

  poll(): Promise<Report> {
    const poll = Promise.withResolvers<Report>();
    this.polls.push(poll);
    return poll.promise;
  }

  /** Answers the newest poll. */
  answer(value = 1n, stats: [string, Value][] = [["s", null]]) {
    this.polls.at(-1)!.resolve({ counters: [["c", value]], stats });
    return settle();
  }

  fail(reason = "boom") {
    this.polls.at(-1)!.reject(new Error(reason));
    return settle();
  }
}

/** A node that answers at once. */
class QuickNode extends ScriptedNode {
  override poll(): Promise<Report> {
    const poll = super.poll();
    this.polls.at(-1)!.resolve({ counters: [["c", 7n]], stats: [] });
    return poll;
  }
}

function setUp(options: { intervalMs?: number; timeoutMs?: number } = {}) {
  const clock = new FakeClock();
  const tree = new Tree();
  const commits: number[] = [];
  tree.onCommit(() => commits.push(clock.monotonic()));
  const poller = new Poller({
    tree,
    clock,
    cluster: "c",
    intervalMs: 60_000,
    timeoutMs: 20_000,
    ...options,
  });
  return { clock, tree, commits, poller };
}

Deno.test("a node is polled at once when it attaches, and then every interval", async () => {
  const { clock, tree, poller } = setUp();
  await poller.start();
  const node = new ScriptedNode("k", "n");
  poller.attach(node);
  assertEquals(node.polls.length, 1);
  await node.answer(5n);
  const first = tree.host("c", "k")!.observation!;
  assertEquals(first, {
    incarnation: "1234",
    sequence: 1,
    began: 1_700_000_000_000,
    measuredAt: 1_700_000_000_000,
    receivedAt: 1_700_000_000_000,
    metrics: [
      { name: "c", value: 5n, slope: "positive" },
      { name: "s", value: null, slope: "both" },
    ],
  });
  await clock.advance(59_999);
  assertEquals(node.polls.length, 1);
  await clock.advance(1);
  assertEquals(node.polls.length, 2);
  await node.answer(6n);
  assertEquals(tree.host("c", "k")!.observation!.sequence, 2);
  poller.stop();
  assertEquals(clock.pending, 0);
});

Deno.test("a round is closed as soon as every node that was well has answered", async () => {
  const { clock, commits, poller } = setUp();
  const a = new ScriptedNode("a");
  const b = new ScriptedNode("b");
  await poller.start();
  poller.attach(a);
  poller.attach(b);
  await a.answer();
  await b.answer();
  commits.length = 0;
  await clock.advance(60_000);
  commits.length = 0;
  await a.answer();
  assertEquals(commits.length, 0);
  await b.answer();
  assertEquals(commits, [60_000]);
  poller.stop();
});

Deno.test("an unanswered node holds up the round it fails in, and no later one", async () => {
  const { clock, commits, poller } = setUp();
  const quick = new QuickNode("quick");
  const hung = new ScriptedNode("hung");
  await poller.start();
  poller.attach(quick);
  poller.attach(hung);
  await hung.answer();
  await clock.advance(60_000);
  commits.length = 0;
  await clock.advance(19_999);
  assertEquals(commits, []);
  await hung.fail("no answer to get_stats within 20 s");
  assertEquals(commits, [79_999]);
  commits.length = 0;
  await clock.advance(40_001);
  assertEquals(clock.monotonic(), 120_000);
  assertEquals([hung.polls.length, commits], [3, [120_000]]);
  poller.stop();
});

Deno.test("a round ends after the time-out even if a poll never settles", async () => {
  const { clock, commits, poller } = setUp();
  const hung = new ScriptedNode("hung");
  await poller.start();
  poller.attach(hung);
  await clock.advance(60_000);
  commits.length = 0;
  await clock.advance(20_000);
  assertEquals(commits, [80_000]);
  // It is not asked again while the first question is open.
  await clock.advance(120_000);
  assertEquals(hung.polls.length, 1);
  poller.stop();
});

Deno.test("first figures close a round early, at most six times an interval", async () => {
  const { clock, commits, poller } = setUp();
  await poller.start();
  assertEquals(commits, [0]);
  poller.attach(new QuickNode("a"));
  await clock.advance(5000);
  assertEquals(commits, [0]);
  await clock.advance(5000);
  assertEquals(commits, [0, 10_000]);
  await clock.advance(15_000);
  assertEquals(commits, [0, 10_000]);
  poller.attach(new QuickNode("b"));
  poller.attach(new QuickNode("c"));
  await clock.advance(999);
  assertEquals(commits, [0, 10_000]);
  await clock.advance(1);
  assertEquals(commits, [0, 10_000, 26_000]);
  poller.stop();
});

Deno.test("attach, first failure, recovery and detach are one log line each", async () => {
  await using log = await captureLog();
  const { clock, tree, poller } = setUp();
  await poller.start();
  const node = new ScriptedNode("tubid", "Zoë\n2000-01-01 forged");
  poller.attach(node);
  await node.fail("first");
  await clock.advance(60_000);
  await node.fail("second");
  await clock.advance(60_000);
  await node.answer();
  await clock.advance(60_000);
  await node.answer();
  assertEquals(tree.host("c", "tubid")!.life.failure, undefined);
  poller.detach(node, "connection lost");
  assertEquals(log.lines, [
    "info Zoë 2000-01-01 forged (tubid) attached from 192.0.2.1:5",
    "warning Zoë 2000-01-01 forged (tubid) does not answer: first",
    "info Zoë 2000-01-01 forged (tubid) answers again",
    "info Zoë 2000-01-01 forged (tubid) detached: connection lost",
  ]);
  assertEquals(poller.counts, {
    rounds: 5,
    polls: 4,
    failures: 2,
    attaches: 1,
    detaches: 1,
  });
  poller.stop();
});

Deno.test("a node that attaches again takes the place of the old one", async () => {
  const { tree, poller } = setUp();
  await poller.start();
  const old = new ScriptedNode("k", "old");
  const fresh = new ScriptedNode("k", "fresh");
  poller.attach(old);
  poller.attach(fresh);
  await fresh.answer(2n);
  await old.answer(1n);
  poller.detach(old, "the peer connected anew");
  assertEquals(poller.size, 1);
  const host = tree.host("c", "k")!;
  assertEquals(host.nickname, "fresh");
  assertEquals(host.observation!.metrics[0].value, 2n);
  poller.detach(fresh, "gone");
  assertEquals([poller.size, tree.host("c", "k")!.life.detachReason], [
    0,
    "gone",
  ]);
  assertEquals(tree.host("c", "k")!.observation!.metrics[0].value, 2n);
  poller.stop();
});

Deno.test("polls are bounded, but those that only wait do not keep others from being asked", async () => {
  const { clock, poller } = setUp();
  await poller.start();
  const hung = Array.from(
    { length: 128 },
    (_, i) => new ScriptedNode(`hung-${i}`),
  );
  const quick = Array.from(
    { length: 300 },
    (_, i) => new QuickNode(`quick-${i}`),
  );
  for (const node of [...hung, ...quick]) poller.attach(node);
  await settle();
  assertEquals(hung.every((node) => node.polls.length === 1), true);
  assertEquals(quick.some((node) => node.polls.length > 0), false);
  await clock.advance(1000);
  assertEquals(quick.every((node) => node.polls.length === 1), true);
  poller.stop();
});

Deno.test("figures that came after the last round are handed on by stop()", async () => {
  const { commits, poller } = setUp();
  await poller.start();
  const node = new ScriptedNode("k");
  poller.attach(node);
  poller.stop();
  assertEquals(commits, [0]);

  const other = setUp();
  await other.poller.start();
  other.poller.attach(node);
  await node.answer();
  other.poller.stop();
  other.poller.stop();
  assertEquals(other.commits, [0, 0]);
});

Deno.test("after stop() nothing is polled, committed or logged", async () => {
  await using log = await captureLog();
  const { clock, commits, poller } = setUp();
  await poller.start();
  const node = new ScriptedNode("k");
  poller.attach(node);
  poller.stop();
  log.lines.length = 0;
  commits.length = 0;
  await node.answer();
  poller.detach(node, "closing");
  poller.attach(new ScriptedNode("late"));
  await clock.advance(300_000);
  assertEquals([node.polls.length, commits, log.lines], [1, [], []]);
});

Deno.test("states follow from what the poller notes, and a clock that jumps moves none", async () => {
  const { clock, tree, poller } = setUp();
  await poller.start();
  const node = new ScriptedNode("k");
  const state = () => {
    const { life } = tree.host("c", "k")!;
    const { state, since } = statusOf(life, poller.limits, clock.monotonic());
    return [state, since];
  };
  const jumps = () => {
    const before = state();
    for (const ms of [86_400_000, -172_800_000, 86_400_000]) {
      clock.jump(ms);
      assertEquals(state(), before);
    }
    return before;
  };
  await clock.advance(500);
  poller.attach(node);
  await node.answer();
  assertEquals(jumps(), ["attached", 500]);
  await clock.advance(60_000);
  assertEquals(jumps(), ["attached", 500]);
  await node.fail();
  assertEquals(jumps(), ["late", 60_500]);
  await clock.advance(60_000);
  await node.fail();
  assertEquals(jumps(), ["late", 60_500]);
  await clock.advance(179_999);
  assertEquals(jumps(), ["late", 60_500]);
  await clock.advance(1);
  assertEquals(jumps(), ["silent", 300_500]);
  await clock.advance(59_500);
  await node.answer();
  assertEquals(jumps(), ["attached", clock.monotonic()]);
  await clock.advance(10_000);
  poller.detach(node, "lost");
  assertEquals(jumps(), ["gone", clock.monotonic()]);
  await clock.advance(1000);
  poller.attach(node);
  assertEquals(jumps(), ["attached", clock.monotonic()]);
  poller.stop();
});

Deno.test("an incarnation's beginning is told by its uptime, else by its first answer, and stays", async () => {
  const { clock, tree, poller } = setUp();
  await poller.start();
  const began = () => tree.host("c", "k")!.observation!.began! - EPOCH;
  const node = new ScriptedNode("k");
  poller.attach(node);
  await node.answer(1n, [["node.uptime", 30.5]]);
  assertEquals(began(), -30_500);
  await clock.advance(60_000);
  // A little off: what was known is kept.
  await node.answer(2n, [["node.uptime", 90.4]]);
  assertEquals(began(), -30_500);
  const other = new ScriptedNode("k");
  other.incarnation = "5678";
  await clock.advance(5000);
  poller.attach(other);
  await other.answer(1n);
  assertEquals(began(), 65_000);
  const unnamed = new ScriptedNode("k");
  unnamed.incarnation = "";
  poller.attach(unnamed);
  await unnamed.answer(1n, [["node.uptime", 5n]]);
  assertEquals(tree.host("c", "k")!.observation!.began, undefined);
  for (const uptime of [-1, NaN, Infinity, 1e300, null]) {
    const mad = new ScriptedNode("k");
    mad.incarnation = String(uptime);
    poller.attach(mad);
    await mad.answer(1n, [["node.uptime", uptime]]);
    assertEquals(began(), 65_000, String(uptime));
  }
  poller.stop();
});

Deno.test("a node that is retired may attach, is not polled, and is told of once", async () => {
  await using log = await captureLog();
  const { clock, tree, commits, poller } = setUp();
  await poller.start();
  const node = new ScriptedNode("k", "n");
  const again = new ScriptedNode("k", "n");
  poller.attach(node);
  await node.answer(5n);
  await clock.advance(60_000);
  tree.retire("c", "k", "retired on 2026-11-21");
  // An answer that was under way is not taken any more.
  await node.answer(6n);
  const value = () => tree.host("c", "k")!.observation!.metrics[0].value;
  assertEquals(value(), 5n);
  assertEquals(momentOf(tree.cluster("c")).hosts.size, 0);
  await clock.advance(120_000);
  assertEquals(node.polls.length, 2);
  log.lines.length = 0;
  for (let i = 0; i < 3; i++) {
    poller.detach(i === 0 ? node : again, "lost");
    poller.attach(again);
  }
  await clock.advance(120_000);
  assertEquals(again.polls.length, 0);
  assertEquals(log.lines, [
    "warning n (k) attached from 192.0.2.1:5, but is retired: it is not polled; to bring it back: gatherer retire k --undo",
  ]);
  tree.retire("c", "k", undefined);
  assertEquals(
    momentOf(tree.cluster("c")).hosts.get("k")!.observation!.sequence,
    0,
  );
  await clock.advance(60_000);
  commits.length = 0;
  await again.answer(7n);
  const { sequence, metrics } = tree.host("c", "k")!.observation!;
  assertEquals([sequence, metrics[0].value], [1, 7n]);
  assertEquals(commits.length, 1);
  poller.stop();
});

Deno.test("a change of pace holds from the next round on", async () => {
  const { clock, commits, poller } = setUp();
  const rounds: number[] = [];
  const end = poller.onRound(() => rounds.push(clock.monotonic()));
  await poller.start();
  assertEquals(rounds, [0]);
  await clock.advance(30_000);
  poller.configure({ intervalMs: 45_000, timeoutMs: 10_000 });
  assertEquals(poller.limits, { lateMs: 55_000, silentMs: 300_000 });
  await clock.advance(15_000);
  assertEquals(rounds, [0, 45_000]);
  // Shorter than what has gone by already.
  await clock.advance(30_000);
  poller.configure({ intervalMs: 20_000, timeoutMs: 10_000 });
  await clock.advance(0);
  assertEquals(rounds, [0, 45_000, 75_000]);
  // In the middle of a round it is the time-out of the next that changes.
  const hung = new ScriptedNode("k");
  poller.attach(hung);
  await clock.advance(20_000);
  poller.configure({ intervalMs: 100_000, timeoutMs: 1000 });
  await clock.advance(10_000);
  assertEquals(rounds.at(-1), 105_000);
  await clock.advance(89_999);
  assertEquals(rounds.at(-1), 105_000);
  await clock.advance(1 + 1000);
  assertEquals(rounds.at(-1), 196_000);
  end();
  await clock.advance(100_000);
  assertEquals(rounds.at(-1), 196_000);
  assertEquals(commits.at(-1)! > 196_000, true);
  poller.stop();
  assertEquals(clock.pending, 0);
});

Deno.test("status: polls, the last of each kind, and the time used, of all and of each", async () => {
  const { clock, poller } = setUp();
  await poller.start();
  assertEquals(poller.status, {
    name: "foolscap",
    kind: "foolscap",
    host: "",
    polls: 0,
    failures: 0,
    lastSuccess: null,
    lastError: null,
    failing: false,
    usedMs: 0,
  });
  const good = new ScriptedNode("good");
  const bad = new ScriptedNode("bad", "b\nd");
  poller.attach(good);
  poller.attach(bad);
  await clock.advance(200);
  await good.answer();
  await clock.advance(300);
  await bad.fail("boom");
  assertEquals(poller.status, {
    ...poller.status,
    polls: 2,
    failures: 1,
    lastSuccess: EPOCH + 200,
    lastError: { at: EPOCH + 500, reason: "b d (bad): boom" },
    failing: false,
    usedMs: 0,
  });
  await clock.advance(59_500);
  await clock.advance(2000);
  await good.answer();
  assertEquals(poller.status.usedMs, 2000);
  assertEquals(poller.doingOf("good"), { lastError: null, usedMs: 2200 });
  assertEquals(poller.doingOf("bad"), {
    lastError: { at: EPOCH + 500, reason: "boom" },
    usedMs: 500,
  });
  assertEquals(poller.doingOf("nobody"), { lastError: null, usedMs: 0 });
  poller.detach(good, "lost");
  assertEquals(poller.doingOf("good").usedMs, 2200);
  await clock.advance(79_999);
  assertEquals(poller.status.failing, false);
  await clock.advance(2);
  assertEquals(poller.status.failing, true);
  poller.stop();
});

Deno.test("of nodes that have gone only so many are remembered", async () => {
  const { poller } = setUp();
  await poller.start();
  const count = 10_050;
  for (let i = 0; i < count; i++) {
    const node = new ScriptedNode(`k${i}`);
    poller.attach(node);
    await node.fail("boom");
    poller.detach(node, "lost");
  }
  const known = (i: number) => poller.doingOf(`k${i}`).lastError !== null;
  assertEquals([0, 48, 60, count - 1].map(known), [false, false, true, true]);
  poller.stop();
});
