import { Buffer } from "node:buffer";
import { on, once } from "node:events";
import net from "node:net";
import tls from "node:tls";
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import {
  generateIdentity,
  type Identity,
  parseIdentity,
  tubidOf,
} from "../../lib/foolscap/certificate.ts";
import { NegotiationError } from "../../lib/foolscap/errors.ts";
import { defaultLimits as limits } from "../../lib/foolscap/limits.ts";
import {
  secureClient,
  SecureServer,
  type SecureSocket,
} from "../../lib/foolscap/tls.ts";

const CERTS = new URL("../testdata/foolscap/certs/", import.meta.url);
const pathOf = (name: string) => new URL(`${name}.pem`, CERTS).pathname;
const identity = (name: string) =>
  parseIdentity(Deno.readTextFileSync(pathOf(name)));
const low = identity("low");
const high = identity("high");
const ours = await generateIdentity();
const theirs = await generateIdentity();

/** A TCP connection on this machine: who dialled, and who was dialled; both paused. */
interface Wire extends AsyncDisposable {
  client: net.Socket;
  server: net.Socket;
}

async function wire(): Promise<Wire> {
  using listener = await listen();
  const dialled = net.connect(listener.port, "127.0.0.1");
  const [server] = await Promise.all([
    listener.accept(),
    once(dialled, "connect"),
  ]);
  dialled.on("error", () => {});
  return {
    client: dialled,
    server,
    async [Symbol.asyncDispose]() {
      await close(dialled);
      await close(server);
    },
  };
}

async function listen() {
  const listener = net.createServer({ pauseOnConnect: true });
  const accepted = on(listener, "connection");
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  return {
    port: (listener.address() as net.AddressInfo).port,
    async accept(): Promise<net.Socket> {
      const [socket] = (await accepted.next()).value!;
      socket.on("error", () => {});
      return socket;
    },
    [Symbol.dispose]() {
      listener.close();
    },
  };
}

async function close(socket: net.Socket): Promise<void> {
  if (socket.closed) return;
  const closed = once(socket, "close");
  socket.destroy();
  await closed;
}

/** Both ends of a connection that is ours on both sides. */
async function securePair(
  { client, server }: Wire,
  serverIdentity: Identity = ours,
  clientIdentity: Identity = theirs,
): Promise<{ client: SecureSocket; server: SecureSocket }> {
  const [near, far] = await Promise.all([
    secureClient(client, clientIdentity, { limits }),
    new SecureServer(serverIdentity, limits).secure(server),
  ]);
  return { client: near, server: far };
}

/** Everything that comes until the end; the socket is closed afterwards. */
async function readAll(socket: net.Socket): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk);
  await close(socket);
  return Buffer.concat(chunks).toString();
}

function readSome(socket: net.Socket, length: number): Promise<Buffer> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    socket.on("data", function take(chunk: Buffer) {
      chunks.push(chunk);
      const all = Buffer.concat(chunks);
      if (all.length < length) return;
      socket.off("data", take);
      resolve(all);
    });
  });
}

