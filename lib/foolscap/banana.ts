/**
 * Banana's tokens: bytes to tokens ({@linkcode Tokenizer}) and tokens to bytes
 * ({@linkcode TokenWriter}). What tokens mean together is the business of `unslicers.ts` and
 * `slicers.ts`. Source of the format: Foolscap's `banana.rst` and `banana.py`, as seen on the wire.
 * @module
 */

import { BananaError } from "./errors.ts";
import type { Limits } from "./limits.ts";

/** The byte that ends a token's header and says what the token is. */
export const TokenType = {
  INT: 0x81,
  STRING: 0x82,
  NEG: 0x83,
  FLOAT: 0x84,
  LONGINT: 0x85,
  LONGNEG: 0x86,
  VOCAB: 0x87,
  OPEN: 0x88,
  CLOSE: 0x89,
  ABORT: 0x8a,
  ERROR: 0x8d,
  PING: 0x8e,
  PONG: 0x8f,
} as const;

/** Words that both ends know by number; the negotiation picks the table. */
export interface VocabTable {
  /** The table's number in `initial-vocab-table-index`. */
  readonly index: number;
  /** First 4 hex digits of the SHA-1 of the words joined by zero bytes. */
  readonly hash: string;
  /** ASCII words; the position is the header of a VOCAB token. */
  readonly words: readonly string[];
}

/** Both tables that exist, at their own index. Source: Foolscap's `vocab.py`, 0.1.7 to 21.7.0. */
export const vocabTables: readonly VocabTable[] = [
  { index: 0, hash: "da39", words: [] },
  {
    index: 1,
    hash: "bb33",
    words: (
      "none boolean reference dict list tuple set immutable-set unicode set-vocab add-vocab call " +
      "arguments answer error my-reference your-reference their-reference copyable instance " +
      "module class method function attrdict"
    ).split(" "),
  },
];

const encoder = new TextEncoder();

/** Digits of a header that a double holds exactly: 7 × 7 bits. */
const exactDigits = 7;
const scale = Array.from({ length: exactDigits }, (_, i) => 128 ** i);

/** Shared by all connections: most integers in statistics are small. */
const smallIntegers = Array.from({ length: 1024 }, (_, i) => BigInt(i));

const floatBytes = new Uint8Array(8);
const floatView = new DataView(floatBytes.buffer);

/**
 * What a {@linkcode Tokenizer} reports to. Every method may throw; the tokenizer is of no use
 * afterwards.
 */
export interface TokenSink {
  /**
   * A token other than PING and PONG begins: header and type byte are there, the body is not yet
   * awaited. The method named after the token follows when the body has come.
   * @param size Bytes of the whole token.
   * @param offset Its first byte, counted from the first byte of the stream.
   */
  begin(type: number, size: number, offset: number): void;
  /** INT, NEG, LONGINT or LONGNEG; `type` says which. */
  integer(type: number, value: bigint): void;
  /** FLOAT. */
  float(value: number): void;
  /** STRING; the bytes are on loan until the method returns. */
  string(bytes: Uint8Array, start: number, end: number): void;
  /** VOCAB; the index is that of a word of the table. */
  vocab(index: number): void;
  /** OPEN with the sender's number. */
  open(number: number | bigint): void;
  /** CLOSE with the number of the OPEN it ends. */
  close(number: number | bigint): void;
  /** ABORT. */
  abort(): void;
  /** PING with its number, to be answered with a PONG of the same number. */
  ping(number: bigint): void;
}

/**
 * Cuts a stream of bytes into tokens, whatever the chunks. Nothing of a chunk is kept after
 * {@linkcode Tokenizer.feed} has returned; of an unfinished token only the bytes that have come
 * take memory.
 */
