/**
 * The parts of gmetad's XML around the hosts. Source of the layout, the order of attributes and
 * the declarations: what the C gmetad 3.7.2 sends (`server.c`, `dtd.h`).
 *
 * @module
 */
import type { Summary, SummaryMetric } from "../../tree/summary.ts";
import type { ChildGrid, Cluster } from "../../tree/tree.ts";
import { plainDecimal } from "../decimal.ts";
import { bytesOf, type ByteWriter } from "./byte_writer.ts";
import { addExtraData, addSlopeAndSource } from "./host_printer.ts";

/**
 * The release of Ganglia whose format this is. Readers go by it: to a gmetad what is below 2.5
 * has no TN and TMAX.
 */
export const FORMAT_VERSION = "3.7.2";

const TYPE = "(string | int8 | uint8 | int16 | uint16 | int32 | uint32 | " +
  "float | double | timestamp)";
const SLOPE = "(zero | positive | negative | both | derivative | unspecified)";

/** Each element, what it may hold, and its attributes; `?` marks those that may be left out. */
const ELEMENTS: readonly [string, string, ...(readonly string[])][] = [
  ["GANGLIA_XML", "(GRID | CLUSTER | HOST)*", "VERSION", "SOURCE"],
  [
    "GRID",
    "(CLUSTER | GRID | HOSTS | METRICS)*",
    "NAME",
    "AUTHORITY",
    "LOCALTIME?",
  ],
  [
    "CLUSTER",
    "(HOST | HOSTS | METRICS)*",
    "NAME",
    "OWNER?",
    "LATLONG?",
    "URL?",
    "LOCALTIME",
  ],
  [
    "HOST",
    "(METRIC)*",
    "NAME",
    "IP",
    "LOCATION?",
    "TAGS?",
    "REPORTED",
    "TN?",
    "TMAX?",
    "DMAX?",
    "GMOND_STARTED?",
  ],
  [
    "METRIC",
    "(EXTRA_DATA*)",
    "NAME",
    "VAL",
    `TYPE ${TYPE}`,
    "UNITS?",
    "TN?",
    "TMAX?",
    "DMAX?",
    `SLOPE? ${SLOPE}`,
    "SOURCE 'gmond'",
  ],
  ["EXTRA_DATA", "(EXTRA_ELEMENT*)"],
  ["EXTRA_ELEMENT", "EMPTY", "NAME", "VAL"],
  ["HOSTS", "EMPTY", "UP", "DOWN", "SOURCE (gmond | gmetad)"],
  [
    "METRICS",
    "(EXTRA_DATA*)",
    "NAME",
    "SUM",
    "NUM",
    `TYPE ${TYPE}`,
    "UNITS?",
    `SLOPE? ${SLOPE}`,
    "SOURCE 'gmond'",
  ],
];

function declarations(): string {
  return ELEMENTS.map(([element, content, ...attributes]) => {
    const list = attributes.map((attribute) => {
      const [, name, optional, rest] = /^(\w+)(\??) ?(.*)$/.exec(attribute)!;
      const type = rest.startsWith("(") ? rest : "CDATA";
      const use = rest.startsWith("'")
        ? rest
        : optional
        ? "#IMPLIED"
        : "#REQUIRED";
      return `\n    ${name} ${type} ${use}`;
    });
    return `  <!ELEMENT ${element} ${content}>\n` +
      (list.length > 0 ? `  <!ATTLIST ${element}${list.join("")}>\n` : "");
  }).join("");
}

/** From the declaration to the opening tag of GANGLIA_XML. */
const PROLOGUE = bytesOf((out) =>
  out.markup(
    '<?xml version="1.0" encoding="ISO-8859-1" standalone="yes"?>\n' +
      `<!DOCTYPE GANGLIA_XML [\n${declarations()}]>\n` +
      `<GANGLIA_XML VERSION="${FORMAT_VERSION}" SOURCE="gmetad">\n`,
  )
);

/**
 * The beginning of every answer, with the opening tag of our grid.
 * @param localtime In seconds since the epoch.
 */
export function openDocument(
  out: ByteWriter,
  gridName: string,
  authority: string,
  localtime: number,
): void {
  out.bytes(PROLOGUE);
  openGrid(out, gridName, authority, localtime);
}

/** The end of every answer. */
export function closeDocument(out: ByteWriter): void {
  out.markup("</GRID>\n</GANGLIA_XML>\n");
}

/**
 * The opening tag of a cluster. Texts that its source did not send are `unspecified`, as in C.
 * @param now In seconds since the epoch: the clock of a cluster that has none of its own is ours.
 */
export function openCluster(
  out: ByteWriter,
  { name, detail }: Pick<Cluster, "name" | "detail">,
  now: number,
): void {
  out.markup('<CLUSTER NAME="').value(name);
  out.markup('" LOCALTIME="').integer(detail?.localtime ?? now);
  out.markup('" OWNER="').value(detail?.owner ?? "unspecified");
  out.markup('" LATLONG="').value(detail?.latlong ?? "unspecified");
  out.markup('" URL="').value(detail?.url ?? "unspecified");
  out.markup('">\n');
}

/** The end of a cluster. */
export function closeCluster(out: ByteWriter): void {
  out.markup("</CLUSTER>\n");
}

/** A grid below ours: it is never shown but as a summary. */
export function addChildGrid(
  out: ByteWriter,
  { name, authority, localtime }: ChildGrid,
  summary: Summary,
): void {
  openGrid(out, name, authority, localtime);
  addSummary(out, summary);
  out.markup("</GRID>\n");
}

/** The elements HOSTS and METRICS. */
export function addSummary(
  out: ByteWriter,
  { up, down, metrics }: Summary,
): void {
  out.markup('<HOSTS UP="').integer(up).markup('" DOWN="').integer(down);
  out.markup('" SOURCE="gmetad"/>\n');
  for (const [name, metric] of metrics) addMetrics(out, name, metric);
}

function openGrid(
  out: ByteWriter,
  name: string,
  authority: string,
  localtime: number,
): void {
  out.markup('<GRID NAME="').value(name);
  out.markup('" AUTHORITY="').value(authority);
  out.markup('" LOCALTIME="').integer(localtime).markup('">\n');
}

function addMetrics(
  out: ByteWriter,
  name: string,
  { sum, num, slope, detail }: SummaryMetric,
): void {
  out.markup('<METRICS NAME="').value(name);
  out.markup('" SUM="').markup(plainDecimal(sum));
  out.markup('" NUM="').integer(num);
  // Whatever the type of the terms was.
  out.markup('" TYPE="double" UNITS="').value(detail?.units ?? "");
  addSlopeAndSource(out, slope, detail?.source ?? "gatherer");
  // Whose host it was says nothing of a sum; C leaves it out as well.
  const extra = (detail?.extra ?? []).filter(([name]) =>
    name.toUpperCase() !== "SPOOF_HOST"
  );
  addExtraData(out, extra);
  out.markup("</METRICS>\n");
}