/** Lets the event loop turn once. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await turn();
}

async function assertRefused(
  refused: Promise<unknown>,
  socket: net.Socket,
  words: RegExp,
): Promise<void> {
  const error = await assertRejects(() => refused, NegotiationError);
  assertMatch(error.message, words);
  assert(!error.message.includes("\n"), error.message);
  assertEquals(socket.destroyed, true);
}

const COMBINATIONS: [string, Identity, string, Identity][] = [
  ["our v3 EC", ours, "our v3 EC", theirs],
  ["our v3 EC", ours, "Foolscap's v1 RSA", low],
  ["Foolscap's v1 RSA", high, "our v3 EC", ours],
  ["Foolscap's v1 RSA", low, "Foolscap's v1 RSA", high],
  ["RSA 4096", identity("rsa4096-v3"), "P-384", identity("p384")],
  ["P-521", identity("p521"), "Ed25519", identity("ed25519")],
];
for (const [serverKind, server, clientKind, client] of COMBINATIONS) {
  Deno.test(`both prove themselves: server with ${serverKind}, client with ${clientKind}`, async () => {
    await using tcp = await wire();
    const pair = await securePair(tcp, server, client);
    assertEquals(pair.client.peerTubid, server.tubid);
    assertEquals(pair.server.peerTubid, client.tubid);
    for (const one of [pair.client, pair.server]) {
      assertEquals(tubidOf(one.peerCertificate), one.peerTubid);
      assertEquals(one.socket.getProtocol(), "TLSv1.2");
    }
    pair.client.socket.write("ping");
    assertEquals(`${await readSome(pair.server.socket, 4)}`, "ping");
    pair.server.socket.end("pong");
    assertEquals(await readAll(pair.client.socket), "pong");
  });
}

Deno.test("one server takes many clients at once, each with its own tubid", async () => {
  const server = new SecureServer(ours, limits);
  await using stack = new AsyncDisposableStack();
  const clients = [low, high, theirs, low, high, theirs];
  const seen = await Promise.all(clients.map(async (client) => {
    const tcp = stack.use(await wire());
    const [far] = await Promise.all([
      server.secure(tcp.server),
      secureClient(tcp.client, client, { limits }),
    ]);
    return far.peerTubid;
  }));
  assertEquals(seen, clients.map((client) => client.tubid));
});

Deno.test("connections in a row: our client resumes no session", async () => {
  const server = new SecureServer(ours, limits);
  for (let i = 0; i < 4; i++) {
    await using tcp = await wire();
    const [near] = await Promise.all([
      secureClient(tcp.client, low, { limits }),
      server.secure(tcp.server),
    ]);
    assertEquals(near.peerTubid, ours.tubid);
    assertEquals(near.socket.isSessionReused(), false);
  }
});

Deno.test("what comes before anybody listens waits, and so does the end", async () => {
  await using tcp = await wire();
  const { client, server } = await securePair(tcp);
  const body = "x".repeat(5000);
  client.socket.end(body);
  await until(() => server.socket.readableLength >= body.length);
  assertEquals(server.socket.readableFlowing, null);
  assertEquals(await readAll(server.socket), body);
});

/** Passes on what `from` sends to `to`, through `pass`. */
function relay(
  from: net.Socket,
  to: net.Socket,
  pass: (chunk: Buffer) => Iterable<Uint8Array>,
): void {
  from.on("data", (chunk: Buffer) => {
    for (const part of pass(chunk)) to.write(part);
  });
  from.on("end", () => to.end());
  from.resume();
}

Deno.test("data in one packet with the server's last handshake message is not lost", async () => {
  await using near = await wire();
  await using far = await wire();
  let flights = 0;
  relay(near.server, far.client, (chunk) => {
    flights++;
    return [chunk];
  });
  // The server's second flight is held back until application data (type 23) is behind it.
  let held = Buffer.alloc(0);
  let together = false;
  relay(far.client, near.server, (chunk) => {
    if (flights < 2) return [chunk];
    held = Buffer.concat([held, chunk]);
    let at = 0;
    let data = false;
    while (at + 5 <= held.length) {
      data ||= held[at] === 23;
      at += 5 + held.readUInt16BE(at + 3);
    }
    if (!data || at !== held.length) return [];
    together = held[0] === 22 || held[0] === 20;
    const all = held;
    held = Buffer.alloc(0);
    return [all];
  });
  const [client] = await Promise.all([
    secureClient(near.client, low, { limits }),
    new SecureServer(ours, limits).secure(far.server).then(({ socket }) =>
      socket.write("hello")
    ),
  ]);
  assertEquals(together, true);
  await until(() => client.socket.readableLength > 0);
  assertEquals(`${await readSome(client.socket, 5)}`, "hello");
});

Deno.test("a wire that delivers single bytes makes no difference", async () => {
  await using near = await wire();
  await using far = await wire();
  const single = (chunk: Buffer) => Array.from(chunk, (b) => Uint8Array.of(b));
  relay(near.server, far.client, single);
  relay(far.client, near.server, single);
  const pair = await securePair({ ...near, server: far.server }, high, low);
  assertEquals(pair.client.peerTubid, high.tubid);
  assertEquals(pair.server.peerTubid, low.tubid);
});

