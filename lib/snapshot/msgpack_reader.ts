import type { Value } from "../value.ts";
import { SnapshotError, TruncatedError } from "./error.ts";
import { decodeText, Names } from "./names.ts";
import type { Reader } from "./reader.ts";

/** The extension type of integers that do not fit 64 bits: two's complement, big-endian. */
export const INTEGER_EXTENSION = 1;

/** Bytes of such an integer; every integer that stats.json may hold fits (`json_reader.ts`). */
export const MAX_INTEGER_BYTES = 4200;

/**
 * Bytes of an item by its first byte less 0xc0, where that says it all; 0 where a length follows
 * or, at 0xc1, where nothing is defined.
 */
// deno-fmt-ignore
const FIXED_SIZE = new Uint8Array([
  1, 0, 1, 1, 0, 0, 0, 0, 0, 0, 5, 9, 2, 3, 5, 9,
  2, 3, 5, 9, 3, 4, 6, 10, 18, 0, 0, 0, 0, 0, 0, 0,
]);

/**
 * MessagePack as far as snapshots need it. Source: the MessagePack specification, "Formats".
 * Lengths and counts are checked against what is left of the file before anything is made.
 */
export class MsgpackReader implements Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #names: Names;
  readonly #base: number;
  #pos = 0;

  /**
   * @param bytes A snapshot, or a part of one that begins with an item.
   * @param base Where the part begins in the whole; for messages.
   */
  constructor(bytes: Uint8Array, base = 0) {
    this.#bytes = bytes;
    this.#base = base;
    this.#view = new DataView(
      bytes.buffer,
      bytes.byteOffset,
      bytes.byteLength,
    );
    this.#names = new Names(bytes);
  }

  atMap(): boolean {
    const lead = this.#lead();
    return lead >> 4 === 8 || lead === 0xde || lead === 0xdf;
  }

  atText(): boolean {
    const lead = this.#lead();
    return lead >> 5 === 5 || (lead >= 0xd9 && lead <= 0xdb);
  }

  map(entry: () => void): void {
    for (let left = this.#mapSize(); left > 0; left--) entry();
  }

  key(): string {
    const length = this.#textLength("a text as key");
    const start = this.#pos;
    this.#pos += length;
    return this.#names.get(start, this.#pos);
  }

  lookUp(_name: string, wanted: Uint8Array): Value | undefined {
    let left = this.#mapSize();
    const bytes = this.#bytes;
    let pos = this.#pos;
    let value: Value | undefined;
    const end = bytes.length;
    // One loop without calls for what nearly all entries are: a snapshot of 10,000 nodes has a
    // million of them. Nothing is read beyond the end, since one such read slows all others down.
    for (; left > 0; left--) {
      // An entry is two bytes at least.
      if (pos + 1 >= end) this.#truncated();
      const lead = bytes[pos];
      let length: number;
      let start: number;
      if ((lead & 0xe0) === 0xa0) {
        length = lead & 0x1f;
        start = pos + 1;
      } else if (lead === 0xd9) {
        length = bytes[pos + 1];
        start = pos + 2;
      } else {
        this.#pos = pos;
        length = this.#textLength("a text as key");
        start = this.#pos;
      }
      const next = start + length;
      if (next >= end) this.#truncated();
      if (length === wanted.length && isAt(bytes, start, wanted)) {
        this.#pos = next;
        value = this.value();
        pos = this.#pos;
        continue;
      }
      const kind = bytes[next];
      if (kind < 0x80 || kind >= 0xe0) {
        pos = next + 1;
      } else if (kind >= 0xc0 && FIXED_SIZE[kind - 0xc0] > 0) {
        pos = next + FIXED_SIZE[kind - 0xc0];
      } else {
        this.#pos = next;
        this.skip();
        pos = this.#pos;
      }
    }
    if (pos > end) this.#truncated();
    this.#pos = pos;
    return value;
  }

  text(): string {
    const length = this.#textLength("a text");
    const start = this.#pos;
    this.#pos += length;
    return decodeText(this.#bytes, start, this.#pos);
  }

  value(): Value | undefined {
    const lead = this.#lead();
    if (lead < 0x80) {
      this.#pos++;
      return BigInt(lead);
    }
    if (lead >= 0xe0) {
      this.#pos++;
      return BigInt(lead - 256);
    }
    const start = this.#pos;
    this.skip();
    const view = this.#view;
    const at = start + 1;
    switch (lead) {
      case 0xc0:
        return null;
      case 0xca:
        return view.getFloat32(at);
      case 0xcb:
        return view.getFloat64(at);
      case 0xcc:
        return BigInt(view.getUint8(at));
      case 0xcd:
        return BigInt(view.getUint16(at));
      case 0xce:
        return BigInt(view.getUint32(at));
      case 0xcf:
        return view.getBigUint64(at);
      case 0xd0:
        return BigInt(view.getInt8(at));
      case 0xd1:
        return BigInt(view.getInt16(at));
      case 0xd2:
        return BigInt(view.getInt32(at));
      case 0xd3:
        return view.getBigInt64(at);
      case 0xc7:
        return this.#integer(start, at + 1);
      case 0xc8:
        return this.#integer(start, at + 2);
      case 0xc9:
        return this.#integer(start, at + 4);
      case 0xd4:
      case 0xd5:
      case 0xd6:
      case 0xd7:
      case 0xd8:
        return this.#integer(start, at);
      default:
        return undefined;
    }
  }

  skip(): void {
    const bytes = this.#bytes;
    const end = bytes.length;
    let pos = this.#pos;
    // Not recursive: what is nested only adds to the items that must follow, and each is a byte
    // at least, so that neither depth nor promised counts can cost anything.
    for (let left = 1; left > 0; left--) {
      if (left > end - pos) this.#truncated();
      const lead = bytes[pos];
      if (lead < 0x80 || lead >= 0xe0) {
        pos++;
      } else if (lead < 0x90) {
        left += (lead & 0x0f) * 2;
        pos++;
      } else if (lead < 0xa0) {
        left += lead & 0x0f;
        pos++;
      } else if (lead < 0xc0) {
        pos += 1 + (lead & 0x1f);
      } else if (FIXED_SIZE[lead - 0xc0] > 0) {
        pos += FIXED_SIZE[lead - 0xc0];
      } else {
        switch (lead) {
          case 0xc4: // bin and str
          case 0xd9:
            pos += 2 + bytes[pos + 1];
            break;
          case 0xc5:
          case 0xda:
            pos += 3 + this.#uint16(pos + 1);
            break;
          case 0xc6:
          case 0xdb:
            pos += 5 + this.#uint32(pos + 1);
            break;
          case 0xc7: // ext
            pos += 3 + bytes[pos + 1];
            break;
          case 0xc8:
            pos += 4 + this.#uint16(pos + 1);
            break;
          case 0xc9:
            pos += 6 + this.#uint32(pos + 1);
            break;
          case 0xdc: // array
            left += this.#uint16(pos + 1);
            pos += 3;
            break;
          case 0xdd:
            left += this.#uint32(pos + 1);
            pos += 5;
            break;
          case 0xde: // map
            left += this.#uint16(pos + 1) * 2;
            pos += 3;
            break;
          case 0xdf:
            left += this.#uint32(pos + 1) * 2;
            pos += 5;
            break;
          default:
            this.#pos = pos;
            this.fail("found the byte 0xc1, which MessagePack never uses");
        }
      }
      // A length that lies beyond the end reads as NaN, which no comparison lets pass.
      if (!(pos <= end)) this.#truncated();
    }
    this.#pos = pos;
  }

  end(): void {
    if (this.#pos < this.#bytes.length) {
      this.fail("more follows after the end of the snapshot");
    }
  }

  get offset(): number {
    return this.#pos;
  }

  /** Takes the head of a map whose entries may lie beyond the part, and gives their number. */
  mapHead(): number {
    const { size, header } = this.#mapHead();
    this.#pos += header;
    return size;
  }

  fail(message: string, offset: number = this.#pos): never {
    throw new SnapshotError(message, this.#base + offset);
  }

  #lead(): number {
    if (this.#pos >= this.#bytes.length) this.#truncated();
    return this.#bytes[this.#pos];
  }

  #uint16(pos: number): number {
    return this.#bytes[pos] * 0x100 + this.#bytes[pos + 1];
  }

  #uint32(pos: number): number {
    return this.#uint16(pos) * 0x10000 + this.#uint16(pos + 2);
  }

  /** Takes the head of a map; each of its entries is two bytes at least. */
  #mapSize(): number {
    const { size, header } = this.#mapHead();
    if (size * 2 > this.#bytes.length - this.#pos - header) this.#truncated();
    this.#pos += header;
    return size;
  }

  #mapHead(): { size: number; header: number } {
    const lead = this.#lead();
    if (lead >> 4 === 8) return { size: lead & 0x0f, header: 1 };
    const header = lead === 0xde ? 3 : lead === 0xdf ? 5 : 0;
    if (header === 0) this.fail(`expected a map, found ${kindOf(lead)}`);
    if (this.#pos + header > this.#bytes.length) this.#truncated();
    const size = header === 3
      ? this.#uint16(this.#pos + 1)
      : this.#uint32(this.#pos + 1);
    return { size, header };
  }

  /** Takes the header of a text whose bytes are all there. */
  #textLength(expected: string): number {
    const lead = this.#lead();
    let length: number;
    let header = 1;
    if (lead >> 5 === 5) {
      length = lead & 0x1f;
    } else if (lead === 0xd9) {
      length = this.#bytes[this.#pos + 1];
      header = 2;
    } else if (lead === 0xda) {
      length = this.#uint16(this.#pos + 1);
      header = 3;
    } else if (lead === 0xdb) {
      length = this.#uint32(this.#pos + 1);
      header = 5;
    } else {
      this.fail(`expected ${expected}, found ${kindOf(lead)}`);
    }
    if (!(length <= this.#bytes.length - this.#pos - header)) {
      this.#truncated();
    }
    this.#pos += header;
    return length;
  }

  /** The integer in an extension that has been skipped; `undefined` when it is another type. */
  #integer(start: number, typeAt: number): bigint | undefined {
    if (this.#view.getInt8(typeAt) !== INTEGER_EXTENSION) return undefined;
    const body = this.#bytes.subarray(typeAt + 1, this.#pos);
    if (body.length > MAX_INTEGER_BYTES) {
      this.fail(
        `an integer has ${body.length} bytes, at most ${MAX_INTEGER_BYTES} are read`,
        start,
      );
    }
    if (body.length === 0) return 0n;
    let hex = "0x";
    for (const byte of body) hex += byte.toString(16).padStart(2, "0");
    return BigInt.asIntN(body.length * 8, BigInt(hex));
  }

  #truncated(): never {
    throw new TruncatedError(
      "the file ends in the middle of the snapshot",
      this.#base + this.#bytes.length,
    );
  }
}

/** Whether `wanted` stands at `start`. From the end, since names of one node begin alike. */
function isAt(bytes: Uint8Array, start: number, wanted: Uint8Array): boolean {
  for (let i = wanted.length - 1; i >= 0; i--) {
    if (bytes[start + i] !== wanted[i]) return false;
  }
  return true;
}

function kindOf(lead: number): string {
  if (lead < 0x80 || lead >= 0xe0 || (lead >= 0xcc && lead <= 0xd3)) {
    return "an integer";
  }
  if (lead < 0x90 || lead >= 0xde) return "a map";
  if (lead < 0xa0 || lead >= 0xdc) return "a list";
  if (lead < 0xc0 || lead >= 0xd9) return "a text";
  if (lead === 0xc0) return "nil";
  if (lead === 0xc1) return "a byte that MessagePack never uses";
  if (lead <= 0xc3) return "a truth value";
  if (lead <= 0xc6) return "binary data";
  if (lead === 0xca || lead === 0xcb) return "a float";
  return "an extension";
}
