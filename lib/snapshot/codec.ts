/**
 * The snapshot's format: a MessagePack map
 * `{ tubid: { timestamp: float64 seconds, nickname: str, incarnation: str, began: float64 seconds,
 * stats: { counters: {name: number}, stats: {name: number|nil} } } }`, keys in order of arrival.
 * Incarnation and began are left out where they are not known; old files have neither.
 *
 * Numbers keep their kind. An integer takes the smallest of MessagePack's integer forms; beyond 64
 * bits it is extension type 1, whose body is its two's complement, big-endian, as short as it gets.
 * A float is always a float64. Not known is nil, and so is a timestamp that is no finite number.
 *
 * @module
 */
import type { Value } from "../value.ts";
import { MsgpackReader } from "./msgpack_reader.ts";
import { MsgpackWriter } from "./msgpack_writer.ts";
import { readNodes, type SnapshotNode } from "./reader.ts";

export { SnapshotError } from "./error.ts";
export type { SnapshotNode } from "./reader.ts";

/** What {@linkcode encodeNode} needs of a node; a {@linkcode SnapshotNode} will do. */
export interface NodeToEncode {
  /** Its tubid. */
  key: string;
  /** When its values were measured, in seconds since the epoch. */
  timestamp: number;
  nickname: string;
  /** Empty or left out: not known. */
  incarnation?: string;
  /** When its incarnation began, in seconds since the epoch; left out: not known. */
  began?: number;
  counters: Iterable<readonly [string, Value]>;
  stats: Iterable<readonly [string, Value]>;
}

/** One for all nodes: new memory for each costs as much as the encoding. */
const nodeWriter = new MsgpackWriter();

/**
 * A node's entry in the snapshot, key and value. Made once, when the node's data arrives.
 * @throws RangeError when an integer has more than 4,200 bytes.
 */
export function encodeNode(node: NodeToEncode): Uint8Array<ArrayBuffer> {
  const writer = nodeWriter;
  writer.clear();
  const { incarnation = "", began = NaN } = node;
  const hasBegan = Number.isFinite(began);
  writer.text(node.key);
  writer.map(3 + Number(incarnation !== "") + Number(hasBegan));
  writer.text("timestamp");
  if (Number.isFinite(node.timestamp)) writer.float(node.timestamp);
  else writer.nil();
  writer.text("nickname");
  writer.text(node.nickname);
  if (incarnation !== "") {
    writer.text("incarnation");
    writer.text(incarnation);
  }
  if (hasBegan) {
    writer.text("began");
    writer.float(began);
  }
  writer.text("stats");
  writer.map(2);
  writer.text("counters");
  writeHalf(writer, node.counters);
  writer.text("stats");
  writeHalf(writer, node.stats);
  return writer.take();
}

function writeHalf(
  writer: MsgpackWriter,
  half: Iterable<readonly [string, Value]>,
): void {
  const entries = [...half];
  writer.map(entries.length);
  for (const [name, value] of entries) {
    writer.text(name);
    writer.value(value);
  }
}

/**
 * A snapshot in the pieces that make it up: a header, then the entries as they are, so that
 * nothing has to be copied to write it.
 * @param entries From {@linkcode encodeNode}, each of another key.
 */
export function snapshotParts(
  entries: Iterable<Uint8Array>,
): Uint8Array[] {
  const parts: Uint8Array[] = [new Uint8Array(), ...entries];
  const header = new MsgpackWriter();
  header.map(parts.length - 1);
  parts[0] = header.take();
  return parts;
}

/** A snapshot in one piece; see {@linkcode snapshotParts}. */
export function encodeSnapshot(
  entries: readonly Uint8Array[],
): Uint8Array<ArrayBuffer> {
  const parts = snapshotParts(entries);
  const bytes = new Uint8Array(
    parts.reduce((total, part) => total + part.length, 0),
  );
  let pos = 0;
  for (const part of parts) {
    bytes.set(part, pos);
    pos += part.length;
  }
  return bytes;
}

/**
 * The nodes of a snapshot, in order. Strict: what {@linkcode encodeNode} would not write (a node
 * without nickname, a value that is no number, a tubid twice, bytes after the end) is damage and
 * refused. Only fields that a later version may add to a node are passed over.
 * @throws SnapshotError with the offset in bytes.
 */
export function decodeSnapshot(bytes: Uint8Array): SnapshotNode[] {
  return readNodes(new MsgpackReader(bytes), true);
}
