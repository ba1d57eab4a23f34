/**
 * Banana bytes to PB messages ("unslicing" is Foolscap's word for it): keeps the stack of open
 * sequences and the limits of a message. The innermost sequence is asked about every token before
 * the token's body is awaited. Source of the rules: Foolscap's `banana.py` and `broker.py`.
 * @module
 */

import {
  Tokenizer,
  type TokenSink,
  TokenType,
  type VocabTable,
  vocabulary,
} from "./banana.ts";
import { ByteStrings } from "./byte_strings.ts";
import { BananaError, type BananaErrorCode, Violation } from "./errors.ts";
import type { Limits } from "./limits.ts";
import {
  AnswerUnslicer,
  CallUnslicer,
  ErrorUnslicer,
  type Message,
  type MessageUnslicer,
} from "./message_unslicers.ts";
import type { BananaValue } from "./slicers.ts";
import {
  latin1,
  type Referable,
  type SequenceReader,
  type Unslicer,
} from "./value_unslicers.ts";

export type { Message } from "./message_unslicers.ts";

/** Who gets what a {@linkcode BananaReceiver} reads. */
export interface BananaHandler {
  /** A message is complete. */
  message(message: Message): void;
  /** The peer wants a PONG with this number, now, even in the midst of a message. */
  ping(number: bigint): void;
}

/**
 * Reads one direction of a connection. PONG and top-level sequences of other kinds are skipped
 * without a word.
 *
 * Values share no memory with the chunks. Byte strings are copies: those of up to 1 KiB lie together
 * in buffers of at most 4 KiB, which hold strings of one message only, so a string that is kept
 * holds on to that much; longer ones have memory of their own.
 *
 * A `reference` counts against the limits as if its value had been sent again, so walking a decoded
 * value never takes more steps than the limits allow tokens.
 */
export class BananaReceiver {
  readonly #reader: MessageReader;
  readonly #tokenizer: Tokenizer;
  #broken: unknown;
  #feeding = false;
  /** Copies of the chunks that were fed while another was being read. */
  readonly #waiting: Uint8Array[] = [];

  /**
   * @param vocab The negotiated table.
   * @param handler Called from within {@linkcode feed}, in the order of the stream.
   */
  constructor(vocab: VocabTable, limits: Limits, handler: BananaHandler) {
    this.#reader = new MessageReader(vocab, limits, handler);
    this.#tokenizer = new Tokenizer(vocab, limits, this.#reader);
  }

  /** Bytes that one top-level sequence may have; `callBytes` at first. Holds at once when set. */
  get messageLimit(): number {
    return this.#reader.messageLimit;
  }
  set messageLimit(bytes: number) {
    this.#reader.messageLimit = bytes;
  }

  /** Bytes that have come of a message that is not complete; 0 between messages. */
  get buffered(): number {
    return this.#reader.received - this.#tokenizer.bodyMissing +
      this.#tokenizer.headerHeld;
  }

  /**
   * Takes the next bytes; the chunk is the caller's again on return.
   * A chunk fed from within the handler waits until the one at hand is done.
   * @throws {BananaError} When the stream is broken, or the peer has sent an ERROR (`remote-error`).
   * What the handler throws comes through. After either the receiver is of no more use: every
   * further call throws the same.
   */
  feed(chunk: Uint8Array): void {
    if (this.#broken !== undefined) throw this.#broken;
    if (this.#feeding) {
      this.#waiting.push(new Uint8Array(chunk));
      return;
    }
    this.#feeding = true;
    try {
      this.#tokenizer.feed(chunk);
      while (this.#waiting.length > 0) {
        this.#tokenizer.feed(this.#waiting.shift()!);
      }
    } catch (error) {
      this.#broken = error;
      this.#waiting.length = 0;
      this.#reader.drop();
      throw error;
    } finally {
      this.#feeding = false;
    }
  }
}

/** From tokens to messages: keeps the stack of open sequences and the limits of a message. */
class MessageReader implements TokenSink, SequenceReader {
  readonly limits: Limits;
  messageLimit: number;
  /** Bytes of the message under way, the token at hand with all of its body. */
  received = 0;
  /** What counts against the limits: the message, and what its references stand for. */
  #bytes = 0;
  #tokens = 0;
  readonly #words: readonly string[];
  readonly #wordBytes: readonly Uint8Array[];
  readonly #handler: BananaHandler;
  /** First byte of the token at hand. */
  #offset = 0;
  /** OPENs so far, those of rejected sequences included. */
  #opens = 0;
  /** The sender's numbers of the open sequences. */
  #numbers: (number | bigint)[] = [];
  /** The sequences that are being read; empty while a message is skipped. */
  #stack: Unslicer[] = [];
  /** An OPEN has come, its type word has not. */
  #opening = false;
  /** The rest of the top-level sequence is of no interest. */
  #skipping = false;
  #message: MessageUnslicer | undefined;
  #violation: string | undefined;
  readonly #referables = new Map<number, Referable>();
  /** Where the short byte strings of the message go; the next one at `#slabUsed`. */
  #slab = noSlab;
  #slabUsed = 0;