export class Tokenizer {
  readonly #limits: Limits;
  readonly #words: number;
  readonly #sink: TokenSink;
  /** Bytes of the stream before the chunk at hand. */
  #before = 0;
  #digits = 0;
  #low = 0;
  #high: Uint8Array | undefined;
  /** Type of the token whose body is awaited, or 0. */
  #type = 0;
  #body = new Uint8Array(0);
  #bodyHeld = 0;
  #bodySize = 0;

  /** @param vocab The negotiated table; a VOCAB token beyond it breaks the stream. */
  constructor(vocab: VocabTable, limits: Limits, sink: TokenSink) {
    this.#words = vocab.words.length;
    this.#limits = limits;
    this.#sink = sink;
  }

  /** Header bytes of a token whose type byte has not come. */
  get headerHeld(): number {
    return this.#digits;
  }

  /** Body bytes of a token that have not come. */
  get bodyMissing(): number {
    return this.#type === 0 ? 0 : this.#bodySize - this.#bodyHeld;
  }

  /**
   * Takes the next bytes of the stream.
   * @throws {BananaError} When the stream is broken, or the peer has sent an ERROR token.
   */
  feed(chunk: Uint8Array): void {
    if (chunk.constructor !== Uint8Array) {
      // A Buffer, which slices without copying.
      chunk = new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length);
    }
    const sink = this.#sink;
    const end = chunk.length;
    let at = 0;
    if (this.#type !== 0) {
      at = this.#resume(chunk);
      if (this.#type !== 0) {
        this.#before += end;
        return;
      }
    }
    let digits = this.#digits;
    let low = this.#low;
    while (at < end) {
      const type = chunk[at++];
      if (type < 0x80) {
        if (digits < exactDigits) low += type * scale[digits];
        else this.#keepHigh(type, digits);
        if (++digits > this.#limits.headerBytes) {
          throw new BananaError(
            "header-too-long",
            `reading a token: its header has more than ${this.#limits.headerBytes} bytes`,
            this.#before + at - digits,
          );
        }
        continue;
      }
      const offset = this.#before + at - 1 - digits;
      const size = digits + 1;
      const header = digits <= exactDigits ? low : this.#wide(low, digits);
      digits = 0;
      low = 0;
      let bodyLimit: number;
      switch (type) {
        case TokenType.INT:
          sink.begin(type, size, offset);
          sink.integer(type, toBigInt(header));
          continue;
        case TokenType.NEG:
          sink.begin(type, size, offset);
          sink.integer(type, -toBigInt(header));
          continue;
        case TokenType.VOCAB:
          if (header >= this.#words) {
            throw new BananaError(
              "bad-vocab",
              `reading a VOCAB token: the table has no word ${header}`,
              offset,
            );
          }
          sink.begin(type, size, offset);
          sink.vocab(header as number);
          continue;
        case TokenType.OPEN:
          sink.begin(type, size, offset);
          sink.open(header);
          continue;
        case TokenType.CLOSE:
          sink.begin(type, size, offset);
          sink.close(header);
          continue;
        case TokenType.ABORT:
          sink.begin(type, size, offset);
          sink.abort();
          continue;
        case TokenType.PING:
          sink.ping(toBigInt(header));
          continue;
        case TokenType.PONG:
          continue;
        case TokenType.STRING:
          bodyLimit = this.#limits.stringBytes;
          break;
        case TokenType.FLOAT:
          bodyLimit = Infinity;
          break;
        case TokenType.LONGINT:
        case TokenType.LONGNEG:
          bodyLimit = this.#limits.integerBytes;
          break;
        case TokenType.ERROR:
          bodyLimit = this.#limits.errorBytes;
          break;
        default:
          throw new BananaError(
            "unknown-type-byte",
            `reading a token: 0x${type.toString(16)} is no type byte`,
            offset,
          );
      }
      if (header > bodyLimit) {
        throw new BananaError(
          "token-too-large",
          `reading a token of type 0x${
            type.toString(16)
          }: it announces ${header} bytes, the limit is ${bodyLimit}`,
          offset,
        );
      }
      const length = type === TokenType.FLOAT ? 8 : header as number;
      if (type !== TokenType.ERROR) sink.begin(type, size + length, offset);
      if (end - at < length) {
        this.#hold(type, length, chunk, at);
        at = end;
      } else {
        this.#deliver(type, chunk, at, at + length, this.#before + at);
        at += length;
      }
    }
    this.#digits = digits;
    this.#low = low;
    this.#before += end;
  }

  #keepHigh(digit: number, position: number): void {
    this.#high ??= new Uint8Array(this.#limits.headerBytes + 1);
    this.#high[position] = digit;
  }

  /** A header of more digits than a double holds; a number again when padding made it long. */
  #wide(low: number, digits: number): number | bigint {
    const high = this.#high!;
    let value = 0n;
    // From the most significant group down, as many digits at a time as a double holds.
    const first = digits - 1 - ((digits - 1) % exactDigits);
    for (let group = first; group >= exactDigits; group -= exactDigits) {
      let part = 0;
      for (let i = Math.min(group + exactDigits, digits) - 1; i >= group; i--) {
        part = part * 128 + high[i];
      }
      value = (value << 49n) | BigInt(part);
    }
    value = (value << 49n) | BigInt(low);
    return value <= Number.MAX_SAFE_INTEGER ? Number(value) : value;
  }

  /** Starts to collect a body that goes on in later chunks. */
  #hold(type: number, size: number, chunk: Uint8Array, at: number): void {
    this.#type = type;
    this.#bodySize = size;
    this.#bodyHeld = 0;
    this.#collect(chunk, at, chunk.length);
  }

  #collect(chunk: Uint8Array, start: number, end: number): void {
    const held = this.#bodyHeld;
    const need = held + end - start;
    if (need > this.#body.length) {
      // Grows with what has come, not with what was announced.
      const grown = new Uint8Array(
        Math.max(64, Math.min(this.#bodySize, need * 2)),
      );
      grown.set(this.#body.subarray(0, held));
      this.#body = grown;
    }
    if (end - start < 16) {
      const body = this.#body;
      for (let i = start, j = held; i < end; i++, j++) body[j] = chunk[i];
    } else {
      this.#body.set(chunk.subarray(start, end), held);
    }
    this.#bodyHeld = need;
  }

  /** Adds a chunk's beginning to the awaited body; returns where the rest of the chunk begins. */
  #resume(chunk: Uint8Array): number {
    const end = Math.min(chunk.length, this.#bodySize - this.#bodyHeld);
    this.#collect(chunk, 0, end);
    if (this.#bodyHeld === this.#bodySize) {
      const type = this.#type;
      this.#type = 0;
      this.#deliver(
        type,
        this.#body,
        0,
        this.#bodySize,
        this.#before + end - this.#bodySize,
      );
      // A small buffer serves the next body too; a large one is not kept for an idle connection.
      if (this.#body.length > 1024) this.#body = new Uint8Array(0);
    }
    return end;
  }

  #deliver(
    type: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    offset: number,
  ): void {
    switch (type) {
      case TokenType.STRING:
        this.#sink.string(bytes, start, end);
        return;
      case TokenType.FLOAT:
        for (let i = 0; i < 8; i++) floatBytes[i] = bytes[start + i];
        this.#sink.float(floatView.getFloat64(0));
        return;
      case TokenType.LONGINT:
        this.#sink.integer(type, readInteger(bytes, start, end));
        return;
      case TokenType.LONGNEG:
        this.#sink.integer(type, -readInteger(bytes, start, end));
        return;
      default:
        throw new BananaError(
          "remote-error",
          `the peer ends the connection with an error: "${
            printable(bytes, start, end)
          }"`,
          offset,
        );
    }
  }
}

