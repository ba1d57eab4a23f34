import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
} from "@std/assert";
import type { Identity } from "../../lib/foolscap/certificate.ts";
import {
  ConnectionLost,
  FurlError,
  NegotiationError,
  RemoteError,
  Violation,
} from "../../lib/foolscap/errors.ts";
import { type Furl, parseFurl } from "../../lib/foolscap/furl.ts";
import type { Limits } from "../../lib/foolscap/limits.ts";
import {
  Referenceable,
  type RemoteReference,
} from "../../lib/foolscap/references.ts";
import { Tub, type TubOptions } from "../../lib/foolscap/tub.ts";
import { FakeClock } from "../fake_clock.ts";
import {
  aborted,
  acceptSecure,
  decision,
  eventually,
  hello,
  identities,
  listenRaw,
  relayTo,
} from "./raw_peer.ts";

const TIMEOUT = { timeoutMs: 10_000 };

interface Served extends AsyncDisposable {
  readonly tub: Tub;
  readonly port: number;
  readonly furl: string;
  /** Objects that were handed to `keep`. */
  readonly kept: RemoteReference[];
}

/** An object that does a little of everything. */
function service(kept: RemoteReference[]): Referenceable {
  return new Referenceable("RIService", {
    echo: { parameters: ["value"], call: ([value]) => value as bigint },
    keep: {
      parameters: ["object"],
      call([object]) {
        kept.push(object as RemoteReference);
        return null;
      },
    },
    fail: {
      parameters: [],
      call: () => {
        throw new Error("it failed");
      },
    },
    hang: { parameters: [], call: () => new Promise(() => {}) },
  });
}

/** A Tub that listens and offers a service. */
async function serve(
  identity: Identity,
  options: Partial<TubOptions> & { limits?: Partial<Limits>; port?: number } =
    {},
): Promise<Served> {
  const tub = new Tub({ ...options, identity });
  const port = await tub.listen(options.port ?? 0, "127.0.0.1");
  tub.setLocation([`tcp:127.0.0.1:${port}`]);
  const kept: RemoteReference[] = [];
  const furl = tub.registerReference(
    service(kept),
    "gywo3xz5vq4ihbpnz3pn6lqj7kx7wkhs",
  );
  return { tub, port, furl, kept, [Symbol.asyncDispose]: () => tub.close() };
}

/** A Tub that only dials. */
function client(identity: Identity, options: Partial<TubOptions> = {}) {
  const tub = new Tub({ ...options, identity });
  return { tub, [Symbol.asyncDispose]: () => tub.close() };
}

/** Runs a test twice: the client decides, the server decides. */
function bothWays(
  name: string,
  run: (server: Identity, client: Identity) => Promise<void>,
): void {
  for (const master of ["server", "client"]) {
    Deno.test(`${name} (the ${master} decides)`, async () => {
      const [low, high] = await identities();
      await (master === "server" ? run(high, low) : run(low, high));
    });
  }
}

bothWays(
  "two Tubs call each other over one connection",
  async (serverId, clientId) => {
    await using server = await serve(serverId);
    await using dialler = client(clientId);
    const reference = await dialler.tub.getReference(server.furl);
    assertEquals(reference.interfaceName, "RIService");
    assertEquals(reference.peer.tubid, serverId.tubid);
    assertEquals(reference.peer.incarnation, server.tub.incarnation);
    assertEquals(reference.peer.address, `127.0.0.1:${server.port}`);
    assertEquals(reference.furl, parseFurl(server.furl));
    assertEquals(await reference.call("echo", [2n ** 65n], TIMEOUT), 2n ** 65n);

    const mine: RemoteReference[] = [];
    await reference.call("keep", [service(mine)], TIMEOUT);
    const [back] = server.kept;
    assertEquals(back.peer.tubid, clientId.tubid);
    assertEquals(back.peer.incarnation, dialler.tub.incarnation);
    assertEquals(await back.call("echo", ["ë"], TIMEOUT), "ë");
    assertEquals([server.tub.connectionCount, dialler.tub.connectionCount], [
      1,
      1,
    ]);

    // The server may ask the client's Tub for objects over the same connection.
    const other = new Referenceable("RIOther", {});
    const furl = dialler.tub.registerReference(other);
    assertEquals(
      (await server.tub.getReference(furl)).interfaceName,
      "RIOther",
    );
    assertEquals([server.tub.connectionCount, dialler.tub.connectionCount], [
      1,
      1,
    ]);
  },
);

