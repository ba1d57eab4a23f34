import type { StatGroup } from "../snapshot/scan.ts";
import { isRestart } from "../tree/incarnation.ts";
import { SpoolError } from "./bytes.ts";
import { readColumn } from "./column.ts";
import { crc32 } from "./crc32.ts";
import { Figures, Kind } from "./figure.ts";
import type { FrameHead, SegmentReader } from "./frame.ts";
import type { Portion, PortionOptions } from "./portion.ts";
import type { ReportMark } from "./sample.ts";
import { type Nodes, SampleColumns, Series } from "./series.ts";

/** A frame, with the columns that are wanted. */
export interface Frame extends FrameHead {
  readonly body: Uint8Array;
}

/** What is held of a segment. */
export interface Segment {
  readonly path: string;
  readonly reader: SegmentReader;
  /** By place in the dictionary. */
  readonly wanted: boolean[];
  readonly frames: Frame[];
}

/** The last reports in a segment that are older than the portion. */
export interface Older {
  readonly reader: SegmentReader;
  /** By place in the dictionary, in milliseconds since the epoch; some are missing. */
  readonly times: readonly number[];
}

/** What is held. */
export interface HeldFrames {
  readonly segments: readonly Segment[];
  /** In the order of the segments, of these and of some before them. */
  readonly older: readonly Older[];
  /** In milliseconds since the epoch; `end` is the last that counts. */
  readonly span: { readonly since: number; readonly end: number };
  readonly complete: boolean;
}

/** The nodes of all segments. */
interface Index {
  readonly nodes: Nodes;
  /** By segment, and by place in its dictionary. */
  readonly numbers: readonly Uint32Array[];
  /** Samples that a statistic has at most. */
  readonly size: number;
}

/** Frames that are held; a statistic is decoded when it is asked for. */
export class HeldPortion implements Portion {
  readonly from: number;
  readonly end: number;
  readonly complete: boolean;
  readonly #segments: readonly Segment[];
  readonly #older: readonly Older[];
  readonly #options: PortionOptions;
  readonly #span: HeldFrames["span"];
  /** Segments about which there has been a complaint. */
  readonly #damaged = new Set<Segment>();
  #index: Index | undefined;
  #before: Map<string, ReportMark> | undefined;

  constructor(
    { segments, older, span, complete }: HeldFrames,
    options: PortionOptions,
  ) {
    this.#segments = segments;
    this.#older = older;
    this.#options = options;
    this.#span = span;
    this.from = options.from;
    this.end = span.end === -Infinity ? options.from : span.end / 1000;
    this.complete = complete;
  }

  series(group: StatGroup, stat: string): Series {
    const { wants } = this.#options;
    if (wants && !wants(group, stat)) {
      throw new RangeError(`the portion was opened without ${group} ${stat}`);
    }
    const { nodes, numbers, size } = this.#index ??= this.#makeIndex();
    const samples = new SampleColumns(size);
    for (const [i, segment] of this.#segments.entries()) {
      const statistic = segment.reader.statistics.findIndex((known) =>
        known.name === stat && known.group === group
      );
      if (statistic === -1) continue;
      try {
        this.#collect(segment, statistic, numbers[i], samples);
      } catch (error) {
        if (!(error instanceof SpoolError)) throw error;
        if (this.#damaged.has(segment)) continue;
        this.#damaged.add(segment);
        this.#options.complaints?.push(
          `the segment ${quote(segment.path)} is damaged: ${error.message}`,
        );
      }
    }
    return new Series(nodes, samples);
  }