// ---- Peers that are refused ------------------------------------------------------------------

/** The runtime's own TLS as a peer that does as it likes. */
function plainPeer(
  role: "client" | "server",
  socket: net.Socket,
  options: tls.SecureContextOptions,
): tls.TLSSocket {
  const peer = role === "client"
    ? tls.connect({ socket, rejectUnauthorized: false, ...options })
    : new tls.TLSSocket(socket, {
      isServer: true,
      secureContext: tls.createSecureContext(options),
    });
  peer.on("error", () => {});
  return peer;
}

Deno.test("a client without a certificate is refused", async () => {
  await using tcp = await wire();
  const refused = new SecureServer(ours, limits).secure(tcp.server);
  plainPeer("client", tcp.client, { maxVersion: "TLSv1.2" });
  await assertRefused(refused, tcp.server, /^the peer sent no certificate$/);
});

const only13: tls.SecureContextOptions = {
  cert: low.certificatePem,
  key: low.keyPem,
  minVersion: "TLSv1.3",
};

Deno.test("a client that insists on TLS 1.3 is refused", async () => {
  await using tcp = await wire();
  const refused = new SecureServer(ours, limits).secure(tcp.server);
  plainPeer("client", tcp.client, only13);
  await assertRefused(refused, tcp.server, /Tls12NotOfferedOrEnabled/);
});

Deno.test("a server that insists on TLS 1.3 is refused", async () => {
  await using tcp = await wire();
  const refused = secureClient(tcp.client, ours, { limits });
  plainPeer("server", tcp.server, only13);
  await assertRefused(refused, tcp.client, /alert 70 \(protocol version\)/);
});

const NO_TLS: [string, (peer: net.Socket) => void, RegExp][] = [
  ["that talks HTTP", (peer) => peer.write("GET / HTTP/1.1\r\n\r\n"), /TLS/],
  ["that hangs up", (peer) => peer.end(), /closed the connection/],
  ["that resets", (peer) => peer.resetAndDestroy(), /closed the connection/],
  [
    "that begins a huge message",
    (peer) => peer.write(Uint8Array.of(22, 3, 3, 0, 4, 2, 255, 255, 255)),
    /16777219 bytes|TLS handshake failed/,
  ],
  [
    "that sends an alert",
    (peer) => peer.write(Uint8Array.of(21, 3, 3, 0, 2, 2, 40)),
    /^the peer broke off with TLS alert 40 \(handshake failure\)$/,
  ],
];
for (const [name, act, words] of NO_TLS) {
  Deno.test(`a server ${name} is refused`, async () => {
    await using tcp = await wire();
    const refused = secureClient(tcp.client, ours, { limits });
    act(tcp.server);
    await assertRefused(refused, tcp.client, words);
  });

  Deno.test(`a client ${name} is refused`, async () => {
    await using tcp = await wire();
    const refused = new SecureServer(ours, limits).secure(tcp.server);
    act(tcp.client);
    await assertRefused(refused, tcp.server, words);
  });
}

Deno.test("a peer that stays silent is left to the signal", async () => {
  await using tcp = await wire();
  await using other = await wire();
  const abort = new AbortController();
  const { signal } = abort;
  const secured = [
    secureClient(tcp.client, ours, { limits, signal }),
    new SecureServer(ours, limits).secure(other.server, signal),
  ];
  const seen = Promise.allSettled(secured);
  const reason = new Error("negotiation took longer than 120 s");
  abort.abort(reason);
  await seen;
  for (const [i, socket] of [tcp.client, other.server].entries()) {
    await assertRefused(secured[i], socket, /^negotiation took longer/);
  }
  const late = secureClient(other.client, ours, { limits, signal });
  await assertRefused(late, other.client, /^negotiation took longer/);
});

Deno.test("the signal has no effect once the handshake is done", async () => {
  await using tcp = await wire();
  const abort = new AbortController();
  const { signal } = abort;
  const [client] = await Promise.all([
    secureClient(tcp.client, ours, { limits, signal }),
    new SecureServer(ours, limits).secure(tcp.server, signal),
  ]);
  abort.abort();
  assertEquals(client.socket.destroyed, false);
});

