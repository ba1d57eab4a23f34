import { textOf } from "../text.ts";
import { OtlpError } from "./error.ts";

/** How a field is written. Source: protobuf's "Encoding", wire types. */
export const Wire = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

/** Fields between two steps: far above what a data point has, and below 50 ms. */
const MOST_FIELDS = 100_000;
/** Fields after which it is time for a step. */
const STEP_FIELDS = 5000;

/** Counts the fields that are read between two steps, of a message and all in it. */
export class FieldCount {
  #fields = 0;

  /** Whether it is time for a step. */
  get isDue(): boolean {
    return this.#fields >= STEP_FIELDS;
  }

  /** @throws OtlpError when there are too many. */
  add(): void {
    if (++this.#fields > MOST_FIELDS) {
      throw new OtlpError(
        `more than ${MOST_FIELDS} fields of the protobuf message in one place`,
        true,
      );
    }
  }

  /** A step begins. */
  reset(): void {
    this.#fields = 0;
  }
}

/**
 * A message of protobuf's wire format, field by field. Reads no byte outside of the message, and
 * takes no memory but for what is asked for.
 */
export class MessageReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #count: FieldCount;
  #pos = 0;
  /** The number of the field that was begun last. */
  field = 0;
  #wire = 0;

  /** @param count Of the messages that it is part of. */
  constructor(bytes: Uint8Array, count = new FieldCount()) {
    this.#bytes = bytes;
    this.#count = count;
    this.#view = new DataView(
      bytes.buffer,
      bytes.byteOffset,
      bytes.byteLength,
    );
  }

  /**
   * Goes to the next field, which must then be read or skipped.
   * @returns Whether there is one.
   */
  next(): boolean {
    if (this.#pos >= this.#bytes.length) return false;
    this.#count.add();
    const tag = this.#varint();
    this.field = Number(tag >> 3n);
    this.#wire = Number(tag & 7n);
    if (this.field === 0 || this.field > 0x1fffffff) {
      throw new OtlpError("a field of the protobuf message has no number");
    }
    return true;
  }

  /** A nested message, or bytes: a view, not a copy. */
  bytes(): Uint8Array {
    this.#expect(Wire.bytes);
    const length = this.#varint();
    if (length > this.#bytes.length - this.#pos) throw cut();
    const start = this.#pos;
    this.#pos += Number(length);
    return this.#bytes.subarray(start, this.#pos);
  }

  message(): MessageReader {
    return new MessageReader(this.bytes(), this.#count);
  }

  text(): string {
    return textOf(this.bytes());
  }

  /** An unsigned varint of up to 64 bits. */
  unsigned(): bigint {
    this.#expect(Wire.varint);
    return this.#varint();
  }

  /** An int64 as varint. */
  signed(): bigint {
    return BigInt.asIntN(64, this.unsigned());
  }

  /** A sint32. */
  zigzag(): number {
    const raw = this.unsigned();
    return Number(BigInt.asIntN(32, (raw >> 1n) ^ -(raw & 1n)));
  }

  /** A fixed64. */
  fixed(): bigint {
    return this.#view.getBigUint64(this.#eight(), true);
  }

  /** An sfixed64. */
  signedFixed(): bigint {
    return this.#view.getBigInt64(this.#eight(), true);
  }

  double(): number {
    return this.#view.getFloat64(this.#eight(), true);
  }

  /**
   * Adds the numbers of a repeated field to a list, whether they come packed or one by one.
   * @param read Reads one of them.
   * @param most After which no more are wanted.
   * @returns How many there were; if they are packed, at most one more than are wanted.
   */
  repeated<T>(
    into: T[],
    wire: typeof Wire.varint | typeof Wire.fixed64,
    read: (reader: MessageReader) => T,
    most: number,
  ): number {
    if (this.#wire !== Wire.bytes) {
      const value = read(this);
      if (into.length < most) into.push(value);
      return 1;
    }
    const packed = this.message();
    packed.#wire = wire;
    let count = 0;
    while (packed.#pos < packed.#bytes.length && count <= most) {
      const value = read(packed);
      if (into.length < most) into.push(value);
      count++;
    }
    return count;
  }

  /** Passes over a field that is not known here. */
  skip(): void {
    switch (this.#wire) {
      case Wire.varint:
        this.#varint();
        return;
      case Wire.fixed64:
        this.#eight();
        return;
      case Wire.bytes:
        this.bytes();
        return;
      case Wire.fixed32:
        if (this.#bytes.length - this.#pos < 4) throw cut();
        this.#pos += 4;
        return;
      default:
        throw new OtlpError(
          `a field of the protobuf message has the wire type ${this.#wire}`,
        );
    }
  }

  #expect(wire: number): void {
    if (this.#wire === wire) return;
    throw new OtlpError(
      `field ${this.field} of a protobuf message has the wire type ${this.#wire}, expected is ${wire}`,
    );
  }

  /** Takes eight bytes; returns where they begin. */
  #eight(): number {
    if (this.#wire !== Wire.fixed64) this.#expect(Wire.fixed64);
    if (this.#bytes.length - this.#pos < 8) throw cut();
    this.#pos += 8;
    return this.#pos - 8;
  }

  #varint(): bigint {
    const bytes = this.#bytes;
    let pos = this.#pos;
    // Most are short: no bigint until there has to be one.
    let low = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      if (pos >= bytes.length) throw cut();
      const byte = bytes[pos++];
      low |= (byte & 0x7f) << shift;
      if (byte < 0x80) {
        this.#pos = pos;
        return BigInt(low);
      }
    }
    let value = BigInt(low);
    for (let shift = 28n; shift < 70n; shift += 7n) {
      if (pos >= bytes.length) throw cut();
      const byte = bytes[pos++];
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) {
        this.#pos = pos;
        return BigInt.asUintN(64, value);
      }
    }
    throw new OtlpError("an integer of the protobuf message has no end");
  }
}

function cut(): OtlpError {
  return new OtlpError("the protobuf message ends in the middle of a field");
}