  get rounds(): readonly number[] {
    const rounds: number[] = [];
    for (const { frames } of this.#segments) {
      for (const { time, newest } of frames) {
        if (newest < this.#span.since || newest > this.#span.end) continue;
        append(rounds, time / 1000);
      }
    }
    return rounds;
  }

  reports(): ReadonlyMap<string, readonly number[]> {
    const { since, end } = this.#span;
    const reports = new Map<string, number[]>();
    for (const { reader: { keys }, frames } of this.#segments) {
      for (const { ids, times } of frames) {
        for (let position = 0; position < ids.length; position++) {
          const time = times[position];
          if (time < since || time > end) continue;
          const key = keys[ids[position]];
          const known = reports.get(key);
          if (known) append(known, time / 1000);
          else reports.set(key, [time / 1000]);
        }
      }
    }
    return reports;
  }

  before(key: string): ReportMark | undefined {
    this.#before ??= lastReports(this.#older);
    return this.#before.get(key);
  }

  names(group: StatGroup): readonly string[] {
    const names = new Set<string>();
    for (const { reader } of this.#segments) {
      for (const known of reader.statistics) {
        if (known.group === group) names.add(known.name);
      }
    }
    return [...names];
  }

  #collect(
    { reader: { keys, incarnations }, frames }: Segment,
    statistic: number,
    numbers: Uint32Array,
    samples: SampleColumns,
  ): void {
    const { since, end } = this.#span;
    const figures = new Figures(keys.length);
    for (const { ids, times, newest, columns, body } of frames) {
      const column = columnOf(statistic, columns, body);
      if (column) readColumn(column, ids, figures);
      if (newest < since) continue;
      for (let position = 0; position < ids.length; position++) {
        const id = ids[position];
        const time = times[position];
        if (figures.kinds[id] === Kind.Absent || time < since || time > end) {
          continue;
        }
        samples.add(numbers[id], incarnations[id], time, figures, id);
      }
    }
  }

  #makeIndex(): Index {
    const keys: string[] = [];
    const numberOf = new Map<string, number>();
    let size = 0;
    const numbers = this.#segments.map(({ reader, frames }) => {
      for (const { newest, ids } of frames) {
        if (newest >= this.#span.since) size += ids.length;
      }
      return Uint32Array.from(reader.keys, (key) => {
        let number = numberOf.get(key);
        if (number === undefined) {
          number = keys.length;
          numberOf.set(key, number);
          keys.push(key);
        }
        return number;
      });
    });
    return { nodes: { keys, numbers: numberOf }, numbers, size };
  }
}

/**
 * By tubid: the last report, or if the node was restarted in all that time, the last before. In a
 * segment a node is named anew with each incarnation, so that its names are in the order of time.
 */
function lastReports(all: readonly Older[]): Map<string, ReportMark> {
  const marks = new Map<string, ReportMark>();
  const former = new Map<string, ReportMark>();
  for (const { reader: { keys, incarnations }, times } of all) {
    times.forEach((time, id) => {
      const key = keys[id];
      const incarnation = incarnations[id];
      const known = marks.get(key);
      if (known && isRestart(known.incarnation, incarnation)) {
        former.set(key, known);
      }
      marks.set(key, { time: time / 1000, incarnation });
    });
  }
  for (const [key, mark] of former) marks.set(key, mark);
  return marks;
}

/** Adds a time; when the clock was put back, those that are later no longer count. */
function append(times: number[], time: number): void {
  while (times.at(-1)! >= time) times.pop();
  times.push(time);
}

/**
 * A statistic's column of a frame, if it has one.
 * @throws SpoolError when it is damaged.
 */
function columnOf(
  statistic: number,
  columns: Uint32Array,
  body: Uint8Array,
): Uint8Array | undefined {
  let low = 0;
  let high = columns.length / 4;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (columns[middle * 4] < statistic) low = middle + 1;
    else high = middle;
  }
  const at = low * 4;
  if (at === columns.length || columns[at] !== statistic) return undefined;
  const start = columns[at + 1];
  const end = start + columns[at + 2];
  if (crc32(body, start, end) !== columns[at + 3]) {
    throw new SpoolError("a column's CRC is wrong");
  }
  return body.subarray(start, end);
}

function quote(path: string): string {
  return JSON.stringify(path);
}
