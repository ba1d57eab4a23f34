import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { provideHelp, readProvideOptions } from "../../lib/cli/provide.ts";
import {
  type ProvideOptions,
  type Providing,
  startProviding,
} from "../../lib/cli/provide_node.ts";
import { systemClock } from "../../lib/clock.ts";
import { UserError } from "../../lib/errors.ts";
import { parseIdentity } from "../../lib/foolscap/certificate.ts";
import { type Gatherer, startGatherer } from "../../lib/gatherer/gatherer.ts";
import { loadSnapshot, SNAPSHOT_NAME } from "../../lib/snapshot/file.ts";
import type { Host } from "../../lib/tree/host.ts";
import { pollLimits, statusOf } from "../../lib/tree/state.ts";
import { captureLog } from "../log_capture.ts";
import {
  answers,
  type Behaviour,
  FakeNode,
  saysAndStalls,
  until,
} from "../tahoe_statistics/fake_node.ts";
import {
  type Figures,
  figuresOf,
  page,
  readCapture,
} from "../tahoe_statistics/pages.ts";

const clock = systemClock;

/** A real gatherer, a directory for a node, and the nodes that were started. */
class Place implements AsyncDisposable {
  readonly #cleanup = new AsyncDisposableStack();
  readonly root: string;
  gatherer!: Gatherer;

  private constructor(root: string) {
    this.root = root;
    this.#cleanup.defer(() => Deno.remove(root, { recursive: true }));
  }

  static async make(intervalMs = 60_000): Promise<Place> {
    const place = new Place(await Deno.makeTempDir());
    await Deno.mkdir(place.home, { mode: 0o700 });
    place.gatherer = place.#cleanup.use(
      await startGatherer({
        basedir: join(place.root, "gatherer"),
        clock,
        host: "127.0.0.1",
        hostname: "127.0.0.1",
        port: 0,
        intervalMs,
      }),
    );
    return place;
  }

  /** The node's base directory. */
  get home(): string {
    return join(this.root, "node");
  }

  get furlFile(): string {
    return join(this.root, "gatherer", "stats_gatherer.furl");
  }

  async provide(options: Partial<ProvideOptions> = {}): Promise<Providing> {
    return this.#cleanup.use(
      await startProviding({
        furl: this.furlFile,
        nickname: "n",
        basedir: this.home,
        clock,
        ...options,
      }),
    );
  }

  /** The node as the gatherer has it; it has to have attached. */
  host(): Host | undefined {
    const { hosts } = this.gatherer.tree.cluster("foolscap");
    return [...hosts.values()].find(({ nickname }) => nickname === "n");
  }

  state() {
    const { state, reason } = statusOf(
      this.host()!.life,
      pollLimits(60_000, 20_000),
      clock.monotonic(),
    );
    return [state, reason];
  }

  /** The node's figures in the snapshot. */
  async snapshot(): Promise<{ counters: Figures; stats: Figures } | undefined> {
    const path = join(this.root, "gatherer", SNAPSHOT_NAME);
    const { nodes } = await loadSnapshot(path, clock);
    const node = nodes.find(({ nickname }) => nickname === "n");
    return node && {
      counters: [...node.counters],
      stats: [...node.stats],
    };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#cleanup.disposeAsync();
  }
}

function sorted({ counters, stats }: { counters: Figures; stats: Figures }) {
  const order = ([a]: Figures[number], [b]: Figures[number]) => a < b ? -1 : 1;
  return { counters: counters.sort(order), stats: stats.sort(order) };
}

for (
  const name of ["storage-1-3-busy", "client-1-0-started", "helper-1-3-busy"]
) {
  Deno.test(`provide --statistics: the gatherer's snapshot is the captured page ${name}`, async () => {
    await using place = await Place.make(300);
    const bytes = readCapture(name);
    await using node = FakeNode.listen([answers(bytes)]);
    const providing = await place.provide({ page: { url: node.url } });
    await until(() => place.host()?.observation !== undefined, "a poll");
    let found = await place.snapshot();
    for (let i = 0; !found && i < 500; i++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      found = await place.snapshot();
    }
    assertEquals(sorted(found!), sorted(figuresOf(bytes)));
    assertEquals(providing.attachment, "connected");
    const { rounds, degraded, sources } = providing.status();
    assertEquals(degraded, []);
    assertEquals(
      sources.map(({ host, polls, failing }) => [host, polls, failing]),
      [[`127.0.0.1:${node.port}`, rounds, false]],
    );
  });
}

