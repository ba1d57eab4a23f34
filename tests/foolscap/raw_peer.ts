/** Peers that do as a test says, on real sockets of 127.0.0.1. */

import { Buffer } from "node:buffer";
import net from "node:net";
import {
  generateIdentity,
  type Identity,
} from "../../lib/foolscap/certificate.ts";
import { defaultLimits } from "../../lib/foolscap/limits.ts";
import { formatUpgradeRequest } from "../../lib/foolscap/negotiation.ts";
import { secureClient, SecureServer } from "../../lib/foolscap/tls.ts";
import { latin1, utf8 } from "./wire_cases.ts";

/** One end of a connection: what came in, and promises for what is to come. */
export class Wire {
  /** Resolves when the socket is closed, for whatever reason. */
  readonly closed: Promise<void>;
  #received = Buffer.alloc(0);
  #waiting: (() => void)[] = [];
  #isClosed = false;
  readonly #onData = (chunk: Uint8Array) => {
    this.#received = Buffer.concat([this.#received, chunk]);
    this.#wake();
  };

  constructor(readonly socket: net.Socket) {
    socket.on("error", () => {});
    this.closed = new Promise((resolve) => {
      socket.once("close", () => {
        this.#isClosed = true;
        resolve();
        this.#wake();
      });
    });
    socket.on("data", this.#onData);
    socket.resume();
  }

  /** All that has come in, as characters. */
  get text(): string {
    return latin1(this.#received);
  }

  get bytes(): Uint8Array {
    return new Uint8Array(this.#received);
  }

  /** Waits until what has come in fulfils the condition. Throws when the end comes first. */
  async until(condition: (text: string) => boolean): Promise<string> {
    while (!condition(this.text)) {
      if (this.#isClosed) {
        throw new Error(`closed after ${JSON.stringify(this.text)}`);
      }
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    return this.text;
  }

  send(data: string | Uint8Array): void {
    this.socket.write(
      typeof data === "string" ? utf8(data) : Buffer.from(data),
    );
  }

  /** Stops listening, so that another can read on. */
  release(): net.Socket {
    this.socket.off("data", this.#onData);
    this.socket.pause();
    return this.socket;
  }

  destroy(): void {
    this.socket.destroy();
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const go of waiting) go();
  }
}

/** A TCP connection to a port of this machine. */
export async function dial(port: number): Promise<Wire> {
  const socket = net.connect({ host: "127.0.0.1", port });
  await new Promise((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("error", reject);
  });
  return new Wire(socket);
}

/** A client that has got its 101. */
export async function dialUpgraded(port: number, tubid: string): Promise<Wire> {
  const wire = await dial(port);
  wire.send(formatUpgradeRequest(tubid, "127.0.0.1"));
  await wire.until((text) => text.endsWith("\r\n\r\n"));
  return wire;
}

/** A client with TLS up, which has said nothing yet. */
export async function dialSecure(
  port: number,
  tubid: string,
  identity: Identity,
): Promise<Wire> {
  const socket = (await dialUpgraded(port, tubid)).release();
  const secure = await secureClient(socket, identity, {
    limits: defaultLimits,
  });
  return new Wire(secure.socket);
}

/** A hello of the Tub `tubid`, as a client. */
export function hello(
  tubid: string,
  incarnation = "0000000000000001",
  lastConnection = "none 0",
): string {
  return "banana-negotiation-range: 3 3\r\ninitial-vocab-table-range: 0 1\r\n" +
    `last-connection: ${lastConnection}\r\nmy-incarnation: ${incarnation}\r\n` +
    `my-tub-id: ${tubid}\r\n\r\n`;
}

/** A decision of the Tub with that incarnation. */
export const decision = "banana-decision-version: 3\r\n" +
  "current-connection: 0000000000000001 1\r\ninitial-vocab-table-index: 1 bb33\r\n\r\n";

/** A client that is the lower Tub, negotiated up to Banana. */
export async function dialNegotiated(
  port: number,
  tubid: string,
  identity: Identity,
  ...last: string[]
): Promise<Wire> {
  const wire = await dialSecure(port, tubid, identity);
  wire.send(hello(identity.tubid, ...last));
  await wire.until((text) => text.split("\r\n\r\n").length === 3);
  return wire;
}

/** A server that leaves everything to the test. */
export interface RawServer extends AsyncDisposable {
  readonly port: number;
  /** The next connection, paused. */
  accept(): Promise<net.Socket>;
  /** How many have been accepted. */
  readonly accepted: number;
}

/** Listens on a free port of this machine. */
export async function listenRaw(): Promise<RawServer> {
  const sockets: net.Socket[] = [];
  const waiting: ((socket: net.Socket) => void)[] = [];
  const queue: net.Socket[] = [];
  const server = net.createServer({ pauseOnConnect: true }, (socket) => {
    sockets.push(socket);
    socket.on("error", () => {});
    const next = waiting.shift();
    if (next) next(socket);
    else queue.push(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as net.AddressInfo).port,
    accept: () =>
      new Promise((resolve) => {
        const socket = queue.shift();
        if (socket) resolve(socket);
        else waiting.push(resolve);
      }),
    get accepted() {
      return sockets.length;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** The server's end of a connection with TLS up, which has said nothing yet. */
export async function acceptSecure(
  server: RawServer,
  identity: Identity,
): Promise<Wire> {
  const wire = new Wire(await server.accept());
  await wire.until((text) => text.endsWith("\r\n\r\n"));
  const socket = wire.release();
  socket.write(
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: TLS/1.0, PB/1.0\r\n\r\n",
  );
  return new Wire(
    (await new SecureServer(identity, defaultLimits).secure(socket)).socket,
  );
}

/** A wire between a dialler and a port, which a test can cut or stop up. */
export interface Relay extends AsyncDisposable {
  readonly port: number;
  /** Ends the dialler's half, and leaves the other side in the dark. */
  cutNear(): void;
  /** Ends both halves without a word of TLS. */
  cut(): void;
  /** Lets nothing pass any more, in either direction. */
  stopUp(): void;
}

/** Puts a wire of the test's own between a dialler and a port of this machine. */
export async function relayTo(port: number): Promise<Relay> {
  const near: net.Socket[] = [];
  const far: net.Socket[] = [];
  const server = net.createServer((socket) => {
    const other = net.connect({ host: "127.0.0.1", port });
    near.push(socket);
    far.push(other);
    for (const one of [socket, other]) one.on("error", () => {});
    // The end of one half is not passed on.
    socket.pipe(other, { end: false });
    other.pipe(socket, { end: false });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const cut = () => {
    for (const socket of [...near, ...far]) socket.destroy();
  };
  return {
    port: (server.address() as net.AddressInfo).port,
    cutNear() {
      for (const socket of near) socket.destroy();
    },
    cut,
    stopUp() {
      for (const socket of [...near, ...far]) {
        socket.unpipe();
        socket.pause();
      }
    },
    async [Symbol.asyncDispose]() {
      cut();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Two new identities, the one with the lower tubid first. */
export async function identities(): Promise<[low: Identity, high: Identity]> {
  const pair = await Promise.all([generateIdentity(), generateIdentity()]);
  pair.sort((a, b) => a.tubid < b.tubid ? -1 : 1);
  return [pair[0], pair[1]];
}

/** Waits until a condition holds that nothing announces; looks at each turn of the event loop. */
export async function eventually(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}

/** Resolves with a signal's reason when it aborts. */
export function aborted(signal: AbortSignal): Promise<unknown> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(signal.reason);
    signal.addEventListener("abort", () => resolve(signal.reason), {
      once: true,
    });
  });
}
