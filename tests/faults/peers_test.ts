/** Nodes that say nothing, say it slowly, or are somebody else's twin. */

import { assert, assertEquals } from "@std/assert";
import {
  generateIdentity,
  type Identity,
} from "../../lib/foolscap/certificate.ts";
import type { Limits } from "../../lib/foolscap/limits.ts";
import { formatUpgradeRequest } from "../../lib/foolscap/negotiation.ts";
import { Referenceable } from "../../lib/foolscap/references.ts";
import { Tub } from "../../lib/foolscap/tub.ts";
import { FakeClock } from "../fake_clock.ts";
import {
  aborted,
  dial,
  dialUpgraded,
  eventually,
  identities,
  listenRaw,
} from "../foolscap/raw_peer.ts";
import { captureLog } from "../log_capture.ts";

/** A Tub that listens, on a clock that a test moves, with the log of everybody. */
async function serve(limits: Partial<Limits> = {}, identity?: Identity) {
  await using stack = new AsyncDisposableStack();
  const log = stack.use(await captureLog());
  const clock = new FakeClock();
  const tub = new Tub({
    identity: identity ?? await generateIdentity(),
    clock,
    limits,
  });
  stack.defer(() => tub.close());
  const port = await tub.listen(0, "127.0.0.1");
  tub.setLocation([`tcp:127.0.0.1:${port}`]);
  const furl = tub.registerReference(
    new Referenceable("RIService", {
      echo: { parameters: ["value"], call: ([value]) => value as bigint },
    }),
  );
  const running = stack.move();
  return {
    tub,
    port,
    furl,
    clock,
    lines: log.lines,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** Whether a node that comes now is taken in and answered. */
async function attaches(furl: string): Promise<void> {
  const tub = new Tub({ identity: await generateIdentity() });
  try {
    const reference = await tub.getReference(furl);
    assertEquals(
      await reference.call("echo", [7n], { timeoutMs: 10_000 }),
      7n,
    );
  } finally {
    await tub.close();
  }
}

/** Waits until so many are being negotiated: each has a deadline, and all together have one who looks after them. */
async function negotiating(
  { clock }: { clock: FakeClock },
  count: number,
): Promise<void> {
  await eventually(() => clock.pending === count + 1);
}

const refused = (lines: readonly string[], reason: string) =>
  lines.filter((line) =>
    line.startsWith("warning refused a connection from 127.0.0.1:") &&
    line.endsWith(`: ${reason}`)
  ).length;

Deno.test("1,000 connections that never speak, and 100 that send a byte a second, end after their time, and nodes attach meanwhile", async () => {
  await using server = await serve();
  const silent = await Promise.all(
    Array.from({ length: 1000 }, () => dial(server.port)),
  );
  const slow = await Promise.all(
    Array.from({ length: 100 }, () => dial(server.port)),
  );
  await negotiating(server, 1100);
  await attaches(server.furl);
  const request = formatUpgradeRequest(server.tub.tubid, "127.0.0.1");
  for (let second = 0; second < 119; second++) {
    await server.clock.advance(1000);
    for (const wire of slow) wire.send(request.subarray(second, second + 1));
  }
  await attaches(server.furl);
  assertEquals(server.lines, []);
  await server.clock.advance(1000);
  await Promise.all([...silent, ...slow].map((wire) => wire.closed));
  const reason = "negotiation was not finished within 120 s";
  await eventually(() => refused(server.lines, reason) === 1100);
  assertEquals(server.lines.length, 1100);
  await attaches(server.furl);
});

Deno.test("when as many negotiate as may, the oldest that has not asked for anything makes room", async () => {
  await using server = await serve({ negotiating: 3 });
  const upgraded = await dialUpgraded(server.port, server.tub.tubid);
  const silent = await dial(server.port);
  await negotiating(server, 2);
  await server.clock.advance(1000);
  const young = await dial(server.port);
  await negotiating(server, 3);
  await server.clock.advance(3999);
  // Nobody has had five seconds yet.
  const tooMany = await dial(server.port);
  await tooMany.closed;
  assertEquals(
    refused(server.lines, "3 connections are being negotiated already"),
    1,
  );
  await server.clock.advance(1);
  await attaches(server.furl);
  await silent.closed;
  const reason =
    "it made room for another: it had not asked for a Tub within 5 s";
  await eventually(() => refused(server.lines, reason) === 1);
  const next = await dial(server.port);
  await negotiating(server, 3);
  await server.clock.advance(1000);
  await attaches(server.furl);
  await young.closed;
  // Of those that have asked, the one that has been at it for half a minute.
  next.destroy();
  await eventually(() =>
    refused(server.lines, "the peer closed the connection before TLS") === 1
  );
  const alsoUpgraded = await dialUpgraded(server.port, server.tub.tubid);
  const last = await dialUpgraded(server.port, server.tub.tubid);
  await server.clock.advance(24_000);
  await attaches(server.furl);
  await upgraded.closed;
  await eventually(() =>
    refused(
      server.lines,
      "it made room for another: negotiation was not finished within 30 s",
    ) === 1
  );
  for (const wire of [alsoUpgraded, last]) wire.destroy();
});

Deno.test("a newcomer finds its place among as many as may negotiate that send a byte a second", async () => {
  const most = 400;
  await using server = await serve({ negotiating: most });
  const slow = await Promise.all(
    Array.from({ length: most }, () => dial(server.port)),
  );
  await negotiating(server, most);
  for (let second = 0; second < 5; second++) {
    for (const wire of slow) wire.send("G");
    await server.clock.advance(1000);
  }
  for (let i = 0; i < 5; i++) await attaches(server.furl);
  for (const wire of slow) wire.destroy();
});

Deno.test("a location hint that takes the connection and then says nothing does not hold up the next", async () => {
  await using server = await serve();
  await using mute = await listenRaw();
  const clock = new FakeClock();
  const tub = new Tub({ identity: await generateIdentity(), clock });
  const getting = tub.getReference(
    server.furl.replace(
      `tcp:127.0.0.1:${server.port}`,
      `tcp:127.0.0.1:${mute.port},tcp:127.0.0.1:${server.port}`,
    ),
  );
  const socket = await mute.accept();
  // The clock moves only from the moment that the Tub knows that it is connected: a deadline and the
  // next hint's turn.
  socket.resume();
  const closed = new Promise((resolve) => socket.once("close", resolve));
  await new Promise((resolve) => socket.once("data", resolve));
  await clock.advance(4999);
  assertEquals(server.tub.connectionCount, 0);
  await clock.advance(1);
  const reference = await getting;
  assertEquals(reference.peer.address, `127.0.0.1:${server.port}`);
  // The mute one is let go.
  await closed;
  await tub.close();
  assertEquals(clock.pending, 0);
});

Deno.test("a certificate in two places is reported once, with both addresses, until one of them has gone", async () => {
  for (const master of ["server", "node"]) {
    const [low, high] = await identities();
    const [serverId, nodeId] = master === "server" ? [high, low] : [low, high];
    await using server = await serve({}, serverId);
    const original = new Tub({ identity: nodeId });
    const copy = new Tub({ identity: nodeId });
    const addresses: string[] = [];
    let last = await original.getReference(server.furl);
    for (let turn = 0; turn < 10; turn++) {
      const lost = aborted(last.disconnected);
      const tub = turn % 2 === 0 ? copy : original;
      last = await tub.getReference(server.furl);
      assertEquals(await last.call("echo", [1n], { timeoutMs: 10_000 }), 1n);
      // Each throws the other out.
      await lost;
      const { tubid } = nodeId;
      const [double] = server.tub.doubles();
      assertEquals(server.tub.isDouble(tubid), turn > 0);
      if (!double) continue;
      assertEquals([double.tubid, double.addresses.length], [tubid, 2]);
      addresses.push(...double.addresses);
    }
    const reports = () =>
      server.lines.filter((line) => line.includes(" identity "));
    assertEquals(reports(), [
      `warning the identity ${nodeId.tubid} is in two places at once, ` +
      `${addresses[0]} and ${addresses[1]}: each throws the other out; ` +
      "give one of them a key of its own",
    ]);
    await copy.close();
    await server.clock.advance(660_000);
    assertEquals(server.tub.doubles(), []);
    assert(
      reports()[1].startsWith(
        `info the identity ${nodeId.tubid} is in one place again, 127.0.0.1:`,
      ),
    );
    assertEquals(reports().length, 2);
    await original.close();
  }
});
