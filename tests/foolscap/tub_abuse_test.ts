/** Peers that are slow, silent, broken or hostile, on real sockets. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import tls from "node:tls";
import {
  generateIdentity,
  type Identity,
} from "../../lib/foolscap/certificate.ts";
import { ConnectionLost } from "../../lib/foolscap/errors.ts";
import type { Furl } from "../../lib/foolscap/furl.ts";
import type { Limits } from "../../lib/foolscap/limits.ts";
import { formatUpgradeRequest } from "../../lib/foolscap/negotiation.ts";
import {
  Referenceable,
  type RemoteReference,
} from "../../lib/foolscap/references.ts";
import { Tub } from "../../lib/foolscap/tub.ts";
import { FakeClock } from "../fake_clock.ts";
import { captureLog } from "../log_capture.ts";
import {
  aborted,
  acceptSecure,
  dial,
  dialNegotiated,
  dialSecure,
  dialUpgraded,
  eventually,
  hello,
  listenRaw,
  type Relay,
  relayTo,
  type Wire,
} from "./raw_peer.ts";

const TIMEOUT = { timeoutMs: 10_000 };
const SWISSNUM = "gywo3xz5vq4ihbpnz3pn6lqj7kx7wkhs";
/** Three Tubs in the order of their tubids: the last decides, whoever dials. */
const [LOW, THIRD, HIGH] = (await Promise.all([
  generateIdentity(),
  generateIdentity(),
  generateIdentity(),
])).sort((a, b) => a.tubid < b.tubid ? -1 : 1);

interface Served extends AsyncDisposable {
  readonly tub: Tub;
  readonly port: number;
  readonly furl: string;
  readonly clock: FakeClock;
  readonly kept: RemoteReference[];
  readonly lines: string[];
}

/** A Tub that listens, on a clock that stands still, with the log lines of all. */
async function serve(
  options: { identity?: Identity; limits?: Partial<Limits> } = {},
): Promise<Served> {
  const clock = new FakeClock();
  const logs = await captureLog();
  const tub = new Tub({
    identity: options.identity ?? HIGH,
    clock,
    limits: options.limits,
  });
  const port = await tub.listen(0, "127.0.0.1");
  tub.setLocation([`tcp:127.0.0.1:${port}`]);
  const kept: RemoteReference[] = [];
  const furl = tub.registerReference(
    new Referenceable("RIService", {
      echo: { parameters: ["value"], call: ([value]) => value as bigint },
      keep: {
        parameters: ["object"],
        call([object]) {
          kept.push(object as RemoteReference);
          return null;
        },
      },
    }),
    SWISSNUM,
  );
  return {
    tub,
    port,
    furl,
    clock,
    kept,
    lines: logs.lines,
    async [Symbol.asyncDispose]() {
      await tub.close();
      assertEquals(clock.pending, 0, "a timer was left");
      for (const line of logs.lines) assert(!line.includes(SWISSNUM), line);
      await logs[Symbol.asyncDispose]();
    },
  };
}

/** A well-behaved peer on the machine's clock. */
async function friend(server: Served, identity = LOW) {
  const tub = new Tub({ identity });
  const reference = await tub.getReference(server.furl);
  return { tub, reference, [Symbol.asyncDispose]: () => tub.close() };
}

/** Waits for the line in which a Tub tells why it refused a connection. */
async function refusals(server: Served, count: number): Promise<string[]> {
  const found = () =>
    server.lines.filter((line) => line.includes("refused a connection"));
  await eventually(() => found().length >= count);
  return found();
}

const phases: [string, (server: Served) => Promise<Wire>][] = [
  ["after TCP", (server) => dial(server.port)],
  ["after our 101", (server) => dialUpgraded(server.port, server.tub.tubid)],
  ["after TLS", (server) => dialSecure(server.port, server.tub.tubid, LOW)],
];

