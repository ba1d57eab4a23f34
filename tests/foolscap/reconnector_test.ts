import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { ConnectionLost } from "../../lib/foolscap/errors.ts";
import {
  Reconnector,
  type ReconnectorStatus,
} from "../../lib/foolscap/reconnector.ts";
import type { RemoteReference } from "../../lib/foolscap/references.ts";
import { FakeClock, settle } from "../fake_clock.ts";

/** A draw of nought from the normal distribution: the delays without their jitter. */
const noJitter = () => 0;

/** A reference of which only the end matters. */
function makeReference() {
  const lost = new AbortController();
  return {
    reference: { disconnected: lost.signal } as RemoteReference,
    lose: (reason: unknown = new ConnectionLost("lost")) => lost.abort(reason),
  };
}

interface Scene {
  readonly clock: FakeClock;
  readonly reconnector: Reconnector;
  /** When the attempts were made, in ms. */
  readonly attempts: number[];
  /** What `onDown` was told. */
  readonly downs: ReconnectorStatus[];
  connected: number;
  /** What an attempt does. */
  connect: () => Promise<RemoteReference>;
  onConnected: () => void | Promise<void>;
}

function scene(random: () => number = noJitter): Scene {
  const clock = new FakeClock();
  const it: Scene = {
    clock,
    attempts: [],
    downs: [],
    connected: 0,
    connect: () => Promise.reject(new Error("refused")),
    onConnected: () => {},
    reconnector: new Reconnector({
      clock,
      random,
      connect() {
        it.attempts.push(clock.monotonic());
        return it.connect();
      },
      onConnected() {
        it.connected++;
        return it.onConnected();
      },
      onDown: (status) => it.downs.push(status),
    }),
  };
  return it;
}

/** The times between the attempts, in seconds, to a tenth. */
function gaps({ attempts }: Scene): number[] {
  return attempts.slice(1).map((at, i) =>
    Math.round((at - attempts[i]) / 100) / 10
  );
}

Deno.test("the first attempt is made at once, the next after e, e², e³ … seconds, then every 300", async () => {
  const it = scene();
  assertEquals(it.reconnector.status.state, "stopped");
  it.reconnector.start();
  assertEquals(it.reconnector.status, {
    state: "connecting",
    attempts: 1,
    lastError: undefined,
    delayMs: undefined,
  });
  await it.clock.advance(2_000_000);
  assertEquals(gaps(it).slice(0, 8), [
    2.7,
    7.4,
    20.1,
    54.6,
    148.4,
    300,
    300,
    300,
  ]);
  const { state, attempts, lastError, delayMs } = it.reconnector.status;
  assertEquals([state, attempts, lastError?.message, delayMs], [
    "waiting",
    it.attempts.length,
    "refused",
    300_000,
  ]);
  assertEquals(it.downs.length, it.attempts.length);
  it.reconnector.stop();
});

Deno.test("to start twice makes one attempt", async () => {
  const it = scene();
  it.reconnector.start();
  it.reconnector.start();
  await settle();
  it.reconnector.start();
  assertEquals(it.attempts.length, 1);
  it.reconnector.stop();
});

Deno.test("after a loss the next attempt comes in one second, and the delays begin anew", async () => {
  const it = scene();
  it.reconnector.start();
  await it.clock.advance(30_000);
  const before = it.attempts.length;
  let { reference, lose } = makeReference();
  it.connect = () => Promise.resolve(reference);
  await it.clock.advance(300_000);
  assertEquals(it.connected, 1);
  assertEquals(it.attempts.length, before + 1);
  assertEquals(it.reconnector.status.state, "connected");
  assertEquals(it.reconnector.status.attempts, 0);
  const reason = new ConnectionLost("gone");
  lose(reason);
  assertEquals(it.reconnector.status.state, "waiting");
  assertEquals(it.reconnector.status.lastError, reason);
  assertEquals(it.reconnector.status.delayMs, 1000);
  ({ reference, lose } = makeReference());
  await it.clock.advance(999);
  assertEquals(it.connected, 1);
  await it.clock.advance(1);
  assertEquals(it.connected, 2);

  // Lost, and then down: 1 s, and from there on as at the start.
  lose();
  it.connect = () => Promise.reject(new Error("refused"));
  const from = it.attempts.length;
  await it.clock.advance(100_000);
  const since = it.attempts.slice(from - 1);
  assertEquals(
    since.slice(1).map((at, i) => Math.round((at - since[i]) / 100) / 10).slice(
      1,
      5,
    ),
    [2.7, 7.4, 20.1, 54.6],
  );
  it.reconnector.stop();
});

Deno.test("a success alone does not shorten the delays: onConnected may still fail", async () => {
  const it = scene();
  it.connect = () => Promise.resolve(makeReference().reference);
  it.onConnected = () => Promise.reject(new Error("provide failed"));
  it.reconnector.start();
  await it.clock.advance(100_000);
  assertEquals(gaps(it).slice(0, 4), [2.7, 7.4, 20.1, 54.6]);
  assertEquals(it.reconnector.status.lastError?.message, "provide failed");
  it.onConnected = () => {
    throw new Error("at once");
  };
  await it.clock.advance(200_000);
  assertEquals(it.reconnector.status.lastError?.message, "at once");
  it.onConnected = () => {};
  await it.clock.advance(300_000);
  assertEquals(it.reconnector.status.state, "connected");
  assertEquals(it.clock.pending, 0);
});

