import type { StatGroup } from "../snapshot/scan.ts";
import { ByteReader, SpoolError } from "./bytes.ts";
import { MAX_TIME } from "./format.ts";

/** A column's entry in a head has so many bytes at least. */
const COLUMN_BYTES = 6;

/** A statistic in a segment's dictionary. */
export interface StatisticName {
  readonly group: StatGroup;
  readonly name: string;
}

/** What a frame's head says. */
export interface FrameHead {
  /** When the frame was made, in milliseconds since the epoch. */
  readonly time: number;
  /** The nodes that reported, by their place in the segment's dictionary. */
  readonly ids: Uint32Array;
  /** When each of them did, in milliseconds since the epoch. */
  readonly times: Float64Array;
  /** The first and the last of these times; infinite where there is none. */
  readonly oldest: number;
  readonly newest: number;
  /**
   * Four numbers for each column: the statistic's place in the segment's dictionary, growing; the
   * column's start in the body, its length, its CRC-32.
   */
  readonly columns: Uint32Array;
}

/** A segment's dictionary, as it grows with the heads that are read in order. */
export class SegmentReader {
  /** The tubids of the nodes. */
  readonly keys: string[] = [];
  /** Their incarnations; empty where that is not known. */
  readonly incarnations: string[] = [];
  readonly statistics: StatisticName[] = [];
  /** How long before its frame each node's last observation had come, in milliseconds. */
  readonly #lags: number[] = [];
  /** Mostly the same nodes report every time, in one run. */
  #lastRun = { start: 0, ids: new Uint32Array() };

  /**
   * Reads the head of the next frame.
   * @param bodyLength How long its body is said to be.
   * @throws SpoolError when it is none; then the segment is of no further use.
   */
  readHead(bytes: Uint8Array, bodyLength: number): FrameHead {
    const reader = new ByteReader(bytes);
    const time = reader.varint();
    if (time >= MAX_TIME) throw new SpoolError("a time is too large");
    this.#readNodes(reader);
    this.#readStatistics(reader);
    const ids = this.#readIds(reader);
    const { times, oldest, newest } = this.#readTimes(reader, time, ids);
    const columns = this.#readColumns(reader, bodyLength);
    if (reader.left > 0) throw new SpoolError("a head is too long");
    return { time, ids, times, oldest, newest, columns };
  }

  #readNodes(reader: ByteReader): void {
    for (let left = reader.varint(); left > 0; left--) {
      // The cluster and the nickname are for others to read.
      reader.skipText();
      this.keys.push(reader.text());
      reader.skipText();
      this.incarnations.push(reader.text());
      this.#lags.push(0);
    }
  }

  #readStatistics(reader: ByteReader): void {
    for (let left = reader.varint(); left > 0; left--) {
      const group = reader.byte();
      if (group > 1) throw new SpoolError(`there is no group ${group}`);
      const name = reader.text();
      this.statistics.push({
        group: group === 0 ? "counters" : "stats",
        name,
      });
    }
  }

  #readIds(reader: ByteReader): Uint32Array<ArrayBuffer> {
    const runs: { start: number; length: number }[] = [];
    let end = 0;
    let count = 0;
    for (let left = reader.varint(); left > 0; left--) {
      const start = end + reader.signed();
      const length = reader.varint();
      end = start + length;
      count += length;
      // Each node has a byte for its time to come.
      if (start < 0 || end > this.keys.length || count > reader.left) {
        throw new SpoolError("a frame names nodes that are not there");
      }
      runs.push({ start, length });
    }
    const last = this.#lastRun;
    if (
      runs.length === 1 && runs[0].start === last.start &&
      runs[0].length === last.ids.length
    ) return last.ids;
    const ids = new Uint32Array(count);
    let position = 0;
    for (const { start, length } of runs) {
      for (let i = 0; i < length; i++) ids[position++] = start + i;
    }
    if (runs.length === 1) this.#lastRun = { start: runs[0].start, ids };
    return ids;
  }

  #readTimes(
    reader: ByteReader,
    time: number,
    ids: Uint32Array,
  ): { times: Float64Array; oldest: number; newest: number } {
    const lags = this.#lags;
    const { bytes } = reader;
    const times = new Float64Array(ids.length);
    let oldest = Infinity;
    let newest = -Infinity;
    for (let position = 0; position < ids.length; position++) {
      const folded = bytes[reader.offset];
      let step: number;
      if (folded < 0x80) {
        reader.offset++;
        step = folded & 1 ? ~(folded >> 1) : folded >> 1;
      } else {
        step = reader.signed();
      }
      const id = ids[position];
      const lag = lags[id] += step;
      if (!(Math.abs(lag) < MAX_TIME)) {
        throw new SpoolError("a time is too large");
      }
      const received = times[position] = time - lag;
      if (received < oldest) oldest = received;
      if (received > newest) newest = received;
    }
    return { times, oldest, newest };
  }

  #readColumns(reader: ByteReader, bodyLength: number): Uint32Array {
    const count = reader.varint();
    if (count * COLUMN_BYTES > reader.left) {
      throw new SpoolError("a frame names columns that are not there");
    }
    const places = new Uint32Array(count * 4);
    let statistic = 0;
    let start = 0;
    for (let at = 0; at < places.length; at += 4) {
      const step = reader.varint();
      const length = reader.varint();
      statistic += step;
      if (
        (step === 0 && at > 0) || statistic >= this.statistics.length ||
        length > bodyLength - start
      ) throw new SpoolError("a frame names columns that are not there");
      places[at] = statistic;
      places[at + 1] = start;
      places[at + 2] = length;
      places[at + 3] = reader.uint32();
      start += length;
    }
    if (start !== bodyLength) {
      throw new SpoolError("the columns do not fill the body");
    }
    return places;
  }
}
