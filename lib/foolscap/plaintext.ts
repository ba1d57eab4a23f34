/**
 * What is said over a connection before TLS: one block each way.
 *
 * @module
 */
import type net from "node:net";
import { messageOf } from "../errors.ts";
import { NegotiationError } from "./errors.ts";
import { BlockReader } from "./negotiation.ts";

/** Reads one plaintext block; nothing may follow it before the answer. Leaves the socket paused. */
export function readBlock(
  socket: net.Socket,
  limit: number,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const reader = new BlockReader(limit);
  return new Promise((resolve, reject) => {
    const done = () => {
      socket.off("data", onData);
      socket.off("close", onClose);
      socket.off("error", onError);
      signal.removeEventListener("abort", onClose);
      socket.pause();
    };
    const settle = (settle: () => void) => {
      done();
      settle();
    };
    const onData = (chunk: Uint8Array) => {
      try {
        const read = reader.feed(chunk);
        if (!read) return;
        if (read.rest.length > 0) {
          throw new NegotiationError(
            "the peer sent bytes before TLS that nobody asked for",
          );
        }
        settle(() => resolve(read.block));
      } catch (error) {
        settle(() => reject(error));
      }
    };
    const onClose = () =>
      settle(() =>
        reject(
          new NegotiationError("the peer closed the connection before TLS"),
        )
      );
    const onError = (error: Error) =>
      settle(() => reject(new NegotiationError(messageOf(error))));
    socket.on("data", onData);
    socket.on("close", onClose);
    socket.on("error", onError);
    signal.addEventListener("abort", onClose);
    socket.resume();
  });
}

/** Sends the last bytes and the end; resolves when they are sent or cannot be. */
export function sendLast(
  socket: net.Socket,
  bytes: Uint8Array | undefined,
): Promise<void> {
  return new Promise((resolve) => {
    socket.once("close", () => resolve());
    if (bytes) socket.write(bytes);
    socket.end(() => resolve());
  });
}
