import { createSocket, type Socket } from "node:dgram";
import { lookup } from "node:dns/promises";
import type { Clock } from "../clock.ts";
import { reasonOf } from "../secret_file.ts";
import { closeQuietly, connect, writeAll } from "./connection.ts";

/** Where carbon is. */
export interface CarbonAddress {
  /** A name or an address. */
  readonly server: string;
  readonly port: number;
  /** Milliseconds that connecting may take, and for which it may take nothing. */
  readonly timeoutMs: number;
}

/** A way to carbon. It connects at the first call after it was made or has failed. */
export interface CarbonSender {
  /**
   * Sends lines.
   * @throws Error when they may not have been sent; they are to be sent again.
   */
  send(lines: readonly string[]): Promise<void>;
  /** Ends it for good; what is under way is given up. */
  close(): void;
}

/** What fits into an Ethernet frame whatever the way, in bytes. */
const MAX_DATAGRAM = 1400;

const encoder = new TextEncoder();

/** Sends lines over one TCP connection. */
export class CarbonTcp implements CarbonSender {
  readonly #address: CarbonAddress;
  readonly #clock: Clock;
  readonly #closing = new AbortController();
  #connection: Deno.Conn | undefined;
  /** How the connection broke while nothing was sent. */
  #broken: Error | undefined;

  constructor(address: CarbonAddress, clock: Clock) {
    this.#address = address;
    this.#clock = clock;
  }

  async send(lines: readonly string[]): Promise<void> {
    const broken = this.#broken;
    this.#broken = undefined;
    if (broken) throw broken;
    const connection = this.#connection ??= await this.#connect();
    const { timeoutMs } = this.#address;
    let stalled = false;
    const timer = this.#clock.setTimer(() => {
      stalled = true;
      closeQuietly(connection);
    }, timeoutMs);
    try {
      await writeAll(connection, encoder.encode(lines.join("")));
    } catch (error) {
      this.#lose(connection);
      throw stalled
        ? new Error(`it takes nothing for ${timeoutMs / 1000} s`)
        : reasoned(error);
    } finally {
      timer.cancel();
    }
  }

  close(): void {
    this.#closing.abort(new Error("it was told to stop"));
    if (this.#connection) this.#lose(this.#connection);
  }

  async #connect(): Promise<Deno.Conn> {
    const { server, port, timeoutMs } = this.#address;
    const connection = await connect(
      { transport: "tcp", hostname: server, port },
      { clock: this.#clock, timeoutMs, signal: this.#closing.signal },
    );
    void this.#watch(connection);
    return connection;
  }

  /**
   * Carbon says nothing; but that it ends the connection is seen only by who reads. If it does so
   * in order, the next lines go over a new one.
   */
  async #watch(connection: Deno.Conn): Promise<void> {
    const buffer = new Uint8Array(1024);
    try {
      while (await connection.read(buffer) !== null);
    } catch (error) {
      if (this.#connection === connection) this.#broken = reasoned(error);
    }
    this.#lose(connection);
  }

  #lose(connection: Deno.Conn): void {
    closeQuietly(connection);
    if (this.#connection === connection) this.#connection = undefined;
  }
}

/** Sends lines as datagrams, several in each. */
export class CarbonUdp implements CarbonSender {
  readonly #address: CarbonAddress;
  readonly #closing = Promise.withResolvers<never>();
  #socket: Socket | undefined;

  constructor(address: CarbonAddress) {
    this.#address = address;
    this.#closing.promise.catch(() => {});
  }

  async send(lines: readonly string[]): Promise<void> {
    const socket = this.#socket ??= await this.#connect();
    try {
      for (const datagram of datagrams(lines)) {
        await new Promise<void>((resolve, reject) => {
          socket.send(
            datagram,
            (error) => error ? reject(error) : resolve(),
          );
        });
      }
    } catch (error) {
      this.#socket = undefined;
      closeSocket(socket);
      throw reasoned(error);
    }
  }

  close(): void {
    this.#closing.reject(new Error("it was told to stop"));
    if (this.#socket) closeSocket(this.#socket);
    this.#socket = undefined;
  }

  async #connect(): Promise<Socket> {
    const { server, port } = this.#address;
    // A resolver may take longer than there is time at the end.
    const { address, family } = await Promise.race([
      this.#closing.promise,
      lookup(server),
    ]);
    const socket = createSocket(family === 6 ? "udp6" : "udp4");
    // Of a datagram that nobody takes, a later one may be told; no one can do anything about it.
    socket.on("error", () => {});
    await new Promise<void>((resolve, reject) => {
      socket.once("error", reject);
      socket.connect(port, address, resolve);
    });
    return socket;
  }
}

/** Packs lines into datagrams; carbon takes any number of whole lines in one. */
function* datagrams(lines: readonly string[]): Generator<Uint8Array> {
  let text = "";
  let bytes = 0;
  for (const line of lines) {
    const length = encoder.encode(line).length;
    if (bytes > 0 && bytes + length > MAX_DATAGRAM) {
      yield encoder.encode(text);
      text = "";
      bytes = 0;
    }
    text += line;
    bytes += length;
  }
  if (bytes > 0) yield encoder.encode(text);
}

function reasoned(error: unknown): Error {
  return new Error(reasonOf(error));
}

function closeSocket(socket: Socket): void {
  try {
    socket.close();
  } catch {
    // It is closed already.
  }
}
