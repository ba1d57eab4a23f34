import type {
  Damage,
  GangliaDocument,
} from "../../../lib/ganglia/xml/document.ts";
import {
  GangliaReader,
  ReaderMemory,
  type ReaderOptions,
} from "../../../lib/ganglia/xml/reader.ts";

const HEAD = '<?xml version="1.0" encoding="ISO-8859-1" standalone="yes"?>\n' +
  '<GANGLIA_XML VERSION="3.7.2" SOURCE="gmond">\n';
const TAIL = "</GANGLIA_XML>\n";

/** Text whose characters are bytes. */
export function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** What was read, and what was kept of the damage. */
export interface Reading extends GangliaDocument {
  readonly kept: readonly { damage: Damage; text: string }[];
}

/** Reads a document that arrives in portions that end at `cuts`. */
export function read(
  document: Uint8Array | string,
  options: Partial<ReaderOptions> = {},
  cuts: readonly number[] = [],
): Reading {
  const bytes = typeof document === "string" ? bytesOf(document) : document;
  const kept: { damage: Damage; text: string }[] = [];
  const reader = new GangliaReader({
    memory: new ReaderMemory(),
    scalable: true,
    now: 1000,
    keep: (excerpt, damage) =>
      kept.push({ damage, text: String.fromCharCode(...excerpt) }),
    ...options,
  });
  let from = 0;
  for (const to of [...cuts, bytes.length]) {
    // A copy: what was given may be written over afterwards.
    const portion = bytes.slice(from, to);
    reader.push(portion);
    portion.fill(0x22);
    from = to;
  }
  return { ...reader.end(), kept };
}

/** Every place at which a document of this length can be cut. */
export function everyCut(length: number): number[] {
  return Array.from({ length: length - 1 }, (_, i) => i + 1);
}

/** A document of one cluster, c. */
export function cluster(...hosts: string[]): string {
  return `${HEAD}<CLUSTER NAME="c" LOCALTIME="1000" OWNER="o" LATLONG="l" URL="u">\n${
    hosts.join("")
  }</CLUSTER>\n${TAIL}`;
}

/** A document with this in its root. */
export function ganglia(...content: string[]): string {
  return HEAD + content.join("") + TAIL;
}

/** A host that is up. */
export function host(name: string, ...metrics: string[]): string {
  return `<HOST NAME="${name}" IP="192.0.2.1" TAGS="" REPORTED="998" TN="2" TMAX="20" DMAX="0" LOCATION="x" GMOND_STARTED="900">\n${
    metrics.join("")
  }</HOST>\n`;
}

/** A metric as gmond sends it. */
export function metric(name: string, value = "1.5", type = "float"): string {
  return `<METRIC NAME="${name}" VAL="${value}" TYPE="${type}" UNITS="%" TN="3" TMAX="60" DMAX="0" SLOPE="both">\n` +
    '<EXTRA_DATA>\n<EXTRA_ELEMENT NAME="GROUP" VAL="g"/>\n</EXTRA_DATA>\n</METRIC>\n';
}

/** The hosts of the first cluster, by name, with what each metric's VAL is. */
export function hostsOf(
  { clusters: [first] }: GangliaDocument,
): Record<string, Record<string, string>> {
  return Object.fromEntries((first?.hosts ?? []).map(({ name, metrics }) => [
    name,
    Object.fromEntries((metrics ?? []).map(({ name, text }) => [name, text!])),
  ]));
}
