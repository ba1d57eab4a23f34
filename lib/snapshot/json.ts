/**
 * The original gatherer's `stats.json`: the same shape as the snapshot, in JSON as Python writes it.
 * Source of the shape: Tahoe-LAFS's stats gatherer, 2016 to 2020.
 *
 * @module
 */
import type { Value } from "../value.ts";
import { JsonReader } from "./json_reader.ts";
import { readNodes, type SnapshotNode } from "./reader.ts";

/**
 * The nodes of a stats.json, in order. Digits alone are an integer, with a point or an exponent it
 * is a float. Lenient, since others write this file: entries that are no nodes (not an object, no
 * nickname, no stats) and values that are no numbers are left out.
 * @throws SnapshotError with line and column when it is not such JSON, not whole or not UTF-8.
 */
export function readJson(bytes: Uint8Array): SnapshotNode[] {
  return readNodes(new JsonReader(bytes), false);
}

/**
 * A stats.json of these nodes, in one line of ASCII, byte for byte as Python would write it; but
 * NaN and the infinities, which JSON has not, become null, and so does a timestamp that is not known.
 * What the original has not, the incarnation and when it began, is there where it is known.
 */
export function writeJson(nodes: Iterable<SnapshotNode>): string {
  const entries: string[] = [];
  for (const node of nodes) {
    entries.push(
      `${quote(node.key)}: {"timestamp": ${formatValue(node.timestamp)}, ` +
        `"nickname": ${quote(node.nickname)}, ${formatIncarnation(node)}` +
        `"stats": {"counters": ${formatHalf(node.counters)}, ` +
        `"stats": ${formatHalf(node.stats)}}}`,
    );
  }
  return `{${entries.join(", ")}}`;
}

function formatIncarnation({ incarnation, began }: SnapshotNode): string {
  return (incarnation ? `"incarnation": ${quote(incarnation)}, ` : "") +
    (began === undefined ? "" : `"began": ${formatValue(began)}, `);
}

function formatHalf(half: ReadonlyMap<string, Value>): string {
  const entries: string[] = [];
  for (const [name, value] of half) {
    entries.push(`${quote(name)}: ${formatValue(value)}`);
  }
  return `{${entries.join(", ")}}`;
}

function formatValue(value: Value): string {
  if (typeof value === "bigint") return value.toString();
  if (value === null || !Number.isFinite(value)) return "null";
  return formatFloat(value);
}

/** A float as Python's `repr` has it: 5.0, 0.0001, 1e-05, 1e+22, nan. */
export function formatFloat(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  if (Object.is(value, -0)) return "-0.0";
  const size = Math.abs(value);
  if (size === 0 || (size >= 1e-4 && size < 1e16)) {
    const digits = String(value);
    return digits.includes(".") ? digits : `${digits}.0`;
  }
  const [mantissa, exponent] = value.toExponential().split("e");
  return `${mantissa}e${exponent[0]}${exponent.slice(1).padStart(2, "0")}`;
}

function quote(text: string): string {
  return JSON.stringify(text.toWellFormed()).replace(
    /[\u0080-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
