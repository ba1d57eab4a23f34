import { assertEquals, assertRejects } from "@std/assert";
import { systemClock } from "../../lib/clock.ts";
import { UserError } from "../../lib/errors.ts";
import {
  formatAddress,
  isLocal,
  parseAddress,
  type SocketAddress,
} from "../../lib/rrd/address.ts";
import { RrdcachedWriter } from "../../lib/rrd/rrdcached.ts";
import { Shapes } from "../../lib/rrd/shape.ts";
import {
  type RrdUpdate,
  WriterDown,
  WriterLost,
} from "../../lib/rrd/writer.ts";
import { FakeClock } from "../fake_clock.ts";
import { FakeWriter } from "./fake_writer.ts";

const shape = new Shapes(["RRA:AVERAGE:0.5:1:10"]).of({
  slope: "both",
  restarts: false,
  summary: false,
  step: 15,
});
const CREATE = "-s 15 -b 99 -O DS:sum:GAUGE:120:U:U RRA:AVERAGE:0.5:1:10";

function update(path: string, time = 100): RrdUpdate {
  return { path, time, values: "1.5", shape };
}

/** Says what to answer to a line; `undefined`: nothing; `null`: the end. */
type Script = (line: string) => string | undefined | null;

/** Something that listens where an rrdcached may be, and answers as a test says. */
class FakeRrdcached implements AsyncDisposable {
  readonly lines: string[] = [];
  connections = 0;
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #script: Script;
  readonly #running: Promise<void>;
  readonly #open = new Set<Deno.Conn>();

  constructor(script: Script) {
    this.#script = script;
    this.#running = this.#accept();
  }

  get address(): SocketAddress {
    const { port } = this.#listener.addr;
    return { transport: "tcp", hostname: "127.0.0.1", port };
  }

  async #accept(): Promise<void> {
    const talks: Promise<void>[] = [];
    for await (const connection of this.#listener) {
      this.connections++;
      this.#open.add(connection);
      talks.push(this.#talk(connection).catch(() => {}));
    }
    await Promise.all(talks);
  }

  async #talk(connection: Deno.Conn): Promise<void> {
    let rest = "";
    const buffer = new Uint8Array(4096);
    for (;;) {
      const length = await connection.read(buffer);
      if (length === null) return;
      const lines =
        (rest + new TextDecoder().decode(buffer.subarray(0, length)))
          .split("\n");
      rest = lines.pop()!;
      for (const line of lines) {
        this.lines.push(line);
        const answer = this.#script(line);
        if (answer === null) return connection.close();
        if (answer !== undefined) {
          await connection.write(new TextEncoder().encode(answer));
        }
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const connection of this.#open) {
      try {
        connection.close();
      } catch {
        // It is closed.
      }
    }
    await this.#running.catch(() => {});
  }
}

/** Answers to a batch. */
function batches(errors: string): Script {
  return (line) =>
    line === "BATCH" ? "0 Go ahead.\n" : line === "." ? errors : undefined;
}

Deno.test("updates go in batches, blanks and backslashes escaped", async () => {
  await using server = new FakeRrdcached(
    batches("1 errors\n2 No such file: /r/a b\n"),
  );
  const writer = new RrdcachedWriter({
    address: server.address,
    clock: systemClock,
  });
  const answers = await writer.update([
    update("/r/x.rrd"),
    update("/r/a b"),
    update('/r/back\\slash\'s "q"'),
  ]);
  assertEquals(answers, [
    undefined,
    { kind: "missing", reason: "No such file" },
    undefined,
  ]);
  await writer.update([update("/r/x.rrd", 115)]);
  assertEquals(server.connections, 1);
  assertEquals(server.lines, [
    "BATCH",
    "UPDATE /r/x.rrd 100:1.5",
    "UPDATE /r/a\\ b 100:1.5",
    'UPDATE /r/back\\\\slash\'s\\ "q" 100:1.5',
    ".",
    "BATCH",
    "UPDATE /r/x.rrd 115:1.5",
    ".",
  ]);
  await writer.close();
  await assertRejects(
    () => writer.update([update("/r/x")]),
    WriterDown,
    "stop",
  );
});

Deno.test("where batches are not allowed, commands go one by one", async () => {
  await using server = new FakeRrdcached((line) =>
    line === "BATCH"
      ? "-1 Permission denied.\n"
      : line.includes("/no")
      ? "-1 No such file: /no\n"
      : "0 errors, enqueued 1 value(s).\n"
  );
  const { address } = server;
  const writer = new RrdcachedWriter({ address, clock: systemClock });
  const updates = [update("/a"), update("/no"), update("/b")];
  const missing = { kind: "missing" as const, reason: "No such file" };
  assertEquals(await writer.update(updates), [undefined, missing, undefined]);
  assertEquals(await writer.update(updates), [undefined, missing, undefined]);
  assertEquals(server.lines.filter((line) => line === "BATCH").length, 1);
  assertEquals(server.lines.length, 7);
  await writer.close();
});