Deno.test("a socket that is already gone is refused", async () => {
  await using tcp = await wire();
  await close(tcp.client);
  const refused = secureClient(tcp.client, ours, { limits });
  await assertRefused(refused, tcp.client, /closed the connection/);
});

Deno.test("a key that TLS cannot use is a plain refusal", async () => {
  await using tcp = await wire();
  const pem = Deno.readTextFileSync(pathOf("old-rsa1024-md5"));
  const keyPem = pem.slice(pem.indexOf("-----BEGIN PRIVATE KEY-----"));
  const short = { certificatePem: pem, keyPem, tubid: "" };
  const refused = secureClient(tcp.client, short, { limits });
  await assertRefused(refused, tcp.client, /^TLS could not be started: .*key/);
});

// ---- The end ---------------------------------------------------------------------------------

/** Notes the events of a socket that tell of its end. */
function watch(socket: net.Socket): { seen: string[]; closed: Promise<void> } {
  const seen: string[] = [];
  for (const event of ["end", "error", "close"]) {
    socket.on(event, () => seen.push(event));
  }
  const closed = new Promise<void>((resolve) => socket.once("close", resolve));
  socket.resume();
  return { seen, closed };
}

type Ends = { tcp: Wire; client: SecureSocket; server: SecureSocket };
const garbage = Uint8Array.from([23, 3, 3, 0, 32, ...new Uint8Array(32)]);
const ENDS: [string, (ends: Ends) => void, client: string, server: string][] = [
  ["end()", ({ client }) => client.socket.end(), "end close", "end close"],
  ["destroy()", ({ client }) => client.socket.destroy(), "close", "end close"],
  ["TCP's end", ({ tcp }) => tcp.client.end(), "end close", "end close"],
  [
    "a reset",
    ({ tcp }) => tcp.client.resetAndDestroy(),
    "close",
    "error close",
  ],
  [
    "garbage",
    ({ tcp }) => tcp.client.write(garbage),
    "end close",
    "error close",
  ],
];
for (const [name, act, actor, other] of ENDS) {
  for (const role of ["client", "server"] as const) {
    Deno.test(`the ${role}'s side ends by ${name}: both get to know, both are freed`, async () => {
      await using tcp = await wire();
      const pair = await securePair(tcp);
      // The table speaks of the client's side; for the server's the ends are exchanged.
      const ends = role === "client" ? { tcp, ...pair } : {
        tcp: { ...tcp, client: tcp.server, server: tcp.client },
        client: pair.server,
        server: pair.client,
      };
      const near = watch(ends.client.socket);
      const far = watch(ends.server.socket);
      act(ends);
      await Promise.all([near.closed, far.closed]);
      assertEquals(near.seen.join(" "), actor);
      assertEquals(far.seen.join(" "), other);
      assertEquals([tcp.client.destroyed, tcp.server.destroyed], [true, true]);
    });
  }
}

// ---- Slow readers ----------------------------------------------------------------------------

for (const role of ["client", "server"] as const) {
  for (const how of ["nobody listens", "the reader has paused"]) {
    Deno.test(`a peer that does not read holds back the ${role}: ${how}`, async () => {
      await using tcp = await wire();
      const pair = await securePair(tcp);
      const sender = pair[role].socket;
      const reader = pair[role === "client" ? "server" : "client"].socket;
      const rawReader = role === "client" ? tcp.server : tcp.client;
      if (how !== "nobody listens") reader.pause();
      const block = Buffer.alloc(1 << 20, "x");
      const total = 32 * block.length;
      for (let i = 0; i < 32; i++) assertEquals(sender.write(block), false);
      // Everything comes to rest: kernel buffers are full, and nothing more is taken in.
      await until(() => rawReader.bytesRead > 1 << 16);
      for (let before = 0, still = 0; still < 1000; still++) {
        await turn();
        if (rawReader.bytesRead !== before) still = 0;
        before = rawReader.bytesRead;
      }
      assert(rawReader.bytesRead < 1 << 20, `${rawReader.bytesRead} taken in`);
      assert(reader.readableLength < 1 << 18, `${reader.readableLength}`);
      assert(sender.writableLength > 16 << 20, `${sender.writableLength}`);
      // Then someone reads, in one way or the other, and it all comes through.
      let got = 0;
      await new Promise<void>((resolve) => {
        const take = (chunk: Buffer) => {
          got += chunk.length;
          if (got >= total) resolve();
        };
        if (how === "nobody listens") {
          reader.on("readable", () => {
            for (let chunk; (chunk = reader.read()) !== null;) take(chunk);
          });
        } else {
          reader.on("data", take);
          reader.resume();
        }
      });
      assertEquals(got, total);
      await until(() => sender.writableLength === 0);
    });
  }
}