for (const [phase, reach] of phases) {
  Deno.test(`limit: negotiationMs ends a peer that is silent ${phase}`, async () => {
    await using server = await serve();
    const wire = await reach(server);
    await eventually(() => server.clock.pending > 0);
    await server.clock.advance(119_999);
    assertEquals(server.lines, []);
    await server.clock.advance(1);
    await wire.closed;
    const [line] = await refusals(server, 1);
    assert(line.endsWith("negotiation was not finished within 120 s"), line);
  });

  Deno.test(`limit: negotiationMs is not extended by single bytes ${phase}`, async () => {
    await using server = await serve();
    const wire = await reach(server);
    await eventually(() => server.clock.pending > 0);
    // Each is the beginning of what is due: a request, a TLS record, a hello.
    const bytes = phase === "after our 101"
      ? [22, 3, 1, 0, 200, 1]
      : [..."GET /i"].map((c) => c.charCodeAt(0));
    for (const byte of bytes) {
      wire.send(Uint8Array.of(byte));
      await server.clock.advance(20_000);
    }
    await wire.closed;
    await refusals(server, 1);
  });

  Deno.test(`a peer that goes away ${phase} is one line in the log, and nothing else`, async () => {
    await using server = await serve();
    await using good = await friend(server);
    for (const end of ["end", "reset", "half"]) {
      const wire = await reach(server);
      if (end === "half") {
        wire.send(
          phase === "after our 101" ? Uint8Array.of(22, 3, 1) : "GET /id/ab",
        );
      }
      if (end === "end") wire.socket.end();
      else wire.socket.destroy();
      await wire.closed;
    }
    const lines = await refusals(server, 3);
    assertEquals(lines.length, 3);
    for (const line of lines) {
      assert(
        / from 127\.0\.0\.1:\d+: the peer closed the connection|TLS/.test(line),
        line,
      );
    }
    assertEquals(await good.reference.call("echo", [1n], TIMEOUT), 1n);
  });

  Deno.test(`garbage ${phase} ends that connection`, async () => {
    await using server = await serve();
    await using good = await friend(server);
    const garbage: (string | Uint8Array)[] = [
      "\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
      new Uint8Array(5000).fill(0xff),
      new Uint8Array(5000),
      "a: b\r\n\r\n",
      crypto.getRandomValues(new Uint8Array(6000)),
      Uint8Array.of(22, 3, 3, 0, 4, 0, 0, 0, 0),
      Uint8Array.of(23, 3, 3, 255, 255, ...new Uint8Array(5000)),
    ];
    for (const bytes of garbage) {
      const wire = await reach(server);
      wire.send(bytes);
      // So that none of it is only the beginning of something.
      wire.send(new Uint8Array(5000).fill(0x20));
      await wire.closed;
    }
    assertEquals(
      (await refusals(server, garbage.length)).length,
      garbage.length,
    );
    assertEquals(await good.reference.call("echo", [1n], TIMEOUT), 1n);
    assertEquals(server.tub.connectionCount, 1);
  });
}

Deno.test("bytes before our 101 that nobody asked for end the connection", async () => {
  await using server = await serve();
  const request = new TextDecoder().decode(
    formatUpgradeRequest(HIGH.tubid, "127.0.0.1"),
  );
  for (const early of ["x", "\x16\x03\x01\x00\x05", hello(LOW.tubid)]) {
    const wire = await dial(server.port);
    wire.send(request + early);
    await wire.closed;
    assertEquals(wire.text, "");
  }
  for (const line of await refusals(server, 3)) {
    assert(
      line.endsWith("the peer sent bytes before TLS that nobody asked for"),
      line,
    );
  }
});

Deno.test("a refused request gets its whole answer before the end", async () => {
  await using server = await serve();
  const cases: [string, string][] = [
    [`/id/${"a".repeat(32)}`, `unknown TubID ${"a".repeat(32)}`],
    ["/id/", "secure Tubs require encryption"],
    ["/", "internal server error, see logs"],
  ];
  for (const [path, text] of cases) {
    const wire = await dial(server.port);
    wire.send(`GET ${path} HTTP/1.1\r\n\r\n`);
    await wire.closed;
    assertEquals(
      wire.text,
      `HTTP/1.1 500 Internal Server Error: ${text}\r\n\r\n`,
    );
  }
});

Deno.test("a client without a certificate is refused, and the log says why", async () => {
  await using server = await serve();
  const wire = await dialUpgraded(server.port, HIGH.tubid);
  const socket = tls.connect({
    socket: wire.release(),
    rejectUnauthorized: false,
    checkServerIdentity: () => undefined,
    maxVersion: "TLSv1.2",
  });
  socket.on("error", () => {});
  const [line] = await refusals(server, 1);
  assert(line.includes("sent no certificate"), line);
  socket.destroy();
  await wire.closed;
});

