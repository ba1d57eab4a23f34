import { assertEquals } from "@std/assert";
import { StateWatch } from "../../lib/gatherer/state_watch.ts";
import {
  type PolledNode,
  Poller,
  type Report,
} from "../../lib/sources/poller.ts";
import { Tree } from "../../lib/tree/tree.ts";
import { gmondHost, source } from "../ganglia/captures.ts";
import { FakeClock, settle } from "../fake_clock.ts";
import { captureLog } from "../log_capture.ts";

const MINUTE = 60_000;

/** A node that answers, fails or hangs, as it is told. */
class MoodyNode implements PolledNode {
  readonly nickname = "n\nx";
  readonly incarnation = "1";
  readonly address = "192.0.2.1:5";
  mood: "well" | "fails" | "hangs" = "well";

  constructor(readonly key: string) {}

  poll(): Promise<Report> {
    if (this.mood === "hangs") return new Promise(() => {});
    if (this.mood === "fails") return Promise.reject(new Error("boom"));
    return Promise.resolve({ counters: [], stats: [] });
  }
}

async function setUp() {
  const clock = new FakeClock();
  const tree = new Tree();
  const poller = new Poller({
    tree,
    clock,
    cluster: "foolscap",
    intervalMs: MINUTE,
    timeoutMs: 20_000,
  });
  const watch = new StateWatch({ tree, clock, limits: () => poller.limits });
  await poller.start();
  watch.start();
  return {
    clock,
    tree,
    poller,
    watch,
    [Symbol.dispose]() {
      poller.stop();
      watch.stop();
      assertEquals(clock.pending, 0);
    },
  };
}

Deno.test("each change of a node's state is one line, whoever says it", async () => {
  await using log = await captureLog();
  using context = await setUp();
  const { clock, poller } = context;
  const node = new MoodyNode("k");
  const f = async (ms: number, ...lines: string[]) => {
    await clock.advance(ms);
    assertEquals(log.lines.splice(0), lines);
  };
  poller.attach(node);
  await f(10 * MINUTE, "info n x (k) attached from 192.0.2.1:5");
  node.mood = "fails";
  await f(2 * MINUTE, "warning n x (k) does not answer: boom");
  node.mood = "well";
  await f(10 * MINUTE, "info n x (k) answers again");
  node.mood = "fails";
  await f(
    20 * MINUTE,
    "warning n x (k) does not answer: boom",
    "warning n x (k) is silent: boom",
  );
  node.mood = "well";
  await f(10 * MINUTE, "info n x (k) answers again");
  poller.detach(node, "lost");
  await f(20 * MINUTE, "info n x (k) detached: lost");
  poller.attach(node);
  await f(10 * MINUTE, "info n x (k) attached from 192.0.2.1:5");
});

Deno.test("a node whose polls never end is late, silent, and well again", async () => {
  await using log = await captureLog();
  using context = await setUp();
  const { clock, poller, tree } = context;
  const node = new MoodyNode("k");
  poller.attach(node);
  await clock.advance(1000);
  node.mood = "hangs";
  log.lines.length = 0;
  await clock.advance(90_000);
  assertEquals(log.lines.splice(0), [
    "warning n x (k) is late: no answer for 85 s",
  ]);
  await clock.advance(10 * MINUTE);
  assertEquals(log.lines.splice(0), [
    "warning n x (k) is silent: no answer for 300 s",
  ]);
  const { life } = tree.host("foolscap", "k")!;
  assertEquals(life.failure, undefined);
  tree.update("foolscap", "k", { life: { answeredAt: clock.monotonic() } });
  await clock.advance(10_000);
  assertEquals(log.lines.splice(0), ["info n x (k) is well again"]);
});

Deno.test("jumps of the wall clock change no state", async () => {
  await using log = await captureLog();
  using context = await setUp();
  const { clock, poller } = context;
  poller.attach(new MoodyNode("k"));
  await clock.advance(10_000);
  log.lines.length = 0;
  for (const ms of [86_400_000, -200_000_000, 3600_000]) {
    clock.jump(ms);
    await clock.advance(5 * MINUTE);
  }
  assertEquals(log.lines, []);
});

Deno.test("of a gmond's hosts those are told of that are silent, but not for the failure of their source", async () => {
  await using log = await captureLog();
  using context = await setUp();
  const { clock, tree } = context;
  const answer = (tn: Record<string, number>, failure?: string) => {
    const now = clock.monotonic();
    const hosts = Object.entries(tn).map(([name, tn]) => {
      const host = gmondHost(name, [], { tn, tmax: 20 });
      const answeredAt = now - tn * 1000;
      const life = { ...host.life, attachedAt: -1e6, answeredAt };
      return [host.key, { ...host, life }] as const;
    });
    tree.replace({
      name: "c",
      hosts: new Map(hosts),
      source: source({ answeredAt: now, failure }),
    });
    return settle();
  };
  const f = async (tn: Record<string, number>, ...lines: string[]) => {
    await answer(tn);
    await clock.advance(5000);
    assertEquals(log.lines.splice(0), lines);
  };
  await f({ a: 5, b: 5 });
  // Late is nothing to speak of: they report at a leisure of their own.
  await f({ a: 60, b: 5 });
  await f({ a: 80, b: 5 }, "warning a (c/a) is silent: no answer for 85 s");
  await f({ a: 95, b: 5 });
  await f({ a: 60, b: 5 });
  await f({ a: 1, b: 5 }, "info a (c/a) is well again");
  // The source has told of its failure itself; hosts that grow old by it are not news.
  tree.setSource("c", source({ answeredAt: clock.monotonic(), failure: "x" }));
  await clock.advance(10 * MINUTE);
  await f({ a: 1, b: 5 });
  assertEquals(log.lines, []);
  // Forgotten for good: nothing is left to say.
  await f({ a: 90, b: 5 }, "warning a (c/a) is silent: no answer for 95 s");
  await f({ b: 5 });
});
