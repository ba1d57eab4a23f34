/**
 * PB: calls, answers and references over one connection that has been negotiated. It reads no
 * socket and opens none: bytes come in through `receive` and leave through `send`.
 * Source of the rules: Foolscap's `broker.py`, `call.py` and `referenceable.py`.
 */

import type { Clock, Timer } from "../clock.ts";
import type { VocabTable } from "./banana.ts";
import {
  BananaError,
  type ConnectionLost,
  RemoteError,
  Violation,
} from "./errors.ts";
import { type Furl, parseFurl } from "./furl.ts";
import type { Limits } from "./limits.ts";
import { oneLine } from "../text.ts";
import { AssertionError, describe, KeyError, VIOLATION } from "./failures.ts";
import {
  type Answer,
  type Argument,
  type Peer,
  Referenceable,
  type RemoteMethod,
  type RemoteReference,
} from "./references.ts";
import { RemoteObject } from "./remote_object.ts";
import { BananaSender, type BananaValue, MyReference } from "./slicers.ts";
import { BananaReceiver, type Message } from "./unslicers.ts";

const MAX_REQUEST = 2 ** 31 - 1;

/** What a broker needs of the connection and Tub around it. */
export interface BrokerOptions {
  readonly peer: Peer;
  readonly vocab: VocabTable;
  readonly limits: Limits;
  readonly clock: Clock;
  /** Sends bytes; must not throw. */
  send(bytes: Uint8Array): void;
  /** Ends the connection after a broken stream or an exceeded limit; `reason` is for the log. */
  drop(reason: Error): void;
  /** The object that a swissnum names, and nothing about those that name none. */
  lookUp(swissnum: Uint8Array): Referenceable | undefined;
  /** The FURL of an object of ours, if it has one. */
  furlOf(object: Referenceable): string | undefined;
}

interface Pending {
  readonly resolve: (value: Argument) => void;
  readonly reject: (error: Error) => void;
  readonly timer: Timer;
}

/** One end of a PB connection. */
export class Broker {
  readonly #options: BrokerOptions;
  readonly #sender: BananaSender;
  readonly #receiver: BananaReceiver;
  readonly #lost = new AbortController();
  readonly #pending = new Map<number, Pending>();
  readonly #inProgress = new Set<number>();
  readonly #ours = new Map<number, { object: Referenceable; count: number }>();
  readonly #clids = new Map<Referenceable, number>();
  readonly #theirs = new Map<number, RemoteObject>();
  readonly #object0: Referenceable;
  /** Calls of the peer whose answer is a promise that has not settled. */
  #inCalls = 0;
  #nextClid = 1;
  #nextRequest = 1;

