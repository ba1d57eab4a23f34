import net from "node:net";
import type { Clock, Timer } from "../clock.ts";
import { messageOf } from "../errors.ts";
import { formatHint, type TcpHint } from "./furl.ts";

/** How long a hint has the field to itself before the next one is tried beside it, in ms. */
const STAGGER_MS = 2000;

/** What came of dialling several hints. */
export interface Dialled {
  /** Connected, paused; `undefined` when no hint could be reached. */
  readonly socket: net.Socket | undefined;
  /** The hint that `socket` leads to. */
  readonly target: TcpHint;
  /** The hints that are worth another try, should `socket` turn out to be the wrong peer. */
  readonly rest: readonly TcpHint[];
  /** One line for each hint that failed. */
  readonly errors: readonly string[];
}

/** How {@linkcode dialTcp} goes about it. */
export interface DialOptions {
  readonly clock: Clock;
  /** Milliseconds for all hints together. */
  readonly timeoutMs: number;
  /** Ends the attempt. */
  readonly signal: AbortSignal;
  /** Whether the attempt, and the socket that comes of it, keep the process running. */
  readonly keepAlive: boolean;
}

/**
 * Connects to the first of several hints that answers. They are tried one after the other, the
 * next when the one before has failed or has been silent for two seconds; the reference tries
 * all at once, which gives the other side needless connections to refuse.
 * @throws The signal's reason when it aborts.
 */
export function dialTcp(
  targets: readonly TcpHint[],
  { clock, timeoutMs, signal, keepAlive }: DialOptions,
): Promise<Dialled> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const sockets = new Set<net.Socket>();
    const errors: string[] = [];
    const failed = new Set<TcpHint>();
    let next = 0;
    let over = false;
    let stagger: Timer | undefined;

    const finish = (target: TcpHint, socket?: net.Socket) => {
      over = true;
      stagger?.cancel();
      deadline.cancel();
      signal.removeEventListener("abort", onAbort);
      for (const other of sockets) if (other !== socket) other.destroy();
      const rest = targets.filter((hint) =>
        hint !== target && !failed.has(hint)
      );
      resolve({ socket, target, rest, errors });
    };
    const onAbort = () => {
      reject(signal.reason);
      finish(targets[0]);
    };
    const tryNext = () => {
      stagger?.cancel();
      if (next >= targets.length) return;
      const target = targets[next++];
      const socket = net.connect({ host: target.host, port: target.port });
      if (!keepAlive) socket.unref();
      sockets.add(socket);
      // It stays: an error that nobody listens for would end the process.
      socket.on("error", (error: Error) => {
        if (over) return;
        failed.add(target);
        const { host, port } = target;
        errors.push(`${formatHint(host, port)}: ${messageOf(error)}`);
        if (failed.size === targets.length) finish(target);
        else tryNext();
      });
      socket.once("connect", () => {
        if (over) return;
        socket.pause();
        finish(target, socket);
      });
      stagger = clock.setTimer(tryNext, STAGGER_MS, { keepAlive: false });
    };
    const deadline = clock.setTimer(
      () => {
        errors.push(`no answer within ${timeoutMs / 1000} s`);
        finish(targets[0]);
      },
      timeoutMs,
      { keepAlive: false },
    );
    signal.addEventListener("abort", onAbort);
    tryNext();
  });
}
