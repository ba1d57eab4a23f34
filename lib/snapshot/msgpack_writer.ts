import type { Value } from "../value.ts";
import { INTEGER_EXTENSION, MAX_INTEGER_BYTES } from "./msgpack_reader.ts";

const encoder = new TextEncoder();

/**
 * MessagePack as snapshots hold it, every item in its smallest form.
 * Source: the MessagePack specification, "Formats".
 */
export class MsgpackWriter {
  #bytes = new Uint8Array(4096);
  #view = new DataView(this.#bytes.buffer);
  #pos = 0;

  /** What has been written so far. */
  take(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#pos);
  }

  /** Begins anew, with the memory of before. */
  clear(): void {
    this.#pos = 0;
  }

  /** The header of a map; `size` keys and values must follow. */
  map(size: number): void {
    this.#reserve(5);
    if (size < 0x10) this.#bytes[this.#pos++] = 0x80 | size;
    else if (size < 0x10000) this.#uint16(0xde, size);
    else this.#uint32(0xdf, size);
  }

  text(text: string): void {
    const start = this.#pos;
    const length = text.length;
    this.#reserve(5 + length);
    this.#textHeader(length);
    const bytes = this.#bytes;
    let pos = this.#pos;
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i);
      if (code >= 0x80) {
        this.#pos = start;
        return this.#wideText(text);
      }
      bytes[pos++] = code;
    }
    this.#pos = pos;
  }

  /** A number of either kind: bigint as integer, number as float64, null as nil. */
  value(value: Value): void {
    if (value === null) this.nil();
    else if (typeof value === "number") this.float(value);
    else this.integer(value);
  }

  nil(): void {
    this.#reserve(1);
    this.#bytes[this.#pos++] = 0xc0;
  }

  float(value: number): void {
    this.#reserve(9);
    this.#bytes[this.#pos++] = 0xcb;
    this.#view.setFloat64(this.#pos, value);
    this.#pos += 8;
  }

  /** @throws RangeError when it is too large to be read back. */
  integer(value: bigint): void {
    this.#reserve(9);
    if (value >= -0x8000_0000n && value <= 0xffff_ffffn) {
      this.#smallInteger(Number(value));
    } else if (value >= 0n && BigInt.asUintN(64, value) === value) {
      this.#bytes[this.#pos++] = 0xcf;
      this.#view.setBigUint64(this.#pos, value);
      this.#pos += 8;
    } else if (BigInt.asIntN(64, value) === value) {
      this.#bytes[this.#pos++] = 0xd3;
      this.#view.setBigInt64(this.#pos, value);
      this.#pos += 8;
    } else {
      this.#bigInteger(value);
    }
  }

  #smallInteger(value: number): void {
    const bytes = this.#bytes;
    if (value >= 0) {
      if (value < 0x80) bytes[this.#pos++] = value;
      else if (value < 0x100) this.#uint8(0xcc, value);
      else if (value < 0x10000) this.#uint16(0xcd, value);
      else this.#uint32(0xce, value);
    } else if (value >= -0x20) bytes[this.#pos++] = value & 0xff;
    else if (value >= -0x80) this.#uint8(0xd0, value & 0xff);
    else if (value >= -0x8000) this.#uint16(0xd1, value & 0xffff);
    else this.#uint32(0xd2, value >>> 0);
  }

  #bigInteger(value: bigint): void {
    // ~value of a negative one is what its two's complement has inverted.
    let hex = (value < 0n ? ~value : value).toString(16);
    if (hex.length % 2 === 1) hex = "0" + hex;
    if (hex[0] >= "8") hex = "00" + hex;
    const length = hex.length / 2;
    if (length > MAX_INTEGER_BYTES) {
      throw new RangeError(
        `Cannot encode an integer of ${length} bytes: at most ${MAX_INTEGER_BYTES} can be read back`,
      );
    }
    this.#reserve(6 + length);
    const fixed = [1, 2, 4, 8, 16].indexOf(length);
    if (fixed >= 0) this.#bytes[this.#pos++] = 0xd4 + fixed;
    else if (length < 0x100) this.#uint8(0xc7, length);
    else this.#uint16(0xc8, length);
    this.#bytes[this.#pos++] = INTEGER_EXTENSION;
    const invert = value < 0n ? 0xff : 0;
    for (let i = 0; i < hex.length; i += 2) {
      this.#bytes[this.#pos++] = parseInt(hex.slice(i, i + 2), 16) ^ invert;
    }
  }

  #wideText(text: string): void {
    const encoded = encoder.encode(text);
    this.#reserve(5 + encoded.length);
    this.#textHeader(encoded.length);
    this.#bytes.set(encoded, this.#pos);
    this.#pos += encoded.length;
  }

  #textHeader(length: number): void {
    if (length < 0x20) this.#bytes[this.#pos++] = 0xa0 | length;
    else if (length < 0x100) this.#uint8(0xd9, length);
    else if (length < 0x10000) this.#uint16(0xda, length);
    else this.#uint32(0xdb, length);
  }

  #uint8(lead: number, value: number): void {
    this.#bytes[this.#pos++] = lead;
    this.#bytes[this.#pos++] = value;
  }

  #uint16(lead: number, value: number): void {
    this.#bytes[this.#pos++] = lead;
    this.#view.setUint16(this.#pos, value);
    this.#pos += 2;
  }

  #uint32(lead: number, value: number): void {
    this.#bytes[this.#pos++] = lead;
    this.#view.setUint32(this.#pos, value);
    this.#pos += 4;
  }

  #reserve(size: number): void {
    const needed = this.#pos + size;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    grown.set(this.#bytes);
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}
