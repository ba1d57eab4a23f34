/**
 * One connection to a port of gmetad: at most one query, one answer.
 *
 * @module
 */
import { setImmediate } from "node:timers/promises";
import type { Clock } from "../../clock.ts";
import {
  type ByteStream,
  Conversation,
  ConversationEnd,
} from "../../net/conversation.ts";
import type { Service } from "../../net/listener.ts";
import type { Piece } from "../output/answer.ts";
import { ByteWriter } from "../output/byte_writer.ts";
import type { PortLimits } from "./limits.ts";

/** Milliseconds of work on an answer after which others have their turn. */
const TURN_MS = 10;

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/** The bytes of a connection, as a `Deno.TcpConn` has them. */
export interface ClientStream extends ByteStream {
  /** Ends the direction of writing. */
  closeWrite(): Promise<void>;
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
  readonly stream: ClientStream;
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

/** Serves one connection from its beginning to its end. */
export class Session implements Service {
  readonly #options: SessionOptions;
  readonly #conversation: Conversation;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#conversation = new Conversation(options.stream, options.clock);
  }

  async run(): Promise<void> {
    const { clock, counts, warn } = this.#options;
    const begun = clock.monotonic();
    const fault = await this.#conversation.hold(() => this.#talk());
    if (fault !== undefined) {
      counts.aborted++;
      warn(`cut off: ${fault}`);
    }
    counts.totalMs += clock.monotonic() - begun;
  }

  stop(): void {
    this.#conversation.stop();
  }

  async #talk(): Promise<void> {
    const { asks, reply, counts, limits, warn } = this.#options;
    const line = asks ? await this.#query() : new Uint8Array();
    if (!line) return;
    const { pieces, complaint } = reply(line);
    if (complaint !== undefined) warn(`malformed query: ${complaint}`);
    counts.answers++;
    const deadline = this.#conversation.within(
      limits.answerMs,
      "it has not taken its answer within",
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
    const timer = this.#conversation.within(
      limits.queryMs,
      "no query within",
    );
    const buffer = new Uint8Array(limits.queryBytes);
    let filled = 0;
    try {
      while (filled < buffer.length) {
        const count = await this.#conversation.unlessEnded(
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
      if (error instanceof ConversationEnd) throw error;
      // The client is gone before it has asked for anything.
      throw new ConversationEnd();
    } finally {
      timer.cancel();
    }
    throw new ConversationEnd(
      `a query of more than ${limits.queryBytes} bytes`,
    );
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
        await this.#conversation.unlessEnded(setImmediate());
        turn = clock.monotonic();
      }
    }
    await this.#send(out.view());
  }

  #send(bytes: Uint8Array): Promise<void> {
    const { limits, counts } = this.#options;
    return this.#conversation.send(bytes, limits.writeMs, (count) => {
      counts.bytes += count;
    });
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
      await this.#conversation.unlessEnded(stream.closeWrite());
      for (let left = limits.farewellBytes; left > 0;) {
        const count = await this.#conversation.unlessEnded(stream.read(buffer));
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
