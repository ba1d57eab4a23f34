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

/**
 * Connects to the first of several hints that answers. They are tried one after the other, the
 * next when the one before has failed or has been silent for two seconds; the reference tries
 * all at once, which gives the other side needless connections to refuse.
 */
export function dialTcp(
  targets: readonly TcpHint[],
  clock: Clock,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Dialled> {
  return new Promise((resolve) => {
    const open = new Map<TcpHint, net.Socket>();
    const errors: string[] = [];
    const failed = new Set<TcpHint>();
    let next = 0;
    let stagger: Timer | undefined;

    const finish = (socket: net.Socket | undefined, target: TcpHint) => {
      stagger?.cancel();
      deadline.cancel();
      signal.removeEventListener("abort", giveUp);
      for (const other of open.values()) if (other !== socket) other.destroy();
      const rest = targets.filter((hint) =>
        hint !== target && !failed.has(hint)
      );
      resolve({ socket, target, rest, errors });
    };
    const giveUp = () => {
      errors.push(`no answer within ${timeoutMs / 1000} s`);
      finish(undefined, targets[0]);
    };
    const tryNext = () => {
      stagger?.cancel();
      if (next >= targets.length) return;
      const target = targets[next++];
      const socket = net.connect({ host: target.host, port: target.port });
      open.set(target, socket);
      const onError = (error: Error) => {
        failed.add(target);
        open.delete(target);
        socket.destroy();
        errors.push(
          `${formatHint(target.host, target.port)}: ${messageOf(error)}`,
        );
        if (failed.size === targets.length) finish(undefined, target);
        else tryNext();
      };
      socket.once("error", onError);
      socket.once("connect", () => {
        socket.off("error", onError);
        // Until the next reader comes: an error in between must not be an uncaught one.
        socket.on("error", () => {});
        socket.pause();
        finish(socket, target);
      });
      stagger = clock.setTimer(tryNext, STAGGER_MS, { keepAlive: false });
    };
    const deadline = clock.setTimer(giveUp, timeoutMs, { keepAlive: false });
    signal.addEventListener("abort", giveUp, { once: true });
    tryNext();
  });
}
