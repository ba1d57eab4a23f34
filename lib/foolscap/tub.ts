/**
 * A Tub: one identity that offers objects, listens, and connects to others.
 * Source of the rules: Foolscap's `pb.py` and `negotiate.py`.
 */

import { createHash } from "node:crypto";
import type net from "node:net";
import { getLogger } from "@logtape/logtape";
import { encodeHex } from "@std/encoding";
import { formatAddress } from "../address.ts";
import { AcceptLog } from "../net/accept_log.ts";
import { type Clock, systemClock, type Timer } from "../clock.ts";
import { messageOf } from "../errors.ts";
import type { Identity } from "./certificate.ts";
import { Connection } from "./connection.ts";
import { Ear } from "./ear.ts";
import { type Double, Doubles } from "./doubles.ts";
import { ConnectionLost, FurlError, NegotiationError } from "./errors.ts";
import {
  formatFurl,
  type Furl,
  parseFurl,
  parseHint,
  randomSwissnum,
  type TcpHint,
} from "./furl.ts";
import { defaultLimits, type Limits } from "./limits.ts";
import {
  answerUpgradeRequest,
  checkUpgradeReply,
  type ConnectionId,
  formatUpgradeRequest,
  type Hello,
  mayReplace,
  Negotiation,
} from "./negotiation.ts";
import { dialTcp, firstOf, type Turn } from "./dial.ts";
import { readBlock, sendLast } from "./plaintext.ts";
import type { Referenceable, RemoteReference } from "./references.ts";
import { secureClient, SecureServer, type SecureSocket } from "./tls.ts";

const logger = getLogger(["gatherer", "foolscap"]);

/** How long a hint is waited for that took the connection, before the next is tried beside it. */
const GREETING_MS = 5_000;
/** The same from its answer on: with a thousand others at once, TLS takes its time. */
const HANDSHAKE_MS = 20_000;

/** A connection on a listener that is being negotiated. */
interface Newcomer {
  /** When it came, on the monotonic clock. */
  readonly since: number;
  /** Whether it has asked for the Tub, which a good peer does at once. */
  hasAsked: boolean;
  readonly abort: AbortController;
}

/** How a {@linkcode Tub} is set up. */
export interface TubOptions {
  readonly identity: Identity;
  readonly clock?: Clock;
  readonly limits?: Partial<Limits>;
  /** Whether open connections keep the process running (default true). */
  readonly keepAlive?: boolean;
}

/** One identity on the Foolscap wire. */
export class Tub {
  /** The Tub's name: a hash of its certificate. */
  readonly tubid: string;
  /** 16 hex digits, new for each Tub object: tells peers that this program began anew. */
  readonly incarnation: string = encodeHex(
    crypto.getRandomValues(new Uint8Array(8)),
  );
  readonly limits: Limits;
  readonly #clock: Clock;
  readonly #identity: Identity;
  readonly #keepAlive: boolean;
  readonly #server: SecureServer;
  readonly #ears: Ear[] = [];
  /** Every socket that is open, and TLS over it as well, with how to end it. */
  readonly #sockets = new Map<net.Socket, AbortController>();
  /** In the order in which they came. */
  readonly #newcomers = new Set<Newcomer>();
  #accepted = 0;
  #negotiating = 0;
  readonly #connections = new Map<string, Connection>();
  readonly #dialling = new Map<string, Promise<Connection>>();
  readonly #doubles: Doubles;
  readonly #acceptLog: AcceptLog;
  /** As slave: what each peer that decided called our last connection. */
  readonly #lastConnections = new Map<string, ConnectionId>();
  #seqnum = 0;
  /** Objects by the SHA-256 of their swissnum: looking one up tells nothing by its timing. */
  readonly #objects = new Map<string, Referenceable>();
  readonly #swissnums = new Map<Referenceable, string>();
  #hints: readonly string[] = [];
  #sweeper: Timer | undefined;
  /** Aborts when the Tub is closed. */
  readonly #closing = new AbortController();
  #closed: Promise<void> | undefined;