  constructor(options: BrokerOptions) {
    this.#options = options;
    this.#sender = new BananaSender(options.vocab);
    this.#receiver = new BananaReceiver(options.vocab, options.limits, {
      message: (message) => this.#message(message),
      ping: (number) => options.send(this.#sender.pong(number)),
    });
    this.#object0 = this.#makeObject0();
  }

  /** Aborts, with a `ConnectionLost` as its reason, once the connection has ended. */
  get disconnected(): AbortSignal {
    return this.#lost.signal;
  }

  /** Takes what the peer sent. A broken stream ends the connection through `drop`. */
  receive(chunk: Uint8Array): void {
    if (this.#lost.signal.aborted) return;
    try {
      this.#receiver.feed(chunk);
    } catch (error) {
      this.#fatal(asError(error));
    }
  }

  /** Sends a PING: a live peer answers, whatever it is busy with. */
  ping(): void {
    this.#options.send(this.#sender.ping());
  }

  /** The connection is over: every pending call fails, every reference is void. */
  finish(reason: ConnectionLost): void {
    if (this.#lost.signal.aborted) return;
    this.#lost.abort(reason);
    for (const pending of this.#pending.values()) {
      pending.timer.cancel();
      pending.reject(reason);
    }
    this.#pending.clear();
    this.#ours.clear();
    this.#clids.clear();
    this.#theirs.clear();
  }

  /**
   * Asks the peer for the object that `swissnum` names.
   * @throws RemoteError of type `…KeyError` if there is none; else as {@linkcode RemoteReference.call}.
   */
  async getReferenceByName(
    swissnum: string,
    timeoutMs: number,
  ): Promise<RemoteReference> {
    const name = new TextEncoder().encode(swissnum);
    let answer: Argument;
    try {
      answer = await this.#call(0, "getReferenceByName", [], timeoutMs, {
        name,
      });
    } catch (error) {
      // The reference quotes the beginning of the name, which is a secret.
      if (!(error instanceof RemoteError)) throw error;
      throw new RemoteError(
        error.type,
        "it has no object of the name that was asked for",
        error.parents,
      );
    }
    if (answer instanceof RemoteObject) return answer;
    throw new Violation(
      "the peer answered getReferenceByName with something else than an object",
    );
  }

  #call(
    clid: number,
    method: string,
    args: readonly (BananaValue | Referenceable)[],
    timeoutMs: number,
    kwargs?: Record<string, BananaValue>,
  ): Promise<Argument> {
    const { limits, clock } = this.#options;
    const signal = this.#lost.signal;
    if (signal.aborted) return Promise.reject(signal.reason);
    const request = this.#newRequest();
    let bytes: Uint8Array;
    try {
      const values = args.map((arg) => this.#outgoing(arg));
      bytes = this.#sender.call(request, clid, method, values, kwargs);
    } catch (error) {
      return Promise.reject(error);
    }
    // From now on a long answer may come, late ones too. Object 0 gives short ones: that we ask it
    // something is no sign that the peer knows, or is, anybody we trust with more.
    if (clid !== 0) this.#receiver.messageLimit = limits.answerBytes;
    return new Promise((resolve, reject) => {
      const timer = clock.setTimer(
        () => {
          this.#pending.delete(request);
          reject(
            new DOMException(
              `no answer to ${method} within ${timeoutMs / 1000} s`,
              "TimeoutError",
            ),
          );
        },
        timeoutMs,
        // What keeps the process running, or does not, is the socket.
        { keepAlive: false },
      );
      this.#pending.set(request, { resolve, reject, timer });
      this.#options.send(bytes);
    });
  }

  #newRequest(): number {
    // A receiver takes request numbers as INT tokens only: up to 2^31 - 1. Numbers that are
    // still open are skipped when the count begins anew.
    do {
      if (this.#nextRequest > MAX_REQUEST) this.#nextRequest = 1;
    } while (this.#pending.has(this.#nextRequest++));
    return this.#nextRequest - 1;
  }

  #message(message: Message): void {
    switch (message.kind) {
      case "call":
        return this.#called(message);
      case "answer":
        return this.#settle(message.request, (pending) => {
          try {
            pending.resolve(this.#incoming(message.value));
          } catch (error) {
            pending.reject(asError(error));
            if (error instanceof ProtocolError) throw error;
          }
        });
      case "error": {
        const { type, parents } = message.failure;
        const value = oneLine(message.failure.value);
        return this.#settle(
          message.request,
          (pending) =>
            pending.reject(
              type === VIOLATION
                ? new Violation(value)
                : new RemoteError(oneLine(type), value, parents),
            ),
        );
      }
      case "violation":
        if (message.request === undefined) return;
        if (message.of !== "call") {
          return this.#settle(
            message.request,
            (pending) =>
              pending.reject(
                new Violation(
                  `the peer's answer is not acceptable: ${message.text}`,
                ),
              ),
          );
        }
        return this.#reply(message.request, new Violation(message.text));
    }
  }

  #settle(request: number, settle: (pending: Pending) => void): void {
    const pending = this.#pending.get(request);
    // An answer to no request, or one that came too late, is skipped as the reference does.
    if (!pending) return;
    this.#pending.delete(request);
    pending.timer.cancel();
    settle(pending);
  }

  #called(call: Message & { kind: "call" }): void {
    const { limits } = this.#options;
    if (call.request !== 0) {
      if (this.#inProgress.has(call.request)) {
        throw new ProtocolError(
          `request ${call.request} is being worked on already`,
        );
      }
      this.#inProgress.add(call.request);
    }
    if (this.#inCalls >= limits.callsInProgress) {
      this.#reply(
        call.request,
        new Violation("too many calls are being worked on"),
      );
      return;
    }
    let result: Answer | Promise<Answer>;
    try {
      result = this.#dispatch(call);
    } catch (error) {
      if (error instanceof ProtocolError) throw error;
      this.#reply(call.request, asError(error));
      return;
    }
    if (!(result instanceof Promise)) {
      this.#reply(call.request, undefined, result);
      return;
    }
    this.#inCalls++;
    result.then(
      (answer) => this.#reply(call.request, undefined, answer),
      (error) => this.#reply(call.request, asError(error)),
    ).finally(() => this.#inCalls--);
  }

  #dispatch(call: Message & { kind: "call" }): Answer | Promise<Answer> {
    const object = call.object === 0
      ? this.#object0
      : this.#ours.get(call.object)?.object;
    if (!object) throw new Violation(`unknown CLID ${call.object}`);
    const method = Object.hasOwn(object.methods, call.method)
      ? object.methods[call.method]
      : undefined;
    if (!method) {
      throw new Violation(
        `method '${call.method}' not defined in ${
          object.interfaceName || "this object"
        }`,
      );
    }
    const values = arrange(method, call.args, call.kwargs);
    const args: Argument[] = [];
    try {
      for (const value of values) args.push(this.#incoming(value));
      return method.call(args, this.#options.peer);
    } catch (error) {
      // What the refused call brought along is nobody's: give it back, this one time.
      if (error instanceof Violation) {
        for (const arg of args) if (arg instanceof RemoteObject) arg.release(1);
      }
      throw error;
    }
  }

  #reply(
    request: number,
    error: Error | undefined,
    answer: Answer = null,
  ): void {
    if (request === 0 || this.#lost.signal.aborted) return;
    this.#inProgress.delete(request);
    let bytes: Uint8Array;
    try {
      if (error !== undefined) throw error;
      bytes = this.#sender.answer(request, this.#outgoing(answer));
    } catch (error) {
      bytes = this.#sender.error(request, describe(asError(error)));
    }
    this.#options.send(bytes);
  }

  /** Turns a reference that has arrived into an object; other values pass. */
  #incoming(value: BananaValue): Argument {
    if (!(value instanceof MyReference)) return value;
    let object = this.#theirs.get(value.clid);
    if (!object) {
      if (this.#theirs.size >= this.#options.limits.references) {
        throw new Violation("too many references are held");
      }
      object = new RemoteObject(
        this.#options.peer,
        value.clid,
        value.interfaceName ?? "",
        this.#checkFurl(value.furl),
        this.#lost.signal,
        {
          call: (method, args, options) =>
            this.#call(value.clid, method, args, options.timeoutMs),
          callOnly: (method, args) => {
            if (this.#lost.signal.aborted) return;
            const values = args.map((arg) => this.#outgoing(arg));
            this.#options.send(
              this.#sender.call(0, value.clid, method, values),
            );
          },
          release: (count) => this.#release(value.clid, count),
        },
      );
      this.#theirs.set(value.clid, object);
    }
    object.count++;
    return object;
  }

  #checkFurl(text: string | undefined): Furl | undefined {
    if (text === undefined) return undefined;
    const { peer } = this.#options;
    let furl: Furl | undefined;
    try {
      furl = parseFurl(text);
    } catch {
      // Falls through: a garbled FURL is as wrong as another Tub's.
    }
    if (furl?.tubid !== peer.tubid) {
      throw new ProtocolError(
        "an object was sent with a FURL that is not of the sender's Tub",
      );
    }
    return furl;
  }

  #release(clid: number, count: number): void {
    if (this.#lost.signal.aborted) return;
    const { limits } = this.#options;
    if (this.#pending.size >= limits.references) {
      this.#fatal(
        new ProtocolError(`${this.#pending.size} calls have not been answered`),
      );
      return;
    }
    const forget = () => {
      const object = this.#theirs.get(clid);
      // A short form that crossed our decref keeps the object alive.
      if (object?.count === 0) this.#theirs.delete(clid);
    };
    this.#call(0, "decref", [], limits.negotiationMs, {
      clid: BigInt(clid),
      count: BigInt(count),
    }).then(forget, forget);
  }

  /** Turns an object of ours into a reference on the wire; other values pass. */
  #outgoing(value: BananaValue | Referenceable): BananaValue {
    if (!(value instanceof Referenceable)) return value;
    const known = this.#clids.get(value);
    if (known !== undefined) {
      this.#ours.get(known)!.count++;
      return new MyReference(known);
    }
    if (this.#ours.size >= this.#options.limits.references) {
      throw new Violation("too many references are held");
    }
    const clid = this.#nextClid++;
    this.#clids.set(value, clid);
    this.#ours.set(clid, { object: value, count: 1 });
    return new MyReference(
      clid,
      value.interfaceName,
      this.#options.furlOf(value),
    );
  }

  #makeObject0(): Referenceable {
    return new Referenceable("RIBroker", {
      getReferenceByName: {
        parameters: ["name"],
        call: ([name]) => {
          if (!(name instanceof Uint8Array)) {
            throw new Violation("the argument 'name' must be a byte string");
          }
          const object = this.#options.lookUp(name);
          if (!object) {
            throw new KeyError("unable to find reference for that name");
          }
          return object;
        },
      },
      decref: {
        parameters: ["clid", "count"],
        call: ([clid, count]) => {
          if (typeof clid !== "bigint" || typeof count !== "bigint") {
            throw new Violation("the arguments of decref must be integers");
          }
          this.#decref(Number(clid), Number(count));
          return null;
        },
      },
      decgift: {
        parameters: ["giftID", "count"],
        call: () => {
          throw new KeyError("no gift has been given");
        },
      },
    });
  }

  #decref(clid: number, count: number): void {
    const entry = this.#ours.get(clid);
    if (!entry) return;
    if (count < 0 || count > entry.count) {
      throw new AssertionError(
        `decref(${count}), but the object was sent ${entry.count} times`,
      );
    }
    entry.count -= count;
    if (entry.count > 0) return;
    this.#ours.delete(clid);
    this.#clids.delete(entry.object);
  }

  #fatal(error: Error): void {
    const { send, drop } = this.#options;
    const known = error instanceof BananaError ||
      error instanceof ProtocolError;
    // An ERROR is not answered.
    if (!(error instanceof BananaError && error.code === "remote-error")) {
      send(
        this.#sender.errorToken(
          known ? error.message : "exception while processing data",
        ),
      );
    }
    drop(error);
  }
}

/** Messages that contradict each other in a stream that is in order: the connection must end. */
class ProtocolError extends Error {}

/** Puts positional and named arguments into the order of the method's parameters. */
function arrange(
  method: RemoteMethod,
  args: readonly BananaValue[],
  kwargs: ReadonlyMap<string, BananaValue>,
): BananaValue[] {
  const { parameters } = method;
  if (args.length > parameters.length) {
    throw new Violation(
      `too many positional arguments: ${args.length} >= ${parameters.length}`,
    );
  }
  for (const name of kwargs.keys()) {
    const index = parameters.indexOf(name);
    if (index < 0) {
      throw new Violation(`unknown argument '${name.slice(0, 100)}'`);
    }
    if (index < args.length) {
      throw new Violation(`got multiple values for keyword argument '${name}'`);
    }
  }
  return parameters.map((name, index) => {
    if (index < args.length) return args[index];
    if (!kwargs.has(name)) {
      throw new Violation(`missing required argument '${name}'`);
    }
    return kwargs.get(name)!;
  });
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
