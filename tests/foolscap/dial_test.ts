import { assert, assertEquals, assertRejects } from "@std/assert";
import type net from "node:net";
import { dialTcp } from "../../lib/foolscap/dial.ts";
import type { TcpHint } from "../../lib/foolscap/furl.ts";
import { FakeClock } from "../fake_clock.ts";
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
async function end(socket: net.Socket | undefined): Promise<void> {
  await new Promise((resolve) => {
    socket!.once("close", resolve);
    socket!.destroy();
  });
}

Deno.test("the first hint that answers is taken, and no other is tried", async () => {
  await using one = await listenRaw();
  await using two = await listenRaw();
  const clock = new FakeClock();
  const targets = [hint(one.port), hint(two.port)];
  const dialled = await dialTcp(targets, options(clock));
  assertEquals(dialled.target, targets[0]);
  assertEquals(dialled.rest, [targets[1]]);
  assertEquals(dialled.errors, []);
  assertEquals(two.accepted, 0);
  assertEquals(clock.pending, 0);
  await end(dialled.socket);
});

Deno.test("a name is as good as an address", async () => {
  await using server = await listenRaw();
  const dialled = await dialTcp([hint(server.port, "localhost")], options());
  assert(dialled.socket, dialled.errors.join());
  await end(dialled.socket);
});

Deno.test("a hint that fails gives way at once, and is not worth another try", async () => {
  await using server = await listenRaw();
  const clock = new FakeClock();
  const targets = [hint(await deadPort()), hint(server.port), hint(1)];
  const dialled = await dialTcp(targets, options(clock));
  assertEquals(dialled.target, targets[1]);
  assertEquals(dialled.rest, [targets[2]]);
  assertEquals(dialled.errors.length, 1);
  assert(
    dialled.errors[0].startsWith(`tcp:127.0.0.1:${targets[0].port}: `),
    dialled.errors[0],
  );
  assertEquals(clock.pending, 0);
  await end(dialled.socket);
});

Deno.test("when all hints fail there is a reason for each", async () => {
  const clock = new FakeClock();
  const port = await deadPort();
  const dialled = await dialTcp([hint(port), hint(port)], options(clock));
  assertEquals(dialled.socket, undefined);
  assertEquals(dialled.rest, []);
  assertEquals(dialled.errors.length, 2);
  assertEquals(clock.pending, 0);
});

Deno.test("a hint that is silent has two seconds for itself; who answers first is taken", async () => {
  await using one = await listenRaw();
  await using two = await listenRaw();
  const clock = new FakeClock();
  const targets = [hint(one.port), hint(two.port), hint(1)];
  // The clock moves before the system can have answered.
  const dialling = dialTcp(targets, options(clock));
  await clock.advance(1999);
  assertEquals(clock.pending, 2);
  await clock.advance(1);
  const dialled = await dialling;
  assert(dialled.socket);
  assertEquals(dialled.rest.length, 2);
  assertEquals(clock.pending, 0);
  await end(dialled.socket);
});

Deno.test("limit: connectMs is the time for all hints together", async () => {
  await using server = await listenRaw();
  const clock = new FakeClock();
  const dialling = dialTcp([hint(server.port)], options(clock));
  await clock.advance(60_000);
  const dialled = await dialling;
  assertEquals(dialled.socket, undefined);
  assertEquals(dialled.errors, ["no answer within 60 s"]);
  assertEquals(clock.pending, 0);
});

Deno.test("an attempt that is called off ends with the reason, and leaves nothing open", async () => {
  await using server = await listenRaw();
  const clock = new FakeClock();
  const abort = new AbortController();
  const dialling = dialTcp(
    [hint(server.port), hint(1)],
    options(clock, abort.signal),
  );
  abort.abort(new Error("no longer wanted"));
  await assertRejects(() => dialling, Error, "no longer wanted");
  await assertRejects(
    () => dialTcp([hint(server.port)], options(clock, abort.signal)),
    Error,
    "no longer wanted",
  );
  assertEquals(clock.pending, 0);
});

Deno.test("an error after the connection was handed over does not end the process", async () => {
  await using server = await listenRaw();
  const { socket } = await dialTcp([hint(server.port)], options());
  (await server.accept()).resetAndDestroy();
  await new Promise((resolve) => {
    socket!.once("close", resolve);
    socket!.resume();
  });
});