Deno.test("a hello that is refused is answered before the end", async () => {
  await using server = await serve();
  const cases: [string, string][] = [
    [
      "banana-negotiation-range: 9 9\r\n\r\n",
      "You can't handle banana version 3",
    ],
    [hello("a".repeat(32)), "internal server error, see logs"],
    ["no colon\r\n\r\n", "internal server error, see logs"],
  ];
  for (const [block, text] of cases) {
    const wire = await dialSecure(server.port, HIGH.tubid, LOW);
    wire.send(block);
    await wire.closed;
    assert(
      wire.text.endsWith(
        `banana-decision-version: 1\r\nerror: ${text}\r\n\r\n`,
      ),
      wire.text,
    );
  }
  await refusals(server, 3);
});

Deno.test("a second connection of the same incarnation is refused, the first stays", async () => {
  await using server = await serve();
  const first = await dialNegotiated(server.port, HIGH.tubid, LOW);
  const second = await dialSecure(server.port, HIGH.tubid, LOW);
  second.send(hello(LOW.tubid));
  await second.closed;
  assert(
    second.text.endsWith("error: Duplicate connection\r\n\r\n"),
    second.text,
  );
  first.send(Uint8Array.of(7, 0x8e));
  await first.until((text) => text.endsWith("\x07\x8f"));
  const [line] = await refusals(server, 1);
  assert(line.endsWith("a connection with this peer is up already"), line);

  // Another incarnation, or one that remembers the first rightly, takes its place.
  const third = await dialNegotiated(
    server.port,
    HIGH.tubid,
    LOW,
    "0000000000000002",
  );
  await first.closed;
  const current = /current-connection: (.*)\r\n/.exec(third.text)![1];
  const fourth = await dialNegotiated(
    server.port,
    HIGH.tubid,
    LOW,
    "0000000000000002",
    current,
  );
  await third.closed;
  assertEquals(server.tub.connectionCount, 1);
  fourth.destroy();
  await eventually(() => server.tub.connectionCount === 0);
});

Deno.test("garbage instead of Banana is answered with an ERROR, and is one line in the log", async () => {
  await using server = await serve();
  await using good = await friend(server, THIRD);
  const garbage = [
    Uint8Array.of(5, 0x81),
    Uint8Array.of(0x90),
    new Uint8Array(100),
    Uint8Array.of(0, 0x88, 0, 0x88),
    Uint8Array.of(0, 0x88, 99, 0x87),
    Uint8Array.of(0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x82),
  ];
  for (const bytes of garbage) {
    const wire = await dialNegotiated(
      server.port,
      HIGH.tubid,
      LOW,
      crypto.randomUUID(),
    );
    wire.send(bytes);
    await wire.closed;
    assert(wire.bytes.includes(0x8d), wire.text);
  }
  const dropped = server.lines.filter((line) =>
    line.startsWith("warning dropped")
  );
  assertEquals(dropped.length, garbage.length);
  for (const line of dropped) assert(line.includes(LOW.tubid), line);
  assertEquals(await good.reference.call("echo", [1n], TIMEOUT), 1n);
});

Deno.test("half a message and then a reset costs nothing", async () => {
  await using server = await serve();
  await using good = await friend(server, THIRD);
  for (
    const bytes of [[0], [0, 0x88], [0, 0x88, 11, 0x87, 1, 0x81], [0x10, 0x82]]
  ) {
    const wire = await dialNegotiated(
      server.port,
      HIGH.tubid,
      LOW,
      crypto.randomUUID(),
    );
    wire.send(Uint8Array.from(bytes));
    wire.destroy();
    await wire.closed;
  }
  await eventually(() => server.tub.connectionCount === 1);
  assertEquals(await good.reference.call("echo", [1n], TIMEOUT), 1n);
});

Deno.test("an ERROR of the peer ends the connection, and its text is in the log", async () => {
  await using server = await serve();
  const wire = await dialNegotiated(server.port, HIGH.tubid, LOW);
  wire.send(Uint8Array.of(4, 0x8d, ...new TextEncoder().encode("oops")));
  await wire.closed;
  const line = server.lines.find((line) =>
    line.includes("dropped the connection")
  );
  assert(line?.includes('"oops"'), line);
});

Deno.test("a good peer is answered while 200 others send garbage", async () => {
  await using server = await serve();
  await using good = await friend(server, THIRD);
  const request = formatUpgradeRequest(HIGH.tubid, "x");
  let running = true;
  const bad = (async () => {
    for (let i = 0; i < 200; i += 20) {
      await Promise.all(Array.from({ length: 20 }, async (_, j) => {
        const wire = await dial(server.port);
        const kind = (i + j) % 4;
        if (kind > 0) wire.send(request);
        if (kind > 1) wire.send(crypto.getRandomValues(new Uint8Array(300)));
        if (kind === 3) wire.send("more of it\r\n\r\n".repeat(400));
        wire.send(new Uint8Array(5000).fill(7));
        if (kind === 1) wire.destroy();
        await wire.closed;
      }));
    }
    running = false;
  })();
  let answered = 0;
  while (running) {
    const value = BigInt(answered++);
    assertEquals(await good.reference.call("echo", [value], TIMEOUT), value);
  }
  await bad;
  assert(answered > 10, `${answered}`);
  assertEquals((await refusals(server, 200)).length, 200);
  assertEquals(server.tub.connectionCount, 1);
});

