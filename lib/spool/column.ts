/**
 * A column: what has changed of one statistic from one frame to the next, over the nodes that
 * reported, in the frame's order. A node's figure is at first absent, and stays as it is where the
 * column does not speak of it. The codes are listed in docs/spool.md.
 *
 * @module
 */
import { ByteReader, ByteWriter, SpoolError } from "./bytes.ts";
import { type Figures, Kind } from "./figure.ts";

/** Bytes of the largest integers that are kept; doubles, and with them what Munin draws, end there. */
export const MAX_INTEGER_BYTES = 128;

const LONG_SKIP = 0x1f;
const NULL = 0x20;
const ABSENT = 0x21;
const DIFFERENCE = 0x22;
const INTEGER = 0x23;
const TWO_BYTES = 0x30;
const ONE_BYTE = 0x40;
const DOUBLE = 0xc0;

/** Differences beyond are written as the integer itself: twice as much must be exact. */
const MAX_DIFFERENCE = 2 ** 51;

const scratch = new DataView(new ArrayBuffer(16));
const scratchBytes = new Uint8Array(scratch.buffer);

/** Takes the changes of one statistic in one frame, by growing position. */
export class ColumnWriter extends ByteWriter {
  /** The position after the last change. */
  #next = 0;

  /** Begins the next frame. */
  clear(): void {
    this.length = 0;
    this.#next = 0;
  }

  /** The figure at `position` is not known any more, or has become known to be not known. */
  writeNull(position: number): void {
    this.#at(position);
    this.byte(NULL);
  }

  /** The node does not report the statistic any more. */
  writeAbsent(position: number): void {
    this.#at(position);
    this.byte(ABSENT);
  }

  /**
   * @param value A safe integer.
   * @param before The one before; 0 if the figure before was no safe integer.
   */
  writeInteger(position: number, value: number, before: number): void {
    this.#at(position);
    const difference = value - before;
    if (difference >= -0x40 && difference < 0x40) {
      this.byte(ONE_BYTE + 0x40 + difference);
    } else if (difference >= -0x800 && difference < 0x800) {
      this.reserve(2);
      this.bytes[this.length++] = TWO_BYTES | (difference + 0x800) >> 8;
      this.bytes[this.length++] = difference + 0x800;
    } else if (Math.abs(difference) <= MAX_DIFFERENCE) {
      this.byte(DIFFERENCE);
      this.signed(difference);
    } else {
      this.#wholeInteger(BigInt(value));
    }
  }

  /** @param value One of at most {@linkcode MAX_INTEGER_BYTES}. */
  writeBigInteger(position: number, value: bigint): void {
    this.#at(position);
    this.#wholeInteger(value);
  }

  /** @param before The figure before; 0 if that was no double or is NaN. */
  writeDouble(position: number, value: number, before: number): void {
    this.#at(position);
    this.reserve(9);
    scratch.setFloat64(0, Number.isNaN(value) ? NaN : value);
    scratch.setFloat64(8, before);
    let lead = 0;
    while (lead < 7 && scratchBytes[lead] === scratchBytes[8 + lead]) lead++;
    let end = 8;
    while (end > lead + 1 && scratchBytes[end - 1] === 0) end--;
    this.bytes[this.length++] = DOUBLE | lead << 3 | (end - lead - 1);
    for (let i = lead; i < end; i++) {
      this.bytes[this.length++] = scratchBytes[i];
    }
  }

  #wholeInteger(value: bigint): void {
    const length = integerBytes(value);
    this.byte(INTEGER);
    this.byte(length);
    const hex = BigInt.asUintN(length * 8, value).toString(16)
      .padStart(length * 2, "0");
    for (let i = 0; i < hex.length; i += 2) {
      this.byte(parseInt(hex.slice(i, i + 2), 16));
    }
  }

  #at(position: number): void {
    const skip = position - this.#next;
    this.#next = position + 1;
    if (skip === 0) return;
    if (skip <= LONG_SKIP) {
      this.byte(skip - 1);
    } else {
      this.byte(LONG_SKIP);
      this.varint(skip - LONG_SKIP - 1);
    }
  }
}

