import type { StatGroup } from "../snapshot/scan.ts";
import type { Host } from "../tree/host.ts";
import { incarnationOf } from "../tree/incarnation.ts";
import type { Metric, Observation } from "../tree/metric.ts";
import type { Value } from "../value.ts";
import { ByteWriter } from "./bytes.ts";
import { ColumnWriter, integerBytes, MAX_INTEGER_BYTES } from "./column.ts";
import { crc32 } from "./crc32.ts";
import { Figures, Kind } from "./figure.ts";
import { MAGIC, PREFIX_BYTES } from "./format.ts";

/**
 * Statistics of one node that are kept in a segment, all its incarnations together. Real nodes
 * have some ninety; what a bad one makes up must not push everybody's past out of the spool.
 */
export const MAX_STATISTICS = 2000;

interface Statistic {
  readonly id: number;
  readonly group: StatGroup;
  readonly name: string;
  readonly column: ColumnWriter;
  /** Whether the column has anything of the frame in the making. */
  touched: boolean;
}

/** A node in this segment, and its figures as the last frame left them. */
interface Row {
  readonly id: number;
  readonly nickname: string;
  readonly incarnation: string;
  /** How long before its frame the last observation had come, in milliseconds. */
  lag: number;
  /** How many statistics it may have. */
  readonly room: number;
  readonly statistics: Statistic[];
  /** The place of each in `statistics`; made when a node does not keep to its order. */
  slots: Map<Statistic, number> | undefined;
  /** By place. */
  figures: Figures;
}

/**
 * Makes the bytes of one segment, frame by frame: {@linkcode begin}, {@linkcode add} each node
 * once, {@linkcode finish}. Does no I/O; a frame that did not reach the disk ends the segment,
 * since the next one says only what has changed after it.
 */