function toBigInt(header: number | bigint): bigint {
  if (typeof header === "bigint") return header;
  return header < smallIntegers.length ? smallIntegers[header] : BigInt(header);
}

/** Big-endian magnitude of a LONGINT or LONGNEG. */
function readInteger(bytes: Uint8Array, start: number, end: number): bigint {
  if (end - start <= 6) {
    let value = 0;
    for (let i = start; i < end; i++) value = value * 256 + bytes[i];
    return BigInt(value);
  }
  let hex = "0x";
  for (let i = start; i < end; i++) hex += hexPairs[bytes[i]];
  return BigInt(hex);
}

const hexPairs = Array.from(
  { length: 256 },
  (_, i) => i.toString(16).padStart(2, "0"),
);

/** A peer's text as printable ASCII on one line. */
function printable(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  for (let i = start; i < end; i++) {
    const byte = bytes[i];
    text += byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : "?";
  }
  return text;
}

/** A vocab table made ready for both directions; {@linkcode vocabulary} keeps one for each table. */
export class Vocabulary {
  /** The words as bytes. Not to be handed out: callers copy. */
  readonly bytes: readonly Uint8Array[];
  /** A word's index. */
  readonly index: ReadonlyMap<string, number>;
  /** Length of the longest word. */
  readonly longest: number;
  readonly #byShape = new Map<number, number[]>();

