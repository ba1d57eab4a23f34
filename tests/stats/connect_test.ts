/**
 * Needs --allow-net=127.0.0.1, --allow-read, --allow-write, and --allow-run=deno with --allow-env
 * for the programs that it starts.
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import {
  generateIdentity,
  type Identity,
  parseIdentity,
} from "../../lib/foolscap/certificate.ts";
import { FurlError } from "../../lib/foolscap/errors.ts";
import { Tub } from "../../lib/foolscap/tub.ts";
import { makeStatsGatherer } from "../../lib/sources/foolscap.ts";
import type { PolledNode, Poller, Report } from "../../lib/sources/poller.ts";
import {
  type Attachment,
  connect,
  type ConnectOptions,
} from "../../lib/stats/connect.ts";
import { StatsProvider } from "../../lib/stats/provider.ts";
import { FakeClock } from "../fake_clock.ts";
import { eventually, listenRaw, relayTo } from "../foolscap/raw_peer.ts";
import { captureLog } from "../log_capture.ts";

const SWISSNUM = "gywo3xz5vq4ihbpnz3pn6lqj7kx7wkhs";
const identity = await generateIdentity();

/** A gatherer that polls when the test says so. */
interface Gatherer extends AsyncDisposable {
  readonly furl: string;
  readonly port: number;
  readonly nodes: PolledNode[];
  readonly gone: string[];
  /** The next node that attaches. */
  next(): Promise<PolledNode>;
}

async function startGatherer(
  port = 0,
  key: Identity = identity,
): Promise<Gatherer> {
  const nodes: PolledNode[] = [];
  const gone: string[] = [];
  let wake = () => {};
  let taken = 0;
  const poller = {
    attach(node: PolledNode) {
      nodes.push(node);
      wake();
    },
    detach: (_node: PolledNode, reason: string) => gone.push(reason),
  } as unknown as Poller;
  const tub = new Tub({ identity: key });
  const used = await tub.listen(port, "127.0.0.1");
  tub.setLocation([`tcp:127.0.0.1:${used}`]);
  return {
    furl: tub.registerReference(makeStatsGatherer(poller), SWISSNUM),
    port: used,
    nodes,
    gone,
    async next() {
      while (nodes.length <= taken) {
        await new Promise<void>((resolve) => wake = resolve);
      }
      return nodes[taken++];
    },
    [Symbol.asyncDispose]: () => tub.close(),
  };
}

/** A directory of its own, removed at the end. */
async function temporary() {
  const path = await Deno.makeTempDir();
  return {
    path,
    file: (name: string) => join(path, name),
    [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }),
  };
}

interface Node extends AsyncDisposable {
  readonly stats: StatsProvider;
  readonly attachment: Attachment;
  readonly clock: FakeClock;
}

/** Attaches a provider, on a clock that stands still, without a file for its key. */
function attach(options: Partial<ConnectOptions> & { furl: string }): Node {
  const clock = new FakeClock();
  const stats = new StatsProvider({ clock });
  const attachment = connect(stats, {
    nickname: "mailer",
    identityFile: "/nonexistent/node.pem",
    clock,
    ...options,
  });
  return {
    stats,
    attachment,
    clock,
    [Symbol.asyncDispose]: () => attachment.close(),
  };
}

function figures(report: Report) {
  return {
    counters: Object.fromEntries(report.counters),
    stats: Object.fromEntries(report.stats),
  };
}

Deno.test("a program attaches with a FURL, and its numbers arrive with their kinds", async () => {
  await using logs = await captureLog();
  await using gatherer = await startGatherer();
  await using node = attach({ furl: ` ${gatherer.furl!}\n`, nickname: "Zoë" });
  const polled = await gatherer.next();
  assertEquals(polled.nickname, "Zoë");
  node.stats.count("mailer.sent", 3);
  node.stats.count("mailer.bytes", 2n ** 70n);
  node.stats.registerProducer({
    getStats: () => ({
      "queue.length": 0,
      "queue.age": 0.5,
      "queue.last": null,
      "minus": -7,
    }),
  });
  assertEquals(figures(await polled.poll(1000)), {
    counters: { "mailer.sent": 3n, "mailer.bytes": 2n ** 70n },
    stats: {
      "queue.length": 0n,
      "queue.age": 0.5,
      "queue.last": null,
      "minus": -7n,
    },
  });
  assertEquals(node.attachment.state, "connected");
  assertEquals(node.attachment.lastError, undefined);
  await node.attachment.close();
  assertEquals(node.attachment.state, "closed");
  await eventually(() => gatherer.gone.length === 1);
  for (const line of logs.lines) assert(!line.includes(SWISSNUM), line);
  assert(
    logs.lines.some((line) => line.startsWith("info attached to the gatherer")),
  );
});