Deno.test("provide --statistics: while the page cannot be had, polls fail with the reason and nothing is invented", async () => {
  await using log = await captureLog();
  await using place = await Place.make(200);
  const well = answers(page('"node.uptime": 100, "a": null', '"c": 7'));
  let behaviour: Behaviour = well;
  await using node = FakeNode.listen([(...call) => behaviour(...call)]);
  const providing = await place.provide({ page: { url: node.url } });
  await until(() => place.host()?.observation !== undefined, "a poll");

  behaviour = answers("", "503 Service Unavailable");
  await until(() => place.state()[0] === "late", "a failure");
  const { observation } = place.host()!;
  assertEquals(place.state()[1].split(": ").slice(1), [
    "it answered 503 Service Unavailable",
  ]);
  assertEquals(
    observation!.metrics.map(({ name, value }) => [name, value]),
    [["c", 7n], ["a", null], ["node.uptime", 100n]],
  );
  assertEquals(providing.status().degraded, [
    "n: it answered 503 Service Unavailable",
  ]);
  const failures = () => place.gatherer.status().sources[0].failures;
  const before = failures();
  await until(() => failures() >= before + 2, "more failures");
  assertEquals(place.host()!.observation, observation);

  behaviour = well;
  await until(() => place.state()[0] === "attached", "recovery");
  assertEquals(providing.attachment, "connected");
  const place1 = `127.0.0.1:${node.port}`;
  assertEquals(
    log.lines.filter((line) => line.includes(place1)),
    [
      `info the node at ${place1} answers`,
      `warning the node at ${place1} does not answer, and polls are told so: it answered 503 Service Unavailable`,
      `info the node at ${place1} answers again`,
    ],
  );
});

Deno.test("provide --statistics: a restart of the node is a new incarnation, and no figure before it", async () => {
  await using log = await captureLog();
  await using place = await Place.make(200);
  let uptime = 5000;
  let counter = 100;
  await using node = FakeNode.listen([
    (...call) =>
      answers(page(`"node.uptime": ${uptime++}`, `"c": ${counter++}`))(...call),
  ]);
  await place.provide({ page: { url: node.url } });
  await until(() => (place.host()?.observation?.sequence ?? 0) >= 2, "polls");
  const incarnations = new Map<string, number[]>();
  const { tree } = place.gatherer;
  tree.onCommit(() => {
    const { incarnation, metrics } = place.host()!.observation!;
    const seen = incarnations.get(incarnation) ?? [];
    seen.push(Number(metrics[0].value));
    incarnations.set(incarnation, seen);
  });
  await until(() => incarnations.size === 1, "a round");
  // The counter has overtaken its former value: only the uptime shows it.
  uptime = 0;
  counter = 1000;
  await until(
    () => [...incarnations.values()].at(-1)!.length >= 2 && counter > 1003,
    "rounds",
  );
  const [before, after, ...more] = [...incarnations.values()];
  assertEquals(more, []);
  assert(before.every((value) => value < 1000), `${before}`);
  assert(after.length > 0 && after.every((value) => value >= 1000), `${after}`);
  const lines = log.lines.filter((line) => line.includes("restarted"));
  assertEquals(lines, [
    `info the node at 127.0.0.1:${node.port} was restarted`,
  ]);
});

Deno.test("provide --statistics ends while a page is being fetched", async () => {
  await using place = await Place.make();
  await using node = FakeNode.listen([saysAndStalls("HTTP/1.1 200 OK\r\n")]);
  const providing = await place.provide({ page: { url: node.url } });
  await until(() => node.requests.length === 1, "a request");
  const began = performance.now();
  await providing.stop();
  assert(performance.now() - began < 3000);
  assertEquals(providing.attachment, "closed");
});

Deno.test("provide: the node's key stays the same, in a file for its owner only", async () => {
  await using place = await Place.make();
  await using node = FakeNode.listen([answers(page(""))]);
  const options = { page: { url: node.url } };
  const path = join(place.home, "provide.pem");
  const keys: string[] = [];
  for (let life = 0; life < 2; life++) {
    const polls = node.requests.length;
    const providing = await place.provide(options);
    await until(() => node.requests.length > polls, "a poll");
    await until(() => place.host() !== undefined, "its node");
    keys.push(place.host()!.key);
    await providing.stop();
  }
  assertEquals(keys[0], keys[1]);
  assertEquals(parseIdentity(await Deno.readTextFile(path)).tubid, keys[0]);
  assertEquals((await Deno.stat(path)).mode! & 0o777, 0o600);

  await Deno.writeTextFile(path, "no key");
  const error = await assertRejects(() => place.provide(options), UserError);
  assertMatch(
    error.message,
    /^cannot use the key .*provide\.pem: .*; restore it from a backup, or move it away/,
  );
  assertEquals(await Deno.readTextFile(path), "no key");
});

