import { assert, assertEquals } from "@std/assert";
import { restoreNode } from "../../lib/gatherer/restore.ts";
import {
  STATISTICS_CLUSTER,
  statisticsKey,
  StatisticsSource,
  type StatisticsSourceOptions,
} from "../../lib/sources/statistics.ts";
import { pollLimits, statusOf } from "../../lib/tree/state.ts";
import { Tree } from "../../lib/tree/tree.ts";
import { FakeClock } from "../fake_clock.ts";
import { captureLog } from "../log_capture.ts";
import {
  answers,
  type Behaviour,
  FakeNode,
  floods,
  says,
  saysAndStalls,
  until,
} from "../tahoe_statistics/fake_node.ts";
import { figuresOf, page, readCapture } from "../tahoe_statistics/pages.ts";

const INTERVAL_MS = 60_000;
const LIMITS = pollLimits(INTERVAL_MS, 20_000);

interface SetUp extends Partial<StatisticsSourceOptions> {
  readonly url: string;
}

/** A source whose polls come exactly on time, and the tree that it fills. */
function setUp(options: SetUp) {
  const clock = options.clock as FakeClock ?? new FakeClock();
  const tree = options.tree ?? new Tree("g");
  const told = { commits: 0, polls: 0 };
  tree.onCommit(({ name }) => {
    assertEquals(name, STATISTICS_CLUSTER);
    told.commits++;
  });
  const source = new StatisticsSource({
    name: "n",
    intervalMs: INTERVAL_MS,
    timeoutMs: 20_000,
    random: () => 0.5,
    onPoll: () => told.polls++,
    ...options,
    clock,
    tree,
  });
  const host = () => tree.host(STATISTICS_CLUSTER, statisticsKey("n"))!;
  return {
    clock,
    tree,
    source,
    told,
    host,
    state() {
      const { state, reason, isPresent } = statusOf(
        host().life,
        LIMITS,
        clock.monotonic(),
      );
      return [state, reason, isPresent] as const;
    },
    figures() {
      const figures = { counters: [], stats: [] } as ReturnType<
        typeof figuresOf
      >;
      for (const { name, value, slope } of host().observation!.metrics) {
        figures[slope === "positive" ? "counters" : "stats"].push([
          name,
          value,
        ]);
      }
      return figures;
    },
  };
}

type Context = ReturnType<typeof setUp>;

/** Starts it, and waits for the end of its first poll. */
async function start({ clock, source }: Context): Promise<void> {
  const first = source.start();
  await clock.advance(500);
  await first;
}

/** Lets the next poll begin, and waits for its end. */
async function poll({ clock, source, told }: Context): Promise<void> {
  const { polls } = told;
  await clock.advance(INTERVAL_MS - clock.monotonic() % INTERVAL_MS);
  await until(() => told.polls > polls, `poll ${source.status.polls + 1}`);
}

/** A page of a process that has run for so many seconds. */
function running(uptime: number, more = "", counters = ""): Behaviour {
  return answers(page(`"node.uptime": ${uptime}${more}`, counters));
}

Deno.test("StatisticsSource brings a captured page into the tree exactly", async () => {
  await using log = await captureLog();
  const bytes = readCapture("storage-1-3-busy");
  await using node = FakeNode.listen([answers(bytes)]);
  const context = setUp({ url: node.url });
  const { source, clock, told, host } = context;
  const beganAt = clock.now() + 500;
  await start(context);
  assertEquals(context.figures(), figuresOf(bytes));
  const { observation, key, nickname, detail } = host();
  assertEquals([key, nickname, detail], ["statistics/n", "n", undefined]);
  const { measuredAt, receivedAt, sequence, incarnation, began } = observation!;
  assertEquals([measuredAt, receivedAt, sequence], [beganAt, beganAt, 1]);
  assertEquals(began, beganAt - 220970.58749198914);
  assert(/^[0-9a-f]{8}-\d{13}$/.test(incarnation), incarnation);
  assertEquals(context.state(), ["attached", "answers", true]);
  assertEquals(source.status, {
    name: "n",
    kind: "statistics",
    host: `127.0.0.1:${node.port}`,
    polls: 1,
    failures: 0,
    lastSuccess: beganAt,
    lastError: null,
    failing: false,
    usedMs: 0,
  });
  assertEquals(told, { commits: 1, polls: 1 });
  assertEquals(log.lines, [
    `info n at 127.0.0.1:${node.port} answers`,
  ]);
  await source.stop();
  assertEquals(clock.pending, 0);
});

