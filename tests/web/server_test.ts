import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { getLogger } from "@logtape/logtape";
import { type Clock, systemClock } from "../../lib/clock.ts";
import { UserError } from "../../lib/errors.ts";
import { parseAccess } from "../../lib/net/access.ts";
import { type Answer, textAnswer } from "../../lib/web/answer.ts";
import { defaultWebLimits, type WebLimits } from "../../lib/web/limits.ts";
import { type Asked, WebServer } from "../../lib/web/server.ts";
import { FakeClock } from "../fake_clock.ts";
import { captureLog } from "../log_capture.ts";
import { RawClient, request } from "./client.ts";

/** Pages of all sorts. */
function pages() {
  const seen: { pieces: number; ended: number; release?: () => void } = {
    pieces: 0,
    ended: 0,
  };
  function* endless(): Generator<string> {
    try {
      while (true) {
        seen.pieces++;
        yield "x".repeat(1000);
      }
    } finally {
      seen.ended++;
    }
  }
  function* some(): Generator<string> {
    yield "one\n";
    yield "";
    yield "two\n";
  }
  async function answer({ url, body }: Asked): Promise<Answer> {
    switch (url.pathname) {
      case "/endless":
        return { status: 200, headers: {}, body: endless() };
      case "/some":
        return { status: 200, headers: {}, body: some() };
      case "/large":
        return {
          status: 200,
          headers: {},
          body: (function* () {
            for (let i = 0; i < 500; i++) yield `${i}`.padEnd(1000) + "\n";
          })(),
        };
      case "/body":
        return textAnswer(200, `${(await body()).length} bytes`);
      case "/waits":
        await new Promise<void>((resolve) => seen.release = resolve);
        return textAnswer(200, "released");
      case "/fault":
        throw new Error("a fault");
      default:
        return textAnswer(200, "page");
    }
  }
  return { seen, answer };
}

async function start(
  change: {
    limits?: Partial<WebLimits>;
    clock?: Clock;
    allow?: string;
    port?: number;
  } = {},
) {
  const { seen, answer } = pages();
  const server = await WebServer.start({
    host: "127.0.0.1",
    port: change.port ?? 0,
    access: parseAccess(change.allow ?? "127.0.0.1", "test"),
    clock: change.clock ?? systemClock,
    limits: { ...defaultWebLimits, ...change.limits },
    logger: getLogger(["gatherer", "http"]),
    answer,
  });
  return {
    server,
    seen,
    open: () => RawClient.open(server.address),
    [Symbol.asyncDispose]: () => server.stop(),
  };
}

Deno.test("a page, whole or in pieces; HEAD is the page without its body", async () => {
  await using world = await start();
  using client = await world.open();
  await client.send(request("/"));
  const page = await client.until(/page\n/);
  assertMatch(page, /^HTTP\/1\.1 200 OK\r\n/);
  assertMatch(page, /content-length: 5\r\n/);
  assertMatch(page, /cache-control: no-store\r\n/);
  // The same connection goes on.
  await client.send(request("/some"));
  assertMatch(await client.until(/two\n\r\n0\r\n\r\n/), /one\ntwo\n/);
  await client.send(request("/endless", { method: "HEAD" }));
  await client.send(request("/", { headers: "Connection: close\r\n" }));
  const rest = await client.end();
  assertEquals(rest.split("HTTP/1.1 200 OK").length, 5);
  assertEquals(world.seen.pieces, 0);
  assertEquals(world.server.counts.requests, 4);
});

Deno.test("HTTP/1.0 is answered, as load balancers ask", async () => {
  await using world = await start();
  using client = await world.open();
  await client.send("GET /some HTTP/1.0\r\n\r\n");
  assertMatch(await client.end(), /200 OK[^]*\r\n\r\none\ntwo\n$/);
});