Deno.test("a reader that stops and goes on again and again gets every byte in order", async () => {
  await using tcp = await wire();
  const { client, server } = await securePair(tcp);
  const sent = Buffer.from(
    Uint32Array.from({ length: 1 << 19 }, (_, i) => i).buffer,
  );
  const chunks: Buffer[] = [];
  let pauses = 0;
  server.socket.on("data", (chunk: Buffer) => {
    chunks.push(chunk);
    if (chunks.length % 3 > 0) return;
    pauses++;
    server.socket.pause();
    setImmediate(() => server.socket.resume());
  });
  client.socket.end(sent);
  await once(server.socket, "end");
  assertEquals(Buffer.compare(Buffer.concat(chunks), sent), 0);
  assert(pauses > 5, `${pauses}`);
});

Deno.test("a reader that pauses in the middle of a record gets the rest later", async () => {
  await using near = await wire();
  await using far = await wire();
  let held: Buffer | undefined;
  let hold = false;
  relay(near.server, far.client, (chunk) => [chunk]);
  relay(far.client, near.server, (chunk) => {
    if (!hold) return [chunk];
    held = chunk.subarray(10);
    return [chunk.subarray(0, 10)];
  });
  const pair = await securePair({ ...near, server: far.server });
  hold = true;
  const answer = readSome(pair.client.socket, 5);
  pair.client.socket.pause();
  pair.server.socket.write("hello");
  const { bytesRead } = near.client;
  await until(() => near.client.bytesRead === bytesRead + 10);
  pair.client.socket.resume();
  near.server.write(held!);
  assertEquals(`${await answer}`, "hello");
});

// ---- A real OpenSSL, which can show a stolen certificate -------------------------------------

const OPENSSL = `
import socket, ssl, sys
role, pem, minimum, rounds, port, trusted = sys.argv[1:]
server = role == "server"
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname = False
context.set_ciphers("DEFAULT:@SECLEVEL=0")
context.load_cert_chain(pem)
if minimum == "1.3":
    context.minimum_version = ssl.TLSVersion.TLSv1_3
if server:
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=trusted)
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
else:
    context.verify_mode = ssl.CERT_NONE
session = None
for _ in range(int(rounds)):
    try:
        raw = listener.accept()[0] if server else socket.create_connection(("127.0.0.1", int(port)))
        with context.wrap_socket(raw, server_side=server, session=session) as secure:
            version = secure.version()
            session = None if server else secure.session
            secure.sendall(b"hello")
            heard = secure.recv(5)
            print(version, "resumed" if secure.session_reused else "full", heard.decode())
            secure.unwrap()
    except OSError as error:
        print("failed:", error)
`;