Deno.test("StatisticsSource follows a node from page to page", async () => {
  const names = [
    "storage-1-0-started",
    "storage-1-1-some-traffic",
    "storage-1-2-minutes-later",
    "storage-1-3-busy",
    "storage-1-4-six-minutes-later",
    "storage-1-5-a-quarter-hour-later",
  ];
  await using node = FakeNode.listen(
    names.map((name) => answers(readCapture(name))),
  );
  const context = setUp({ url: node.url });
  await start(context);
  for (const [i, name] of names.entries()) {
    if (i > 0) await poll(context);
    assertEquals(context.figures(), figuresOf(readCapture(name)));
    assertEquals(context.host().observation!.sequence, i + 1);
  }
  assertEquals(context.told, { commits: 6, polls: 6 });
  await context.source.stop();
});

const faults: [what: string, behaviour: Behaviour, reason: string][] = [
  [
    "half an answer",
    says(`HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"counters": {`),
    "its answer was cut off after 14 bytes",
  ],
  [
    "half a page",
    answers('{"counters": {}, "stats": {"node.uptime"'),
    "its answer is no statistics: it ends in the middle of the object (line 1, column 41)",
  ],
  [
    "a list",
    answers("[1, 2]"),
    "its answer is no statistics: expected an object (line 1, column 1)",
  ],
  [
    "null",
    answers("null"),
    "its answer is no statistics: expected an object (line 1, column 1)",
  ],
  [
    "NaN",
    answers("NaN"),
    "its answer is no statistics: expected an object (line 1, column 1)",
  ],
  [
    "a group that is a list",
    answers('{"counters": [], "stats": {}}'),
    'its answer is no statistics: "counters" is no object (line 1, column 14)',
  ],
  [
    "the page for people",
    answers("<!DOCTYPE html><html>"),
    "its answer is no statistics: expected an object (line 1, column 1)",
  ],
  [
    "a redirect",
    answers("", "302 Found\r\nLocation: http://192.0.2.1/"),
    "it answered 302 Found, a redirect to http://192.0.2.1/, which is not followed",
  ],
  [
    "an error",
    answers("", "503 Service Unavailable"),
    "it answered 503 Service Unavailable",
  ],
  ["a gigabyte", floods(), "its answer is larger than 1048576 bytes"],
];

for (const [what, behaviour, reason] of faults) {
  Deno.test(`StatisticsSource: a node that answers with ${what} keeps its figures, and is late`, async () => {
    await using log = await captureLog();
    await using node = FakeNode.listen([
      running(100),
      behaviour,
      behaviour,
      running(280),
    ]);
    const context = setUp({ url: node.url });
    const { clock, source, told } = context;
    await start(context);
    const { observation } = context.host();
    await poll(context);
    assertEquals(context.host().observation, observation);
    assertEquals(context.state(), ["late", reason, true]);
    const at = clock.now();
    const { failures, failing, lastError, lastSuccess } = source.status;
    assertEquals(
      [failures, failing, lastError, lastSuccess],
      [1, true, { at, reason }, observation!.receivedAt],
    );
    await poll(context);
    assertEquals(source.status.failures, 2);
    await poll(context);
    assertEquals(context.state(), ["attached", "answers", true]);
    assertEquals(context.host().observation!.sequence, 2);
    assertEquals(source.status.failing, false);
    assertEquals(source.status.lastError?.reason, reason);
    assertEquals(told, { commits: 4, polls: 4 });
    const who = `n at 127.0.0.1:${node.port}`;
    assertEquals(log.lines, [
      `info ${who} answers`,
      `warning ${who} does not answer: ${reason}`,
      `info ${who} answers again`,
    ]);
    await source.stop();
  });
}

Deno.test("StatisticsSource leaves out what is no figure, and says so once", async () => {
  await using log = await captureLog();
  const odd = ', "a": "x", "b": [1], "c": NaN, "d": null, "e": true, "f": 7';
  await using node = FakeNode.listen([
    running(100, odd),
    running(160, odd),
    running(220),
  ]);
  const context = setUp({ url: node.url });
  await start(context);
  assertEquals(context.figures().stats, [
    ["node.uptime", 100n],
    ["c", null],
    ["d", null],
    ["e", 1n],
    ["f", 7n],
  ]);
  assertEquals(context.state()[0], "attached");
  await poll(context);
  await poll(context);
  const who = `n at 127.0.0.1:${node.port}`;
  assertEquals(log.lines, [
    `info ${who} answers`,
    `warning ${who} says what is no figure, and is left out: "a" is no number, "b" is no number`,
    `info ${who} says nothing but figures again`,
  ]);
  await context.source.stop();
});