Deno.test("what is no request is answered as such and logged", async () => {
  await using logs = await captureLog();
  await using world = await start({ limits: { headerBytes: 2048 } });
  for (
    const [sent, status] of [
      ["\x16\x03\x01\x02\x00\r\n\r\n", 400],
      [request("/", { headers: `A: ${"x".repeat(5000)}\r\n` }), 431],
      [
        request("/body", {
          method: "POST",
          headers: "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
          body: "0\r\n\r\n",
        }),
        400,
      ],
    ] as const
  ) {
    using client = await world.open();
    await client.send(sent);
    assertMatch(await client.end(), new RegExp(`^HTTP/1.1 ${status} `));
  }
  assertEquals(world.server.counts.malformed, 3);
  assertEquals(world.server.counts.requests, 0);
  assertEquals(logs.lines.length, 2);
  assertMatch(logs.lines[0], /HTTP client 127\.0\.0\.1: .*400 Bad Request/);
});

Deno.test("a header or a body that does not come is not waited for", async () => {
  await using world = await start({ limits: { headerMs: 80, requestMs: 160 } });
  using slow = await world.open();
  await slow.send("GET / HTTP/1.1\r\nHost:");
  using silent = await world.open();
  using half = await world.open();
  await half.send(
    request("/body", {
      method: "POST",
      headers: "Content-Length: 10\r\n",
      body: "half",
    }),
  );
  for (const client of [slow, silent, half]) {
    const text = await client.end();
    assert(text === "" || text.startsWith("HTTP/1.1 408 "), text);
  }
});

Deno.test("an answer may take longer than a request", async () => {
  await using world = await start({ limits: { headerMs: 50, requestMs: 100 } });
  using client = await world.open();
  await client.send(request("/endless"));
  const begun = performance.now();
  let bytes = 0;
  const buffer = new Uint8Array(65536);
  while (performance.now() - begun < 400) {
    bytes += await client.connection.read(buffer) ?? NaN;
  }
  assert(bytes > 0);
});

Deno.test("who may not ask is not answered", async () => {
  await using logs = await captureLog();
  await using world = await start({ allow: "192.0.2.1" });
  using client = await world.open();
  await client.send(request("/")).catch(() => {});
  assertEquals(await client.end(), "");
  assertEquals(world.server.counts.refused, 1);
  assertEquals(world.server.counts.connections, 0);
  assertMatch(logs.lines[0], /127\.0\.0\.1: refused: no rule allows it/);
});

Deno.test("connections are limited, in all and for each address", async () => {
  for (
    const limits of [{ connections: 2 }, { connectionsPerAddress: 2 }]
  ) {
    await using world = await start({ limits });
    using one = await world.open();
    using two = await world.open();
    for (const client of [one, two]) {
      await client.send(request("/"));
      await client.until(/page\n/);
    }
    using three = await world.open();
    assertEquals(await three.end(), "");
    one.connection.close();
    // The server hears of it in its own time.
    while (true) {
      using four = await world.open();
      await four.send(request("/")).catch(() => {});
      if ((await four.until(/page\n/)).endsWith("page\n")) break;
    }
  }
});

Deno.test("who does not read is cut off, and little is made for him", async () => {
  await using logs = await captureLog();
  const clock = new FakeClock();
  await using world = await start({ clock });
  using client = await world.open();
  await client.send(request("/endless"));
  await client.until(/x/);
  const made = await standstill(() => world.seen.pieces);
  // The buffers of the system are full: some megabytes.
  assert(made < 20_000, `${made} pieces`);
  await clock.advance(9_000);
  assertEquals(world.seen.ended, 0);
  await clock.advance(2_000);
  await client.end();
  assertEquals(world.seen.ended, 1);
  assertEquals(world.server.counts.aborted, 1);
  assertEquals(
    logs.lines.filter((line) =>
      line.includes("it has taken nothing of its answer for 10 s")
    ).length,
    1,
  );
});

Deno.test("who reads for ever is cut off, too", async () => {
  const clock = new FakeClock();
  await using world = await start({ clock, limits: { answerMs: 60_000 } });
  using client = await world.open();
  await client.send(request("/endless"));
  const buffer = new Uint8Array(65536);
  let ticks = 0;
  while (await client.connection.read(buffer).catch(() => null) !== null) {
    if (++ticks % 10 === 0) await clock.advance(1000);
  }
  assertEquals(world.seen.ended, 1);
  assertEquals(world.server.counts.aborted, 1);
});

