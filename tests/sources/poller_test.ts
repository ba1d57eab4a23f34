import { assertEquals } from "@std/assert";
import {
  type PolledNode,
  Poller,
  type Report,
} from "../../lib/sources/poller.ts";
import { Tree } from "../../lib/tree/tree.ts";
import { FakeClock, settle } from "../fake_clock.ts";
import { captureLog } from "../log_capture.ts";

/** A node whose answers a test gives one by one. */
class ScriptedNode implements PolledNode {
  readonly incarnation = "1234";
  readonly address = "192.0.2.1:5";
  readonly polls: PromiseWithResolvers<Report>[] = [];

  constructor(readonly key: string, readonly nickname = key) {}

  poll(): Promise<Report> {
    const poll = Promise.withResolvers<Report>();
    this.polls.push(poll);
    return poll.promise;
  }

  /** Answers the newest poll. */
  answer(value = 1n) {
    this.polls.at(-1)!.resolve({
      counters: [["c", value]],
      stats: [["s", null]],
    });
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