Deno.test("StatisticsSource: a node that stalls does not hold up the rhythm", async () => {
  await using node = FakeNode.listen([
    saysAndStalls(""),
    saysAndStalls("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"),
    running(100),
  ]);
  const context = setUp({ url: node.url });
  const { clock, source, told } = context;
  source.start();
  await clock.advance(500);
  await until(() => node.requests.length === 1, "a request");
  await clock.advance(10_000);
  await until(() => told.polls === 1, "the end of the first poll");
  assertEquals(context.state(), ["late", "no answer within 10 s", false]);
  await clock.advance(INTERVAL_MS - clock.monotonic());
  await until(() => node.requests.length === 2 && node.sent > 0, "a portion");
  await new Promise((resolve) => setTimeout(resolve, 20));
  await clock.advance(10_000);
  await until(() => told.polls === 2, "the end of the second poll");
  assertEquals(context.state()[1], "nothing came for 10 s after 1 bytes");
  await poll(context);
  assertEquals(clock.monotonic(), 2 * INTERVAL_MS);
  assertEquals(context.state(), ["attached", "answers", true]);
  await source.stop();
});

Deno.test("StatisticsSource: a node that is down is late, then silent, and comes back", async () => {
  let node = FakeNode.listen([running(100)]);
  const { port, url } = node;
  const context = setUp({ url });
  await start(context);
  await node[Symbol.asyncDispose]();
  const states: unknown[] = [];
  for (let i = 0; i < 6; i++) {
    await poll(context);
    states.push(context.state());
  }
  const late = ["late", "connection refused", true];
  const silent = ["silent", "connection refused", false];
  assertEquals(states, [late, late, late, late, late, silent]);
  assertEquals(context.host().observation!.sequence, 1);
  node = FakeNode.listen([running(520)], port);
  await poll(context);
  assertEquals(context.state(), ["attached", "answers", true]);
  assertEquals(context.host().observation!.sequence, 2);
  await context.source.stop();
  await node[Symbol.asyncDispose]();
});

Deno.test("StatisticsSource: a restart of the node is a new incarnation", async () => {
  await using log = await captureLog();
  await using node = FakeNode.listen([
    running(500, "", '"a": 9007199254740993'),
    running(560, "", '"a": 9007199254740994'),
    // It has overtaken the counter since.
    running(30, "", '"a": 9007199254740995'),
    running(90, "", '"a": 9007199254740995'),
    // Another program, by its counter alone.
    running(150, "", '"a": 1'),
  ]);
  const context = setUp({ url: node.url });
  const seen: [incarnation: number, ago: number, counter: unknown][] = [];
  const known: string[] = [];
  await start(context);
  for (let i = 0; i < 5; i++) {
    if (i > 0) await poll(context);
    const { incarnation, began, measuredAt, metrics } = context.host()
      .observation!;
    if (!known.includes(incarnation)) known.push(incarnation);
    const ago = (measuredAt - began!) / 1000;
    seen.push([known.indexOf(incarnation), ago, metrics[0].value]);
  }
  assertEquals(seen, [
    [0, 500, 9007199254740993n],
    // The first answer came half a second late.
    [0, 559.5, 9007199254740994n],
    [1, 30, 9007199254740995n],
    [1, 90, 9007199254740995n],
    [2, 150, 1n],
  ]);
  const who = `n at 127.0.0.1:${node.port}`;
  assertEquals(log.lines, [
    `info ${who} answers`,
    `info ${who} was restarted`,
    `info ${who} was restarted`,
  ]);
  await context.source.stop();
});

Deno.test("StatisticsSource: a node that tells no uptime has no incarnation", async () => {
  await using node = FakeNode.listen([answers(page("", '"a": 1'))]);
  const context = setUp({ url: node.url });
  await start(context);
  const { incarnation, began } = context.host().observation!;
  assertEquals([incarnation, began], ["", undefined]);
  await context.source.stop();
});

Deno.test("StatisticsSource knows a node again after a restart of the gatherer", async () => {
  const clock = new FakeClock();
  await using node = FakeNode.listen([
    running(500, "", '"a": 5'),
    running(620, "", '"a": 6'),
    running(60, "", '"a": 7'),
  ]);
  const first = setUp({ url: node.url, clock });
  await start(first);
  await first.source.stop();
  const incarnations: string[] = [];
  let { observation } = first.host();
  for (let life = 0; life < 2; life++) {
    incarnations.push(observation!.incarnation);
    await clock.advance(119_500);
    const tree = new Tree("g");
    restoreNode(tree, STATISTICS_CLUSTER, {
      key: "statistics/n",
      nickname: "n",
      timestamp: observation!.receivedAt / 1000,
      incarnation: observation!.incarnation,
      began: observation!.began! / 1000,
      counters: new Map([["a", observation!.metrics[0].value]]),
      stats: new Map([["node.uptime", observation!.metrics[1].value]]),
    }, clock);
    const next = setUp({ url: node.url, clock, tree });
    next.source.start();
    assertEquals(next.state()[0], "attached");
    await clock.advance(500);
    await until(() => next.told.polls === 1, "a poll");
    await next.source.stop();
    observation = next.host().observation;
  }
  incarnations.push(observation!.incarnation);
  assertEquals(incarnations[1], incarnations[0]);
  assert(incarnations[2] !== incarnations[0]);
});