export class SegmentEncoder {
  readonly #rows = new Map<string, Map<string, Row>>();
  readonly #statistics = {
    counters: new Map<string, Statistic>(),
    stats: new Map<string, Statistic>(),
  };
  #nodeCount = 0;
  #statisticCount = 0;
  #isFirst = true;
  /** By place in a row: the last observation that had it, by number, to see what one has not. */
  readonly #seen = new Float64Array(MAX_STATISTICS);
  #observations = 0;

  // Of the frame in the making.
  #time = 0;
  #position = 0;
  #runEnd = 0;
  #runLength = 0;
  #touched: Statistic[] = [];
  readonly #newNodes = new Counted();
  readonly #newStatistics = new Counted();
  readonly #runs = new Counted();
  readonly #lags = new ByteWriter();

  /**
   * Begins a frame.
   * @param time Milliseconds since the epoch.
   */
  begin(time: number): void {
    this.#time = time;
    this.#position = 0;
    this.#runEnd = 0;
    this.#runLength = 0;
    this.#newNodes.clear();
    this.#newStatistics.clear();
    this.#runs.clear();
    this.#lags.length = 0;
    for (const statistic of this.#touched) {
      statistic.touched = false;
      statistic.column.clear();
    }
    this.#touched = [];
  }

  /** How many nodes the frame in the making has. */
  get size(): number {
    return this.#position;
  }

  /**
   * Adds a node that has reported, at most once a frame; when that was is less than `MAX_TIME`.
   * @returns How many of its figures are left out: statistics beyond {@linkcode MAX_STATISTICS},
   *   integers beyond {@linkcode MAX_INTEGER_BYTES}, and what has a name that came before.
   */
  add(cluster: string, host: Host, observation: Observation): number {
    const row = this.#rowOf(cluster, host, observation);
    const position = this.#position++;
    this.#addToRuns(row.id);
    const lag = this.#time - Math.round(observation.receivedAt);
    this.#lags.signed(lag - row.lag);
    row.lag = lag;
    const number = ++this.#observations;
    const seen = this.#seen;
    let leftOut = 0;
    let guess = 0;
    for (const metric of observation.metrics) {
      const slot = this.#slotOf(row, guess, metric);
      if (
        slot !== undefined && seen[slot] !== number &&
        this.#set(row, slot, position, metric.value)
      ) {
        seen[slot] = number;
        guess = slot + 1;
      } else {
        leftOut++;
      }
    }
    if (observation.metrics.length - leftOut < row.statistics.length) {
      this.#removeUnseen(row, position, number);
    }
    return leftOut;
  }

  /** The frame's bytes; the first frame's begin with what a segment begins with. */
  finish(): Uint8Array<ArrayBuffer> {
    this.#endRun();
    const columns = new Counted();
    let bodyLength = 0;
    let lastId = 0;
    const touched = this.#touched.sort((a, b) => a.id - b.id);
    for (const { id, column } of touched) {
      columns.count++;
      columns.varint(id - lastId);
      columns.varint(column.length);
      columns.uint32(crc32(column.bytes, 0, column.length));
      lastId = id;
      bodyLength += column.length;
    }
    const head = new ByteWriter();
    head.varint(this.#time);
    this.#newNodes.appendTo(head);
    this.#newStatistics.appendTo(head);
    this.#runs.appendTo(head);
    head.raw(this.#lags.bytes.subarray(0, this.#lags.length));
    columns.appendTo(head);

    const magic = this.#isFirst ? MAGIC : new Uint8Array();
    this.#isFirst = false;
    const frame = new Uint8Array(
      magic.length + PREFIX_BYTES + head.length + bodyLength,
    );
    frame.set(magic);
    const view = new DataView(frame.buffer, magic.length);
    view.setUint32(0, head.length, true);
    view.setUint32(4, bodyLength, true);
    let at = magic.length + PREFIX_BYTES;
    frame.set(head.bytes.subarray(0, head.length), at);
    at += head.length;
    const crc = crc32(frame, magic.length, magic.length + 8);
    view.setUint32(8, crc32(frame, at - head.length, at, crc), true);
    for (const { column } of touched) {
      frame.set(column.bytes.subarray(0, column.length), at);
      at += column.length;
    }
    return frame;
  }

  #rowOf(cluster: string, host: Host, observation: Observation): Row {
    const { metrics } = observation;
    const incarnation = incarnationOf({ detail: host.detail, observation });
    let rows = this.#rows.get(cluster);
    if (!rows) this.#rows.set(cluster, rows = new Map());
    const { key, nickname } = host;
    const known = rows.get(key);
    if (
      known?.nickname === nickname && known.incarnation === incarnation
    ) {
      return known;
    }
    const room = known ? known.room - known.statistics.length : MAX_STATISTICS;
    const size = Math.min(metrics.length, room);
    const row: Row = {
      id: this.#nodeCount++,
      nickname,
      incarnation,
      lag: 0,
      room,
      statistics: [],
      slots: undefined,
      figures: new Figures(size),
    };
    rows.set(key, row);
    this.#newNodes.count++;
    for (const text of [cluster, key, nickname, incarnation]) {
      this.#newNodes.text(text);
    }
    return row;
  }

  #addToRuns(id: number): void {
    if (this.#runLength > 0 && id === this.#runEnd) {
      this.#runEnd++;
      this.#runLength++;
      return;
    }
    this.#endRun();
    this.#runs.count++;
    this.#runs.signed(id - this.#runEnd);
    this.#runEnd = id + 1;
    this.#runLength = 1;
  }

  #endRun(): void {
    if (this.#runLength > 0) this.#runs.varint(this.#runLength);
    this.#runLength = 0;
  }

  /**
   * The place of a metric's statistic in the row; new ones get one.
   * @param guess Where it is if the node keeps to its order.
   */
  #slotOf(row: Row, guess: number, metric: Metric): number | undefined {
    const group = metric.slope === "positive" ? "counters" : "stats";
    const { statistics } = row;
    if (guess < statistics.length) {
      const { name, group: guessed } = statistics[guess];
      if (name === metric.name && guessed === group) return guess;
    }
    let statistic = this.#statistics[group].get(metric.name);
    if (statistic) {
      row.slots ??= new Map(statistics.map((known, slot) => [known, slot]));
      const slot = row.slots.get(statistic);
      if (slot !== undefined) return slot;
    }
    const slot = statistics.length;
    if (slot >= row.room) return undefined;
    statistic ??= this.#newStatistic(group, metric.name);
    statistics.push(statistic);
    row.slots?.set(statistic, slot);
    if (slot === row.figures.kinds.length) {
      row.figures = row.figures.grown(slot * 2 + 1);
    }
    return slot;
  }

  #newStatistic(group: StatGroup, name: string): Statistic {
    const statistic: Statistic = {
      id: this.#statisticCount++,
      group,
      name,
      column: new ColumnWriter(),
      touched: false,
    };
    this.#statistics[group].set(name, statistic);
    this.#newStatistics.count++;
    this.#newStatistics.byte(group === "counters" ? 0 : 1);
    this.#newStatistics.text(name);
    return statistic;
  }

  /** @returns Whether the value is one that can be kept. */
  #set(row: Row, slot: number, position: number, value: Value): boolean {
    const { kinds, values } = row.figures;
    const kind = kinds[slot];
    if (typeof value === "number") {
      const before = kind === Kind.Double ? values[slot] : 0;
      if (kind === Kind.Double && Object.is(before, value)) return true;
      this.#touch(row, slot)
        .writeDouble(position, value, Number.isNaN(before) ? 0 : before);
      kinds[slot] = Kind.Double;
      values[slot] = value;
    } else if (value === null) {
      if (kind === Kind.Null) return true;
      this.#touch(row, slot).writeNull(position);
      kinds[slot] = Kind.Null;
    } else {
      const integer = Number(value);
      if (!Number.isSafeInteger(integer)) {
        return this.#setBigInteger(row, slot, position, value);
      }
      const before = kind === Kind.Integer ? values[slot] : 0;
      if (kind === Kind.Integer && before === integer) return true;
      this.#touch(row, slot).writeInteger(position, integer, before);
      kinds[slot] = Kind.Integer;
      values[slot] = integer;
    }
    return true;
  }

  #setBigInteger(
    row: Row,
    slot: number,
    position: number,
    value: bigint,
  ): boolean {
    const { kinds, bigIntegers } = row.figures;
    if (
      kinds[slot] === Kind.BigInteger && bigIntegers.get(slot) === value
    ) {
      return true;
    }
    if (integerBytes(value) > MAX_INTEGER_BYTES) return false;
    this.#touch(row, slot).writeBigInteger(position, value);
    kinds[slot] = Kind.BigInteger;
    bigIntegers.set(slot, value);
    return true;
  }

  #removeUnseen(row: Row, position: number, number: number): void {
    for (let slot = 0; slot < row.statistics.length; slot++) {
      if (this.#seen[slot] === number) continue;
      if (row.figures.kinds[slot] === Kind.Absent) continue;
      this.#touch(row, slot).writeAbsent(position);
      row.figures.kinds[slot] = Kind.Absent;
    }
  }

  #touch(row: Row, slot: number): ColumnWriter {
    const statistic = row.statistics[slot];
    if (!statistic.touched) {
      statistic.touched = true;
      this.#touched.push(statistic);
    }
    return statistic.column;
  }
}

/** A list in the making, which is written with the number of its items in front. */
class Counted extends ByteWriter {
  count = 0;

  clear(): void {
    this.count = 0;
    this.length = 0;
  }

  appendTo(writer: ByteWriter): void {
    writer.varint(this.count);
    writer.raw(this.bytes.subarray(0, this.length));
  }
}
