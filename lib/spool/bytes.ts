import { decodeText } from "../snapshot/names.ts";

/** Bytes that are not what a spool's writer writes. Caught by the reader of a segment. */
export class SpoolError extends Error {
  override name = "SpoolError";
}

const utf8 = new TextEncoder();
const latin1 = new TextDecoder("latin1");

/**
 * Bytes in the making: numbers and texts as a spool's frames hold them. Numbers are LEB128, seven
 * bits a byte, the lowest first; signed ones are folded first (0, -1, 1, -2 … to 0, 1, 2, 3 …).
 */
export class ByteWriter {
  /** The bytes, and room after {@linkcode length}. Another array after each growth. */
  bytes = new Uint8Array(64);
  length = 0;

  /** Makes room for `size` more bytes. */
  reserve(size: number): void {
    const needed = this.length + size;
    if (needed <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.bytes.length * 2));
    grown.set(this.bytes);
    this.bytes = grown;
  }

  byte(byte: number): void {
    this.reserve(1);
    this.bytes[this.length++] = byte;
  }

  /** @param value An integer from 0 to 2^53 - 1. */
  varint(value: number): void {
    this.reserve(8);
    let rest = value;
    while (rest >= 0x8000_0000) {
      this.bytes[this.length++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    while (rest >= 0x80) {
      this.bytes[this.length++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.bytes[this.length++] = rest;
  }

  /** @param value An integer of less than 2^52, up or down. */
  signed(value: number): void {
    this.varint(value < 0 ? -value * 2 - 1 : value * 2);
  }

  /** Least significant byte first. */
  uint32(value: number): void {
    this.reserve(4);
    for (let shift = 0; shift < 32; shift += 8) {
      this.bytes[this.length++] = value >>> shift;
    }
  }

  /** The number of bytes, then UTF-8. */
  text(text: string): void {
    const encoded = utf8.encode(text);
    this.varint(encoded.length);
    this.raw(encoded);
  }

  raw(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.bytes.set(bytes, this.length);
    this.length += bytes.length;
  }
}

/** Reads what {@linkcode ByteWriter} wrote; never beyond the end. */
export class ByteReader {
  readonly bytes: Uint8Array;
  offset = 0;
  /** All bytes, each as a character. */
  #ascii: string | undefined;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** Bytes that have not been read. */
  get left(): number {
    return this.bytes.length - this.offset;
  }

  byte(): number {
    if (this.offset >= this.bytes.length) cutShort();
    return this.bytes[this.offset++];
  }

  varint(): number {
    let value = this.byte();
    if (value < 0x80) return value;
    value &= 0x7f;
    for (let scale = 0x80; scale <= 2 ** 49; scale *= 0x80) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (value > Number.MAX_SAFE_INTEGER) break;
        return value;
      }
    }
    throw new SpoolError("a number is too large");
  }

  signed(): number {
    const folded = this.varint();
    return folded % 2 === 0 ? folded / 2 : -(folded + 1) / 2;
  }

  uint32(): number {
    const at = this.#take(4);
    const bytes = this.bytes;
    return (bytes[at] | bytes[at + 1] << 8 | bytes[at + 2] << 16 |
      bytes[at + 3] << 24) >>> 0;
  }

  /** @throws SnapshotError when it is not UTF-8. */
  text(): string {
    const { bytes } = this;
    const start = this.#take(this.varint());
    const end = this.offset;
    for (let i = start; i < end; i++) {
      if (bytes[i] >= 0x80) return decodeText(bytes, start, end);
    }
    // Thousands of texts are cut out of one several times faster than they are made one by one.
    this.#ascii ??= latin1.decode(bytes);
    return this.#ascii.slice(start, end);
  }

  /** Passes over a text without making it. */
  skipText(): void {
    this.#take(this.varint());
  }

  #take(length: number): number {
    if (length > this.left) cutShort();
    const start = this.offset;
    this.offset += length;
    return start;
  }
}

function cutShort(): never {
  throw new SpoolError("it ends in the middle");
}
