import type { Clock } from "../clock.ts";
import { reasonOf } from "../secret_file.ts";
import type { SocketAddress } from "./address.ts";

/** How {@linkcode connect} goes about it. */
export interface ConnectOptions {
  readonly clock: Clock;
  /** Milliseconds that it may take. */
  readonly timeoutMs: number;
  /** Ends the attempt. */
  readonly signal: AbortSignal;
}

/**
 * Connects to a stream socket; names are looked up each time.
 * @throws Error whose message is the reason, when it cannot within the time; the signal's reason
 * when it aborts.
 */
export function connect(
  address: SocketAddress,
  { clock, timeoutMs, signal }: ConnectOptions,
): Promise<Deno.Conn> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    let isOver = false;
    const end = (settle: () => void) => {
      isOver = true;
      timer.cancel();
      signal.removeEventListener("abort", onAbort);
      settle();
    };
    const onAbort = () => end(() => reject(signal.reason));
    const timer = clock.setTimer(
      () =>
        end(() => reject(new Error(`no answer within ${timeoutMs / 1000} s`))),
      timeoutMs,
    );
    signal.addEventListener("abort", onAbort);
    dial(address).then(
      (connection) =>
        isOver ? connection.close() : end(() => resolve(connection)),
      (error) => isOver || end(() => reject(new Error(reasonOf(error)))),
    );
  });
}

function dial(address: SocketAddress): Promise<Deno.Conn> {
  return address.transport === "unix"
    ? Deno.connect(address)
    : Deno.connect(address);
}

/**
 * Writes all of some bytes.
 * @throws Error when the connection is closed, on this side or the other.
 */
export async function writeAll(
  connection: Deno.Conn,
  bytes: Uint8Array,
): Promise<void> {
  for (let written = 0; written < bytes.length;) {
    written += await connection.write(bytes.subarray(written));
  }
}

/** Closes a connection that may be closed already. */
export function closeQuietly(connection: Deno.Conn): void {
  try {
    connection.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BadResource)) throw error;
  }
}