  /** @param table The words. */
  constructor(table: VocabTable) {
    this.bytes = table.words.map((word) => encoder.encode(word));
    this.index = new Map(table.words.map((word, index) => [word, index]));
    this.longest = Math.max(0, ...this.bytes.map((bytes) => bytes.length));
    this.bytes.forEach((bytes, index) => {
      const shape = bytes[0] << 8 | bytes.length;
      const same = this.#byShape.get(shape);
      if (same === undefined) this.#byShape.set(shape, [index]);
      else same.push(index);
    });
  }

  /** The index of the word that `bytes` spell, or -1. */
  find(bytes: Uint8Array): number {
    const length = bytes.length;
    if (length === 0 || length > this.longest) return -1;
    const candidates = this.#byShape.get(bytes[0] << 8 | length);
    if (candidates === undefined) return -1;
    for (const index of candidates) {
      const word = this.bytes[index];
      let i = 1;
      while (i < length && word[i] === bytes[i]) i++;
      if (i === length) return index;
    }
    return -1;
  }
}

const vocabularies = new WeakMap<VocabTable, Vocabulary>();

/** The {@linkcode Vocabulary} of a table. */
export function vocabulary(table: VocabTable): Vocabulary {
  let found = vocabularies.get(table);
  if (found === undefined) {
    found = new Vocabulary(table);
    vocabularies.set(table, found);
  }
  return found;
}

/** The buffer that the next writer takes; writers return it, so one serves all connections. */
let spare: Uint8Array<ArrayBuffer> | undefined;
const spareLimit = 1024 * 1024;

/** Writes tokens one after the other into a buffer that grows. */
export class TokenWriter {
  readonly #vocabulary: Vocabulary;
  #buffer: Uint8Array<ArrayBuffer>;
  #length = 0;

  /** @param vocab The negotiated table: strings that are its words go out as VOCAB. */
  constructor(vocab: VocabTable) {
    this.#vocabulary = vocabulary(vocab);
    this.#buffer = spare ?? new Uint8Array(4096);
    spare = undefined;
  }

  /** INT or NEG for 32 bits, LONGINT or LONGNEG beyond. */
  integer(value: bigint): void {
    if (BigInt.asIntN(32, value) === value) {
      const small = Number(value);
      if (small >= 0) this.#token(small, TokenType.INT);
      else this.#token(-small, TokenType.NEG);
    } else if (value > 0n) {
      this.#magnitude(value, TokenType.LONGINT);
    } else {
      this.#magnitude(-value, TokenType.LONGNEG);
    }
  }

