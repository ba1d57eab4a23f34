import { Buffer } from "node:buffer";
import type { TLSSocket } from "node:tls";
import { getLogger } from "@logtape/logtape";
import type { Clock } from "../clock.ts";
import { Broker, type BrokerOptions } from "./broker.ts";
import { ConnectionLost } from "./errors.ts";
import type { Limits } from "./limits.ts";
import type { Agreement } from "./negotiation.ts";
import type { Peer } from "./references.ts";

const logger = getLogger(["gatherer", "foolscap"]);

const PING = new Uint8Array([0x8e]);

/**
 * How much a master may send before the slave has spoken Banana. The reference counts the
 * decision and all that follows it against one limit of 4096 bytes.
 */
const EARLY_BYTES = 3000;

/** What a {@linkcode Connection} is made of. */
export interface ConnectionOptions
  extends Pick<BrokerOptions, "peer" | "lookUp" | "furlOf"> {
  readonly socket: TLSSocket;
  readonly agreement: Agreement;
  readonly clock: Clock;
  readonly limits: Limits;
  /** Told once, when the connection has ended for whatever reason. */
  onClosed(connection: Connection, reason: ConnectionLost): void;
}

/** A negotiated connection with one peer: the socket, and the broker that speaks over it. */
export class Connection {
  readonly peer: Peer;
  readonly agreement: Agreement;
  readonly broker: Broker;
  /** When bytes last came in, on the clock's monotonic scale. */
  lastReceived: number;
  /** Whether a PING is out that nothing has come in since. */
  #pinged = false;
  #early: { budget: number; held: Uint8Array[] } | undefined;
  #held = 0;
  #closed = false;
  readonly #options: ConnectionOptions;

  constructor(options: ConnectionOptions) {
    const { socket, agreement, clock } = options;
    this.#options = options;
    this.peer = options.peer;
    this.agreement = agreement;
    this.lastReceived = clock.monotonic();
    if (agreement.master) this.#early = { budget: EARLY_BYTES, held: [] };
    this.broker = new Broker({
      ...options,
      vocab: agreement.vocab,
      send: (bytes) => this.#send(bytes),
      drop: (error) => this.close(this.#giveUp(error.message)),
    });
    socket.on("data", (chunk: Uint8Array) => this.#received(chunk));
    socket.on(
      "error",
      (error: Error) => this.#finish(`connection lost: ${error.message}`),
    );
    socket.on(
      "end",
      () => this.close(new ConnectionLost("the peer closed the connection")),
    );
    socket.on("close", () => this.#finish("connection lost"));
  }

  /** Reads on: what came with the last negotiation block first, then the socket. */
  start(): void {
    if (this.agreement.rest.length > 0) this.#received(this.agreement.rest);
    if (!this.#closed) this.#options.socket.resume();
  }

  /**
   * Looks after a silent connection: a PING after `keepaliveMs`, the end after `silenceMs`.
   * To be called now and then by whoever owns the connection.
   */
  checkLife(): void {
    const { clock, limits } = this.#options;
    const silent = clock.monotonic() - this.lastReceived;
    if (silent >= limits.silenceMs) {
      const seconds = Math.round(silent / 1000);
      this.destroy(this.#giveUp(`nothing was heard for ${seconds} s`));
    } else if (silent >= limits.keepaliveMs && !this.#pinged) {
      this.#pinged = true;
      this.broker.ping();
    }
  }

  /** Ends the connection in good order: what was written is sent, then `close_notify`. */
  close(reason: ConnectionLost): void {
    if (this.#closed) return;
    const { socket, clock } = this.#options;
    this.#finished(reason);
    socket.end();
    // The other side closes when it has read our close_notify; one that does not is not waited for.
    const timer = clock.setTimer(() => socket.destroy(), 1000, {
      keepAlive: false,
    });
    socket.once("close", () => timer.cancel());
  }

  /** Ends the connection at once. */
  destroy(reason: ConnectionLost): void {
    this.#finished(reason);
    this.#options.socket.destroy();
  }

  #received(chunk: Uint8Array): void {
    if (this.#closed) return;
    this.lastReceived = this.#options.clock.monotonic();
    this.#pinged = false;
    if (this.#early) {
      const { held } = this.#early;
      this.#early = undefined;
      this.#held = 0;
      for (const bytes of held) this.#write(bytes);
    }
    this.broker.receive(chunk);
  }

  #send(bytes: Uint8Array): void {
    if (this.#closed) return;
    const early = this.#early;
    if (!early) return this.#write(bytes);
    if (early.held.length === 0 && bytes.length <= early.budget) {
      early.budget -= bytes.length;
      return this.#write(bytes);
    }
    // A PING makes the slave speak, should it have nothing else to say.
    if (early.held.length === 0) this.#write(PING);
    early.held.push(bytes);
    this.#held += bytes.length;
    this.#checkPending();
  }

  #write(bytes: Uint8Array): void {
    if (this.#closed) return;
    const { socket } = this.#options;
    socket.write(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
    this.#checkPending();
  }

  #checkPending(): void {
    const { socket, limits } = this.#options;
    if (socket.writableLength + this.#held <= limits.pendingBytes) return;
    this.destroy(
      this.#giveUp(
        `the peer does not read: over ${limits.pendingBytes} bytes are waiting`,
      ),
    );
  }

  /** Why a connection is ended on account of the peer, and a line in the log about it. */
  #giveUp(reason: string): ConnectionLost {
    const { tubid, address } = this.peer;
    if (!this.#closed) {
      logger.warn(
        "dropped the connection with {tubid} at {address}: {reason}",
        {
          tubid,
          address,
          reason,
        },
      );
    }
    return new ConnectionLost(`connection dropped: ${reason}`);
  }

  #finish(text: string): void {
    if (!this.#closed) this.#finished(new ConnectionLost(text));
    this.#options.socket.destroy();
  }

  #finished(reason: ConnectionLost): void {
    if (this.#closed) return;
    this.#closed = true;
    this.broker.finish(reason);
    this.#options.onClosed(this, reason);
  }
}