Deno.test("a client that goes ends its answer", async () => {
  await using logs = await captureLog();
  await using world = await start();
  using client = await world.open();
  await client.send(request("/endless"));
  await client.until(/x/);
  client.connection.close();
  while (world.seen.ended === 0) await turn();
  assertEquals(world.server.counts.aborted, 1);
  assertEquals(logs.lines, []);
});

Deno.test("requests that are sent ahead are answered in order, and end with their client", async () => {
  const world = await start();
  {
    using client = await world.open();
    await client.send(request("/some") + request("/"));
    assertMatch(await client.until(/page\n/), /one\ntwo\n[^]*page\n$/);
    await client.send(request("/endless") + request("/").repeat(5));
    await client.until(/x/);
  }
  while (world.seen.ended === 0) await turn();
  await world.server.stop();
  assertEquals(world.server.counts.requests, 8);
  assertEquals(world.server.counts.aborted, 6);
});

Deno.test("who sends many requests ahead is cut off", async () => {
  await using logs = await captureLog();
  await using world = await start({ limits: { requestsAhead: 3 } });
  using client = await world.open();
  await client.send(request("/endless") + request("/").repeat(10));
  await client.end();
  await world.server.stop();
  assertEquals(world.server.counts.malformed, 1);
  assert(world.server.counts.requests <= 3);
  assertEquals(logs.lines.length, 1);
  assertMatch(logs.lines[0], /has sent 3 requests without waiting/);
});

Deno.test("a client that goes while its answer is made leaves nothing", async () => {
  const world = await start();
  using client = await world.open();
  await client.send(request("/waits"));
  while (!world.seen.release) await turn();
  client.connection.close();
  // The server has noticed when another connection from there is all that it has.
  using other = await world.open();
  await other.send(request("/"));
  await other.until(/page\n/);
  world.seen.release();
  await world.server.stop();
  assertEquals(world.server.counts.aborted, 1);
});

Deno.test("what is no request is not answered in the middle of another answer", async () => {
  await using _logs = await captureLog();
  await using world = await start();
  using client = await world.open();
  await client.send(request("/endless"));
  await client.until(/x/);
  await client.send("no request\r\n\r\n");
  assert(!(await client.end()).includes("400 Bad Request"));
  assertEquals(world.server.counts.malformed, 1);
});

Deno.test("a client without a request does not keep its connection", async () => {
  await using _logs = await captureLog();
  const clock = new FakeClock();
  // The runtime's own deadline shall not be what ends it.
  const limits = { connections: 1, headerMs: 60_000, requestMs: 60_000 };
  await using world = await start({ clock, limits });
  using one = await world.open();
  await one.send("\x16\x03\x01\x02\x00\r\n\r\n");
  // It has its answer, but keeps its own side open.
  assertMatch(await one.end(), /^HTTP\/1\.1 400 /);
  await clock.advance(1000);
  let page = "";
  for (let tries = 0; tries < 100 && page === ""; tries++) {
    using two = await world.open();
    await two.send(request("/")).catch(() => {});
    page = await two.until(/page\n/);
  }
  assertMatch(page, /page/);
});

Deno.test("large answers are made a few at a time", async () => {
  await using world = await start({ limits: { answersAtOnce: 1 } });
  using one = await world.open();
  await one.send(request("/endless"));
  await one.until(/x/);
  using two = await world.open();
  await two.send(request("/some"));
  const refused = await two.end();
  assertMatch(refused, /^HTTP\/1\.1 503 /);
  assertMatch(refused, /retry-after: 5\r\n/);
  // Small ones are always there.
  using three = await world.open();
  await three.send(request("/"));
  assertMatch(await three.until(/page\n/), /200 OK/);
});

