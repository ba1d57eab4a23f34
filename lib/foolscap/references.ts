import type { BananaValue } from "./slicers.ts";
import type { Furl } from "./furl.ts";

/** What a method learns of who calls it. Proven by the TLS handshake, never claimed. */
export interface Peer {
  readonly tubid: string;
  /** The peer's `my-incarnation`: new whenever its program starts. May be empty. */
  readonly incarnation: string;
  /** `host:port` of the other end, for logs. */
  readonly address: string;
}

/** An argument as a method gets it: a value, or an object of the peer's. */
export type Argument = BananaValue | RemoteReference;

/** One remotely callable method. */
export interface RemoteMethod {
  /** Names of the arguments, all required, in positional order. */
  readonly parameters: readonly string[];
  /**
   * Does the work. Throw a `Violation` to refuse the arguments; of any other error the message
   * goes to the caller. References among the arguments are given back when it throws a
   * `Violation`, but not when a promise rejects with one.
   */
  call(args: readonly Argument[], peer: Peer): Answer | Promise<Answer>;
}

/** What a method may answer: a value, or an object of ours that the peer may then call. */
export type Answer = BananaValue | Referenceable;

/** An object of ours that peers can call. Foolscap's `Referenceable`. */
export class Referenceable {
  /**
   * @param interfaceName The name of its RemoteInterface, as the peer's schema knows it.
   * @param methods The methods by their bare names.
   */
  constructor(
    readonly interfaceName: string,
    readonly methods: Readonly<Record<string, RemoteMethod>>,
  ) {}
}

/** How a call is to be made. */
export interface CallOptions {
  /** Milliseconds after which an unanswered call fails. Required: every wait has a limit. */
  readonly timeoutMs: number;
}

/** An object of a peer that we can call, for as long as the connection lives. */
export interface RemoteReference {
  readonly peer: Peer;
  /** The object's number on this connection. */
  readonly clid: number;
  /** What the peer says it is; empty if it did not say. */
  readonly interfaceName: string;
  /** The object's own FURL, if its Tub has a location. */
  readonly furl: Furl | undefined;
  /** Aborts when the connection is lost; its reason is a `ConnectionLost`. */
  readonly disconnected: AbortSignal;
  /**
   * Calls a method and waits for the answer.
   * @throws RemoteError, Violation, ConnectionLost, or DOMException `TimeoutError`.
   */
  call(
    method: string,
    args: readonly (BananaValue | Referenceable)[],
    options: CallOptions,
  ): Promise<Argument>;
  /** Calls a method without asking for an answer (Foolscap's `callRemoteOnly`). */
  callOnly(
    method: string,
    args: readonly (BananaValue | Referenceable)[],
  ): void;
  /** Gives the object up, so that the peer may forget it (`decref`). */
  release(): void;
}

/** Whether an argument is an object of the peer's. */
export function isRemoteReference(value: unknown): value is RemoteReference {
  return typeof value === "object" && value !== null && "callOnly" in value;
}
