import { assert, assertEquals, assertRejects } from "@std/assert";
import type net from "node:net";
import { dialTcp, firstOf, type Turn } from "../../lib/foolscap/dial.ts";
import type { TcpHint } from "../../lib/foolscap/furl.ts";
import { FakeClock, settle } from "../fake_clock.ts";
import { listenRaw } from "./raw_peer.ts";

function hint(port: number, host = "127.0.0.1"): TcpHint {
  return { host, port };
}

/** A port on which nobody listens. */
async function deadPort(): Promise<number> {
  await using server = await listenRaw();
  return server.port;
}

function options(
  clock = new FakeClock(),
  signal = new AbortController().signal,
) {
  return { clock, signal, timeoutMs: 60_000, keepAlive: true };
}

/** Destroys a socket and waits until it is closed. */
async function end(socket: net.Socket): Promise<void> {
  await new Promise((resolve) => {
    socket.once("close", resolve);
    socket.destroy();
  });
}

/** Attempts that a test brings to their ends, on a clock that stands still. */
function race(ports: number[]) {
  const clock = new FakeClock();
  const abort = new AbortController();
  const attempts: (PromiseWithResolvers<string> & { turn: Turn })[] = [];
  const result = firstOf(
    ports.map((port) => hint(port)),
    ({ port }, turn) => {
      assertEquals(port, ports[attempts.length]);
      const attempt = { ...Promise.withResolvers<string>(), turn };
      attempts.push(attempt);
      return attempt.promise;
    },
    { clock, signal: abort.signal },
  );
  // Whoever looks at it later is told.
  result.catch(() => {});
  return { clock, abort, attempts, result };
}

Deno.test("the first hint that comes through is taken, and no other is tried", async () => {
  const { clock, attempts, result } = race([1, 2]);
  attempts[0].resolve("one");
  assertEquals(await result, "one");
  await clock.advance(60_000);
  assertEquals(attempts.length, 1);
  assert(!attempts[0].turn.signal.aborted);
  assertEquals(clock.pending, 0);
});

Deno.test("a hint that fails gives way at once", async () => {
  const { clock, attempts, result } = race([1, 2, 3]);
  attempts[0].reject(new Error("refused"));
  await settle();
  assertEquals(attempts.length, 2);
  attempts[1].resolve("two");
  assertEquals(await result, "two");
  assertEquals(clock.pending, 0);
});

Deno.test("when all hints fail there is a reason for each", async () => {
  const { clock, attempts, result } = race([1, 2]);
  attempts[0].reject(new Error("one is refused"));
  await settle();
  attempts[1].reject(new Error("two is refused"));
  await assertRejects(
    () => result,
    Error,
    "cannot connect: one is refused; two is refused",
  );
  assertEquals(clock.pending, 0);
});

Deno.test("a hint has two seconds to itself; then the next is tried beside it, and the slow one may still win", async () => {
  for (const winner of [0, 1]) {
    const { clock, attempts, result } = race([1, 2, 3]);
    await clock.advance(1999);
    assertEquals(attempts.length, 1);
    await clock.advance(1);
    assertEquals(attempts.length, 2);
    await clock.advance(1999);
    attempts[winner].resolve("it");
    assertEquals(await result, "it");
    const [won, lost] = [attempts[winner], attempts[1 - winner]];
    assertEquals([won.turn.signal.aborted, lost.turn.signal.aborted], [
      false,
      true,
    ]);
    assertEquals(
      lost.turn.signal.reason.message,
      "another location hint came through",
    );
    assertEquals(clock.pending, 0);
  }
});

Deno.test("a hint that answers has more time, but only as long as it is the last that was begun", async () => {
  const { clock, attempts, result } = race([1, 2, 3]);
  await clock.advance(1000);
  attempts[0].turn.patience(5000);
  await clock.advance(4999);
  assertEquals(attempts.length, 1);
  await clock.advance(1);
  assertEquals(attempts.length, 2);
  attempts[0].turn.patience(50_000);
  await clock.advance(2000);
  assertEquals(attempts.length, 3);
  // One that fails while there is nobody left to try ends nothing.
  attempts[2].reject(new Error("refused"));
  attempts[1].reject(new Error("refused"));
  await settle();
  attempts[0].resolve("one");
  assertEquals(await result, "one");
  assertEquals(clock.pending, 0);
});

Deno.test("attempts that are called off end with the reason", async () => {
  const { clock, abort, attempts, result } = race([1, 2]);
  await clock.advance(2000);
  const reason = new Error("no longer wanted");
  abort.abort(reason);
  await assertRejects(() => result, Error, "no longer wanted");
  assertEquals(attempts.map(({ turn }) => turn.signal.reason), [
    reason,
    reason,
  ]);
  assertEquals(clock.pending, 0);
  await assertRejects(
    () =>
      firstOf([hint(1)], () => Promise.resolve(), {
        clock,
        signal: abort.signal,
      }),
    Error,
    "no longer wanted",
  );
});

Deno.test("dialTcp() connects to an address or a name", async () => {
  await using server = await listenRaw();
  for (const host of ["127.0.0.1", "localhost"]) {
    const clock = new FakeClock();
    const socket = await dialTcp(hint(server.port, host), options(clock));
    assert(socket.isPaused());
    assertEquals(clock.pending, 0);
    await end(socket);
  }
});

Deno.test("dialTcp() says which hint failed", async () => {
  const clock = new FakeClock();
  const port = await deadPort();
  const error = await assertRejects(() => dialTcp(hint(port), options(clock)));
  assert(
    (error as Error).message.startsWith(`tcp:127.0.0.1:${port}: `),
    String(error),
  );
  assertEquals(clock.pending, 0);
});

Deno.test("limit: connectMs ends a connect that takes too long", async () => {
  await using server = await listenRaw();
  const clock = new FakeClock();
  const dialling = dialTcp(hint(server.port), options(clock));
  dialling.catch(() => {});
  // The clock moves before the system can have answered.
  await clock.advance(60_000);
  await assertRejects(
    () => dialling,
    Error,
    `tcp:127.0.0.1:${server.port}: no answer within 60 s`,
  );
  assertEquals(clock.pending, 0);
});

Deno.test("dialTcp() that is called off ends with the reason, and leaves nothing open", async () => {
  await using server = await listenRaw();
  const clock = new FakeClock();
  const abort = new AbortController();
  const dialling = dialTcp(hint(server.port), options(clock, abort.signal));
  abort.abort(new Error("no longer wanted"));
  await assertRejects(() => dialling, Error, "no longer wanted");
  await assertRejects(
    () => dialTcp(hint(server.port), options(clock, abort.signal)),
    Error,
    "no longer wanted",
  );
  assertEquals(clock.pending, 0);
});

Deno.test("an error after the connection was handed over does not end the process", async () => {
  await using server = await listenRaw();
  const socket = await dialTcp(hint(server.port), options());
  (await server.accept()).resetAndDestroy();
  await new Promise((resolve) => {
    socket.once("close", resolve);
    socket.resume();
  });
});