const hasPython = await (async () => {
  try {
    const args = ["-c", "import ssl"];
    return (await new Deno.Command("python3", { args }).output()).success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
})();
const required = Deno.env.get("PEERS") === "required";

function testOpenssl(name: string, fn: () => Promise<void>): void {
  const missing = "python3 with its ssl module is missing";
  Deno.test({
    name: hasPython ? name : `${name} (${missing})`,
    ignore: !hasPython && !required,
    fn: hasPython ? fn : () => Promise.reject(new Error(missing)),
  });
}

interface Openssl {
  role: "client" | "server";
  /** Which certificate and key it shows. */
  pem: string;
  version?: string;
  rounds?: number;
}

/** Runs OpenSSL against one of our ends; `meet` gets the sockets, one after the other. */
async function withOpenssl(
  { role, pem, version = "any", rounds = 1 }: Openssl,
  meet: (socket: net.Socket, round: number) => Promise<void>,
): Promise<string[]> {
  await using stack = new AsyncDisposableStack();
  const listener = role === "client" ? stack.use(await listen()) : undefined;
  const process = new Deno.Command("python3", {
    args: [
      "-c",
      OPENSSL,
      role,
      pathOf(pem),
      version,
      `${rounds}`,
      `${listener?.port ?? 0}`,
      ours.certificatePem,
    ],
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const lines = linesOf(process.stdout);
  const port = listener ? 0 : Number((await lines.next()).value);
  for (let round = 0; round < rounds; round++) {
    let socket: net.Socket;
    if (listener) {
      socket = await listener.accept();
    } else {
      socket = net.connect(port, "127.0.0.1");
      await once(socket, "connect");
    }
    await meet(socket, round);
    await close(socket);
  }
  const rest: string[] = [];
  for await (const line of lines) rest.push(line);
  assertEquals((await process.status).success, true);
  return rest;
}

async function* linesOf(
  stream: ReadableStream<Uint8Array>,
): AsyncGenerator<string, undefined> {
  let text = "";
  for await (const part of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (text + part).split("\n");
    text = lines.pop()!;
    yield* lines;
  }
}

function secureAgainst(
  peer: "client" | "server",
  socket: net.Socket,
): Promise<SecureSocket> {
  return peer === "server"
    ? secureClient(socket, ours, { limits })
    : new SecureServer(ours, limits).secure(socket);
}

async function exchange({ socket }: SecureSocket): Promise<void> {
  assertEquals(`${await readSome(socket, 5)}`, "hello");
  socket.end("hello");
  await once(socket.resume(), "close");
}

for (const role of ["client", "server"] as const) {
  for (const pem of ["low", "p384", "ed25519"]) {
    testOpenssl(`OpenSSL as ${role} proves itself: ${pem}`, async () => {
      const said = await withOpenssl({ role, pem }, async (socket) => {
        const secure = await secureAgainst(role, socket);
        assertEquals(secure.peerTubid, identity(pem).tubid);
        await exchange(secure);
      });
      assertEquals(said, ["TLSv1.2 full hello"]);
    });
  }

  testOpenssl(
    `an old node's 1024 bits and MD5 are taken: OpenSSL as ${role}`,
    async () => {
      const said = await withOpenssl(
        { role, pem: "old-rsa1024-md5" },
        async (socket) => {
          await exchange(await secureAgainst(role, socket));
        },
      );
      assertEquals(said, ["TLSv1.2 full hello"]);
    },
  );

  testOpenssl(
    `a stolen certificate is refused: OpenSSL as ${role}`,
    async () => {
      await withOpenssl({ role, pem: "low-stolen" }, async (socket) => {
        await assertRefused(
          secureAgainst(role, socket),
          socket,
          /^the peer could not prove that it holds the key of its certificate$/,
        );
      });
    },
  );

  testOpenssl(`TLS 1.3 alone is refused: OpenSSL as ${role}`, async () => {
    const said = await withOpenssl(
      { role, pem: "low", version: "1.3" },
      async (socket) => {
        await assertRefused(
          secureAgainst(role, socket),
          socket,
          /alert 70 \(protocol version\)|Tls12NotOffered/,
        );
      },
    );
    assertMatch(said.join(), /^failed: /);
  });
}

testOpenssl("a resumed session is refused: OpenSSL as client", async () => {
  const server = new SecureServer(ours, limits);
  const peer: Openssl = { role: "client", pem: "low", rounds: 2 };
  const said = await withOpenssl(peer, async (socket, round) => {
    const secured = server.secure(socket);
    if (round === 0) return exchange(await secured);
    await assertRefused(secured, socket, /resumes an earlier session/);
  });
  // OpenSSL took the second handshake for a good one, but heard nothing.
  assertEquals(said.slice(0, 2), ["TLSv1.2 full hello", "TLSv1.2 resumed "]);
});