  constructor(options: TubOptions) {
    this.#identity = options.identity;
    this.#clock = options.clock ?? systemClock;
    this.#keepAlive = options.keepAlive ?? true;
    this.limits = { ...defaultLimits, ...options.limits };
    this.tubid = options.identity.tubid;
    this.#server = new SecureServer(options.identity, this.limits);
    this.#doubles = new Doubles(this.#clock, this.limits.connections);
    this.#acceptLog = new AcceptLog(
      logger,
      this.#clock,
      "connections of nodes",
    );
  }

  /** How many peers are connected. */
  get connectionCount(): number {
    return this.#connections.size;
  }

  /** The identities that two programs use at the same time, at present: copied certificates. */
  doubles(): Double[] {
    return this.#doubles.list();
  }

  /** Whether a peer's identity is one of {@linkcode doubles}. */
  isDouble(tubid: string): boolean {
    return this.#doubles.has(tubid);
  }

  /** Whether no connection can be taken at present, as with too many open files. */
  get isDeaf(): boolean {
    return this.#acceptLog.isFailing;
  }

  /**
   * Listens for peers.
   * @param port 0 lets the system choose.
   * @returns The port in use.
   * @throws The system's error, such as `EADDRINUSE`.
   */
  async listen(port: number, host = "0.0.0.0"): Promise<number> {
    const ear = new Ear(
      host,
      port,
      this.#acceptLog,
      (socket) => this.#accept(socket),
    );
    const taken = await ear.open();
    this.#ears.push(ear);
    return taken;
  }

  /** Says where this Tub can be reached; the FURLs that it gives out name these hints. */
  setLocation(hints: readonly string[]): void {
    this.#hints = hints;
  }

  /**
   * Offers an object to whoever knows its FURL.
   * @param swissnum The secret in the FURL; random if left out.
   * @returns The FURL. It is a permission: treat it as a secret.
   */
  registerReference(
    object: Referenceable,
    swissnum: string = randomSwissnum(),
  ): string {
    this.#objects.set(digest(new TextEncoder().encode(swissnum)), object);
    this.#swissnums.set(object, swissnum);
    return this.furlOf(object)!;
  }

  /** The FURL of an object that was registered here, with the location of this moment. */
  furlOf(object: Referenceable): string | undefined {
    const name = this.#swissnums.get(object);
    if (name === undefined) return undefined;
    return formatFurl({ tubid: this.tubid, hints: this.#hints, name });
  }

  /**
   * Connects to the Tub that a FURL names, or uses the connection that is up, and asks for the object.
   * @throws FurlError, NegotiationError, RemoteError (no such name), ConnectionLost.
   */
  async getReference(furl: Furl | string): Promise<RemoteReference> {
    const target = typeof furl === "string" ? parseFurl(furl) : furl;
    const connection = await this.#connect(target);
    return await connection.broker.getReferenceByName(
      target.name,
      this.limits.negotiationMs,
    );
  }

  /**
   * Ends every connection and attempt and stops listening; resolves when all sockets are closed.
   * Connections end in good order, but a peer that does not let go is given no more than a second.
   */
  close(): Promise<void> {
    return this.#closed ??= this.#close();
  }

  async #close(): Promise<void> {
    this.#sweeper?.cancel();
    this.#doubles.close();
    this.#acceptLog.close();
    const reason = new ConnectionLost("the connection was closed on this side");
    this.#closing.abort(reason);
    const ended: Promise<unknown>[] = [...this.#dialling.values()];
    for (const ear of this.#ears) ended.push(ear.close());
    for (const [socket, abort] of this.#sockets) {
      ended.push(new Promise((resolve) => socket.once("close", resolve)));
      abort.abort(reason);
    }
    await Promise.allSettled(ended);
  }

  #connect(furl: Furl): Promise<Connection> {
    const { tubid } = furl;
    if (this.#closing.signal.aborted) {
      return Promise.reject(new ConnectionLost("the Tub is closed"));
    }
    if (tubid === this.tubid) {
      return Promise.reject(new FurlError("the FURL names this Tub itself"));
    }
    const present = this.#connections.get(tubid);
    if (present) return Promise.resolve(present);
    let dialling = this.#dialling.get(tubid);
    if (!dialling) {
      dialling = this.#dial(furl).finally(() => this.#dialling.delete(tubid));
      this.#dialling.set(tubid, dialling);
    }
    return dialling;
  }

  async #dial(furl: Furl): Promise<Connection> {
    const targets = furl.hints.map(parseHint).filter((hint) =>
      hint !== undefined
    );
    if (targets.length === 0) {
      throw new FurlError("the FURL has no usable location hint");
    }
    return await firstOf(
      targets,
      (target, turn) => this.#attempt(furl, target, turn),
      { clock: this.#clock, signal: this.#closing.signal },
    );
  }

  /** Tries one location hint. */
  async #attempt(
    { tubid }: Furl,
    target: TcpHint,
    turn: Turn,
  ): Promise<Connection> {
    const socket = await dialTcp(target, {
      clock: this.#clock,
      timeoutMs: this.limits.connectMs,
      signal: turn.signal,
      keepAlive: this.#keepAlive,
    });
    turn.patience(GREETING_MS);
    const address = formatAddress(target);
    try {
      return await this.#negotiated(socket, async (abort) => {
        const { signal } = abort;
        await this.#requestUpgrade(socket, tubid, target.host, signal);
        turn.patience(HANDSHAKE_MS);
        const secure = await secureClient(socket, this.#identity, {
          limits: this.limits,
          signal,
        });
        if (secure.peerTubid !== tubid) {
          throw new NegotiationError(
            "the peer is another Tub than the FURL names",
          );
        }
        return this.#negotiate(secure, address, "client", abort, tubid);
      }, turn.signal);
    } catch (error) {
      // One of us two may have refused it because the peer connected to us meanwhile.
      const present = this.#connections.get(tubid);
      if (present) return present;
      throw new NegotiationError(`${address}: ${messageOf(error)}`);
    }
  }

  #accept(socket: net.Socket): void {
    const address = formatAddress({
      host: socket.remoteAddress ?? "?",
      port: socket.remotePort ?? 0,
    });
    const refuse = (reason: string) => {
      logger.warn("refused a connection from {address}: {reason}", {
        address,
        reason,
      });
    };
    if (this.#closing.signal.aborted) return void socket.destroy();
    this.#acceptLog.took();
    if (this.#accepted >= this.limits.connections) {
      socket.destroy();
      return refuse(`${this.limits.connections} connections are open already`);
    }
    if (this.#negotiating >= this.limits.negotiating && !this.#makeRoom()) {
      socket.destroy();
      return refuse(
        `${this.limits.negotiating} connections are being negotiated already`,
      );
    }
    this.#accepted++;
    this.#sweeper ??= this.#sweep();
    socket.once("close", () => this.#accepted--);
    this.#negotiated(socket, async (abort) => {
      const since = this.#clock.monotonic();
      const newcomer = { since, hasAsked: false, abort };
      this.#newcomers.add(newcomer);
      try {
        await this.#answerUpgrade(socket, abort.signal);
        newcomer.hasAsked = true;
        const secure = await this.#server.secure(socket, abort.signal);
        return await this.#negotiate(secure, address, "server", abort);
      } finally {
        this.#newcomers.delete(newcomer);
      }
    }).catch((error) => {
      if (!this.#closing.signal.aborted) refuse(messageOf(error));
    });
  }

  /**
   * Ends the negotiation that has had its time and got nowhere, so that those that say nothing
   * cannot keep everybody out: one that has not even asked for a Tub, or else one that got stuck.
   * @returns Whether there was one.
   */
  #makeRoom(): boolean {
    const { requestMs, stuckMs } = this.limits;
    const now = this.#clock.monotonic();
    let stuck: Newcomer | undefined;
    for (const newcomer of this.#newcomers) {
      const age = now - newcomer.since;
      // Those after it are younger.
      if (age < Math.min(requestMs, stuckMs)) break;
      if (newcomer.abort.signal.aborted) continue;
      if (!newcomer.hasAsked && age >= requestMs) {
        return giveWay(newcomer, age);
      }
      if (age >= stuckMs) stuck ??= newcomer;
    }
    return stuck !== undefined && giveWay(stuck, now - stuck.since);
  }

  /**
   * Runs a negotiation with its deadline; if it fails the socket is gone afterwards. `abort` lives
   * as long as the socket: it ends what is there, be it a negotiation or a connection.
   * @param wanted Aborts when the negotiation, and only that, is to be given up.
   */
  async #negotiated(
    socket: net.Socket,
    run: (abort: AbortController) => Promise<Connection>,
    wanted?: AbortSignal,
  ): Promise<Connection> {
    const abort = new AbortController();
    const { signal } = abort;
    const onUnwanted = () => abort.abort(wanted!.reason);
    wanted?.addEventListener("abort", onUnwanted);
    this.#track(socket, abort);
    // Whoever reads learns of errors by "close"; one that nobody listens for would end the process.
    socket.on("error", () => {});
    socket.setNoDelay(true);
    if (!this.#keepAlive) socket.unref();
    const { negotiationMs } = this.limits;
    const timer = this.#clock.setTimer(
      () =>
        abort.abort(
          new NegotiationError(
            `negotiation was not finished within ${negotiationMs / 1000} s`,
          ),
        ),
      negotiationMs,
      { keepAlive: false },
    );
    const onAbort = () => socket.destroy();
    signal.addEventListener("abort", onAbort);
    this.#negotiating++;
    try {
      // It may have been closed between the socket's being there and this.
      this.#closing.signal.throwIfAborted();
      wanted?.throwIfAborted();
      return await run(abort);
    } catch (error) {
      socket.destroy();
      throw signal.aborted ? signal.reason : error;
    } finally {
      this.#negotiating--;
      timer.cancel();
      signal.removeEventListener("abort", onAbort);
      wanted?.removeEventListener("abort", onUnwanted);
    }
  }

  #track(socket: net.Socket, abort: AbortController): void {
    this.#sockets.set(socket, abort);
    socket.once("close", () => this.#sockets.delete(socket));
  }

  async #requestUpgrade(
    socket: net.Socket,
    tubid: string,
    host: string,
    signal: AbortSignal,
  ): Promise<void> {
    socket.write(formatUpgradeRequest(tubid, host));
    checkUpgradeReply(await readBlock(socket, this.limits.blockBytes, signal));
  }

  async #answerUpgrade(socket: net.Socket, signal: AbortSignal): Promise<void> {
    const block = await readBlock(socket, this.limits.blockBytes, signal);
    const { reply, accepted, reason } = answerUpgradeRequest(block, this.tubid);
    if (accepted) {
      socket.write(reply);
      return;
    }
    await sendLast(socket, reply);
    throw new NegotiationError(reason);
  }

  /** Hellos and decision over TLS, and the connection that comes of it. */
  #negotiate(
    secure: SecureSocket,
    address: string,
    role: "client" | "server",
    abort: AbortController,
    expectedTubid?: string,
  ): Promise<Connection> {
    const { socket, peerTubid } = secure;
    this.#track(socket, abort);
    if (peerTubid === this.tubid) {
      return Promise.reject(
        new NegotiationError("the peer has this Tub's own key"),
      );
    }
    const negotiation = new Negotiation({
      ownTubid: this.tubid,
      ownIncarnation: this.incarnation,
      peerTubid,
      expectedTubid,
      role,
      lastConnection: this.#lastConnections.get(peerTubid),
      blockBytes: this.limits.blockBytes,
      decide: (hello) => this.#decide(hello),
    });
    return new Promise((resolve, reject) => {
      const done = () => {
        socket.off("data", onData);
        socket.off("error", onError);
        socket.off("close", onClose);
      };
      const fail = (reason: string) => {
        done();
        reject(new NegotiationError(reason));
      };
      const onError = (error: Error) => fail(messageOf(error));
      const onClose = () =>
        fail("the peer closed the connection during negotiation");
      const onData = (chunk: Uint8Array) => {
        if (abort.signal.aborted) return;
        const { send, agreement, error } = negotiation.feed(chunk);
        if (error) {
          done();
          socket.resume();
          return sendLast(socket, send).then(() => reject(error));
        }
        if (send) socket.write(send);
        if (!agreement) return;
        done();
        socket.pause();
        const peer = {
          tubid: peerTubid,
          incarnation: agreement.peer.incarnation,
          address,
        };
        const connection = new Connection({
          socket,
          agreement,
          peer,
          clock: this.#clock,
          limits: this.limits,
          lookUp: (swissnum) => this.#objects.get(digest(swissnum)),
          furlOf: (object) =>
            this.#hints.length > 0 ? this.furlOf(object) : undefined,
          onClosed: (closed) => {
            if (this.#connections.get(peerTubid) === closed) {
              this.#connections.delete(peerTubid);
            }
          },
        });
        this.#adopt(connection);
        abort.signal.addEventListener(
          "abort",
          () => connection.close(abort.signal.reason),
          { once: true },
        );
        resolve(connection);
        connection.start();
      };
      socket.on("data", onData);
      socket.on("error", onError);
      socket.on("close", onClose);
      socket.write(negotiation.hello());
      socket.resume();
    });
  }

  /** As master: whether a connection may be; one that it replaces is closed first. */
  #decide(hello: Hello): number | undefined {
    const old = this.#connections.get(hello.tubid);
    if (old) {
      const noted = {
        peerIncarnation: old.peer.incarnation,
        seqnum: old.agreement.connection?.seqnum ?? 0,
      };
      if (!mayReplace(noted, hello, this.incarnation)) return undefined;
      old.close(new ConnectionLost("the peer connected anew"));
    }
    return ++this.#seqnum;
  }

  #adopt(connection: Connection): void {
    const { agreement, peer } = connection;
    this.#connections.get(peer.tubid)?.close(
      new ConnectionLost("the peer connected anew"),
    );
    this.#connections.set(peer.tubid, connection);
    this.#doubles.seen(peer);
    if (!agreement.master && agreement.connection) {
      remember(
        this.#lastConnections,
        peer.tubid,
        agreement.connection,
        this.limits.connections,
      );
    }
    this.#sweeper ??= this.#sweep();
  }

  /** Looks after connections that are silent and ports that are deaf, while there are any. */
  #sweep(): Timer {
    return this.#clock.setTimer(
      () => {
        for (const connection of [...this.#connections.values()]) {
          connection.checkLife();
        }
        const isNeeded = this.#connections.size > 0 || this.#accepted > 0 ||
          this.#ears.some((ear) => !ear.isWell);
        if (isNeeded) { for (const ear of this.#ears) ear.check(); }
        const go = isNeeded && !this.#closing.signal.aborted;
        this.#sweeper = go ? this.#sweep() : undefined;
      },
      this.limits.keepaliveMs / 4,
      { keepAlive: false },
    );
  }
}

/** Ends a negotiation in favour of a newcomer. */
function giveWay({ abort, hasAsked }: Newcomer, age: number): true {
  const seconds = Math.floor(age / 1000);
  abort.abort(
    new NegotiationError(
      `it made room for another: ${
        hasAsked ? "negotiation was not finished" : "it had not asked for a Tub"
      } within ${seconds} s`,
    ),
  );
  return true;
}

/** Sets a key of a map that forgets its oldest beyond `most` keys. */
function remember<V>(
  map: Map<string, V>,
  key: string,
  value: V,
  most: number,
): void {
  map.delete(key);
  map.set(key, value);
  if (map.size > most) map.delete(map.keys().next().value!);
}

function digest(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