Deno.test("a program attaches with the file that holds the FURL", async () => {
  await using gatherer = await startGatherer();
  await using directory = await temporary();
  const path = directory.file("stats_gatherer.furl");
  await Deno.writeTextFile(path, `${gatherer.furl!}\n`);
  await using _node = attach({ furl: path });
  assertEquals((await gatherer.next()).nickname, "mailer");
});

Deno.test("a file that is missing, unreadable or garbled means not configured", async () => {
  await using logs = await captureLog();
  await using directory = await temporary();
  const loop = directory.file("loop");
  await Deno.symlink(loop, loop);
  const written: [string, string | Uint8Array<ArrayBuffer>][] = [
    ["empty", ""],
    ["garbage", "this is no FURL"],
    ["binary", crypto.getRandomValues(new Uint8Array(1000))],
    ["half", `pb://${"a".repeat(32)}@tcp:h:1/`],
    [
      "two",
      `pb://${"a".repeat(32)}@tcp:h:1/${SWISSNUM}\npb://${
        "a".repeat(32)
      }@tcp:h:1/x`,
    ],
  ];
  for (const [name, content] of written) {
    await Deno.writeFile(
      directory.file(name),
      typeof content === "string" ? new TextEncoder().encode(content) : content,
    );
  }
  const paths = [
    directory.file("missing"),
    directory.file("no/such/directory"),
    directory.path,
    loop,
    ...written.map(([name]) => directory.file(name)),
    "",
    "\0",
  ];
  for (const furl of paths) {
    await using node = attach({
      furl,
      identityFile: directory.file("node.pem"),
    });
    await eventually(() => node.attachment.state !== "waiting");
    assertEquals(node.attachment.state, "unconfigured", furl);
    assertEquals(node.attachment.lastError, undefined);
    node.stats.count("still.counting");
    await node.clock.advance(5000);
    // Nor is there a load monitor, or a key.
    assertEquals(
      await node.stats.getStats(),
      Object.assign(
        await new StatsProvider().getStats(),
        {
          counters: Object.assign(Object.create(null), { "still.counting": 1 }),
        },
      ),
    );
    assertEquals(node.clock.pending, 0);
    await node.attachment.close();
    assertEquals(node.attachment.state, "closed");
  }
  assert(
    !(await Array.fromAsync(Deno.readDir(directory.path))).some(({ name }) =>
      name === "node.pem"
    ),
  );
  for (const line of logs.lines) {
    assert(/^(info|warning) no gatherer is configured: /.test(line), line);
    assertEquals(line.startsWith("info"), /no such file/i.test(line), line);
    assert(!line.includes(SWISSNUM), line);
  }
});

Deno.test("a file that vanishes while it is read is no error either", async () => {
  await using directory = await temporary();
  const path = directory.file("furl");
  for (let i = 0; i < 20; i++) {
    await Deno.writeTextFile(path, "garbage");
    const node = attach({ furl: path });
    await Deno.remove(path);
    await eventually(() => node.attachment.state !== "waiting");
    assertEquals(node.attachment.state, "unconfigured");
    await node.attachment.close();
  }
});

Deno.test("a FURL in the program's own text that is none is an error at once", () => {
  const stats = new StatsProvider();
  for (
    const furl of [
      "pb:",
      "pb://",
      "pb://x",
      `pb:/${SWISSNUM}`,
      `pb://?@h:1/${SWISSNUM}`,
    ]
  ) {
    const error = assertThrows(
      () => connect(stats, { furl, nickname: "n" }),
      FurlError,
    );
    assert(!error.message.includes(SWISSNUM), error.message);
  }
});

Deno.test("nothing is connected before the program is ready", async () => {
  await using gatherer = await startGatherer();
  const { promise, resolve } = Promise.withResolvers<void>();
  await using node = attach({ furl: gatherer.furl!, ready: promise });
  await node.clock.advance(3_600_000);
  assertEquals(node.attachment.state, "waiting");
  assertEquals(gatherer.nodes.length, 0);
  resolve();
  await gatherer.next();
  await eventually(() => node.attachment.state === "connected");
});