Deno.test("limit: connections, of which one that ends makes room", async () => {
  await using server = await serve({ limits: { connections: 2 } });
  const one = await dialNegotiated(server.port, HIGH.tubid, LOW);
  const two = await dialUpgraded(server.port, HIGH.tubid);
  const three = await dial(server.port);
  await three.closed;
  const [line] = await refusals(server, 1);
  assert(line.endsWith("2 connections are open already"), line);
  two.destroy();
  await refusals(server, 2);
  const four = await dialUpgraded(server.port, HIGH.tubid);
  four.destroy();
  await refusals(server, 3);
  one.send(Uint8Array.of(0x8e));
  await one.until((text) => text.endsWith("\x8f"));
});

Deno.test("limit: negotiating, of which one that is done makes room", async () => {
  await using server = await serve({ limits: { negotiating: 2 } });
  const one = await dialSecure(server.port, HIGH.tubid, LOW);
  const two = await dialUpgraded(server.port, HIGH.tubid);
  const three = await dial(server.port);
  await three.closed;
  const [line] = await refusals(server, 1);
  assert(line.endsWith("2 connections are being negotiated already"), line);
  one.send(hello(LOW.tubid));
  await one.until((text) => text.includes("banana-decision-version: 3"));
  const four = await dialUpgraded(server.port, HIGH.tubid);
  for (const wire of [one, two, four]) wire.destroy();
});

Deno.test("limit: blockBytes counts in every phase before Banana", async () => {
  await using server = await serve({ limits: { blockBytes: 300 } });
  for (const [phase, reach] of phases) {
    if (phase === "after our 101") continue;
    const wire = await reach(server);
    wire.send("x".repeat(301));
    await wire.closed;
  }
  for (const line of await refusals(server, 2)) {
    assert(line.endsWith("more than 300 bytes without ending a block"), line);
  }
});

