/**
 * Reading a snapshot in either format; in particular one statistic of it, as a Munin plugin needs.
 *
 * @module
 */
import type { Value } from "../value.ts";
import { decodeSnapshot, type SnapshotNode } from "./codec.ts";
import { SnapshotError, TruncatedError } from "./error.ts";
import { readJson } from "./json.ts";
import { JsonReader } from "./json_reader.ts";
import { MsgpackReader } from "./msgpack_reader.ts";
import { type Reader, readIncarnation, readTimestamp } from "./reader.ts";

/** The halves of a node's statistics. */
export type StatGroup = "counters" | "stats";

/** One statistic of one node. */
export interface StatSample {
  /** The node's tubid. */
  key: string;
  nickname: string;
  /** Seconds since the epoch; 0 when the file has none or it is no finite number. */
  timestamp: number;
  /** Left out where it is not known. */
  incarnation?: string;
  /** `undefined` when the node has no such statistic, or it is neither a number nor null. */
  value: Value | undefined;
}

/**
 * One statistic of every node, in the order of the file; all else is skipped without being built.
 * Entries that are no nodes (not a map, no nickname, no stats) are left out.
 *
 * The content decides about the format. The whole structure is checked, so that a file that is not
 * complete is refused; within the texts that are skipped nothing is checked.
 * @throws SnapshotError when the file is neither a snapshot nor a stats.json, or not whole.
 */
export function scanStat(
  bytes: Uint8Array,
  group: StatGroup,
  name: string,
): StatSample[] {
  const scanner = new StatScanner(group, name);
  const taken = scanner.take(bytes);
  return scanner.end(bytes.subarray(taken));
}

/**
 * {@linkcode scanStat} for a file that comes in chunks: for tens of megabytes, memory that is used
 * again costs a fraction of memory that is new.
 */
export class StatScanner {
  readonly #wanted: Wanted;
  readonly #samples = new Map<string, StatSample>();
  /** Bytes taken so far. */
  #base = 0;
  /** Entries to come; `undefined` before the first byte. */
  #left: number | undefined;
  #format: "msgpack" | "json" | undefined;

  constructor(group: StatGroup, name: string) {
    this.#wanted = { group, name, bytes: new TextEncoder().encode(name) };
  }

  /**
   * Takes what it can of what has come: whole entries.
   * @returns How many bytes; give the rest again, in front of more.
   * @throws SnapshotError
   */
  take(bytes: Uint8Array): number {
    if (bytes.length === 0) return 0;
    this.#format ??= formatOf(bytes);
    // JSON, the original's, is read in one piece.
    if (this.#format === "json") return 0;
    const reader = new MsgpackReader(bytes, this.#base);
    let taken = 0;
    try {
      if (this.#left === undefined) {
        this.#left = reader.mapHead();
        taken = reader.offset;
      }
      while (this.#left > 0) {
        this.#entry(reader);
        this.#left--;
        taken = reader.offset;
      }
    } catch (error) {
      if (!(error instanceof TruncatedError)) throw error;
    }
    this.#base += taken;
    return taken;
  }

  /**
   * The file has ended with the bytes that {@linkcode take} left over.
   * @throws SnapshotError when it is not whole.
   */
  end(rest: Uint8Array): StatSample[] {
    const format = this.#format ??= formatOf(rest);
    const reader = format === "json"
      ? new JsonReader(rest)
      : new MsgpackReader(rest, this.#base);
    if (format === "json") reader.map(() => this.#entry(reader));
    else for (let left = this.#left ?? 0; left > 0; left--) this.#entry(reader);
    reader.end();
    return [...this.#samples.values()];
  }

  #entry(reader: Reader): void {
    const key = reader.key();
    const sample = scanNode(reader, key, this.#wanted);
    if (sample) this.#samples.set(key, sample);
    else this.#samples.delete(key);
  }
}

/**
 * All nodes of a file in either format; the content decides.
 * @throws SnapshotError as {@linkcode decodeSnapshot} and {@linkcode readJson} do.
 */
export function readAny(bytes: Uint8Array): SnapshotNode[] {
  return formatOf(bytes) === "json" ? readJson(bytes) : decodeSnapshot(bytes);
}

interface Wanted {
  group: StatGroup;
  name: string;
  bytes: Uint8Array;
}

function scanNode(
  reader: Reader,
  key: string,
  wanted: Wanted,
): StatSample | undefined {
  if (!reader.atMap()) {
    reader.skip();
    return undefined;
  }
  let timestamp = NaN;
  let nickname: string | undefined;
  let incarnation: string | undefined;
  let hasStats = false;
  let value: Value | undefined;
  reader.map(() => {
    switch (reader.key()) {
      case "timestamp":
        timestamp = readTimestamp(reader, false);
        break;
      case "nickname":
        nickname = reader.atText() ? reader.text() : undefined;
        if (nickname === undefined) reader.skip();
        break;
      case "incarnation":
        incarnation = readIncarnation(reader);
        break;
      case "stats":
        hasStats = reader.atMap();
        value = hasStats ? scanHalves(reader, wanted) : undefined;
        if (!hasStats) reader.skip();
        break;
      default:
        reader.skip();
    }
  });
  if (nickname === undefined || !hasStats) return undefined;
  return {
    key,
    nickname,
    timestamp: Number.isNaN(timestamp) ? 0 : timestamp,
    ...(incarnation ? { incarnation } : {}),
    value,
  };
}

function scanHalves(reader: Reader, wanted: Wanted): Value | undefined {
  let value: Value | undefined;
  reader.map(() => {
    if (reader.key() !== wanted.group) return reader.skip();
    value = undefined;
    if (reader.atMap()) value = reader.lookUp(wanted.name, wanted.bytes);
    else reader.skip();
  });
  return value;
}

/** The format, by the first byte that is no white space. */
function formatOf(bytes: Uint8Array): "msgpack" | "json" {
  if (bytes.length === 0) throw new SnapshotError("the file is empty", 0);
  const lead = bytes[0];
  if (lead >> 4 === 8 || lead === 0xde || lead === 0xdf) return "msgpack";
  const first = bytes.findIndex((byte) => ![0x20, 9, 10, 13].includes(byte));
  if (bytes[first] === 0x7b || lead === 0xef) return "json";
  throw new SnapshotError(
    "the file is neither a snapshot (a MessagePack map) nor a stats.json (a JSON object)",
    Math.max(first, 0),
  );
}