Deno.test("a name that is refused is asked for again and again", async () => {
  const it = scene();
  it.connect = () => Promise.reject(new Error("no object of the name"));
  it.reconnector.start();
  await it.clock.advance(3_600_000);
  assert(it.attempts.length > 12, `${it.attempts.length}`);
  it.reconnector.stop();
});

Deno.test("a gatherer that is down for a day is found within five minutes and jitter", async () => {
  const it = scene(Math.random);
  it.reconnector.start();
  await it.clock.advance(86_400_000);
  const back = it.clock.monotonic();
  it.connect = () => Promise.resolve(makeReference().reference);
  await it.clock.advance(300_000 * (1 + 3 * 0.12));
  assertEquals(it.reconnector.status.state, "connected");
  assert(it.attempts.at(-1)! > back);
  // No more than one attempt in about five minutes.
  assert(it.attempts.length < 86_400 / 190, `${it.attempts.length}`);
});

Deno.test("the jitter stays within three sigma of the delay it is drawn from", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), {
        minLength: 1,
        maxLength: 20,
      }),
      async (draws) => {
        let i = 0;
        const it = scene(() => draws[i++ % draws.length]);
        it.reconnector.start();
        let base = 1000;
        for (let attempt = 0; attempt < 10; attempt++) {
          await settle();
          const delay = it.reconnector.status.delayMs!;
          const due = Math.min(base * Math.E, 300_000);
          const most = 3 * 0.11962656492 * due * 1.000001;
          assert(
            Math.abs(delay - due) <= most || delay === 1000,
            `${delay} for ${due}`,
          );
          assert(delay >= 1000);
          base = delay;
          await it.clock.advance(delay);
        }
        assertEquals(it.attempts.length, 11);
        it.reconnector.stop();
      },
    ),
    { numRuns: 50 },
  );
});

Deno.test("nodes spread out: two draws are rarely the same", async () => {
  const delays = new Set<number>();
  for (let i = 0; i < 50; i++) {
    const it = scene(Math.random);
    it.reconnector.start();
    await settle();
    delays.add(it.reconnector.status.delayMs!);
    it.reconnector.stop();
  }
  assert(delays.size > 45, `${delays.size}`);
});

Deno.test("stop() at any moment ends it: no timer, no attempt, no call", async () => {
  // Before start.
  const early = scene();
  early.reconnector.stop();
  early.reconnector.start();
  await early.clock.advance(10_000);
  assertEquals(early.attempts.length, 0);

  // While an attempt is under way, which then succeeds or fails.
  for (const succeed of [true, false]) {
    const it = scene();
    const { promise, resolve, reject } = Promise.withResolvers<
      RemoteReference
    >();
    it.connect = () => promise;
    it.reconnector.start();
    it.reconnector.stop();
    if (succeed) resolve(makeReference().reference);
    else reject(new Error("late"));
    await it.clock.advance(1_000_000);
    assertEquals([it.attempts.length, it.connected, it.downs.length], [
      1,
      0,
      0,
    ]);
    assertEquals(it.clock.pending, 0);
    assertEquals(it.reconnector.status.state, "stopped");
  }

  // While onConnected is under way.
  const busy = scene();
  const { promise, resolve } = Promise.withResolvers<void>();
  const held = makeReference();
  busy.connect = () => Promise.resolve(held.reference);
  busy.onConnected = () => promise;
  busy.reconnector.start();
  await settle();
  busy.reconnector.stop();
  resolve();
  await settle();
  held.lose();
  await busy.clock.advance(10_000);
  assertEquals([busy.attempts.length, busy.downs.length, busy.clock.pending], [
    1,
    0,
    0,
  ]);

  // While it waits.
  const waiting = scene();
  waiting.reconnector.start();
  await settle();
  assertEquals(waiting.clock.pending, 1);
  waiting.reconnector.stop();
  assertEquals(waiting.clock.pending, 0);
  await waiting.clock.advance(1_000_000);
  assertEquals(waiting.attempts.length, 1);

  // While it is connected: the loss that comes later is nobody's business.
  const connected = scene();
  const { reference, lose } = makeReference();
  connected.connect = () => Promise.resolve(reference);
  connected.reconnector.start();
  await settle();
  connected.reconnector.stop();
  connected.reconnector.stop();
  lose();
  await connected.clock.advance(1_000_000);
  assertEquals([connected.attempts.length, connected.downs.length], [1, 0]);
  assertEquals(connected.clock.pending, 0);
});

Deno.test("a connection that is lost before onConnected is done counts as a loss", async () => {
  const it = scene();
  const { reference, lose } = makeReference();
  it.connect = () => Promise.resolve(reference);
  it.onConnected = () => lose();
  it.reconnector.start();
  await settle();
  assertEquals(it.reconnector.status.state, "waiting");
  assertEquals(it.reconnector.status.delayMs, 1000);
  await it.clock.advance(1000);
  assertEquals(it.attempts.length, 2);
  it.reconnector.stop();
});

Deno.test("what is thrown need not be an Error", async () => {
  const it = scene();
  it.connect = () => Promise.reject("just text");
  it.reconnector.start();
  await settle();
  assertEquals(it.reconnector.status.lastError?.message, "just text");
  it.connect = () => {
    throw new Error("at once");
  };
  await it.clock.advance(3000);
  assertEquals(it.reconnector.status.lastError?.message, "at once");
  it.reconnector.stop();
});