  constructor(vocab: VocabTable, limits: Limits, handler: BananaHandler) {
    this.limits = limits;
    this.messageLimit = limits.callBytes;
    this.#words = vocab.words;
    this.#wordBytes = vocabulary(vocab).bytes;
    this.#handler = handler;
  }

  begin(type: number, size: number, offset: number): void {
    this.#offset = offset;
    if (this.#numbers.length === 0 && type !== TokenType.OPEN) {
      if (type === TokenType.ABORT) return;
      if (type === TokenType.CLOSE) {
        this.fatal("lost-sync", "a CLOSE has come where nothing is open");
      }
      this.fatal("bad-token", "only an OPEN may stand at top level");
    }
    this.received += size;
    this.#charge(1, size);
    if (type === TokenType.CLOSE || type === TokenType.ABORT) return;
    if (this.#opening) {
      if (type === TokenType.OPEN) {
        this.fatal("bad-token", "an OPEN has come directly after an OPEN");
      }
      if (type === TokenType.STRING || type === TokenType.VOCAB) return;
      this.#opening = false;
      this.#reject("the type of a sequence has to be a STRING");
      return;
    }
    if (this.#skipping || this.#stack.length === 0) return;
    try {
      this.#top().check(type === TokenType.VOCAB ? TokenType.STRING : type);
    } catch (error) {
      this.#rejectFor(error);
    }
  }

  integer(type: number, value: bigint): void {
    if (!this.#skipping) this.#receive(value, type);
  }

  float(value: number): void {
    if (!this.#skipping) this.#receive(value, TokenType.FLOAT);
  }

  string(bytes: Uint8Array, start: number, end: number): void {
    if (this.#opening) {
      this.#opening = false;
      if (!this.#skipping) this.#start(shortWord(bytes, start, end));
    } else if (!this.#skipping) {
      try {
        this.#top().string(bytes, start, end);
      } catch (error) {
        this.#rejectFor(error);
      }
    }
  }

  vocab(index: number): void {
    if (this.#opening) {
      this.#opening = false;
      if (!this.#skipping) this.#start(this.#words[index]);
    } else {
      const word = this.#wordBytes[index];
      this.string(word, 0, word.length);
    }
  }

  open(number: number | bigint): void {
    if (this.#numbers.length >= this.limits.depth) {
      this.fatal(
        "too-deep",
        `sequences are nested more than ${this.limits.depth} deep`,
      );
    }
    this.#numbers.push(number);
    this.#opens++;
    this.#opening = true;
  }

  close(number: number | bigint): void {
    if (this.#opening) {
      this.fatal("lost-sync", "a CLOSE has come in place of a sequence's type");
    }
    const expected = this.#numbers.pop();
    if (number !== expected) {
      this.fatal(
        "lost-sync",
        `CLOSE ${number} has come where CLOSE ${expected} was due`,
      );
    }
    let message: Message | undefined;
    if (!this.#skipping) {
      try {
        message = this.#finish();
      } catch (error) {
        this.#rejectFor(error);
      }
    }
    if (this.#numbers.length > 0) return;
    if (this.#violation !== undefined) {
      const { kind: of, request } = this.#message!;
      message = { kind: "violation", of, request, text: this.#violation };
    }
    this.drop();
    if (message !== undefined) this.#handler.message(message);
  }

  abort(): void {
    if (this.#numbers.length === 0) return;
    this.#opening = false;
    if (this.#message?.kind === "call") this.#skip();
    else this.#reject("the sender has aborted it");
  }

  ping(number: bigint): void {
    this.#handler.ping(number);
  }

  /** Forgets the message under way. */
  drop(): void {
    this.#skip();
    this.#skipping = false;
    this.#message = undefined;
    this.#violation = undefined;
    this.received = 0;
    this.#bytes = 0;
    this.#tokens = 0;
  }

  /** Ends the reading of the stream. */
  fatal(code: BananaErrorCode, message: string): never {
    throw new BananaError(
      code,
      `reading a Banana stream: ${message}`,
      this.#offset,
    );
  }

  copy(bytes: Uint8Array, start: number, end: number): Uint8Array {
    const known = pool.get(bytes, start, end);
    if (known !== undefined) return known;
    const length = end - start;
    // An allocation costs more than the copy: a quarter of a microsecond.
    if (length > longestInSlab) return bytes.slice(start, end);
    let at = this.#slabUsed;
    if (at + length > this.#slab.byteLength) {
      const size = Math.min(
        largestSlab,
        Math.max(smallestSlab, this.#slab.byteLength * 4),
      );
      this.#slab = new ArrayBuffer(Math.max(size, length));
      at = 0;
    }
    const copy = new Uint8Array(this.#slab, at, length);
    for (let i = 0; i < length; i++) copy[i] = bytes[start + i];
    this.#slabUsed = at + length;
    return copy;
  }

  /** The value that a `reference` stands for. */
  resolve(count: bigint): Referable {
    const number = Number(count);
    const found = this.#referables.get(number);
    if (found === undefined) {
      if (this.#stack.some((open) => open.referable && open.count === number)) {
        throw new Violation("a reference to a sequence that is still open");
      }
      this.fatal("bad-reference", `a reference to OPEN ${count} leads nowhere`);
    }
    if (this.#numbers.length + found.height > this.limits.depth) {
      this.fatal(
        "too-deep",
        `with a reference resolved, sequences are nested more than ${this.limits.depth} deep`,
      );
    }
    this.#charge(found.tokens, found.bytes);
    return found;
  }

  #charge(tokens: number, bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes > this.messageLimit) {
      this.fatal(
        "message-too-large",
        `a message has more than ${this.messageLimit} bytes`,
      );
    }
    this.#tokens += tokens;
    if (this.#tokens > this.limits.messageTokens) {
      this.fatal(
        "too-many-tokens",
        `a message has more than ${this.limits.messageTokens} tokens`,
      );
    }
  }

  #top(): Unslicer {
    return this.#stack[this.#stack.length - 1];
  }

  #receive(value: BananaValue, type: number): void {
    try {
      this.#top().receive(value, type);
    } catch (error) {
      this.#rejectFor(error);
    }
  }

  /** The type word of a sequence has come; undefined if it is longer than any that is known. */
  #start(word: string | undefined): void {
    if (this.#stack.length === 0) {
      switch (word) {
        case "call":
          this.#message = new CallUnslicer(this);
          break;
        case "answer":
          this.#message = new AnswerUnslicer(this);
          break;
        case "error":
          this.#message = new ErrorUnslicer(this);
          break;
        default:
          this.#skipping = true;
          return;
      }
      this.#push(this.#message);
      return;
    }
    try {
      if (word === undefined) {
        throw new Violation("the type of a sequence is unknown and too long");
      }
      this.#push(this.#top().child(word));
    } catch (error) {
      this.#rejectFor(error);
    }
  }

  #push(unslicer: Unslicer): void {
    unslicer.count = this.#opens - 1;
    unslicer.tokens = this.#tokens;
    unslicer.bytes = this.#bytes;
    this.#stack.push(unslicer);
  }

  /** The innermost sequence is complete. */
  #finish(): Message | undefined {
    const done = this.#stack.pop()!;
    if (done === this.#message) return this.#message.message();
    const value = done.close();
    if (done.referable) {
      this.#referables.set(done.count, {
        value,
        // The OPEN and its type word came before the unslicer was made.
        tokens: this.#tokens - done.tokens + 2,
        bytes: this.#bytes - done.bytes + 4,
        height: done.height,
      });
    }
    const parent = this.#top();
    if (done.height >= parent.height) parent.height = done.height + 1;
    parent.receive(value, TokenType.OPEN);
    return undefined;
  }

  #rejectFor(error: unknown): void {
    if (!(error instanceof Violation)) throw error;
    this.#reject(error.message);
  }

  /** Skips the rest of the top-level sequence, and reports it if it is a message. */
  #reject(text: string): void {
    if (!this.#skipping && this.#message !== undefined) this.#violation = text;
    this.#skip();
  }

  #skip(): void {
    this.#skipping = true;
    if (this.#stack.length > 0) this.#stack = [];
    if (this.#referables.size > 0) this.#referables.clear();
    if (this.#slab.byteLength > 0) this.#slab = noSlab;
    this.#slabUsed = 0;
  }
}

const pool = new ByteStrings();
const noSlab = new ArrayBuffer(0);
const smallestSlab = 256;
const largestSlab = 4096;
const longestInSlab = 1024;

/** The longest type word that is known: "their-reference". */
const longestWord = 15;

/** A short sequence type as text, byte by byte; undefined if it is longer than any that is known. */
function shortWord(
  bytes: Uint8Array,
  start: number,
  end: number,
): string | undefined {
  return end - start > longestWord ? undefined : latin1(bytes, start, end);
}