Deno.test("StatisticsSource: nothing is compared with what another URL has told", async () => {
  await using one = FakeNode.listen([running(500)]);
  await using two = FakeNode.listen([running(500.5)]);
  const context = setUp({ url: one.url });
  const { clock, tree } = context;
  await start(context);
  const { incarnation } = context.host().observation!;
  await context.source.stop();
  const other = setUp({ url: two.url, clock, tree });
  other.source.start();
  await clock.advance(500);
  await until(() => other.told.polls === 1, "a poll");
  const { sequence, incarnation: after } = context.host().observation!;
  assertEquals([sequence, after === incarnation], [2, false]);
  await other.source.stop();
});

Deno.test("StatisticsSource does not poll a node while it is retired", async () => {
  await using node = FakeNode.listen([running(100), running(280)]);
  const context = setUp({ url: node.url });
  const { clock, tree, told } = context;
  await start(context);
  tree.retire(STATISTICS_CLUSTER, statisticsKey("n"), "retired");
  await clock.advance(2 * INTERVAL_MS);
  assertEquals([node.requests.length, told.polls, told.commits], [1, 1, 1]);
  assertEquals(context.state(), ["retired", "retired", false]);
  tree.retire(STATISTICS_CLUSTER, statisticsKey("n"), undefined);
  await poll(context);
  assertEquals(context.host().observation!.sequence, 1);
  assertEquals(context.state(), ["attached", "answers", true]);
  await context.source.stop();
});

Deno.test("StatisticsSource takes its own node out of the tree, and no other", async () => {
  const tree = new Tree("g");
  const clock = new FakeClock();
  await using node = FakeNode.listen([running(100)]);
  const one = setUp({ url: node.url, tree, clock });
  const two = setUp({ url: node.url, tree, clock, name: "two" });
  one.source.start();
  two.source.start();
  await clock.advance(500);
  await until(() => one.told.polls + two.told.polls === 2, "two polls");
  await one.source.stop();
  let hosts: string[] = [];
  tree.onCommit((cluster) => hosts = [...cluster.hosts.keys()]);
  one.source.retract();
  assertEquals(hosts, ["statistics/two"]);
  one.source.retract();
  await two.source.stop();
  two.source.retract();
  assertEquals(hosts, []);
});

Deno.test("StatisticsSource ends a poll that is under way", async () => {
  await using node = FakeNode.listen([saysAndStalls("HTTP/1.1 200")]);
  const context = setUp({ url: node.url });
  const { clock, source, told } = context;
  const first = source.start();
  await clock.advance(500);
  await until(() => node.requests.length === 1, "a request");
  await source.stop();
  await first;
  assertEquals(clock.pending, 0);
  assertEquals(told, { commits: 0, polls: 0 });
  assertEquals(source.status.failures, 0);
});

Deno.test("StatisticsSource: polls spread, and keep their rhythm", async () => {
  const clock = new FakeClock();
  await using node = FakeNode.listen([running(100)]);
  const begun: number[] = [];
  const draws = [0.25, 1, 0, 0.5, 0.75, 0.5];
  const context = setUp({
    url: node.url,
    clock,
    random: () => draws.shift() ?? 0.5,
  });
  const { source, told } = context;
  source.start();
  for (let polls = 1; polls <= 5; polls++) {
    while (node.requests.length < polls && told.polls < polls) {
      await clock.advance(50);
      if (clock.pending > 1) {
        begun.push(clock.monotonic());
        await until(() => told.polls === polls, "its end");
      }
    }
  }
  // A quarter of a second, then each minute and up to five seconds more or less.
  assertEquals(begun, [250, 65_000, 115_000, 180_000, 242_500]);
  await source.stop();
});

Deno.test("StatisticsSource says when those who are told fail, and goes on", async () => {
  await using log = await captureLog();
  await using node = FakeNode.listen([running(100), running(160)]);
  const context = setUp({ url: node.url });
  const end = context.tree.onCommit(() => {
    throw new Error("no room");
  });
  await start(context);
  end();
  await poll(context);
  assertEquals(log.lines.slice(1), [
    "error n: its answer could not be taken: no room",
  ]);
  assertEquals(context.host().observation!.sequence, 2);
  await context.source.stop();
});