Deno.test("limit: pendingBytes ends a peer that does not read", async () => {
  await using server = await serve({ limits: { pendingBytes: 200_000 } });
  const wire = await dialNegotiated(server.port, HIGH.tubid, LOW);
  // getReferenceByName(SWISSNUM), then keep(our object 1).
  const text = (
    value: string,
  ) => [value.length, 0x82, ...new TextEncoder().encode(value)];
  wire.send(Uint8Array.from([
    ...[0x88, 11, 0x87, 1, 0x81, 0, 0x81, ...text("getReferenceByName")],
    ...[0x88, 12, 0x87, 1, 0x81, ...text(SWISSNUM), 0x89, 0x89],
    ...[0x88, 11, 0x87, 2, 0x81, 1, 0x81, ...text("keep")],
    ...[
      0x88,
      12,
      0x87,
      1,
      0x81,
      0x88,
      15,
      0x87,
      1,
      0x81,
      ...text("RIX"),
      0x89,
      0x89,
      0x89,
    ],
  ]));
  await eventually(() => server.kept.length === 1);
  const [object] = server.kept;
  wire.release();
  const body = new Uint8Array(50_000);
  let sent = 0;
  // What the system's own buffers take is not ours to count: some megabytes.
  while (!object.disconnected.aborted) {
    object.callOnly("take", [body]);
    sent += body.length;
    assert(sent < 100_000_000, "it never ends");
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  const reason = await aborted(object.disconnected);
  assert(reason instanceof ConnectionLost);
  assertEquals(
    reason.message,
    "connection dropped: the peer does not read: over 200000 bytes are waiting",
  );
  assert(
    server.lines.some((line) => line.includes("does not read")),
    server.lines.join("\n"),
  );
  wire.destroy();
});

Deno.test("limit: pendingBytes counts what a master holds back as well", async () => {
  await using server = await listenRaw();
  const logs = await captureLog();
  const tub = new Tub({ identity: HIGH, limits: { pendingBytes: 20_000 } });
  const name = "n".repeat(1000);
  const furl = {
    tubid: LOW.tubid,
    hints: [`tcp:127.0.0.1:${server.port}`],
    name,
  };
  const references = Array.from({ length: 30 }, () => tub.getReference(furl));
  for (const reference of references) reference.catch(() => {});
  const wire = await acceptSecure(server, LOW);
  wire.send(hello(LOW.tubid));
  await wire.closed;
  for (const reference of references) {
    await assertRejects(() => reference, ConnectionLost);
  }
  await tub.close();
  await logs[Symbol.asyncDispose]();
});

Deno.test("limit: keepaliveMs asks a silent peer for a sign, which any byte is", async () => {
  await using server = await serve();
  const wire = await dialNegotiated(server.port, HIGH.tubid, LOW);
  const pings = () => wire.text.split("\r\n\r\n")[2].length;
  await eventually(() => server.tub.connectionCount === 1);
  await server.clock.advance(239_999);
  assertEquals(pings(), 0);
  await server.clock.advance(1);
  await wire.until((text) => text.endsWith("\x8e"));
  await server.clock.advance(240_000);
  assertEquals(pings(), 1);
  // Half a token is life too.
  wire.send(Uint8Array.of(5, 0x8f, 0));
  wire.send(Uint8Array.of(0x8e));
  await wire.until((text) => text.endsWith("\x8f"));
  await server.clock.advance(239_999);
  const before = pings();
  await server.clock.advance(60_001);
  await wire.until(() => pings() === before + 1);
  assertEquals(server.tub.connectionCount, 1);
});

Deno.test("limit: silenceMs ends a connection over which nothing comes", async () => {
  await using server = await serve();
  const wire = await dialNegotiated(server.port, HIGH.tubid, LOW);
  await eventually(() => server.tub.connectionCount === 1);
  await server.clock.advance(719_999);
  assertEquals(server.tub.connectionCount, 1);
  await server.clock.advance(1);
  await wire.closed;
  assertEquals(server.tub.connectionCount, 0);
  assert(
    server.lines.some((line) => line.endsWith("nothing was heard for 720 s")),
    server.lines.join(),
  );
  // Nobody is left to look after.
  await server.clock.advance(60_000);
  assertEquals(server.clock.pending, 0);
});

Deno.test("two of our Tubs keep an idle connection alive", async () => {
  const clock = new FakeClock();
  await using server = await serve();
  const tub = new Tub({ identity: LOW, clock });
  const reference = await tub.getReference(server.furl);
  for (let minute = 0; minute < 60; minute++) {
    await clock.advance(60_000);
    await server.clock.advance(60_000);
    // A turn over the wire, so that PINGs and PONGs arrive while the clocks stand still.
    for (let i = 0; i < 3; i++) {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }
  assert(!reference.disconnected.aborted);
  await tub.close();
});

Deno.test("the end of TLS is answered at once", async () => {
  await using server = await serve();
  const wire = await dialNegotiated(server.port, HIGH.tubid, LOW);
  wire.socket.end();
  // No second passes on the Tub's clock: the answer does not wait for one.
  await wire.closed;
  await eventually(() => server.tub.connectionCount === 0);
});

Deno.test("a TCP connection that ends without TLS's farewell is an end too", async () => {
  await using server = await serve();
  await using relay = await relayTo(server.port);
  const tub = new Tub({ identity: LOW });
  const reference = await tub.getReference(through(relay));
  relay.cut();
  assert(await aborted(reference.disconnected) instanceof ConnectionLost);
  await eventually(() => server.tub.connectionCount === 0);
  await tub.close();
});

Deno.test("a peer whose end we have not noticed takes its own place, whoever decides", async () => {
  for (const identity of [LOW, HIGH]) {
    await using server = await serve({
      identity: identity === LOW ? HIGH : LOW,
    });
    await using relay = await relayTo(server.port);
    const tub = new Tub({ identity });
    const target = through(relay, server.tub.tubid);
    for (let i = 0; i < 3; i++) {
      const reference = await tub.getReference(target);
      assertEquals(await reference.call("echo", [7n], TIMEOUT), 7n);
      assertEquals(server.tub.connectionCount, 1);
      relay.cutNear();
      await aborted(reference.disconnected);
      // The same program comes back; the server still believes in the old connection.
      assertEquals(server.tub.connectionCount, 1);
    }
    await tub.close();
  }
});

/** A FURL's content that leads to a server over a relay. */
function through(relay: Relay, tubid = HIGH.tubid): Furl {
  return { tubid, hints: [`tcp:127.0.0.1:${relay.port}`], name: SWISSNUM };
}
