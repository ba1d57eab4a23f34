/**
 * A second reader of segments, written from docs/spool.md alone: slow, plain, and strict. What it
 * reads is what anybody could who has that page.
 */
import { crc32 } from "node:zlib";
import type { Value } from "../../lib/value.ts";

/** What a node has reported in a round. */
export interface Report {
  cluster: string;
  key: string;
  nickname: string;
  incarnation: string;
  /** Milliseconds since the epoch. */
  receivedAt: number;
  counters: Record<string, Value>;
  stats: Record<string, Value>;
}

/** A frame. */
export interface Round {
  time: number;
  reports: Report[];
  /** Where the frame ends in the segment. */
  end: number;
}

interface Node {
  texts: string[];
  lag: number;
  figures: Map<number, Value>;
}

/** All frames of a segment; throws at the first thing that is not as the page says. */
export function readSegment(bytes: Uint8Array): Round[] {
  const nodes: Node[] = [];
  const statistics: { group: "counters" | "stats"; name: string }[] = [];
  const rounds: Round[] = [];
  check(text(bytes.subarray(0, 8)) === "gspool1\n", "the magic");
  let at = 8;
  while (at < bytes.length) {
    const view = new DataView(bytes.buffer, bytes.byteOffset + at);
    const headLength = view.getUint32(0, true);
    const bodyLength = view.getUint32(4, true);
    const head = bytes.subarray(at + 12, at + 12 + headLength);
    const summed = new Uint8Array([...bytes.subarray(at, at + 8), ...head]);
    check(view.getUint32(8, true) === crc32(summed), "the head's CRC");
    at += 12 + headLength;
    const body = bytes.subarray(at, at + bodyLength);
    check(body.length === bodyLength, "the body's length");
    at += bodyLength;
    rounds.push({ ...readFrame(head, body, nodes, statistics), end: at });
  }
  return rounds;
}

function readFrame(
  head: Uint8Array,
  body: Uint8Array,
  nodes: Node[],
  statistics: { group: "counters" | "stats"; name: string }[],
): Omit<Round, "end"> {
  const items = new Items(head);
  const time = items.number();
  for (let count = items.number(); count > 0; count--) {
    const texts = [items.text(), items.text(), items.text(), items.text()];
    nodes.push({ texts, lag: 0, figures: new Map() });
  }
  for (let count = items.number(); count > 0; count--) {
    const group = items.byte() === 0 ? "counters" : "stats";
    statistics.push({ group, name: items.text() });
  }
  const reported: Node[] = [];
  let end = 0;
  for (let count = items.number(); count > 0; count--) {
    const start = end + items.signed();
    end = start + items.number();
    check(start >= 0 && end > start && end <= nodes.length, "a run");
    reported.push(...nodes.slice(start, end));
  }
  for (const node of reported) node.lag += items.signed();
  let statistic = 0;
  let at = 0;
  for (let count = items.number(); count > 0; count--) {
    statistic += items.number();
    check(statistic < statistics.length, "a column's statistic");
    const column = body.subarray(at, at += items.number());
    check(column.length > 0, "a column that says nothing");
    const crc = items.bytes(4).reduceRight((sum, byte) => sum * 256 + byte, 0);
    check(crc === crc32(column), "a column's CRC");
    readColumn(column, statistic, reported);
  }
  check(items.left === 0 && at === body.length, "the lengths");
  const reports = reported.map(({ texts, lag, figures }): Report => {
    const [cluster, key, nickname, incarnation] = texts;
    const halves: Record<string, Record<string, Value>> = {
      counters: Object.create(null),
      stats: Object.create(null),
    };
    for (const [id, value] of figures) {
      halves[statistics[id].group][statistics[id].name] = value;
    }
    return {
      cluster,
      key,
      nickname,
      incarnation,
      receivedAt: time - lag,
      counters: halves.counters,
      stats: halves.stats,
    };
  });
  return { time, reports };
}

function readColumn(
  column: Uint8Array,
  statistic: number,
  reported: Node[],
): void {
  const items = new Items(column);
  let position = 0;
  while (items.left > 0) {
    const code = items.byte();
    if (code < 0x1f) position += code + 1;
    else if (code === 0x1f) position += 32 + items.number();
    else {
      check(position < reported.length, "a position");
      const { figures } = reported[position++];
      const value = readFigure(items, code, figures.get(statistic));
      if (value === undefined) figures.delete(statistic);
      else figures.set(statistic, value);
    }
  }
}

function readFigure(
  items: Items,
  code: number,
  before: Value | undefined,
): Value | undefined {
  const most = 2n ** 53n - 1n;
  const base = typeof before === "bigint" && before <= most && before >= -most
    ? before
    : 0n;
  if (code === 0x20) return null;
  if (code === 0x21) return undefined;
  if (code === 0x22) return base + BigInt(items.signed());
  if (code === 0x23) {
    const bytes = items.bytes(items.byte());
    const value = bytes.reduce((sum, byte) => sum * 256n + BigInt(byte), 0n);
    return bytes[0] < 0x80 ? value : value - 256n ** BigInt(bytes.length);
  }
  if (code >= 0x30 && code <= 0x3f) {
    return base + BigInt((code - 0x30) * 256 + items.byte() - 2048);
  }
  if (code >= 0x40 && code <= 0xbf) return base + BigInt(code - 0x80);
  check(code >= 0xc0, `the code ${code}`);
  const view = new DataView(new ArrayBuffer(8));
  const lead = (code - 0xc0) >> 3;
  if (typeof before === "number" && !Number.isNaN(before)) {
    view.setFloat64(0, before);
  }
  const bytes = [...new Uint8Array(view.buffer).subarray(0, lead)];
  bytes.push(...items.bytes((code & 7) + 1));
  while (bytes.length < 8) bytes.push(0);
  bytes.forEach((byte, i) => view.setUint8(i, byte));
  return view.getFloat64(0);
}

class Items {
  #at = 0;
  constructor(readonly all: Uint8Array) {}

  get left(): number {
    return this.all.length - this.#at;
  }

  bytes(length: number): Uint8Array {
    check(length <= this.left, "an end");
    return this.all.slice(this.#at, this.#at += length);
  }

  byte(): number {
    return this.bytes(1)[0];
  }

  number(): number {
    let value = 0n;
    for (let shift = 0n;; shift += 7n) {
      const byte = this.byte();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    check(value < 2n ** 53n, "a number");
    return Number(value);
  }

  signed(): number {
    const folded = this.number();
    return folded % 2 === 0 ? folded / 2 : -(folded + 1) / 2;
  }

  text(): string {
    return text(this.bytes(this.number()));
  }
}

function text(bytes: Uint8Array): string {
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
    .decode(bytes);
}

function check(isRight: boolean, what: string): asserts isRight {
  if (!isRight) throw new Error(`${what} is not as docs/spool.md says`);
}