Deno.test("bodies are limited, each and all together", async () => {
  await using world = await start({
    limits: { bodyBytes: 100, allBodiesBytes: 150 },
  });
  const post = (headers: string, body: string) =>
    request("/body", { method: "POST", headers, body });
  const chunk = `32\r\n${"x".repeat(50)}\r\n`;
  for (
    const [sent, answer] of [
      [post("Content-Length: 3\r\n", "abc"), /200 OK[^]*3 bytes/],
      [
        post("Transfer-Encoding: chunked\r\n", `${chunk}${chunk}0\r\n\r\n`),
        /200 OK[^]*100 bytes/,
      ],
      [post("Content-Length: 101\r\n", ""), /413 [^]*larger than 100 bytes/],
      [
        post("Transfer-Encoding: chunked\r\n", chunk.repeat(3)),
        /413 [^]*larger than 100 bytes/,
      ],
    ] as const
  ) {
    using client = await world.open();
    await client.send(sent);
    assertMatch(await client.until(/bytes\n/), answer);
  }
  using holder = await world.open();
  await holder.send(post("Transfer-Encoding: chunked\r\n", chunk + chunk));
  using other = await world.open();
  // Whichever of the two comes last is one too many.
  await other.send(post("Content-Length: 100\r\n", "y".repeat(100)));
  const texts = await Promise.race([
    other.until(/later\n|bytes\n/),
    holder.until(/later\n/),
  ]);
  assertMatch(texts, /503 [^]*come back later/);
});

Deno.test("what fails is an answer, and logged", async () => {
  await using logs = await captureLog();
  await using world = await start();
  using client = await world.open();
  await client.send(request("/fault"));
  assertMatch(await client.until(/why\n/), /^HTTP\/1\.1 500 /);
  assertMatch(logs.lines[0], /GET \/fault failed: a fault/);
});

Deno.test("what goes to other machines is packed if they like", async () => {
  for (const compressesLocally of [false, true]) {
    await using world = await start({ limits: { compressesLocally } });
    const { host, port } = world.server.address;
    const response = await fetch(`http://${host}:${port}/large`);
    assertEquals(
      response.headers.get("content-encoding"),
      compressesLocally ? "gzip" : null,
    );
    const text = await response.text();
    assertEquals(text.length, 500 * 1001);
    assert(text.endsWith(`\n${"499".padEnd(1000)}\n`));
  }
});

Deno.test("many answers at once leave the event loop free", async () => {
  await using world = await start();
  const clients = await Promise.all(
    Array.from({ length: 8 }, () => world.open()),
  );
  const reading = clients.map(async (client) => {
    await client.send(request("/endless"));
    const buffer = new Uint8Array(1 << 20);
    while (await client.connection.read(buffer).catch(() => null)) { /* on */ }
  });
  // Another request is not kept waiting behind all of them.
  using other = await world.open();
  for (let i = 0; i < 5; i++) {
    await other.send(request("/"));
    await other.until(new RegExp(`(page\\n[^]*){${i + 1}}`));
  }
  for (const client of clients) client.connection.close();
  await Promise.all(reading);
});

Deno.test("a stop lets answers end, for a moment, and waits for nobody who is idle", async () => {
  const clock = new FakeClock();
  await using world = await start({ clock });
  using idle = await world.open();
  await idle.send(request("/"));
  await idle.until(/page\n/);
  using busy = await world.open();
  await busy.send(request("/endless"));
  await busy.until(/x/);
  await standstill(() => world.seen.pieces);
  const stopped = world.server.stop();
  assertMatch(await idle.end(), /page\n$/);
  assertEquals(world.seen.ended, 0);
  await clock.advance(1000);
  await stopped;
  assertEquals(world.seen.ended, 1);
  await assertRejects(world.open, Deno.errors.ConnectionRefused);
});

Deno.test("a port that another program uses is a mistake to mend", async () => {
  await using world = await start();
  const { port } = world.server.address;
  await assertRejects(
    () => start({ port }),
    UserError,
    `cannot listen for HTTP on 127.0.0.1, port ${port}: port ${port} is in use by another program; choose another`,
  );
});

/** A turn of the event loop. */
function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

/** The count once it has stood still for some turns. */
async function standstill(count: () => number): Promise<number> {
  for (let still = 0, before = -1; still < 50; await turn()) {
    still = count() === before ? still + 1 : 0;
    before = count();
  }
  return count();
}