Deno.test("a program that does not become ready is never connected", async () => {
  await using logs = await captureLog();
  await using gatherer = await startGatherer();
  await using node = attach({
    furl: gatherer.furl!,
    ready: Promise.reject(new Error("the database is down")),
  });
  await eventually(() => node.attachment.state !== "waiting");
  assertEquals(node.attachment.state, "closed");
  assertEquals(node.clock.pending, 0);
  assertEquals(gatherer.nodes.length, 0);
  assertEquals(logs.lines, [
    "error statistics are not offered: the database is down",
  ]);
});

Deno.test("a rejected ready is no uncaught rejection where nothing is configured", async () => {
  await using node = attach({
    furl: "/nonexistent",
    ready: Promise.reject(new Error("no")),
  });
  await eventually(() => node.attachment.state === "unconfigured");
  await new Promise((resolve) => setTimeout(resolve, 0));
});

Deno.test("close() ends it at any moment, and once is enough", async () => {
  await using gatherer = await startGatherer();
  await using silent = await listenRaw();
  const unanswered = gatherer.furl!.replace(
    `:${gatherer.port}/`,
    `:${silent.port}/`,
  );
  const never = new Promise(() => {});

  const moments: [
    string,
    Partial<ConnectOptions>,
    (node: Node) => Promise<unknown>,
  ][] = [
    ["at once", {}, () => Promise.resolve()],
    [
      "before it is ready",
      { ready: never },
      (node) => node.clock.advance(1000),
    ],
    ["while it dials", { furl: unanswered }, () => silent.accept()],
    ["while it is connected", {}, () => gatherer.next()],
    ["unconfigured", { furl: "/nonexistent" }, () => Promise.resolve()],
  ];
  for (const [moment, options, wait] of moments) {
    const node = attach({ furl: gatherer.furl!, ...options });
    await wait(node);
    const closing = node.attachment.close();
    assertEquals(node.attachment.state, "closed", moment);
    assertEquals(node.attachment.close(), closing);
    await closing;
    assertEquals(node.attachment.state, "closed", moment);
    assertEquals(node.clock.pending, 0, moment);
    await node.clock.advance(10_000);
    assertEquals(node.clock.pending, 0, moment);
  }
});

