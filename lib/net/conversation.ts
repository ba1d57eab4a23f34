import type { Clock, Timer } from "../clock.ts";
import { messageOf } from "../errors.ts";

/** The bytes of a connection, as a `Deno.Conn` has them. */
export interface ByteStream {
  /** Reads into the buffer; resolves to how many bytes, or `null` at the end. */
  read(buffer: Uint8Array): Promise<number | null>;
  /** Writes some of the bytes; resolves to how many. */
  write(bytes: Uint8Array): Promise<number>;
  /** Ends both directions, and what is under way. Is called once. */
  close(): void;
}

/** Ends a conversation; without a message, in good order. */
export class ConversationEnd extends Error {
  override name = "ConversationEnd";
}

/**
 * What is said over one connection, from its beginning to its end. Every wait is over when the
 * conversation is: because it was stopped, or because somebody took too long.
 */
export class Conversation {
  readonly #stream: ByteStream;
  readonly #clock: Clock;
  #end: ConversationEnd | undefined;
  /** Rejects what is being waited for. */
  #interrupt: ((end: ConversationEnd) => void) | undefined;

  constructor(stream: ByteStream, clock: Clock) {
    this.#stream = stream;
    this.#clock = clock;
  }

  /**
   * Talks, then closes the stream. Never rejects.
   * @returns Why it was cut off; `undefined`: it ended in good order, or was stopped.
   */
  async hold(talk: () => Promise<void>): Promise<string | undefined> {
    try {
      await talk();
    } catch (error) {
      // What is no end is a fault of ours. It must end this conversation only.
      if (!(error instanceof ConversationEnd) || error.message !== "") {
        return messageOf(error);
      }
    } finally {
      this.stop();
    }
  }

  /** Ends it at once, whatever it is doing. */
  stop(): void {
    this.#stop(new ConversationEnd());
  }

  /**
   * Waits for something, but not beyond the end.
   * @throws ConversationEnd when that comes first.
   */
  unlessEnded<T>(promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#interrupt = reject;
      if (this.#end) reject(this.#end);
      promise.then(resolve, reject);
    });
  }

  /**
   * Ends the conversation unless it is cancelled in time.
   * @param reason What follows `cut off: `; the time is put behind it: `no command within`.
   */
  within(ms: number, reason: string): Timer {
    const end = new ConversationEnd(`${reason} ${ms / 1000} s`);
    return this.#clock.setTimer(() => this.#stop(end), ms, {
      keepAlive: false,
    });
  }

  /**
   * Sends all of the bytes, as fast as the other side takes them.
   *
   * @param idleMs Milliseconds in which it may take not a single byte.
   * @param onSent Told how many bytes were taken.
   * @throws ConversationEnd when it does not take them.
   */
  async send(
    bytes: Uint8Array,
    idleMs: number,
    onSent: (count: number) => void,
  ): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      const timer = this.within(
        idleMs,
        "it has taken nothing of its answer for",
      );
      try {
        const written = await this.unlessEnded(
          this.#stream.write(bytes.subarray(at)),
        );
        at += written;
        onSent(written);
      } catch (error) {
        if (error instanceof ConversationEnd) throw error;
        throw new ConversationEnd("it closed the connection before its answer");
      } finally {
        timer.cancel();
      }
    }
  }

  #stop(end: ConversationEnd): void {
    if (this.#end) return;
    this.#end = end;
    this.#interrupt?.(end);
    this.#stream.close();
  }
}