bothWays(
  "errors arrive as errors, and the connection lives on",
  async (serverId, clientId) => {
    await using server = await serve(serverId);
    await using dialler = client(clientId);
    const reference = await dialler.tub.getReference(server.furl);
    const error = await assertRejects(
      () => reference.call("fail", [], TIMEOUT),
      RemoteError,
    );
    assertEquals([error.type, error.value], [
      "builtins.Exception",
      "it failed",
    ]);
    await assertRejects(
      () => reference.call("nonsense", [], TIMEOUT),
      Violation,
    );
    await assertRejects(() => reference.call("echo", [], TIMEOUT), Violation);
    await assertRejects(
      () => reference.call("hang", [], { timeoutMs: 1 }),
      DOMException,
    );
    reference.callOnly("fail", []);
    assertEquals(await reference.call("echo", [1n], TIMEOUT), 1n);
    assert(!reference.disconnected.aborted);
  },
);

bothWays(
  "the end of a connection is noticed on both sides at once",
  async (serverId, clientId) => {
    for (const closer of ["client", "server"]) {
      await using server = await serve(serverId);
      await using dialler = client(clientId);
      const reference = await dialler.tub.getReference(server.furl);
      await reference.call("keep", [service([])], TIMEOUT);
      const [back] = server.kept;
      const calls = [
        reference.call("hang", [], TIMEOUT),
        back.call("hang", [], TIMEOUT),
      ].map((call) => call.catch((error) => error));
      const ended = [reference, back].map(({ disconnected }) =>
        aborted(disconnected)
      );
      await (closer === "client" ? dialler : server).tub.close();
      for (const reason of await Promise.all(ended)) {
        assertInstanceOf(
          reason,
          ConnectionLost,
        );
      }
      for (const error of await Promise.all(calls)) {
        assertInstanceOf(
          error,
          ConnectionLost,
        );
      }
      await eventually(() =>
        server.tub.connectionCount + dialler.tub.connectionCount === 0
      );
    }
  },
);

bothWays(
  "a peer that restarts with the same key takes its own place",
  async (serverId, clientId) => {
    await using server = await serve(serverId);
    await using first = client(clientId);
    const reference = await first.tub.getReference(server.furl);
    await reference.call("keep", [service([])], TIMEOUT);
    const ended = aborted(server.kept[0].disconnected);
    await using second = client(clientId);
    const again = await second.tub.getReference(server.furl);
    assertEquals(
      String(await ended),
      "ConnectionLost: the peer connected anew",
    );
    assertInstanceOf(await aborted(reference.disconnected), ConnectionLost);
    assertEquals(await again.call("echo", [5n], TIMEOUT), 5n);
    assertEquals(server.tub.connectionCount, 1);
  },
);

bothWays(
  "a Tub connects again after it has lost the connection",
  async (serverId, clientId) => {
    await using dialler = client(clientId);
    let port = 0;
    for (let i = 0; i < 3; i++) {
      await using server = await serve(serverId, { port });
      port = server.port;
      const reference = await dialler.tub.getReference(server.furl);
      assertEquals(
        await reference.call("echo", [BigInt(i)], TIMEOUT),
        BigInt(i),
      );
      const ended = aborted(reference.disconnected);
      await server.tub.close();
      await ended;
    }
  },
);

bothWays(
  "many calls for one Tub share one attempt",
  async (serverId, clientId) => {
    await using server = await serve(serverId);
    await using dialler = client(clientId);
    const references = await Promise.all(
      Array.from({ length: 20 }, () => dialler.tub.getReference(server.furl)),
    );
    assertEquals(new Set(references).size, 1);
    assertEquals([server.tub.connectionCount, dialler.tub.connectionCount], [
      1,
      1,
    ]);
  },
);

Deno.test("two Tubs that dial each other at the same moment end up with one connection", async () => {
  for (let round = 0; round < 10; round++) {
    const [low, high] = await identities();
    await using one = await serve(low);
    await using two = await serve(high);
    const [a, b] = await Promise.all([
      one.tub.getReference(two.furl),
      two.tub.getReference(one.furl),
    ]);
    // The attempt that came too late may have ended the connection of the one before.
    for (
      const [tub, reference, furl] of [[one.tub, a, two.furl], [
        two.tub,
        b,
        one.furl,
      ]] as const
    ) {
      const usable = reference.disconnected.aborted
        ? await tub.getReference(furl)
        : reference;
      assertEquals(await usable.call("echo", [1n], TIMEOUT), 1n);
    }
    assertEquals([one.tub.connectionCount, two.tub.connectionCount], [1, 1]);
  }
});