Deno.test("a node comes back when the gatherer does, and says so once each", async () => {
  await using logs = await captureLog();
  let gatherer = await startGatherer();
  await using node = attach({ furl: gatherer.furl! });
  await gatherer.next();
  const { port } = gatherer;
  for (let round = 0; round < 3; round++) {
    await gatherer[Symbol.asyncDispose]();
    await eventually(() => node.attachment.state === "waiting");
    if (round === 1) {
      // Down for hours: attempt after attempt, and no line for each.
      for (let minute = 0; minute < 120; minute++) {
        await node.clock.advance(60_000);
        await eventually(() => node.attachment.state === "waiting");
      }
      assert(node.attachment.lastError?.message.includes("ECONNREFUSED"));
    }
    gatherer = await startGatherer(port);
    while (gatherer.nodes.length === 0) {
      await node.clock.advance(1000);
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
    node.stats.count("rounds");
    const polled = await gatherer.next();
    assertEquals(figures(await polled.poll(1000)).counters, {
      rounds: BigInt(round + 1),
    });
  }
  await node.attachment.close();
  await gatherer[Symbol.asyncDispose]();
  const count = (text: string) =>
    logs.lines.filter((line) => line.startsWith(text)).length;
  assertEquals(count("info attached to the gatherer"), 4);
  assertEquals(count("warning not attached to the gatherer"), 3);
});

Deno.test("a gatherer that does not know the name is asked again, and the name is not logged", async () => {
  await using logs = await captureLog();
  await using gatherer = await startGatherer();
  const wrong = gatherer.furl!.replace(SWISSNUM, "secretsecretsecret");
  await using node = attach({ furl: wrong });
  await eventually(() => node.attachment.lastError !== undefined);
  assertEquals(
    node.attachment.lastError?.message,
    "the peer answered with builtins.KeyError: it has no object of the name that was asked for",
  );
  for (const line of logs.lines) assert(!line.includes("secret"), line);
});

Deno.test("the load monitor runs while a gatherer is configured, unless it is not wanted", async () => {
  await using gatherer = await startGatherer();
  for (const loadMonitor of [undefined, true, false]) {
    const node = attach({ furl: gatherer.furl!, loadMonitor });
    const polled = await gatherer.next();
    await node.clock.advance(3000);
    const { stats } = figures(await polled.poll(1000));
    assertEquals("load_monitor.avg_load" in stats, loadMonitor !== false);
    await node.attachment.close();
    assertEquals(
      (await node.stats.getStats()).stats["load_monitor.avg_load"],
      undefined,
    );
  }
});

Deno.test("a hung producer does not keep the node from answering", async () => {
  await using gatherer = await startGatherer();
  await using node = attach({ furl: gatherer.furl! });
  node.stats.count("works");
  node.stats.registerProducer({
    name: "stuck",
    getStats: () => new Promise(() => {}),
  });
  const polled = await gatherer.next();
  const answer = polled.poll(10_000);
  await eventually(() => node.clock.pending > 0);
  // The request travels while the clock stands still.
  let report: Report | undefined;
  answer.then((answer) => report = answer);
  while (!report) {
    await node.clock.advance(1000);
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  assertEquals(figures(report).counters, { works: 1n });
});

Deno.test("the key is made 0600, kept, and used again", async () => {
  await using gatherer = await startGatherer();
  await using directory = await temporary();
  const identityFile = directory.file("node.pem");
  const keys = new Set<string>();
  for (let i = 0; i < 2; i++) {
    await using node = attach({ furl: gatherer.furl!, identityFile });
    keys.add((await gatherer.next()).key);
    void node;
  }
  assertEquals([...keys], [
    parseIdentity(await Deno.readTextFile(identityFile)).tubid,
  ]);
  if (Deno.build.os !== "windows") {
    assertEquals((await Deno.stat(identityFile)).mode! & 0o777, 0o600);
  }
});

Deno.test("a key that others can read is complained about, and used", async () => {
  await using logs = await captureLog();
  await using gatherer = await startGatherer();
  await using directory = await temporary();
  const identityFile = directory.file("node.pem");
  await using first = attach({ furl: gatherer.furl!, identityFile });
  const { key } = await gatherer.next();
  await first.attachment.close();
  await Deno.chmod(identityFile, 0o644);
  await using _second = attach({ furl: gatherer.furl!, identityFile });
  assertEquals((await gatherer.next()).key, key);
  assert(
    logs.lines.some((line) =>
      line.startsWith("warning") && line.includes("chmod 600")
    ),
  );
});

Deno.test("where the key cannot be kept the node has a new one, and says why", async () => {
  await using gatherer = await startGatherer();
  await using directory = await temporary();
  const garbled = directory.file("garbled.pem");
  const secret =
    "-----BEGIN PRIVATE KEY-----\nTUlHVEFnRUFNQk1HQnlxR1NNNDk=\n-----END PRIVATE KEY-----\n";
  await Deno.writeTextFile(garbled, secret);
  for (const path of ["/nonexistent/node.pem", directory.path, garbled]) {
    await using logs = await captureLog();
    await using _node = attach({ furl: gatherer.furl!, identityFile: path });
    await gatherer.next();
    const [line] = logs.lines.filter((line) => line.includes("key cannot"));
    assert(
      line.startsWith(`warning the node's key cannot be kept in ${path}, `),
      line,
    );
    assert(!line.includes("TUlH"), line);
  }
  assertEquals(await Deno.readTextFile(garbled), secret);
});

// Programs of their own.

const child = fromFileUrl(new URL("connect_child.ts", import.meta.url));
const config = fromFileUrl(new URL("../../deno.json", import.meta.url));

/** Runs the child with the permissions named, until the test or the child itself ends it. */
function run(
  task: Record<string, unknown>,
  permissions: string[],
  env: Record<string, string> = {},
  cwd?: string,
) {
  return new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--config",
      config,
      ...permissions,
      child,
      JSON.stringify({ then: "work", ...task }),
    ],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
    env: { NO_COLOR: "1", ...env },
    cwd,
  }).spawn();
}

/** Ends the child's work, and waits for what it has to say. */
async function finished(process: Deno.ChildProcess) {
  await process.stdin.close();
  const { code, stdout, stderr } = await process.output();
  const decoder = new TextDecoder();
  return {
    code,
    stdout: decoder.decode(stdout),
    stderr: decoder.decode(stderr),
  };
}

Deno.test("a program that has attached ends when its work is done", async () => {
  await using gatherer = await startGatherer();
  const net = `--allow-net=127.0.0.1:${gatherer.port}`;
  for (const then of ["work", "close", "using"]) {
    const process = run({ furl: gatherer.furl!, then }, [net]);
    const polled = await gatherer.next();
    assertEquals(figures(await polled.poll(10_000)).counters, {
      "child.runs": 1n,
    });
    assertEquals(await finished(process), {
      code: 0,
      stdout: "done\n",
      stderr: "",
    }, then);
  }
  assertEquals(gatherer.gone.length, 3);
});

