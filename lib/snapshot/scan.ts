/**
 * Reading a snapshot in either format; in particular one statistic of it, as a Munin plugin needs.
 *
 * @module
 */
import type { Value } from "../value.ts";
import { decodeSnapshot, type SnapshotNode } from "./codec.ts";
import { SnapshotError } from "./error.ts";
import { readJson } from "./json.ts";
import { JsonReader } from "./json_reader.ts";
import { MsgpackReader } from "./msgpack_reader.ts";
import { type Reader, readTimestamp } from "./reader.ts";

/** The halves of a node's statistics. */
export type StatGroup = "counters" | "stats";

/** One statistic of one node. */
export interface StatSample {
  /** The node's tubid. */
  key: string;
  nickname: string;
  /** Seconds since the epoch; 0 when the file has none or it is no finite number. */
  timestamp: number;
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
  const reader = formatOf(bytes) === "json"
    ? new JsonReader(bytes)
    : new MsgpackReader(bytes);
  const wanted: Wanted = { group, name, bytes: new TextEncoder().encode(name) };
  const samples = new Map<string, StatSample>();
  reader.map(() => {
    const key = reader.key();
    const sample = scanNode(reader, key, wanted);
    if (sample) samples.set(key, sample);
    else samples.delete(key);
  });
  reader.end();
  return [...samples.values()];
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
    value,
  };
}

function scanHalves(reader: Reader, wanted: Wanted): Value | undefined {
  let value: Value | undefined;
  const entry = () => {
    if (reader.keyIs(wanted.name, wanted.bytes)) value = reader.value();
    else reader.skip();
  };
  reader.map(() => {
    if (reader.key() !== wanted.group) return reader.skip();
    value = undefined;
    if (reader.atMap()) reader.map(entry);
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