Deno.test("files are made by rrdcached, or if it cannot by another program", async () => {
  const dir = await Deno.makeTempDir();
  const directories = `No permission to recursively create: ${dir}/c/h`;
  const replies = [
    `4 errors\n1 ${directories}\nDid you pass -R to the daemon?\n` +
    "2 RRD Error: creating '/x/y': File exists\n3 Unknown command: CREATE\n",
    "1 errors\n1 Unknown command: CREATE\n",
  ];
  await using server = new FakeRrdcached((line) =>
    line === "BATCH"
      ? "0 Go ahead.\n"
      : line === "."
      ? replies.shift()
      : undefined
  );
  const creator = new FakeWriter();
  const writer = new RrdcachedWriter({
    address: server.address,
    clock: systemClock,
    creator,
  });
  const path = `${dir}/c/h/m.rrd`;
  assertEquals(
    await writer.create([
      update(path),
      update("/x/y"),
      update("/x/z"),
      update("/w"),
    ]),
    [
      undefined,
      { kind: "exists", reason: "RRD Error: creating '/x/y': File exists" },
      undefined,
      undefined,
    ].map((answer) =>
      answer && { ...answer, reason: "RRD Error: creating it: File exists" }
    ),
  );
  assertEquals(server.lines, [
    "BATCH",
    `CREATE ${path} ${CREATE}`,
    `CREATE /x/y ${CREATE}`,
    `CREATE /x/z ${CREATE}`,
    `CREATE /w ${CREATE}`,
    ".",
    "BATCH",
    `CREATE ${path} ${CREATE}`,
    ".",
  ]);
  assertEquals([...creator.files.keys()], [path, "/x/z"]);
  assertEquals((await Deno.stat(`${dir}/c/h`)).isDirectory, true);
  await writer.close();
  assertEquals(creator.isClosed, true);
  await Deno.remove(dir, { recursive: true });
});

Deno.test("what ends in the middle is lost, and connected to again", async () => {
  let calls = 0;
  await using server = new FakeRrdcached((line) => {
    if (line === "BATCH") return "0 Go ahead.\n";
    if (line !== ".") return undefined;
    return ++calls === 1 ? null : "0 errors\n";
  });
  const { address } = server;
  const writer = new RrdcachedWriter({ address, clock: systemClock });
  await assertRejects(
    () => writer.update([update("/a")]),
    WriterLost,
    "the connection was closed",
  );
  assertEquals(await writer.update([update("/a")]), [undefined]);
  assertEquals(server.connections, 2);
  await writer.close();
});

Deno.test("what does not answer, or not as rrdcached, is lost", async () => {
  const cases: [Script, string][] = [
    [() => undefined, "it does not answer for 0.05 s"],
    [
      (line) => line === "BATCH" ? "0 Go ahead.\n" : "0",
      "it does not answer for 0.05 s",
    ],
    [
      () => "HTTP/1.1 400 Bad Request\r\n",
      "it does not answer as rrdcached does",
    ],
    [() => "x".repeat(20_000), "its reply has no end"],
  ];
  for (const [script, reason] of cases) {
    await using server = new FakeRrdcached(script);
    const writer = new RrdcachedWriter({
      address: server.address,
      clock: systemClock,
      silenceMs: 50,
    });
    await assertRejects(
      () => writer.update([update("/a")]),
      WriterLost,
      reason,
    );
    await writer.close();
  }
});

Deno.test("where nothing listens it is down; closing ends what is under way", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  const writer = new RrdcachedWriter({
    address: { transport: "tcp", hostname: "127.0.0.1", port },
    clock: systemClock,
  });
  const error = await assertRejects(
    () => writer.update([update("/a")]),
    WriterDown,
    "refused",
  );
  assertEquals(error.isAbsent, false);
  await writer.close();

  await using server = new FakeRrdcached(() => undefined);
  const { address } = server;
  const clock = new FakeClock();
  const silent = new RrdcachedWriter({ address, clock });
  const lost = assertRejects(
    () => silent.update([update("/a")]),
    WriterLost,
    "it was told to stop",
  );
  while (server.lines.length === 0) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await silent.close();
  await lost;
  assertEquals(clock.pending, 0);
});

Deno.test("what is too long for rrdcached is not sent", async () => {
  await using server = new FakeRrdcached(batches("0 errors\n"));
  const { address } = server;
  const writer = new RrdcachedWriter({ address, clock: systemClock });
  assertEquals(
    await writer.update([
      update(`/${"a/".repeat(2100)}x`),
      update(`/${"€/".repeat(1100)}x`),
      update(`/${"€/".repeat(900)}x`),
    ]),
    [
      { kind: "other", reason: "its path is too long" },
      { kind: "other", reason: "its path is too long" },
      undefined,
    ],
  );
  assertEquals(server.lines.length, 3);
  await writer.close();
});

Deno.test("addresses are as rrdtool's --daemon takes them", async () => {
  const cases: [string, SocketAddress, string, boolean][] = [
    [
      "unix:/run/x.sock",
      { transport: "unix", path: "/run/x.sock" },
      "/run/x.sock",
      true,
    ],
    ["/run/x y", { transport: "unix", path: "/run/x y" }, "/run/x y", true],
    ["localhost", tcp("localhost", 42217), "localhost:42217", true],
    ["127.0.0.1:9", tcp("127.0.0.1", 9), "127.0.0.1:9", true],
    ["[::1]:9", tcp("::1", 9), "[::1]:9", true],
    ["[2001:db8::1]", tcp("2001:db8::1", 42217), "[2001:db8::1]:42217", false],
    [
      "rrd.example.test:42217",
      tcp("rrd.example.test", 42217),
      "rrd.example.test:42217",
      false,
    ],
  ];
  for (const [text, address, formatted, local] of cases) {
    assertEquals(parseAddress(text), address);
    assertEquals(formatAddress(address), formatted);
    assertEquals(isLocal(address), local);
  }
  for (const text of ["", ":42217", "host:0", "host:65536", "a b", "unix:x"]) {
    await assertRejects(
      () => Promise.resolve().then(() => parseAddress(text)),
      UserError,
      "no address of an rrdcached",
    );
  }
});

function tcp(hostname: string, port: number): SocketAddress {
  return { transport: "tcp", hostname, port };
}
