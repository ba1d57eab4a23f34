import net from "node:net";
import type { Clock, Timer } from "../clock.ts";
import { messageOf } from "../errors.ts";
import { NegotiationError } from "./errors.ts";
import { formatHint, type TcpHint } from "./furl.ts";

/** How long a hint has the field to itself before the next one is tried beside it, in ms. */
const STAGGER_MS = 2000;

/** One hint's turn. */
export interface Turn {
  /** Aborts when the attempt is no longer wanted: another one has come through, or all is over. */
  readonly signal: AbortSignal;
  /**
   * Says that the hint is worth waiting for: the next one is not tried for `ms` from now on, unless
   * this one fails. Harmless when others have had their turn already.
   */
  patience(ms: number): void;
}

/**
 * Tries several hints until one of them comes through. The next one has its turn when the one
 * before has failed, or has had two seconds and not asked for more; the reference tries all at
 * once, which gives the other side needless connections to refuse. An attempt that is slow goes on
 * beside the others.
 *
 * @param attempt What is to be done with a hint; the first that resolves is taken, the others
 *   are called off.
 * @throws NegotiationError with the reason of each when all have failed; the signal's reason when
 *   it aborts.
 */
export function firstOf<T>(
  targets: readonly TcpHint[],
  attempt: (target: TcpHint, turn: Turn) => Promise<T>,
  { clock, signal }: { clock: Clock; signal: AbortSignal },
): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const underWay = new Set<AbortController>();
    const failures: string[] = [];
    let next = 0;
    let stagger: Timer | undefined;

    const finish = (reason: unknown) => {
      next = targets.length;
      stagger?.cancel();
      signal.removeEventListener("abort", onAbort);
      for (const abort of underWay) abort.abort(reason);
    };
    const onAbort = () => {
      reject(signal.reason);
      finish(signal.reason);
    };
    const tryNext = () => {
      stagger?.cancel();
      if (next >= targets.length) return;
      const target = targets[next++];
      const turn = next;
      const patience = (ms: number) => {
        if (turn !== next || next >= targets.length) return;
        stagger?.cancel();
        stagger = clock.setTimer(tryNext, ms, { keepAlive: false });
      };
      patience(STAGGER_MS);
      const abort = new AbortController();
      underWay.add(abort);
      attempt(target, { signal: abort.signal, patience }).then(
        (result) => {
          underWay.delete(abort);
          resolve(result);
          finish(new NegotiationError("another location hint came through"));
        },
        (error) => {
          underWay.delete(abort);
          failures.push(messageOf(error));
          if (next < targets.length) return tryNext();
          if (underWay.size > 0) return;
          finish(undefined);
          reject(
            new NegotiationError(`cannot connect: ${failures.join("; ")}`),
          );
        },
      );
    };
    signal.addEventListener("abort", onAbort);
    tryNext();
  });
}

/** How {@linkcode dialTcp} goes about it. */
export interface DialOptions {
  readonly clock: Clock;
  readonly timeoutMs: number;
  /** Ends the attempt. */
  readonly signal: AbortSignal;
  /** Whether the attempt, and the socket that comes of it, keep the process running. */
  readonly keepAlive: boolean;
}

/**
 * Connects to a hint.
 * @returns The socket, paused. It is the caller's, who ends it when it is no longer wanted.
 * @throws NegotiationError that names the hint; the signal's reason when it aborts.
 */
export function dialTcp(
  target: TcpHint,
  { clock, timeoutMs, signal, keepAlive }: DialOptions,
): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const { host, port } = target;
    const socket = net.connect({ host, port });
    if (!keepAlive) socket.unref();
    const done = () => {
      deadline.cancel();
      signal.removeEventListener("abort", onAbort);
    };
    const fail = (error: unknown) => {
      done();
      socket.destroy();
      reject(error);
    };
    const failNamed = (reason: string) =>
      fail(new NegotiationError(`${formatHint(host, port)}: ${reason}`));
    const onAbort = () => fail(signal.reason);
    const deadline = clock.setTimer(
      () => failNamed(`no answer within ${timeoutMs / 1000} s`),
      timeoutMs,
      { keepAlive: false },
    );
    // It stays: an error that nobody listens for would end the process.
    socket.on("error", (error: Error) => failNamed(messageOf(error)));
    socket.once("connect", () => {
      if (signal.aborted) return;
      done();
      socket.pause();
      resolve(socket);
    });
    signal.addEventListener("abort", onAbort);
  });
}