bothWays(
  "decref forgets an object; the next time it has a new number",
  async (serverId, clientId) => {
    await using server = await serve(serverId);
    await using dialler = client(clientId);
    const reference = await dialler.tub.getReference(server.furl);
    reference.release();
    await assertRejects(
      () => reference.call("echo", [1n], TIMEOUT),
      Violation,
      "unknown CLID 1",
    );
    const again = await dialler.tub.getReference(server.furl);
    assertEquals([reference.clid, again.clid], [1, 2]);
    assertEquals(again.interfaceName, "RIService");
  },
);

bothWays(
  "a master that dials holds back what its slave could not take yet",
  async (serverId, clientId) => {
    await using server = await serve(serverId);
    const names = Array.from(
      { length: 30 },
      (_, i) => `${i}`.padStart(1000, "n"),
    );
    for (const name of names) {
      server.tub.registerReference(new Referenceable(name.slice(-4), {}), name);
    }
    await using dialler = client(clientId);
    const furl = parseFurl(server.furl);
    const references = await Promise.all(
      names.map((name) => dialler.tub.getReference({ ...furl, name })),
    );
    assertEquals(
      references.map(({ interfaceName }) => interfaceName),
      names.map((name) => name.slice(-4)),
    );
  },
);

Deno.test("a slave that is silent gets less than 4096 bytes, decision included, and a PING", async () => {
  const [low, high] = await identities();
  await using server = await listenRaw();
  await using dialler = client(high);
  const furl: Furl = {
    tubid: low.tubid,
    hints: [`tcp:127.0.0.1:${server.port}`],
    name: "",
  };
  const names = Array.from(
    { length: 20 },
    (_, i) => `${i}`.padStart(1000, "n"),
  );
  const references = names.map((name) =>
    dialler.tub.getReference({ ...furl, name })
  );
  for (const reference of references) reference.catch(() => {});
  const wire = await acceptSecure(server, low);
  const start = wire.text.length;
  wire.send(hello(low.tubid).replace(/last-connection.*\r\n/, ""));
  await wire.until((text) => text.endsWith("\x8e"));
  const early = wire.text.slice(
    wire.text.indexOf("banana-decision-version", start),
  );
  assert(early.length < 4096, `${early.length}`);
  assert(
    early.includes("n0"),
    "the first calls go out at once",
  );
  assert(!early.includes("n19"));
  // One byte of Banana, and the rest comes.
  wire.send(Uint8Array.of(0x8f));
  await wire.until((text) => text.includes("n19"));
  for (const name of names) assert(wire.text.includes(name));
  wire.destroy();
  for (const reference of references) {
    await assertRejects(() => reference, ConnectionLost);
  }
});

Deno.test("several hints: dead ones and those of others are passed over", async () => {
  const [low, high] = await identities();
  await using server = await serve(low);
  await using other = await serve((await identities())[0]);
  const closed = await listenRaw();
  await closed[Symbol.asyncDispose]();
  await using dialler = client(high);
  const hints = [
    `tcp:127.0.0.1:${closed.port}`,
    "tor:abc.onion:80",
    `127.0.0.1:${other.port}`,
    `tcp:127.0.0.1:${closed.port}`,
    `tcp:127.0.0.1:${server.port}`,
  ];
  const reference = await dialler.tub.getReference({
    ...parseFurl(server.furl),
    hints,
  });
  assertEquals(await reference.call("echo", [1n], TIMEOUT), 1n);
  assertEquals(reference.peer.address, `127.0.0.1:${server.port}`);
});

Deno.test("what cannot be reached says so, for each hint, without the name", async () => {
  const [low, high] = await identities();
  await using server = await serve(low);
  const closed = await listenRaw();
  await closed[Symbol.asyncDispose]();
  await using dialler = client(high);
  const furl = parseFurl(server.furl);
  const dead = `tcp:127.0.0.1:${closed.port}`;
  const wrong = { ...furl, tubid: "a".repeat(32) };
  const cases: [
    Furl,
    typeof NegotiationError | typeof FurlError | typeof RemoteError,
    RegExp,
  ][] = [
    [
      { ...furl, hints: [dead, dead] },
      NegotiationError,
      /^cannot connect: (tcp:127\.0\.0\.1:\d+: .*ECONNREFUSED.*(; |$)){2}/,
    ],
    [wrong, NegotiationError, /unknown TubID aaaa/],
    [{ ...furl, hints: [] }, FurlError, /no usable location hint/],
    [{ ...furl, hints: ["tor:x:1"] }, FurlError, /no usable location hint/],
    [{ ...furl, tubid: high.tubid }, FurlError, /this Tub itself/],
    [{ ...furl, name: "unknown" }, RemoteError, /no object of the name/],
  ];
  for (const [furl, kind, text] of cases) {
    const error = await assertRejects(
      () => dialler.tub.getReference(furl),
      kind,
    );
    assert(text.test(error.message), error.message);
    assert(
      !error.message.includes(furl.name),
      error.message,
    );
  }
});

