/**
 * One connection to a port of gmetad: at most one query, one answer.
 *
 * @module
 */
import { setImmediate } from "node:timers/promises";
import type { Clock, Timer } from "../../clock.ts";
import { messageOf } from "../../errors.ts";
import type { Piece } from "../output/answer.ts";
import { ByteWriter } from "../output/byte_writer.ts";
import type { PortLimits } from "./limits.ts";
import type { Service } from "../../net/listener.ts";

/** Milliseconds of work on an answer after which others have their turn. */
const TURN_MS = 10;

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/** The bytes of a connection, as a `Deno.TcpConn` has them. */
export interface ByteStream {
  /** Reads into the buffer; resolves to how many bytes, or `null` at the end. */
  read(buffer: Uint8Array): Promise<number | null>;
  /** Writes some of the bytes; resolves to how many. */
  write(bytes: Uint8Array): Promise<number>;
  /** Ends the direction of writing. */
  closeWrite(): Promise<void>;
  /** Ends both directions, and what is under way. Is called once. */
  close(): void;
}

/** What a client is told. */
export interface Reply {
  readonly pieces: Iterable<Piece>;
  /** What was wrong with the query, for the log; `undefined`: nothing. */
  readonly complaint?: string;
}

/** What sessions have done, all together. */
export interface SessionCounts {
  /** Answers that were sent, or begun. */
  answers: number;
  /** Bytes sent. */
  bytes: number;
  /** Milliseconds from connection to end of answer, summed up. */
  totalMs: number;
  /** Sessions that ended neither in good order nor by a stop. */
  aborted: number;
}

/** How a {@linkcode Session} is set up. */
export interface SessionOptions {
  readonly stream: ByteStream;
  readonly clock: Clock;
  readonly limits: PortLimits;
  /** Is counted up. */
  readonly counts: SessionCounts;
  /** Takes what is to be logged of this client. */
  readonly warn: (what: string) => void;
  /** Whether the client is to send a query. */
  readonly asks: boolean;
  /**
   * Makes the answer.
   * @param line The query without its line end; empty if the client is not asked for one.
   */
  readonly reply: (line: Uint8Array) => Reply;
}

/** Ends a session; without a message, in good order. */
class SessionEnd extends Error {
  override name = "SessionEnd";
}

/** Serves one connection from its beginning to its end. */
export class Session implements Service {
  readonly #options: SessionOptions;
  #end: SessionEnd | undefined;
  /** Rejects what is being waited for. */
  #interrupt: ((end: SessionEnd) => void) | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  async run(): Promise<void> {
    const { clock, counts, warn } = this.#options;
    const begun = clock.monotonic();
    try {
      await this.#talk();
    } catch (error) {
      // What is no SessionEnd is a fault of ours. It must end this session only.
      if (!(error instanceof SessionEnd) || error.message !== "") {
        counts.aborted++;
        warn(`cut off: ${messageOf(error)}`);
      }
    } finally {
      this.stop();
      counts.totalMs += clock.monotonic() - begun;
    }
  }

  stop(): void {
    this.#stop(new SessionEnd());
  }

  #stop(end: SessionEnd): void {
    if (this.#end) return;
    this.#end = end;
    this.#interrupt?.(end);
    this.#options.stream.close();
  }

  /** Waits for something, but not beyond the end of the session. */
  #unlessEnded<T>(promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#interrupt = reject;
      if (this.#end) reject(this.#end);
      promise.then(resolve, reject);
    });
  }

  /** Ends the session unless it is cancelled in time. */
  #within(ms: number, message: string): Timer {
    return this.#options.clock.setTimer(
      () => this.#stop(new SessionEnd(message)),
      ms,
      { keepAlive: false },
    );
  }

  async #talk(): Promise<void> {
    const { asks, reply, counts, limits, warn } = this.#options;
    const line = asks ? await this.#query() : new Uint8Array();
    if (!line) return;
    const { pieces, complaint } = reply(line);
    if (complaint !== undefined) warn(`malformed query: ${complaint}`);
    counts.answers++;
    const deadline = this.#within(
      limits.answerMs,
      `it has not taken its answer within ${limits.answerMs / 1000} s`,
    );
    try {
      await this.#sendAll(pieces);
    } finally {
      deadline.cancel();
    }
    await this.#farewell();
  }

  /** One line, or all up to the end of what the client sends; `undefined` if that is nothing. */
  async #query(): Promise<Uint8Array | undefined> {
    const { stream, limits } = this.#options;
    const timer = this.#within(
      limits.queryMs,
      `no query within ${limits.queryMs / 1000} s`,
    );
    const buffer = new Uint8Array(limits.queryBytes);
    let filled = 0;
    try {
      while (filled < buffer.length) {
        const count = await this.#unlessEnded(
          stream.read(buffer.subarray(filled)),
        );
        if (count === null) {
          return filled > 0 ? buffer.subarray(0, filled) : undefined;
        }
        for (const end = filled + count; filled < end; filled++) {
          const byte = buffer[filled];
          if (byte === LINE_FEED || byte === CARRIAGE_RETURN) {
            return buffer.subarray(0, filled);
          }
        }
      }
    } catch (error) {
      if (error instanceof SessionEnd) throw error;
      // The client is gone before it has asked for anything.
      throw new SessionEnd();
    } finally {
      timer.cancel();
    }
    throw new SessionEnd(`a query of more than ${limits.queryBytes} bytes`);
  }

  async #sendAll(pieces: Iterable<Piece>): Promise<void> {
    const { clock, limits } = this.#options;
    const out = new ByteWriter();
    let turn = clock.monotonic();
    for (const write of pieces) {
      write(out);
      if (out.length >= limits.chunkBytes) {
        await this.#send(out.view());
        out.clear();
      }
      // A write that the system takes at once lets nobody else have a turn.
      if (clock.monotonic() - turn >= TURN_MS) {
        await this.#unlessEnded(setImmediate());
        turn = clock.monotonic();
      }
    }
    await this.#send(out.view());
  }

  /** Sends all of the bytes, as fast as the client takes them. */
  async #send(bytes: Uint8Array): Promise<void> {
    const { stream, limits, counts } = this.#options;
    for (let at = 0; at < bytes.length;) {
      const timer = this.#within(
        limits.writeMs,
        `it has taken nothing of its answer for ${limits.writeMs / 1000} s`,
      );
      try {
        const written = await this.#unlessEnded(
          stream.write(bytes.subarray(at)),
        );
        at += written;
        counts.bytes += written;
      } catch (error) {
        if (error instanceof SessionEnd) throw error;
        throw new SessionEnd("it closed the connection before its answer");
      } finally {
        timer.cancel();
      }
    }
  }

  /**
   * Lets the client read to the end. If bytes that it has sent were still unread, such as the
   * header of an HTTP request, closing would take from it what it has not read yet.
   */
  async #farewell(): Promise<void> {
    const { stream, clock, limits } = this.#options;
    const timer = clock.setTimer(() => this.stop(), limits.farewellMs, {
      keepAlive: false,
    });
    const buffer = new Uint8Array(4096);
    try {
      await this.#unlessEnded(stream.closeWrite());
      for (let left = limits.farewellBytes; left > 0;) {
        const count = await this.#unlessEnded(stream.read(buffer));
        if (count === null) return;
        left -= count;
      }
    } catch {
      // It has had its answer.
    } finally {
      timer.cancel();
    }
  }
}
