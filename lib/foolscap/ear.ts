import net from "node:net";
import type { AcceptLog } from "../net/accept_log.ts";
import { messageOf } from "../errors.ts";

/** A connection of our own, by which a port shows that it still takes some. */
interface Probe {
  readonly socket: net.Socket;
  /** Its own port, which tells it from others; `undefined`: it did not come to be. */
  readonly port: Promise<number | undefined>;
  isConnected: boolean;
}

/**
 * A TCP port that goes on taking connections. When a process has as many files open as it may, the
 * runtime (Deno 2.9.6) does not tell, and never again takes a connection on a port where one came in
 * that moment. Therefore {@linkcode Ear.check} calls on the port, and opens it anew if it has to.
 */
export class Ear {
  readonly #onSocket: (socket: net.Socket) => void;
  readonly #log: AcceptLog;
  readonly #host: string;
  #port: number;
  #server: net.Server | undefined;
  #probe: Probe | undefined;
  /** Servers that have been told to close, those that were given up among them. */
  readonly #closing: Promise<unknown>[] = [];
  #isClosed = false;

  /**
   * @param onSocket Takes each connection, paused.
   * @param port 0 lets the system choose.
   */
  constructor(
    host: string,
    port: number,
    log: AcceptLog,
    onSocket: (socket: net.Socket) => void,
  ) {
    this.#host = host;
    this.#port = port;
    this.#log = log;
    this.#onSocket = onSocket;
  }

  /**
   * Opens the port.
   * @returns Its number.
   * @throws The system's error, such as `EADDRINUSE`.
   */
  open(): Promise<number> {
    const server = net.createServer(
      { pauseOnConnect: true },
      (socket) => this.#take(socket),
    );
    return new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen(
        { port: this.#port, host: this.#host, backlog: 4096 },
        () => {
          server.off("error", reject);
          server.on("error", (error) => this.#log.failed(reasonOf(error)));
          this.#server = server;
          this.#port = (server.address() as net.AddressInfo).port;
          if (this.#isClosed) this.#closeServer();
          resolve(this.#port);
        },
      );
    });
  }

  /** Whether nothing is known against its taking connections. */
  get isWell(): boolean {
    return this.#server !== undefined && this.#probe === undefined;
  }

  /**
   * Makes sure that it takes connections. To be called now and then: what is found out shows at the
   * next call.
   */
  check(): void {
    if (this.#isClosed) return;
    if (this.#probe) {
      // It may just be slow, as long as the system has not connected it either.
      if (!this.#probe.isConnected) return;
      this.#endProbe();
      this.#log.failed("the port was deaf, perhaps for too many open files");
      this.#closeServer();
    }
    if (this.#server) return this.#startProbe();
    this.open().then(
      () => this.#startProbe(),
      (error) => this.#log.failed(reasonOf(error)),
    );
  }

  /** Ends it; resolves when its connections have ended, too. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#endProbe();
    this.#closeServer();
    await Promise.all(this.#closing);
  }

  #closeServer(): void {
    const server = this.#server;
    this.#server = undefined;
    if (!server) return;
    this.#closing.push(new Promise((resolve) => server.close(resolve)));
  }

  #startProbe(): void {
    if (this.#isClosed) return;
    const socket = net.connect({
      host: addressOf(this.#host),
      port: this.#port,
    });
    socket.unref();
    const { promise: port, resolve } = Promise.withResolvers<
      number | undefined
    >();
    const probe: Probe = { socket, port, isConnected: false };
    this.#probe = probe;
    socket.on("error", (error) => {
      resolve(undefined);
      if (this.#probe !== probe || probe.isConnected) return;
      this.#probe = undefined;
      this.#log.failed(reasonOf(error));
    });
    socket.once("connect", () => {
      probe.isConnected = true;
      resolve(socket.localPort);
    });
    socket.once("close", () => resolve(undefined));
  }

  #endProbe(): void {
    const probe = this.#probe;
    this.#probe = undefined;
    probe?.socket.destroy();
  }

  async #take(socket: net.Socket): Promise<void> {
    const probe = this.#probe;
    if (probe && await probe.port === socket.remotePort) {
      socket.destroy();
      if (this.#probe === probe) this.#endProbe();
      this.#log.took();
    } else {
      this.#onSocket(socket);
    }
  }
}

/** Where a port is reached that listens on an address of this machine or on all of them. */
function addressOf(host: string): string {
  if (host === "0.0.0.0") return "127.0.0.1";
  return host === "::" ? "::1" : host;
}

function reasonOf(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : "";
  return code === "EMFILE" || code === "ENFILE"
    ? "too many files are open; raise the limit (ulimit -n, LimitNOFILE)"
    : messageOf(error);
}