Deno.test("a program ends when its work is done, whatever state the gatherer is in", async () => {
  await using silent = await listenRaw();
  const furl = `pb://${"a".repeat(32)}@tcp:127.0.0.1:${silent.port}/x`;
  const net = `--allow-net=127.0.0.1:${silent.port}`;
  // It takes the call and says nothing.
  for (const then of ["work", "close"]) {
    const process = run({ furl, then }, [net]);
    await silent.accept();
    assertEquals(await finished(process), {
      code: 0,
      stdout: "done\n",
      stderr: "",
    });
  }
  // Nobody is there, or nothing is configured; the program has nothing to do but to end.
  for (
    const target of [furl.replace(`:${silent.port}/`, ":1/"), "/nonexistent"]
  ) {
    for (const then of ["nothing", "close", "using"]) {
      const process = run({ furl: target, then }, ["--allow-net=127.0.0.1:1"]);
      assertEquals(await finished(process), {
        code: 0,
        stdout: "done\n",
        stderr: "",
      });
    }
  }
});

Deno.test("a program that waits for close() gets there, even if the gatherer does not answer", async () => {
  await using gatherer = await startGatherer();
  await using relay = await relayTo(gatherer.port);
  const furl = gatherer.furl!.replace(`:${gatherer.port}/`, `:${relay.port}/`);
  const process = run({ furl, then: "close" }, [
    `--allow-net=127.0.0.1:${relay.port}`,
  ]);
  await (await gatherer.next()).poll(10_000);
  relay.stopUp();
  assertEquals(await finished(process), {
    code: 0,
    stdout: "done\n",
    stderr: "",
  });
});

Deno.test("with keepAlive the connection keeps the program running", async () => {
  await using gatherer = await startGatherer();
  const process = run(
    { furl: gatherer.furl!, then: "nothing", keepAlive: true },
    [
      `--allow-net=127.0.0.1:${gatherer.port}`,
    ],
  );
  const polled = await gatherer.next();
  await process.stdin.close();
  const lines = process.stdout.getReader();
  assertEquals(new TextDecoder().decode((await lines.read()).value), "done\n");
  // Its own work is over; it goes on answering.
  for (let i = 0; i < 20; i++) await polled.poll(10_000);
  process.kill();
  await process.status;
  await lines.cancel();
  await process.stderr.cancel();
});

Deno.test("with no permission but the network nothing is asked for, and it works", async () => {
  await using gatherer = await startGatherer();
  await using directory = await temporary();
  const audit = directory.file("audit");
  const net = `--allow-net=127.0.0.1:${gatherer.port}`;
  const process = run({ furl: gatherer.furl!, then: "close" }, [net], {
    DENO_AUDIT_PERMISSIONS: audit,
  });
  const polled = await gatherer.next();
  await polled.poll(10_000);
  assertEquals(await finished(process), {
    code: 0,
    stdout: "done\n",
    stderr: "",
  });
  const asked = (await Deno.readTextFile(audit)).trim().split("\n")
    .map((line) => JSON.parse(line)).map(({ permission, value }) =>
      `${permission} ${value}`
    );
  assertEquals([...new Set(asked)], [`net 127.0.0.1:${gatherer.port}`]);
});

Deno.test("with leave to write the key's file alone, nothing else is asked for", async () => {
  await using gatherer = await startGatherer();
  await using directory = await temporary();
  const audit = directory.file("audit");
  const identityFile = directory.file("node.pem");
  const process = run({ furl: gatherer.furl!, then: "close", identityFile }, [
    `--allow-net=127.0.0.1:${gatherer.port}`,
    `--allow-read=${identityFile}`,
    `--allow-write=${identityFile}`,
  ], { DENO_AUDIT_PERMISSIONS: audit });
  await gatherer.next();
  assertEquals((await finished(process)).code, 0);
  assert(!(await Deno.readTextFile(audit)).includes("node.pem.tmp"));
});

Deno.test("the key's file is named after the node where no other is named", async () => {
  await using gatherer = await startGatherer();
  await using directory = await temporary();
  const process = run(
    { furl: gatherer.furl!, then: "close" },
    [
      `--allow-net=127.0.0.1:${gatherer.port}`,
      "--allow-read=.",
      "--allow-write=.",
    ],
    {},
    directory.path,
  );
  const { key } = await gatherer.next();
  assertEquals((await finished(process)).code, 0);
  const text = await Deno.readTextFile(directory.file("child.stats.pem"));
  assertEquals(parseIdentity(text).tubid, key);
});