  /** FLOAT, for integral numbers too. */
  float(value: number): void {
    this.#reserve(9);
    floatView.setFloat64(0, value);
    const buffer = this.#buffer;
    let at = this.#length;
    buffer[at++] = TokenType.FLOAT;
    for (let i = 0; i < 8; i++) buffer[at++] = floatBytes[i];
    this.#length = at;
  }

  /** STRING, or VOCAB for a word of the table. */
  string(bytes: Uint8Array): void {
    const word = this.#vocabulary.find(bytes);
    if (word >= 0) return this.#token(word, TokenType.VOCAB);
    const length = bytes.length;
    this.#token(length, TokenType.STRING);
    this.#reserve(length);
    if (length < 32) {
      const buffer = this.#buffer;
      const at = this.#length;
      for (let i = 0; i < length; i++) buffer[at + i] = bytes[i];
    } else {
      this.#buffer.set(bytes, this.#length);
    }
    this.#length += length;
  }

  /** STRING of a text's UTF-8, or VOCAB for a word of the table. A lone surrogate becomes U+FFFD. */
  text(text: string): void {
    const length = text.length;
    if (length <= this.#vocabulary.longest) {
      const word = this.#vocabulary.index.get(text);
      if (word !== undefined) return this.#token(word, TokenType.VOCAB);
    }
    const before = this.#length;
    this.#token(length, TokenType.STRING);
    this.#reserve(length);
    const buffer = this.#buffer;
    let at = this.#length;
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i);
      if (code > 0x7f) {
        this.#length = before;
        return this.string(encoder.encode(text));
      }
      buffer[at++] = code;
    }
    this.#length = at;
  }

  /** OPEN. */
  open(number: number): void {
    this.#token(number, TokenType.OPEN);
  }

  /** CLOSE of the OPEN with that number. */
  close(number: number): void {
    this.#token(number, TokenType.CLOSE);
  }

  /** PING or PONG; without header for 0, as Foolscap writes it. */
  keepalive(
    type: typeof TokenType.PING | typeof TokenType.PONG,
    number: number | bigint,
  ): void {
    let rest = BigInt(number);
    this.#reserve(rest.toString(16).length + 1);
    while (rest > 0n) {
      this.#buffer[this.#length++] = Number(rest & 0x7fn);
      rest >>= 7n;
    }
    this.#buffer[this.#length++] = type;
  }

  /** ERROR; what is not printable ASCII becomes a question mark, what is too long is cut. */
  error(text: string, limit: number): void {
    const bytes = encoder.encode(
      text.slice(0, limit).replaceAll(/[^ -~]/g, "?"),
    );
    this.#token(bytes.length, TokenType.ERROR);
    this.#reserve(bytes.length);
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** All that was written, in memory of its own. The writer is of no use afterwards. */
  finish(): Uint8Array<ArrayBuffer> {
    const written = this.#buffer.slice(0, this.#length);
    if (this.#buffer.length <= spareLimit) spare = this.#buffer;
    this.#buffer = new Uint8Array(0);
    this.#length = 0;
    return written;
  }

  #reserve(bytes: number): void {
    const need = this.#length + bytes;
    if (need <= this.#buffer.length) return;
    const grown = new Uint8Array(Math.max(need, this.#buffer.length * 2));
    grown.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = grown;
  }

  /** Header and type byte. */
  #token(header: number, type: number): void {
    this.#reserve(9);
    const buffer = this.#buffer;
    let at = this.#length;
    while (header > 0x7f) {
      buffer[at++] = header % 128;
      header = Math.floor(header / 128);
    }
    buffer[at++] = header;
    buffer[at++] = type;
    this.#length = at;
  }

  #magnitude(value: bigint, type: number): void {
    let hex = value.toString(16);
    if (hex.length % 2 === 1) hex = "0" + hex;
    const length = hex.length / 2;
    this.#token(length, type);
    this.#reserve(length);
    for (let i = 0; i < hex.length; i += 2) {
      this.#buffer[this.#length++] = parseInt(hex.slice(i, i + 2), 16);
    }
  }
}