Deno.test("a server that answers for another Tub never hears the name", async () => {
  const [low, high] = await identities();
  const [victim] = await identities();
  await using server = await listenRaw();
  await using dialler = client(high);
  const reference = dialler.tub.getReference({
    tubid: victim.tubid,
    hints: [`tcp:127.0.0.1:${server.port}`],
    name: "gywo3xz5vq4ihbpn",
  });
  reference.catch(() => {});
  const wire = await acceptSecure(server, low);
  wire.send(hello(victim.tubid) + decision);
  await wire.closed;
  assertEquals(wire.text, "");
  await assertRejects(
    () => reference,
    NegotiationError,
    "another Tub than the FURL names",
  );
});

Deno.test("the hello decides nothing: a peer that claims another tubid is refused", async () => {
  const [low, high] = await identities();
  await using server = await listenRaw();
  await using dialler = client(high);
  const reference = dialler.tub.getReference({
    tubid: low.tubid,
    hints: [`tcp:127.0.0.1:${server.port}`],
    name: "gywo3xz5vq4ihbpn",
  });
  reference.catch(() => {});
  const wire = await acceptSecure(server, low);
  wire.send(hello("a".repeat(32)));
  await wire.closed;
  assert(
    wire.text.endsWith("error: internal server error, see logs\r\n\r\n"),
    wire.text,
  );
  assert(!wire.text.includes("gywo"));
  await assertRejects(
    () => reference,
    NegotiationError,
    "calls itself another Tub",
  );
});

Deno.test("a peer with our own key is refused", async () => {
  const [low] = await identities();
  await using server = await serve(low);
  await using dialler = client(low);
  await assertRejects(
    () => dialler.tub.getReference(server.furl),
    FurlError,
    "this Tub itself",
  );
});

Deno.test("a Tub that is closed while it dials lets go at once", async () => {
  const [low, high] = await identities();
  // Before TCP is up, in the plaintext phase, and in negotiation.
  for (const phase of ["dialling", "greeting", "negotiating"]) {
    await using server = await listenRaw();
    const furl = {
      tubid: low.tubid,
      hints: [`tcp:127.0.0.1:${server.port}`],
      name: "x",
    };
    const dialler = client(high);
    const reference = dialler.tub.getReference(furl);
    reference.catch(() => {});
    if (phase === "greeting") await server.accept();
    if (phase === "negotiating") await acceptSecure(server, low);
    await dialler.tub.close();
    const error = await assertRejects(() => reference, ConnectionLost);
    assertEquals(
      error.message,
      "the connection was closed on this side",
      phase,
    );
    await assertRejects(
      () => dialler.tub.getReference(furl),
      ConnectionLost,
      "the Tub is closed",
    );
    await dialler.tub.close();
  }
});

Deno.test("close() waits for a peer's close_notify no longer than a second", async () => {
  const [low, high] = await identities();
  await using server = await serve(low);
  await using relay = await relayTo(server.port);
  const clock = new FakeClock();
  const dialler = client(high, { clock });
  const reference = await dialler.tub.getReference({
    ...parseFurl(server.furl),
    hints: [`tcp:127.0.0.1:${relay.port}`],
  });
  relay.stopUp();
  const closed = dialler.tub.close();
  assertInstanceOf(await aborted(reference.disconnected), ConnectionLost);
  let done = false;
  void closed.then(() => done = true);
  await clock.advance(999);
  // More turns than an answer would need.
  for (let i = 0; i < 50; i++) {
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  assertEquals(done, false);
  await clock.advance(1);
  await closed;
  assertEquals(clock.pending, 0);
});

Deno.test("a port that is taken is an error of listen()", async () => {
  const [low, high] = await identities();
  await using server = await serve(low);
  await using other = client(high);
  const error = await assertRejects(
    () => other.tub.listen(server.port, "127.0.0.1"),
    Error,
  );
  assertEquals((error as Error & { code?: string }).code, "EADDRINUSE");
});

Deno.test("a FURL carries the location of the moment", async () => {
  const [low] = await identities();
  await using one = client(low);
  const object = new Referenceable("RIX", {});
  assertEquals(one.tub.furlOf(object), undefined);
  const furl = one.tub.registerReference(object);
  assertEquals(parseFurl(furl).hints, []);
  assertEquals(parseFurl(furl).name.length, 32);
  one.tub.setLocation(["tcp:h:1", "tcp:h:2"]);
  assertEquals(
    one.tub.furlOf(object),
    `pb://${low.tubid}@tcp:h:1,tcp:h:2/${parseFurl(furl).name}`,
  );
});