Deno.test("provide: a FURL that cannot be used is said, and not shown", async () => {
  await using place = await Place.make();
  const refused = async (furl: string) => {
    const error = await assertRejects(() => place.provide({ furl }), UserError);
    return [error.message.replaceAll(place.root, "ROOT"), error.exitCode];
  };
  assertEquals(await refused(join(place.root, "none")), [
    "--furl: there is no file ROOT/none; give the gatherer's FURL, or the path of a copy of its stats_gatherer.furl",
    1,
  ]);
  const file = join(place.root, "furl");
  await Deno.writeTextFile(file, "pb://secret");
  const [inFile, code] = await refused(file);
  assertMatch(`${inFile}`, /^--furl: what is in ROOT\/furl cannot be used: /);
  assertEquals(code, 1);
  const [given, usage] = await refused("pb://secret");
  assertMatch(`${given}`, /^--furl: it cannot be used: /);
  assertEquals(usage, 2);
  assert(!`${inFile}${given}`.includes("secret"));
  const tubid = "a".repeat(32);
  assertEquals(await refused("pb://abc@tcp:127.0.0.1:1/secret"), [
    '--furl: it cannot be used: the tubid, between "pb://" and "@", has 3 characters instead of 32; copy the FURL whole',
    2,
  ]);
  for (const hints of ["", "tcp:127.0.0.1:99999"]) {
    assertEquals(await refused(`pb://${tubid}@${hints}/secret`), [
      "--furl: it cannot be used: it has no location hint that leads anywhere, such as tcp:HOST:PORT",
      2,
    ]);
  }
});

Deno.test("provide: reload follows a FURL's file to another gatherer", async () => {
  await using one = await Place.make();
  await using two = await Place.make();
  await using node = FakeNode.listen([answers(page(""))]);
  const file = join(one.root, "furl");
  await Deno.copyFile(one.furlFile, file);
  await Deno.chmod(file, 0o600);
  const providing = await one.provide({
    furl: file,
    page: { url: node.url },
  });
  await until(() => one.host()?.observation !== undefined, "a poll");
  const lines = async () => (await providing.reload()).lines();
  assertEquals(await lines(), ["nothing has changed"]);
  await Deno.writeTextFile(file, "");
  await assertRejects(() => providing.reload(), UserError);
  assertEquals(providing.attachment, "connected");
  await Deno.copyFile(two.furlFile, file);
  assertEquals(await lines(), ["attaching by another FURL"]);
  await until(() => two.host()?.observation !== undefined, "a poll");
  assertEquals(two.host()!.key, one.host()!.key);
  await until(() => one.state()[0] === "gone", "its end at the first");
});

const base = { nickname: "here", basedir: "gatherer-provide", clock };

const read: [args: string, options: Partial<ProvideOptions>][] = [
  ["--furl f", { ...base, furl: "f" }],
  [
    "--furl f --nickname x --basedir /b --disk / --disk /home --interface eth0",
    {
      furl: "f",
      nickname: "x",
      basedir: "/b",
      clock,
      disks: ["/", "/home"],
      interfaces: ["eth0"],
    },
  ],
  [
    "--furl=f --statistics http://127.0.0.1:3456",
    {
      ...base,
      furl: "f",
      page: { url: "http://127.0.0.1:3456/statistics?t=json" },
    },
  ],
  [
    "--furl=f --statistics s-1=http://h",
    {
      ...base,
      furl: "f",
      nickname: "s-1",
      page: { url: "http://h/statistics?t=json" },
    },
  ],
  [
    "--furl=f --nickname x --statistics s-1=http://h",
    {
      ...base,
      furl: "f",
      nickname: "x",
      page: { url: "http://h/statistics?t=json" },
    },
  ],
];

for (const [args, options] of read) {
  Deno.test(`provide ${args}`, async () => {
    const words = args.split(" ");
    assertEquals(await readProvideOptions(words, () => "here"), options);
  });
}

const wrong: [args: string, reason: RegExp][] = [
  ["", /^--furl is missing: /],
  ["--furl", /^--furl needs a value/],
  ["--furl f --furl g", /^--furl is given more than once/],
  ["--furl f --ca x", /^--ca is for https, with --statistics$/],
  ["--furl f --statistics http://h --disk /", /^--disk is for a machine/],
  [
    "--furl f --statistics http://h --interface lo",
    /^--interface is for a machine/,
  ],
  ["--furl f --statistics h", /^--statistics: this is no \[NAME=\]http/],
  ["--furl f x", /^unexpected argument "x"/],
];

for (const [args, reason] of wrong) {
  Deno.test(`provide ${args} is wrong usage`, async () => {
    const words = args.split(" ").filter((word) => word !== "");
    const error = await assertRejects(
      () => readProvideOptions(words, () => "here"),
      UserError,
    );
    assertMatch(error.message, reason);
    assertEquals(error.exitCode, 2);
  });
}

Deno.test("provide --help fits a terminal, and names every option", () => {
  for (const line of provideHelp.split("\n")) assert(line.length <= 106, line);
  for (
    const option of [
      "furl",
      "nickname",
      "statistics",
      "ca",
      "disk",
      "interface",
      "basedir",
    ]
  ) assertMatch(provideHelp, new RegExp(`^  --${option} `, "m"));
});
