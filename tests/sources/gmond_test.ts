import { assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import fc from "fast-check";
import { summarize } from "../../lib/ganglia/summary.ts";
import {
  type GmondLimits,
  GmondSource,
  type GmondSourceOptions,
} from "../../lib/sources/gmond.ts";
import { Tree } from "../../lib/tree/tree.ts";
import { FakeClock } from "../fake_clock.ts";
import { readCapture, readGmond } from "../ganglia/captures.ts";
import {
  bytesOf,
  cluster,
  ganglia,
  host,
  metric,
} from "../ganglia/xml/reading.ts";
import { captureLog } from "../log_capture.ts";
import {
  type Behaviour,
  drips,
  FakeGmond,
  resetsAfter,
  sends,
  sendsForEver,
  stallsAfter,
  Wire,
} from "./fake_gmond.ts";

interface SetUp {
  readonly hosts?: readonly { host: string; port: number }[];
  readonly intervalSeconds?: number;
  readonly name?: string;
  readonly clock?: FakeClock;
  readonly tree?: Tree;
  readonly limits?: Partial<GmondLimits>;
  readonly options?: Partial<GmondSourceOptions>;
}

/** A source whose polls come exactly on time, and the tree that it fills. */
function setUp(
  {
    hosts = [],
    intervalSeconds = 15,
    name = "s",
    clock = new FakeClock(),
    tree = new Tree("g"),
    limits,
    options,
  }: SetUp,
) {
  const commits: string[] = [];
  tree.onCommit(({ name, source }) =>
    commits.push(source?.failure === undefined ? name : `${name}: failed`)
  );
  const source = new GmondSource({
    source: { name, intervalSeconds, hosts },
    tree,
    clock,
    salvageDirectory: undefined,
    scalable: true,
    random: () => 0.5,
    ...(limits ? { limits } : {}),
    ...options,
  });
  return { clock, tree, source, commits };
}

function at(...gmonds: FakeGmond[]) {
  return gmonds.map(({ port }) => ({ host: "127.0.0.1", port }));
}

/** Waits for what does not depend on the clock: real connections. */
async function until(condition: () => boolean, what: string): Promise<void> {
  for (let i = 0; !condition(); i++) {
    if (i > 5000) throw new Error(`never: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** Lets the next poll begin, at the next quarter of a minute, and waits for its end. */
async function poll(
  { clock, source }: { clock: FakeClock; source: GmondSource },
): Promise<void> {
  const { polls } = source.status;
  // No further, or its deadlines would pass before it has read anything.
  await clock.advance(15_000 - clock.monotonic() % 15_000);
  await until(() => source.status.polls > polls, `poll ${polls + 1}`);
}

/** Starts a source, and waits for the end of its first poll. */
async function start(
  { clock, source }: { clock: FakeClock; source: GmondSource },
) {
  const first = source.start();
  await clock.advance(1000);
  await first;
}

const ALPHA = readCapture("gmond-multi.xml");
const ONE = bytesOf(
  cluster(host("a", metric("m", "1")), host("b", metric("m", "2"))),
);
const TWO = bytesOf(
  cluster(host("a", metric("m", "3")), host("b", metric("m", "4"))),
);

function values(tree: Tree, name = "c"): Record<string, number> {
  return Object.fromEntries(
    [...tree.cluster(name).hosts.values()].map((
      { nickname, observation },
    ) => [nickname, Number(observation!.metrics[0].value)]),
  );
}

Deno.test("GmondSource brings what a gmond sends into the tree, in one transaction", async () => {
  await using log = await captureLog();
  await using gmond = await FakeGmond.listen([sends(ALPHA)]);
  const context = setUp({ hosts: at(gmond) });
  const { source, tree, commits, clock } = context;
  await start(context);
  const { hosts, detail, source: state } = tree.cluster("alpha");
  const wanted = readGmond("gmond-multi.xml");
  assertEquals(commits, ["alpha"]);
  assertEquals(detail, wanted.detail);
  assertEquals(state, {
    name: "s",
    answeredAt: clock.monotonic(),
    interval: 15,
    failure: undefined,
  });
  assertEquals([...hosts.keys()], [...wanted.hosts.keys()]);
  for (const [key, { nickname, detail, observation }] of wanted.hosts) {
    const host = hosts.get(key)!;
    assertEquals([host.nickname, host.detail], [nickname, detail]);
    assertEquals(host.observation!.metrics, observation!.metrics);
  }
  const { up, down } = summarize(tree.cluster("alpha"), {
    now: clock.now(),
    monotonic: clock.monotonic(),
  });
  assertEquals([up, down], [6, 0]);
  assertEquals(source.status, {
    name: "s",
    host: `127.0.0.1:${gmond.port}`,
    kind: "gmond",
    lastSuccess: clock.now(),
    lastError: null,
    failing: false,
    usedMs: source.status.usedMs,
    failure: undefined,
    polls: 1,
    failures: 0,
    bytes: source.status.bytes,
    salvaged: 0,
    hosts: 6,
  });
  assertEquals(source.status.bytes >= ALPHA.length - 1, true);
  await poll(context);
  assertEquals(commits, ["alpha", "alpha"]);
  assertEquals(log.lines, [
    `info source s answers from 127.0.0.1:${gmond.port}`,
  ]);
  await source.stop();
});

Deno.test("GmondSource reads gzip, by name and over IPv6", async () => {
  const packed = readCapture("gmond-multi.xml.gz");
  for (const name of ["127.0.0.1", "localhost", "::1"]) {
    const behaviours: Behaviour[] = [sends(packed), drips(packed)];
    let gmond: FakeGmond;
    try {
      const address = name === "::1" ? name : "127.0.0.1";
      gmond = await FakeGmond.listen(behaviours, address);
    } catch (error) {
      if (name === "::1") continue; // This machine has no IPv6.
      throw error;
    }
    await using _ = gmond;
    const context = setUp({ hosts: [{ host: name, port: gmond.port }] });
    await start(context);
    await poll(context);
    const { source, tree } = context;
    assertEquals(tree.cluster("alpha").hosts.size, 6, name);
    assertEquals(source.status.failures, 0);
    assertEquals(source.status.bytes, 2 * packed.length);
    assertEquals(source.status.host.endsWith(`:${gmond.port}`), true);
    await source.stop();
  }
});

Deno.test("GmondSource: a grid is a child of ours, or its clusters are our own", async () => {
  await using gmond = await FakeGmond.listen([
    sends(readCapture("gmetad-grid-of-grids.xml")),
  ]);
  const scalable = setUp({ hosts: at(gmond) });
  const told: string[] = [];
  scalable.tree.onGrid(({ name, source }) =>
    told.push(`${name} ${source.failure ?? "answers"}`)
  );
  await start(scalable);
  const { summary, ...grid } = scalable.tree.grid.grids.get("TopGrid")!;
  assertEquals(grid, {
    name: "TopGrid",
    authority: "http://top.example.test/ganglia/",
    localtime: 1795246987,
    source: {
      name: "s",
      answeredAt: 500 + 500,
      interval: 15,
      failure: undefined,
    },
  });
  assertEquals([summary.up, summary.down], [8, 0]);
  assertEquals(scalable.tree.grid.clusters.size, 0);
  gmond.become(sends(new Uint8Array()));
  await poll(scalable);
  await poll(scalable);
  assertEquals(told, [
    "TopGrid answers",
    `TopGrid 127.0.0.1:${gmond.port}: the answer is empty`,
  ]);
  await scalable.source.stop();

  gmond.become(sends(readCapture("gmetad-grid-of-grids.xml")));
  const flat = setUp({ hosts: at(gmond), options: { scalable: false } });
  await start(flat);
  assertEquals([...flat.tree.grid.clusters.keys()], ["beta cluster"]);
  assertEquals(flat.tree.grid.grids.size, 0);
  await flat.source.stop();
});

/** What may go wrong, what is said of it, and how many bytes come before silence. */
const FAULTS: readonly [
  what: string,
  behaviour: Behaviour,
  reason: RegExp,
  stallsAfter?: number,
][] = [
  [
    "stalls before",
    stallsAfter(new Uint8Array()),
    /^nothing came for 10 s$/,
    0,
  ],
  [
    "stalls in the head",
    stallsAfter(TWO.subarray(0, 40)),
    /^nothing came for 10 s after 40 bytes$/,
    40,
  ],
  ["resets", resetsAfter(TWO.subarray(0, 40)), /^connection reset/],
  ["sends nothing", sends(new Uint8Array()), /^the answer is empty$/],
  [
    "sends garbage",
    sends(bytesOf("\x01\x02garbage".repeat(5000))),
    /^the answer is no XML of Ganglia: it begins with/,
  ],
  [
    "sends bad gzip",
    sends(bytesOf("\x1f\x8bgarbage".repeat(50))),
    /^its gzip is damaged: /,
  ],
  [
    "sends half of a gzip",
    sends(readCapture("gmond-multi.xml.gz").subarray(0, 60)),
    /^its gzip is damaged: /,
  ],
  [
    "speaks HTTP",
    sends(bytesOf("HTTP/1.0 400 Bad Request\r\n\r\n")),
    /^the answer is no XML/,
  ],
  [
    "has no cluster",
    sends(bytesOf(ganglia())),
    /^nothing of its answer could be used$/,
  ],
  [
    "has only damaged hosts",
    sends(bytesOf(cluster(host("a", "garbage")))),
    /^nothing of its answer could be used$/,
  ],
  [
    "sends a gigabyte",
    sendsForEver(TWO.subarray(0, 60), new Uint8Array(65536).fill(0x20)),
    /^the answer is larger than 4000000 bytes$/,
  ],
];
const SMALL = { xml: { documentBytes: 4_000_000 } };

for (const [what, fault, reason, silentAfter] of FAULTS) {
  Deno.test(`GmondSource: one that ${what} hurts only itself, and is asked again`, async () => {
    await using log = await captureLog();
    const clock = new FakeClock();
    await using good = await FakeGmond.listen([sends(ALPHA)]);
    await using bad = await FakeGmond.listen([sends(ONE), fault]);
    const wire = new Wire();
    const options = { connect: wire.connect };
    const context = setUp({ hosts: at(bad), clock, limits: SMALL, options });
    const { source, tree, commits } = context;
    const healthy = setUp({ hosts: at(good), clock, name: "healthy" }).source;
    const first = healthy.start();
    await start(context);
    await first;
    assertEquals(values(tree), { a: 1, b: 2 });
    const { answeredAt } = tree.cluster("c").source!;

    for (let round = 1; round <= 2; round++) {
      const before = wire.bytes;
      await clock.advance(15_000 * round - clock.monotonic());
      await until(() => healthy.status.polls === 1 + round, "the other's poll");
      if (silentAfter !== undefined) {
        await until(() => wire.connections === 1 + round, "a connection");
        await until(() => wire.bytes === before + silentAfter, "the bytes");
        await clock.advance(9_999);
        assertEquals(source.status.polls, round);
        await clock.advance(1);
      }
      await until(() => source.status.polls === 1 + round, "the poll");
      const { lastError, failure, failures } = source.status;
      assertMatch(lastError!.reason, reason);
      assertEquals(failure, `127.0.0.1:${bad.port}: ${lastError!.reason}`);
      assertEquals(failures, round);
      // Its last figures stay, marked; and that was told once.
      assertEquals(values(tree), { a: 1, b: 2 });
      assertEquals(tree.cluster("c").source, {
        name: "s",
        answeredAt,
        interval: 15,
        failure,
      });
      assertEquals(commits, ["c", "c: failed"]);
    }
    bad.become(sends(TWO));
    await poll(context);
    assertEquals(values(tree), { a: 3, b: 4 });
    assertEquals(tree.cluster("c").source!.failure, undefined);
    assertEquals(source.status.failure, undefined);
    const lines = log.lines.filter((line) => line.includes("source s "));
    assertEquals(lines.map((line) => line.slice(0, 30)), [
      "info source s answers from 127",
      "warning source s does not answ",
      "info source s answers from 127",
    ]);
    await Promise.all([source.stop(), healthy.stop()]);
  });

  Deno.test(`GmondSource: for one that ${what}, the next host answers in the same poll`, async () => {
    await using bad = await FakeGmond.listen([fault]);
    await using good = await FakeGmond.listen([sends(ONE)]);
    const wire = new Wire();
    const context = setUp({
      hosts: at(bad, good),
      limits: SMALL,
      options: { connect: wire.connect },
    });
    const { source, tree, clock } = context;
    const first = source.start();
    await clock.advance(1000);
    if (silentAfter !== undefined) {
      await until(() => wire.connections === 1, "a connection");
      await until(() => wire.bytes === silentAfter, "the bytes");
      await clock.advance(10_000);
    }
    await first;
    assertEquals(values(tree), { a: 1, b: 2 });
    assertEquals(source.status.host, `127.0.0.1:${good.port}`);
    assertMatch(source.status.lastError!.reason, reason);
    assertEquals(source.status.failure, undefined);
    // And is asked first from then on.
    await poll(context);
    assertEquals([bad.connections, good.connections], [1, 2]);
    await source.stop();
  });
}

Deno.test("GmondSource: a host that cannot be reached, or not in time, is passed over", async () => {
  await using log = await captureLog();
  await using good = await FakeGmond.listen([sends(ONE)]);
  const late = Promise.withResolvers<Deno.Conn>();
  const context = setUp({
    hosts: [
      { host: "127.0.0.1", port: 1 },
      { host: "nosuch.invalid", port: 8649 },
      { host: "silent.example", port: 8649 },
      ...at(good),
    ],
    options: {
      connect: (options) =>
        options.hostname === "silent.example"
          ? late.promise
          : Deno.connect(options),
    },
  });
  const { source, clock, tree } = context;
  const first = source.start();
  await clock.advance(1000);
  await until(
    () => source.status.lastError?.reason.includes("resolved") ?? false,
    "the name that cannot be resolved",
  );
  await clock.advance(4_999);
  assertEquals(source.status.polls, 0);
  await clock.advance(1);
  await first;
  assertEquals(values(tree), { a: 1, b: 2 });
  assertEquals(log.lines, [
    `info source s answers from 127.0.0.1:${good.port} (` +
    "127.0.0.1:1: connection refused; " +
    "nosuch.invalid:8649: its name cannot be resolved; " +
    "silent.example:8649: no connection within 5 s)",
  ]);
  // A connection that comes too late is closed.
  const spare = await Deno.connect({ hostname: "127.0.0.1", port: good.port });
  late.resolve(spare);
  await late.promise;
  await new Promise((resolve) => setTimeout(resolve));
  let closed = false;
  try {
    spare.close();
  } catch {
    closed = true;
  }
  assertEquals(closed, true);
  await source.stop();
});

Deno.test("GmondSource: when all hosts fail, the poll ends in time, and the next begins with another", async () => {
  await using one = await FakeGmond.listen([stallsAfter(new Uint8Array())]);
  await using two = await FakeGmond.listen([stallsAfter(new Uint8Array())]);
  await using three = await FakeGmond.listen([sends(ONE)]);
  const wire = new Wire();
  const context = setUp({
    hosts: at(one, two, three),
    limits: { pollMs: 15_000 },
    options: { connect: wire.connect },
  });
  const { source, clock } = context;
  const first = source.start();
  await clock.advance(500);
  await until(() => wire.connections === 1, "a connection");
  await clock.advance(10_000);
  await until(() => wire.connections === 2, "another connection");
  await clock.advance(5_000);
  await first;
  assertEquals(
    source.status.failure,
    `127.0.0.1:${one.port}: nothing came for 10 s; ` +
      `127.0.0.1:${two.port}: it took longer than 15 s`,
  );
  assertEquals(three.connections, 0);
  await poll(context);
  assertEquals([one.connections, two.connections, three.connections], [
    1,
    1,
    1,
  ]);
  assertEquals(source.status.failure, undefined);
  await source.stop();
});

Deno.test("GmondSource: of half an answer the whole hosts count, if nobody gives the whole", async () => {
  await using log = await captureLog();
  const half = TWO.subarray(0, TWO.length - 100);
  await using first = await FakeGmond.listen([sends(ONE), sends(half)]);
  await using second = await FakeGmond.listen([sends(TWO)]);
  const context = setUp({ hosts: at(first, second) });
  const { source, tree } = context;
  await start(context);
  await poll(context);
  assertEquals(values(tree), { a: 3, b: 4 });
  assertEquals(source.status.host, `127.0.0.1:${second.port}`);

  second.become(sends(half.subarray(0, 60)));
  first.become(sends(ONE.subarray(0, half.length)));
  await poll(context);
  assertEquals(values(tree), { a: 1, b: 4 });
  assertEquals(tree.cluster("c").source!.failure, undefined);
  const b = tree.host("c", "c/b")!;
  assertEquals(b.detail!.tn, 17);
  assertEquals(
    b.life.detachReason,
    `the answer of s is not whole: the answer ends after ${half.length} bytes, in the host b`,
  );
  await poll(context);
  first.become(sends(ONE));
  await poll(context);
  assertEquals(values(tree), { a: 1, b: 2 });
  const [one, two] = [first, second].map(({ port }) => `127.0.0.1:${port}`);
  const cut = `the answer ends after ${half.length} bytes, in the host b`;
  assertEquals(log.lines, [
    `info source s answers from ${one}`,
    `info source s answers from ${two} (${one}: ${cut})`,
    `warning source s gives only a part of its answer: ${one}: ${cut}`,
    `info source s answers from ${one}`,
  ]);
  await source.stop();
});

Deno.test("GmondSource keeps what is damaged, a little of it, for its owner alone", async () => {
  await using log = await captureLog();
  const directory = await Deno.makeTempDir();
  try {
    const kept = join(directory, "salvage");
    const broken = (name: string) =>
      host(name, metric("m")).replace('VAL="', "VAL=");
    const document = cluster(host("a", metric("m", "1")), broken("b -->"));
    const first = document.lastIndexOf("<HOST");
    await using gmond = await FakeGmond.listen([sends(bytesOf(document))]);
    const context = setUp({
      hosts: at(gmond),
      options: { salvageDirectory: kept },
    });
    const { source, tree } = context;
    await start(context);
    await poll(context);
    await source.stop();
    assertEquals(values(tree), { a: 1 });
    assertEquals(source.status.salvaged, 2);
    // The same damage is kept once.
    const names = [...Deno.readDirSync(kept)].map(({ name }) => name);
    assertEquals(names.length, 1);
    assertMatch(names[0], /^\d{8}T\d{9}Z-000-s\.xml$/);
    const path = join(kept, names[0]);
    assertEquals(Deno.statSync(path).mode! & 0o777, 0o600);
    assertEquals(Deno.statSync(kept).mode! & 0o777, 0o700);
    const [comment, ...rest] = Deno.readTextFileSync(path).split("\n");
    assertEquals(
      comment,
      "<!-- an attribute without quotes (source s, cluster c, host b - ->, " +
        `from byte ${first} on, noticed at byte ${first + 117}) -->`,
    );
    assertEquals(rest.join("\n"), broken("b -->"));
    assertEquals(log.lines.slice(1), [
      `warning source s: its answer is damaged, first at byte ${first} ` +
      "(b -->): an attribute without quotes (places: 1)",
    ]);

    // Twenty files, whoever brings them.
    for (let i = 0; i < 6; i++) {
      const hosts = Array.from({ length: 6 }, (_, k) => broken(`h${i}-${k}`));
      gmond.become(sends(bytesOf(cluster(host("a", metric("m")), ...hosts))));
      const other = setUp({
        hosts: at(gmond),
        name: "o",
        options: { salvageDirectory: kept },
        clock: new FakeClock(1_800_000_000_000 + i * 1000),
      });
      await start(other);
      await other.source.stop();
    }
    const all = [...Deno.readDirSync(kept)].map(({ name }) => name).sort();
    assertEquals(all.length, 20);
    assertEquals(all.every((name) => name.endsWith("-o.xml")), true);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("GmondSource: what is damaged is said once, and that it is over", async () => {
  await using log = await captureLog();
  const damaged = cluster(host("a", metric("m", "1")), "<b & c>");
  await using gmond = await FakeGmond.listen([
    sends(bytesOf(damaged)),
    sends(bytesOf(damaged)),
    sends(ONE),
  ]);
  const context = setUp({ hosts: at(gmond) });
  await start(context);
  await poll(context);
  await poll(context);
  assertEquals(log.lines.slice(1), [
    "warning source s: its answer is damaged, first at byte " +
    `${damaged.indexOf("<b")} (c): a tag that goes on with neither attribute ` +
    "nor end (places: 1)",
    "info source s: nothing is damaged any more",
  ]);
  await context.source.stop();
});

Deno.test("GmondSource: of two sources with one cluster, the first keeps it while it answers", async () => {
  await using log = await captureLog();
  await using first = await FakeGmond.listen([sends(ONE)]);
  await using second = await FakeGmond.listen([sends(TWO)]);
  const one = setUp({ hosts: at(first), name: "one" });
  const two = setUp({
    hosts: at(second),
    name: "two",
    tree: one.tree,
    clock: one.clock,
  });
  await start(one);
  await start(two);
  const both = async () => {
    const { polls } = two.source.status;
    await poll(one);
    // It was started a second after the other.
    await one.clock.advance(1000);
    await until(() => two.source.status.polls > polls, "the other");
  };
  await both();
  assertEquals(values(one.tree), { a: 1, b: 2 });
  assertEquals(log.lines.filter((line) => line.startsWith("warning")), [
    "warning source two has a cluster called c, a name taken by the source one: " +
    "it is ignored; give one of them another name",
  ]);
  // Somebody has it when the first is gone.
  first.become(sends(new Uint8Array()));
  await both();
  assertEquals(values(one.tree), { a: 3, b: 4 });
  await one.source.stop();
  await two.source.stop();
});

Deno.test("GmondSource leaves the cluster of nodes that attach by themselves alone", async () => {
  await using log = await captureLog();
  await using gmond = await FakeGmond.listen([sends(ONE)]);
  const context = setUp({ hosts: at(gmond) });
  const { source, tree } = context;
  tree.update("c", "tubid", { nickname: "node" });
  await start(context);
  assertEquals([...tree.cluster("c").hosts.keys()], ["tubid"]);
  assertEquals(
    log.lines.at(-1),
    [
      "warning source s has a cluster called c, a name taken by nodes that attach by themselves: ",
      "it is ignored; give one of them another name",
    ].join(""),
  );
  await source.stop();
});

Deno.test("GmondSource: a cluster that is not sent any more is marked, and forgotten in the end", async () => {
  const both = (...names: string[]) =>
    sends(
      bytesOf(ganglia(...names.map((name) =>
        `<CLUSTER NAME="${name}" LOCALTIME="1000" OWNER="" LATLONG="" URL="">${
          host("a", metric("m"))
        }</CLUSTER>`
      ))),
    );
  await using gmond = await FakeGmond.listen([both("x", "y"), both("x")]);
  const context = setUp({ hosts: at(gmond), limits: { forgetSeconds: 40 } });
  const { source, tree, commits } = context;
  await start(context);
  for (let i = 0; i < 3; i++) await poll(context);
  assertEquals(commits, ["x", "y", "x", "y: failed", "x", "x", "y"]);
  assertEquals([...tree.grid.clusters.keys()], ["x"]);
  await source.stop();
});

Deno.test("GmondSource goes on with what the one of its name has brought before", async () => {
  const sendsCluster = (name: string) =>
    sends(
      bytesOf(ganglia(
        `<CLUSTER NAME="${name}" LOCALTIME="1000" OWNER="" LATLONG="" URL="">${
          host("a", metric("m"))
        }</CLUSTER>`,
      )),
    );
  await using gmond = await FakeGmond.listen([
    sendsCluster("x"),
    sendsCluster("y"),
  ]);
  const before = setUp({ hosts: at(gmond) });
  const { clock, tree } = before;
  await start(before);
  await before.source.stop();
  await clock.advance(14_000);
  const context = setUp({
    hosts: at(gmond),
    clock,
    tree,
    limits: { forgetSeconds: 40 },
  });
  await start(context);
  assertEquals(
    tree.cluster("x").source?.failure,
    "it is not in the answer of s any more",
  );
  for (let i = 0; i < 3; i++) await poll(context);
  assertEquals([...tree.grid.clusters.keys()], ["y"]);
  await context.source.stop();
});

Deno.test("GmondSource: what is not sent any more is bounded, the oldest goes first", async () => {
  const one = (name: string, ...metrics: string[]) =>
    sends(
      bytesOf(ganglia(
        `<CLUSTER NAME="${name}" LOCALTIME="1000" OWNER="" LATLONG="" URL="">${
          host("a", ...metrics.map((name) => metric(name)))
        }</CLUSTER>`,
      )),
    );
  await using gmond = await FakeGmond.listen([
    one("v", "m"),
    one("w", "m"),
    one("x", "m"),
    one("y", "m", "n", "o"),
    one("z", "m"),
  ]);
  const context = setUp({
    hosts: at(gmond),
    limits: { xml: { clusters: 3, metrics: 3 } },
  });
  const { source, tree } = context;
  const names = () => [...tree.grid.clusters.keys()].join("");
  const seen: string[] = [];
  await start(context);
  for (let i = 0; i < 4; i++) {
    seen.push(names());
    await poll(context);
  }
  // First there are too many clusters, then too many metrics in those of before.
  assertEquals([...seen, names()], ["v", "vw", "vwx", "wxy", "yz"]);
  await source.stop();
});

Deno.test("GmondSource stops at once, in the middle of an answer", async () => {
  await using gmond = await FakeGmond.listen([
    stallsAfter(ONE.subarray(0, 500)),
  ]);
  const wire = new Wire();
  const context = setUp({
    hosts: at(gmond),
    options: { connect: wire.connect },
  });
  const { source, clock, tree } = context;
  const first = source.start();
  await clock.advance(1000);
  await until(() => wire.bytes === 500, "the bytes");
  await source.stop();
  await first;
  assertEquals(tree.grid.clusters.size, 0);
  assertEquals(clock.pending, 0);
  // And before its first poll.
  const other = setUp({ hosts: at(gmond) });
  const never = other.source.start();
  await other.source.stop();
  await never;
  assertEquals(other.clock.pending, 0);
});

Deno.test("GmondSource: a source without hosts asks nobody", async () => {
  const { source, clock } = setUp({});
  await source.start();
  assertEquals(clock.pending, 0);
  await source.stop();
});

/** When polls begin, if each takes as long as it is told. */
async function beginnings(
  intervalSeconds: number,
  randoms: readonly number[],
  takesMs: readonly number[],
): Promise<number[]> {
  const clock = new FakeClock();
  const begun: number[] = [];
  let random = 0;
  const { source } = setUp({
    clock,
    intervalSeconds,
    hosts: [{ host: "h", port: 1 }],
    limits: { connectMs: 1e9, pollMs: 1e9 },
    options: {
      random: () => randoms[random++ % randoms.length],
      connect: () => {
        const takes = takesMs[begun.length % takesMs.length];
        begun.push(clock.monotonic());
        return new Promise((_, reject) =>
          void clock.setTimer(() => reject(new Error("refused")), takes)
        );
      },
    },
  });
  void source.start();
  await clock.advance(intervalSeconds * 1000 * 12);
  await source.stop();
  return begun;
}

Deno.test("GmondSource polls in its rhythm, a little early or late, never in a herd", async () => {
  assertEquals(
    (await beginnings(15, [0.5], [0])).slice(0, 4),
    [500, 15_000, 30_000, 45_000],
  );
  assertEquals(
    (await beginnings(15, [0, 0, 0.999999], [0])).slice(0, 4).map(Math.round),
    [0, 10_000, 35_000, 40_000],
  );
  // At an interval of 3 s no more than 1 s.
  assertEquals(
    (await beginnings(3, [0, 0.999999], [0])).slice(0, 4).map(Math.round),
    [0, 4000, 5000, 10_000],
  );
  // A poll that takes too long costs the next, but does not shift those after it.
  assertEquals(
    (await beginnings(15, [0.5], [20_000, 0])).slice(0, 4),
    [500, 30_000, 45_000, 75_000],
  );
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 100 }),
      fc.array(fc.double({ min: 0, max: 0.999999, noNaN: true }), {
        minLength: 1,
        maxLength: 20,
      }),
      async (intervalSeconds, randoms) => {
        const interval = intervalSeconds * 1000;
        const begun = await beginnings(intervalSeconds, randoms, [0]);
        const jitter = Math.min(5000, interval / 3) + 1e-6;
        assertEquals(begun[0] <= 1000, true);
        begun.slice(1).forEach((moment, i) => {
          const off = moment - (i + 1) * interval;
          assertEquals(Math.abs(off) <= jitter, true, `${i}: ${off}`);
        });
      },
    ),
    { numRuns: 50 },
  );
});

Deno.test("GmondSource: gzip that becomes too much is given up, and nothing of it is kept waiting", async () => {
  const bomb = new Blob([ONE.slice(0, 60), new Uint8Array(50_000_000).fill(32)])
    .stream().pipeThrough(new CompressionStream("gzip"));
  const packed = new Uint8Array(await new Response(bomb).arrayBuffer());
  await using gmond = await FakeGmond.listen([
    sends(packed),
    stallsAfter(packed),
    stallsAfter(packed.subarray(0, 10_000)),
  ]);
  const wire = new Wire();
  const context = setUp({
    hosts: at(gmond),
    limits: { xml: { documentBytes: 20_000_000 } },
    options: { connect: wire.connect },
  });
  await start(context);
  const tooLarge = /the answer is larger than 20000000 bytes$/;
  assertMatch(context.source.status.failure!, tooLarge);
  await poll(context);
  assertMatch(context.source.status.failure!, tooLarge);
  // One that stalls in the middle ends as any other.
  const before = wire.bytes;
  await context.clock.advance(15_000);
  await until(() => wire.bytes === before + 10_000, "the bytes");
  await context.clock.advance(10_000);
  await until(() => context.source.status.polls === 3, "the end");
  assertMatch(
    context.source.status.failure!,
    /nothing came for 10 s after 10000 bytes$/,
  );
  await context.source.stop();
});

Deno.test("GmondSource reads an answer that comes byte by byte", async () => {
  await using gmond = await FakeGmond.listen([drips(ONE)]);
  const context = setUp({ hosts: at(gmond) });
  await start(context);
  assertEquals(values(context.tree), { a: 1, b: 2 });
  await context.source.stop();
});

Deno.test("GmondSource: what a source has brought goes when it is retracted, clusters and grids", async () => {
  await using gmond = await FakeGmond.listen([
    sends(readCapture("gmetad-grid-of-grids.xml")),
  ]);
  const context = setUp({ hosts: at(gmond) });
  const { source, tree } = context;
  await start(context);
  tree.setGrid({
    ...tree.grid.grids.get("TopGrid")!,
    name: "other",
    source: {
      ...tree.grid.grids.get("TopGrid")!.source,
      name: "another",
    },
  });
  const gone: string[] = [];
  tree.onGridGone((name) => gone.push(name));
  await source.stop();
  source.retract();
  assertEquals(gone, ["TopGrid"]);
  assertEquals([...tree.grid.grids.keys()], ["other"]);
  assertEquals(
    [...tree.grid.clusters.values()].filter(({ source }) =>
      source?.name === "s"
    ),
    [],
  );
});
