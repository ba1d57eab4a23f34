/** The node on real sockets, with clients of every kind. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { UserError } from "../../lib/errors.ts";
import { parseAccess } from "../../lib/net/access.ts";
import { defaultLimits } from "../../lib/munin_node/limits.ts";
import { FakeClock } from "../fake_clock.ts";
import { captureLog } from "../log_capture.ts";
import {
  ask,
  connect,
  eventually,
  receiveAll,
  receiveUntil,
  send,
  startNode,
} from "./node_client.ts";
import { SampleContent } from "./sample_content.ts";

const BANNER = "# munin node at one.example\n";

/** Content whose only answer never ends, and what became of it. */
class Endless extends SampleContent {
  made = 0;
  /** How many of its answers were closed. */
  closed = 0;

  constructor() {
    const answer = () => this.#answer();
    super({ "one.example": { odd: { config: answer, fetch: answer } } });
  }

  *#answer() {
    try {
      while (true) {
        this.made++;
        yield "a.value 1\n".repeat(1000);
      }
    } finally {
      this.closed++;
    }
  }
}

/** Waits until the system's buffers are full, and nothing moves any more. */
async function standstill(figures: () => readonly number[]): Promise<void> {
  let before = "";
  while (figures().includes(0) || `${figures()}` !== before) {
    before = `${figures()}`;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const listens: readonly [host: string, callers: Record<string, string>][] = [
  ["127.0.0.1", { "127.0.0.1": "127.0.0.1" }],
  ["0.0.0.0", { "127.0.0.1": "127.0.0.1" }],
  ["::1", { "::1": "::1" }],
  ["::", { "127.0.0.1": "127.0.0.1", "::1": "::1" }],
];

for (const [host, callers] of listens) {
  Deno.test(`a node on ${host} lets callers in, or keeps them out`, async () => {
    await using log = await captureLog();
    for (const [caller, name] of Object.entries(callers)) {
      const access = parseAccess(`${name}, !::/0`, "test");
      await using node = await startNode({ host, access });
      assertEquals(node.address.host, host);
      assertEquals(
        await ask(node.address.port, "list\nquit\n", caller),
        `${BANNER}load\n`,
      );
      assertEquals(log.lines, []);
      await using strict = await startNode({
        host,
        access: parseAccess(`!${name}, 0.0.0.0/0, ::/0`, "test"),
      });
      assertEquals(await ask(strict.address.port, "list\n", caller), "");
      assertEquals(log.lines.splice(0), [
        `warning Munin client ${name}: refused: !${name}`,
      ]);
      assertEquals(
        [strict.counts.connections, strict.counts.refused],
        [0, 1],
      );
    }
  });
}

Deno.test("a port in use is the user's to mend", async () => {
  await using node = await startNode();
  const { port } = node.address;
  const error = await assertRejects(() => startNode({ port }), UserError);
  assertEquals(
    error.message,
    `cannot listen for Munin on 127.0.0.1, port ${port}: port ${port} is in use, ` +
      "perhaps by a munin-node; stop that, or choose another port",
  );
});

Deno.test("so is an address that the machine does not have", async () => {
  const error = await assertRejects(
    () => startNode({ host: "192.0.2.1" }),
    UserError,
  );
  assertEquals(
    error.message,
    "cannot listen for Munin on 192.0.2.1, port 0: this machine does not have that address; choose one of its own",
  );
});

Deno.test("a flood of refused callers is two lines in the log", async () => {
  await using log = await captureLog();
  const clock = new FakeClock();
  await using node = await startNode({
    access: parseAccess("10.0.0.0/8", "test"),
    clock,
  });
  const { port } = node.address;
  for (let i = 0; i < 50; i++) {
    using connection = await connect(port);
    assertEquals(await receiveAll(connection), "");
  }
  const line =
    "warning Munin client 127.0.0.1: refused: no rule allows it (10.0.0.0/8)";
  assertEquals(log.lines, [line]);
  await clock.advance(60_000);
  assertEquals(log.lines, [line, `${line}, and 49 more`]);
  assertEquals(node.counts.refused, 50);
  await node.stop();
  assertEquals(clock.pending, 0);
});

Deno.test("a client that ends only its own direction gets its answers", async () => {
  await using node = await startNode();
  const { port } = node.address;
  assertEquals(await ask(port, "list\nquit\n"), `${BANNER}load\n`);
  assertEquals(
    await ask(port, "list\nfetch load"),
    `${BANNER}load\nload.value 1\n.\n`,
  );
  assertEquals(await ask(port, ""), BANNER);
});

Deno.test("a client that goes on after quit is closed", async () => {
  await using node = await startNode();
  using connection = await connect(node.address.port);
  await send(connection, "version\r\nquit\r\n");
  assertEquals(
    await receiveAll(connection),
    `${BANNER}munins node on one.example version: 9.8.7\n`,
  );
});

Deno.test("10,000 commands in one go are answered in order", async () => {
  await using log = await captureLog();
  await using node = await startNode();
  using connection = await connect(node.address.port);
  const receiving = receiveAll(connection);
  await send(connection, "fetch load\nlist\n".repeat(5000));
  await connection.closeWrite();
  assertEquals(
    await receiving,
    BANNER + "load.value 1\n.\nload\n".repeat(5000),
  );
  assertEquals(log.lines, []);
  assertEquals(node.counts.commands, 10_000);
});

Deno.test("commands of a client that does not read wait on its side", async () => {
  const answer = () => ["a.value 1\n".repeat(1000)];
  await using node = await startNode({
    content: new SampleContent({
      "one.example": { odd: { config: answer, fetch: answer } },
    }),
  });
  using connection = await connect(node.address.port);
  let sent = 0;
  const sending = (async () => {
    while (true) {
      await send(connection, "config odd\n".repeat(1000));
      sent += 1000;
    }
  })().catch(() => {});
  await standstill(() => [sent, node.counts.commands]);
  assert(node.counts.commands > 0 && node.counts.commands < sent);
  await node.stop();
  await sending;
});

Deno.test("1000 callers at once: as many are served as may be, and the others closed", async () => {
  await using log = await captureLog();
  await using node = await startNode();
  const { port } = node.address;
  const connections = await Promise.all(
    Array.from({ length: 1000 }, () => connect(port)),
  );
  await eventually(() =>
    node.counts.connections + node.counts.refused === 1000
  );
  const { connectionsPerAddress } = defaultLimits;
  assertEquals(node.counts.connections, connectionsPerAddress);
  let served = 0;
  await Promise.all(connections.map(async (connection) => {
    using _ = connection;
    try {
      await send(connection, "list\nquit\n");
    } catch (error) {
      assert(
        error instanceof Deno.errors.BrokenPipe ||
          error instanceof Deno.errors.ConnectionReset,
      );
      return;
    }
    const text = await receiveAll(connection);
    if (text !== "") served++;
    assertEquals(text, text === "" ? "" : `${BANNER}load\n`);
  }));
  assertEquals(served, connectionsPerAddress);
  assertEquals(log.lines, [
    `warning Munin client 127.0.0.1: refused: ${connectionsPerAddress} connections from there are open already`,
  ]);
  assertEquals(await ask(port, "list\n"), `${BANNER}load\n`);
});

Deno.test("1000 sessions at once are all served where limits let them", async () => {
  await using node = await startNode({
    limits: { connections: 1000, connectionsPerAddress: 1000 },
  });
  const { port } = node.address;
  const connections = await Promise.all(
    Array.from({ length: 1000 }, () => connect(port)),
  );
  await eventually(() => node.counts.connections === 1000);
  using late = await connect(port);
  assertEquals(await receiveAll(late), "");
  const texts = await Promise.all(connections.map(async (connection) => {
    using _ = connection;
    await send(connection, "fetch load\nquit\n");
    return await receiveAll(connection);
  }));
  assertEquals(new Set(texts), new Set([`${BANNER}load.value 1\n.\n`]));
});

Deno.test("the number of connections is bounded over all addresses", async () => {
  await using log = await captureLog();
  await using node = await startNode({
    host: "::",
    limits: { connections: 2 },
  });
  const { port } = node.address;
  using first = await connect(port);
  await receiveUntil(first, "\n");
  using second = await connect(port, "::1");
  await receiveUntil(second, "\n");
  assertEquals(await ask(port, "list\n", "::1"), "");
  assertEquals(log.lines, [
    "warning Munin client ::1: refused: 2 connections are open already",
  ]);
  await send(first, "quit\n");
  assertEquals(await receiveAll(first), "");
  assertEquals(await ask(port, "list\n", "::1"), `${BANNER}load\n`);
});

Deno.test("an address has its connections again when they have ended", async () => {
  await using node = await startNode({ limits: { connectionsPerAddress: 1 } });
  for (let i = 0; i < 3; i++) {
    assertEquals(await ask(node.address.port, "list\n"), `${BANNER}load\n`);
  }
});

const stalls: readonly [
  name: string,
  sent: string,
  ms: number,
  reason: string,
][] = [
  ["before the first command", "", 60_000, "no command within 60 s"],
  ["in mid-line", "list\nlis", 300_000, "no command within 300 s"],
];

for (const [name, sent, ms, reason] of stalls) {
  Deno.test(`a client that stalls ${name} is cut off`, async () => {
    await using log = await captureLog();
    const clock = new FakeClock();
    await using node = await startNode({ clock });
    using connection = await connect(node.address.port);
    await send(connection, sent);
    const answer = sent === "" ? BANNER : `${BANNER}load\n`;
    assertEquals(await receiveUntil(connection, answer), answer);
    // The wait for the next command begins with the answer's having been sent.
    await eventually(() => clock.pending === 2);
    await clock.advance(ms - 1);
    assertEquals(log.lines, []);
    await clock.advance(1);
    assertEquals(await receiveAll(connection), "");
    assertEquals(log.lines, [
      `warning Munin client 127.0.0.1: cut off: ${reason}`,
    ]);
    assertEquals(node.counts.aborted, 1);
  });
}

Deno.test("a client that never reads a huge answer is cut off, and costs little memory", async () => {
  await using log = await captureLog();
  const clock = new FakeClock();
  const content = new Endless();
  await using node = await startNode({ clock, content });
  using connection = await connect(node.address.port);
  await send(connection, "fetch odd\n");
  await standstill(() => [content.made]);
  const ahead = content.made * 10_000 - node.counts.bytes;
  assert(ahead <= 10_000 + defaultLimits.chunkBytes, `${ahead}`);
  await clock.advance(60_000);
  await eventually(() => node.counts.aborted === 1);
  assertEquals(log.lines, [
    "warning Munin client 127.0.0.1: cut off: it has taken nothing of its answer for 60 s",
  ]);
  await eventually(() => content.closed === 1);
  const text = await receiveAll(connection);
  assert(!text.endsWith("\n.\n"));
});

Deno.test("a client that disconnects in mid-answer ends the answer", async () => {
  await using log = await captureLog();
  const content = new Endless();
  await using node = await startNode({ content });
  const connection = await connect(node.address.port);
  await send(connection, "config odd\n");
  await receiveUntil(connection, "a.value 1\n");
  assertEquals(content.closed, 0);
  connection.close();
  await eventually(() => content.closed === 1);
  await eventually(() => log.lines.length === 1);
  assertEquals(log.lines, [
    "warning Munin client 127.0.0.1: cut off: it closed the connection before its answer",
  ]);
});

Deno.test("a line without end is cut off at once", async () => {
  await using log = await captureLog();
  await using node = await startNode();
  using connection = await connect(node.address.port);
  await assertRejects(async () => {
    while (true) await send(connection, "x".repeat(1_000_000));
  });
  assertEquals(log.lines, [
    "warning Munin client 127.0.0.1: cut off: a command is longer than 1024 bytes",
  ]);
});

Deno.test("binary bytes are cut off, and are not in the log", async () => {
  await using log = await captureLog();
  await using node = await startNode();
  using connection = await connect(node.address.port);
  const bytes = Uint8Array.from({ length: 256 }, (_, index) => 255 - index);
  await send(connection, bytes);
  await receiveAll(connection);
  assertEquals(log.lines, [
    "warning Munin client 127.0.0.1: cut off: it sent control characters",
  ]);
});

Deno.test("a stop closes the listener and every session, whatever its client does", async () => {
  await using log = await captureLog();
  const clock = new FakeClock();
  const content = new Endless();
  const node = await startNode({ clock, content });
  const { port } = node.address;
  using silent = await connect(port);
  await receiveUntil(silent, BANNER);
  using deaf = await connect(port);
  await send(deaf, "fetch odd\n");
  await eventually(() => node.counts.bytes > 100_000);
  await Promise.all([node.stop(), node.stop()]);
  assertEquals(clock.pending, 0);
  assertEquals(log.lines, []);
  assertEquals(await receiveAll(silent), "");
  await eventually(() => content.closed === 1);
  await assertRejects(
    () => connect(port),
    Deno.errors.ConnectionRefused,
  );
  // The port is free again at once.
  await using _next = await startNode({ port });
});