/** Bytes of an integer's two's complement. */
export function integerBytes(value: bigint): number {
  const bits = (value < 0n ? ~value : value).toString(16).length * 4;
  // The digits say it to four bits; what is open is whether the sign has a place.
  const length = Math.max(1, bits >> 3);
  return BigInt.asIntN(length * 8, value) === value ? length : length + 1;
}

/**
 * Brings the figures of one statistic up to date with a frame's column.
 *
 * @param ids The nodes that reported in the frame.
 * @param figures By node.
 * @throws SpoolError when the column is none; some of `figures` may be changed then.
 */
export function readColumn(
  column: Uint8Array,
  ids: Uint32Array,
  figures: Figures,
): void {
  const reader = new ByteReader(column);
  const { kinds, values } = figures;
  let position = 0;
  while (reader.offset < column.length) {
    const code = column[reader.offset++];
    if (code <= LONG_SKIP) {
      position += code < LONG_SKIP ? code + 1 : LONG_SKIP + 1 + reader.varint();
      continue;
    }
    if (position >= ids.length) {
      throw new SpoolError("a column has more figures than there are nodes");
    }
    const id = ids[position++];
    if (code >= DOUBLE) {
      const isKnown = kinds[id] === Kind.Double;
      kinds[id] = Kind.Double;
      values[id] = readDouble(reader, code, isKnown ? values[id] : 0);
    } else if (code >= ONE_BYTE) {
      add(figures, id, code - ONE_BYTE - 0x40);
    } else if (code >= TWO_BYTES) {
      add(figures, id, ((code & 0x0f) << 8 | reader.byte()) - 0x800);
    } else if (code === DIFFERENCE) {
      add(figures, id, reader.signed());
    } else if (code === INTEGER) {
      setInteger(figures, id, readInteger(reader));
    } else if (code === NULL) {
      kinds[id] = Kind.Null;
    } else if (code === ABSENT) {
      kinds[id] = Kind.Absent;
    } else {
      throw new SpoolError(`a column has the unknown code ${code}`);
    }
  }
}

function add({ kinds, values }: Figures, id: number, difference: number): void {
  const sum = (kinds[id] === Kind.Integer ? values[id] : 0) + difference;
  if (!Number.isSafeInteger(sum)) {
    throw new SpoolError("a difference leads beyond the safe integers");
  }
  kinds[id] = Kind.Integer;
  values[id] = sum;
}

function setInteger(figures: Figures, id: number, integer: bigint): void {
  const number = Number(integer);
  const isSafe = Number.isSafeInteger(number);
  figures.kinds[id] = isSafe ? Kind.Integer : Kind.BigInteger;
  if (isSafe) figures.values[id] = number;
  else figures.bigIntegers.set(id, integer);
}

function readInteger(reader: ByteReader): bigint {
  const length = reader.byte();
  if (length === 0 || length > MAX_INTEGER_BYTES) {
    throw new SpoolError(`an integer has ${length} bytes`);
  }
  let hex = "0x";
  for (let i = 0; i < length; i++) {
    hex += reader.byte().toString(16).padStart(2, "0");
  }
  return BigInt.asIntN(length * 8, BigInt(hex));
}

function readDouble(reader: ByteReader, code: number, before: number): number {
  const { bytes, offset } = reader;
  const lead = (code >> 3) & 7;
  const count = (code & 7) + 1;
  if (lead + count > 8 || offset + count > bytes.length) {
    throw new SpoolError("a double is not whole");
  }
  if (lead > 0) {
    // A NaN has many forms, and which one comes back is not said.
    scratch.setFloat64(0, Number.isNaN(before) ? 0 : before);
  }
  for (let i = 0; i < count; i++) scratchBytes[lead + i] = bytes[offset + i];
  for (let i = lead + count; i < 8; i++) scratchBytes[i] = 0;
  reader.offset = offset + count;
  return scratch.getFloat64(0);
}
