import { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import tls from "node:tls";
import { messageOf } from "../errors.ts";
import { type Identity, tubidOf } from "./certificate.ts";
import { NegotiationError } from "./errors.ts";
import type { Limits } from "./limits.ts";
import { HandshakeWitness } from "./witness.ts";

/** An encrypted connection whose other end has proven who it is. */
export interface SecureSocket {
  /**
   * Nothing is read from it until someone listens for `data` or calls `resume()`: what the peer
   * sent right after its handshake waits inside. Destroying it closes the TCP socket. A peer may
   * have broken off meanwhile: look at `destroyed` before waiting for `close`.
   */
  readonly socket: tls.TLSSocket;
  /** DER. */
  readonly peerCertificate: Uint8Array;
  /** The tubid of that certificate, see {@linkcode tubidOf}. */
  readonly peerTubid: string;
}

/**
 * Turns a connected socket into the client's end of a TLS connection with another Tub. Nothing
 * may be listening for `data` on it any more.
 *
 * There is no limit of time but `signal`: when it aborts, the socket is destroyed.
 *
 * @throws {NegotiationError} When TLS fails or the peer does not prove who it is. The socket is
 *   destroyed then. Source of the rules:
 *   Foolscap's `negotiate.py`; for the proof, see {@linkcode HandshakeWitness}.
 */
export function secureClient(
  socket: Socket,
  identity: Identity,
  options: { limits: Limits; signal?: AbortSignal },
): Promise<SecureSocket> {
  const { limits, signal } = options;
  return handshake("client", socket, limits, signal, (tap) =>
    tls.connect({
      socket: tap,
      secureContext: secureContext(identity),
      rejectUnauthorized: false,
      // Whose certificate it must be is decided by its hash, not by names in it.
      checkServerIdentity: () => undefined,
    }));
}

/** The server's end of TLS connections, for any number of sockets. */
export class SecureServer {
  readonly #limits: Limits;
  readonly #context: tls.SecureContext;

  constructor(identity: Identity, limits: Limits) {
    this.#limits = limits;
    this.#context = secureContext(identity);
  }

  /** The same as {@linkcode secureClient}, for a socket that was accepted. */
  secure(socket: Socket, signal?: AbortSignal): Promise<SecureSocket> {
    return handshake("server", socket, this.#limits, signal, (tap) =>
      // Not tls.createServer: it would keep a timer of two minutes for every handshake that fails.
      new tls.TLSSocket(tap, {
        isServer: true,
        secureContext: this.#context,
        requestCert: true,
        rejectUnauthorized: false,
      }));
  }
}

function secureContext(identity: Identity): tls.SecureContext {
  return tls.createSecureContext({
    cert: identity.certificatePem,
    key: identity.keyPem,
    // TLS 1.3 encrypts the proof of identity, out of the witness's sight.
    minVersion: "TLSv1.2",
    maxVersion: "TLSv1.2",
  });
}

function handshake(
  role: "client" | "server",
  socket: Socket,
  limits: Limits,
  signal: AbortSignal | undefined,
  begin: (tap: Duplex) => tls.TLSSocket,
): Promise<SecureSocket> {
  return new Promise((resolve, reject) => {
    const fail = (reason: string, cause?: unknown) => {
      socket.destroy();
      reject(new NegotiationError(reason, { cause }));
    };
    if (signal?.aborted) return fail(messageOf(signal.reason), signal.reason);
    if (socket.destroyed) return fail(CLOSED);
    socket.setNoDelay(true);
    const witness = new HandshakeWitness(role, limits);
    const tap = new Tap(socket, witness);
    let secured: tls.TLSSocket;
    try {
      secured = begin(tap);
    } catch (error) {
      return fail(`TLS could not be started: ${messageOf(error)}`, error);
    }
    tap.holdBackFor(secured);

    const refuse = (reason: string, cause?: unknown) => {
      forget();
      secured.destroy();
      // The witness knows better than TLS why a handshake came to nothing.
      fail(witness.over && !witness.proven ? witness.reason : reason, cause);
    };
    const onError = (error: Error & { code?: string }) => {
      const gone = error.code === "ECONNRESET" || error.code === "EPIPE";
      const failure = `the TLS handshake failed: ${messageOf(error)}`;
      refuse(gone ? CLOSED : failure, error);
    };
    const onClose = () => refuse(CLOSED);
    const onAbort = () => refuse(messageOf(signal?.reason), signal?.reason);
    const onSecure = () => {
      const der = witness.certificate;
      if (!der || !witness.proven) return refuse(witness.reason);
      const shown = secured.getPeerX509Certificate()?.raw;
      if (!shown || Buffer.compare(shown, der) !== 0) {
        return refuse("TLS took another certificate than the one proven");
      }
      forget();
      // As for any socket: the peer's end is answered with ours.
      secured.allowHalfOpen = false;
      resolve({
        socket: secured,
        peerCertificate: der,
        peerTubid: tubidOf(der),
      });
    };
    const secureEvent = role === "client" ? "secureConnect" : "secure";
    const forget = () => {
      secured.off(secureEvent, onSecure);
      secured.off("error", onError);
      secured.off("close", onClose);
      signal?.removeEventListener("abort", onAbort);
    };
    secured.on(secureEvent, onSecure);
    secured.on("error", onError);
    secured.on("close", onClose);
    signal?.addEventListener("abort", onAbort);
    endWithErrors(secured, role);
  });
}

/** What goes wrong after the handshake ends the socket; TLS by itself would leave it open. */
function endWithErrors(
  secured: tls.TLSSocket,
  role: "client" | "server",
): void {
  // A server's socket that was made without a tls.Server tells of it only in this way.
  if (role === "server") {
    secured.on("_tlsError", (error: Error) => secured.destroy(error));
  }
  // And without any listener for it, an error would end the process.
  secured.on("error", () => secured.destroy());
}

const CLOSED = "the peer closed the connection during the TLS handshake";

/** Stands between a TCP socket and TLS, and lets the witness see what passes. */
class Tap extends Duplex {
  readonly #socket: Socket;
  /** Until all is decided; a connection lives much longer than its handshake. */
  #witness: HandshakeWitness | undefined;
  #secured: tls.TLSSocket | undefined;
  /** Who must not get more from the socket for now: TLS, or whoever reads from it. */
  #tlsIsFull = false;
  #readerIsFull = false;

  constructor(socket: Socket, witness: HandshakeWitness) {
    super();
    this.#socket = socket;
    this.#witness = witness;
    socket.on("data", (chunk: Buffer) => this.#received(chunk));
    socket.on("end", () => this.push(null));
    socket.on("error", (error) => this.destroy(error));
    socket.on("close", () => this.destroy());
  }

  /**
   * Makes a slow reader of `secured` slow down the peer. The runtime does not: it goes on reading
   * and decrypting, and keeps all of it, however much it gets.
   */
  holdBackFor(secured: tls.TLSSocket): void {
    this.#secured = secured;
    const readOn = () => {
      this.#readerIsFull = false;
      this.#flow();
    };
    const read = secured._read;
    secured._read = (size) => {
      readOn();
      read.call(secured, size);
    };
    secured.on("resume", readOn);
  }

  #received(chunk: Buffer): void {
    this.#witness?.incoming(chunk);
    if (this.#witness?.over) this.#witness = undefined;
    this.#tlsIsFull = !this.push(chunk);
    const reader = this.#secured;
    if (reader) {
      this.#readerIsFull = reader.isPaused() ||
        reader.readableLength >= reader.readableHighWaterMark;
    }
    this.#flow();
  }

  #flow(): void {
    const paused = this.#socket.isPaused();
    const full = this.#tlsIsFull || this.#readerIsFull;
    if (full && !paused) this.#socket.pause();
    if (!full && paused) this.#socket.resume();
  }

  override _read(): void {
    this.#tlsIsFull = false;
    this.#flow();
  }

  override _write(
    chunk: Buffer,
    _encoding: BufferEncoding,
    done: (error?: Error | null) => void,
  ): void {
    this.#witness?.outgoing(chunk);
    // TLS says goodbye even to a peer that has hung up.
    if (this.#socket.writable) this.#socket.write(chunk, done);
    else done();
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#socket.end(done);
  }

  override _destroy(
    error: Error | null,
    done: (error?: Error | null) => void,
  ): void {
    this.#socket.destroy();
    done(error);
  }
}
