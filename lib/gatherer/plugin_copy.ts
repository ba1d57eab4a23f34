/**
 * A cluster on its way to a plugin's thread. It goes as lists of plain values, in pieces: of 150,000
 * metrics as objects the structured clone takes three times as long. The thread makes objects of them.
 *
 * @module
 */
import {
  type Instant,
  isUp,
  PLAIN_TMAX,
  receivedAt,
  secondsBetween,
} from "../ganglia/host_state.ts";
import type {
  PluginCluster,
  PluginExtra,
  PluginGrid,
  PluginMetricKind,
  PluginSource,
  PluginSummary,
} from "../plugins/author.ts";
import type { Host } from "../tree/host.ts";
import type { MetricDetail, Slope } from "../tree/metric.ts";
import type { Summary } from "../tree/summary.ts";
import type { ChildGrid, Cluster, SourceState } from "../tree/tree.ts";

/** What is copied: a cluster, or a grid below ours. */
export type PluginSubject = PluginCluster | PluginGrid;

/** A part of a copy. The first has what is said of the whole. */
export interface CopyPiece {
  readonly head?: PluginSubject;
  /** What is said of metrics for the first time in this copy; rows count them from 0 on. */
  readonly kinds: readonly NamedKind[];
  /** Rows, end to end; see {@linkcode takePiece}. */
  readonly rows: readonly RowValue[];
}

type RowValue = string | number | boolean | null;

/** What metrics of one name have in common. */
interface NamedKind extends PluginMetricKind {
  name: string;
}

/** Values in one piece: some 2 ms of work, then others have their turn. */
const PIECE = 20_000;

/** What rows begin with; those of metrics begin with the number of their kind. */
const HOST = -1;
const SUMMARY = -2;

/** What is said of metrics whose source says nothing. */
const PLAIN_KIND: Omit<PluginMetricKind, "slope"> = {
  type: "double",
  units: "",
  tmax: PLAIN_TMAX,
  dmax: 0,
  source: "",
  extra: [],
};

/** The pieces of a cluster's copy. */
export function* clusterPieces(
  cluster: Cluster,
  instant: Instant,
): Generator<CopyPiece> {
  const { name, detail, source, summary } = cluster;
  const writer = new PieceWriter({
    kind: "cluster",
    name,
    owner: detail?.owner ?? "",
    latlong: detail?.latlong ?? "",
    url: detail?.url ?? "",
    localtime: detail?.localtime ?? Math.floor(instant.now / 1000),
    source: source ? sourceOf(source, instant) : null,
    summary: summary ? summaryOf(summary) : null,
    hosts: [],
  });
  if (summary) yield* summaryRows(writer, summary);
  for (const host of cluster.hosts.values()) {
    yield* hostRows(writer, host, cluster, instant);
  }
  yield writer.take();
}

/** The pieces of the copy of a grid below ours. */
export function* gridPieces(
  grid: ChildGrid,
  instant: Instant,
): Generator<CopyPiece> {
  const { name, authority, localtime, source, summary } = grid;
  const writer = new PieceWriter({
    kind: "grid",
    name,
    authority,
    localtime,
    source: sourceOf(source, instant),
    summary: summaryOf(summary),
  });
  yield* summaryRows(writer, summary);
  yield writer.take();
}

class PieceWriter {
  rows: RowValue[] = [];
  #head: PluginSubject | undefined;
  #kinds: NamedKind[] = [];
  #count = 0;
  /** What has been said of metrics, by name. */
  readonly #known = new Map<string, {
    readonly slope: Slope;
    readonly detail: MetricDetail | undefined;
    readonly number: number;
  }[]>();

  constructor(head: PluginSubject) {
    this.#head = head;
  }

  get isFull(): boolean {
    return this.rows.length + this.#kinds.length >= PIECE;
  }

  kindOf(
    name: string,
    slope: Slope,
    detail: MetricDetail | undefined,
  ): number {
    let known = this.#known.get(name);
    if (!known) this.#known.set(name, known = []);
    for (const kind of known) {
      if (kind.detail === detail && kind.slope === slope) return kind.number;
    }
    const number = this.#count++;
    known.push({ slope, detail, number });
    this.#kinds.push({
      name,
      slope,
      ...(detail ? kindOf(detail) : PLAIN_KIND),
    });
    return number;
  }

  take(): CopyPiece {
    const { rows } = this;
    const kinds = this.#kinds;
    const head = this.#head;
    this.rows = [];
    this.#kinds = [];
    this.#head = undefined;
    return head ? { head, kinds, rows } : { kinds, rows };
  }
}

function kindOf(detail: MetricDetail): Omit<PluginMetricKind, "slope"> {
  const { type, units, tmax, dmax, source, extra } = detail;
  const pairs = extra.map(([name, value]): PluginExtra => ({ name, value }));
  return { type, units, tmax, dmax, source, extra: pairs };
}

function sourceOf(
  { name, interval, answeredAt, failure }: SourceState,
  { monotonic }: Instant,
): PluginSource {
  const age = secondsBetween(answeredAt, monotonic);
  return { name, interval, age, failure: failure ?? null };
}

function summaryOf({ up, down }: Summary): PluginSummary {
  return { up, down, metrics: [] };
}

function* summaryRows(
  writer: PieceWriter,
  { metrics }: Summary,
): Generator<CopyPiece> {
  for (const [name, { sum, num, slope, detail }] of metrics) {
    writer.rows.push(SUMMARY, writer.kindOf(name, slope, detail), sum, num);
    if (writer.isFull) yield writer.take();
  }
}

function* hostRows(
  writer: PieceWriter,
  host: Host,
  cluster: Cluster,
  instant: Instant,
): Generator<CopyPiece> {
  const { key, nickname, detail, observation } = host;
  const received = receivedAt(host, cluster, instant);
  const age = secondsBetween(received, instant.monotonic) + (detail?.tn ?? 0);
  const time = observation ? observation.receivedAt / 1000 : null;
  writer.rows.push(
    HOST,
    nickname,
    key,
    isUp(host, cluster, instant),
    age,
    time,
    detail?.reported ?? Math.floor(time ?? 0),
    detail?.tmax ?? PLAIN_TMAX,
    detail?.dmax ?? 0,
    detail?.ip ?? "",
    detail?.location ?? "",
    detail?.tags ?? "",
    detail?.gmondStarted ?? 0,
  );
  for (const metric of observation?.metrics ?? []) {
    const { name, value, text, slope, tn = 0, detail } = metric;
    writer.rows.push(
      writer.kindOf(name, slope, detail),
      value === null ? null : Number(value),
      text ?? (value === null ? "" : String(value)),
      tn,
    );
    if (writer.isFull) yield writer.take();
  }
}

/** A copy while it is put together. */
export interface PartialCopy {
  subject?: PluginSubject;
  kinds: NamedKind[];
}

/**
 * Adds a piece to a copy. The thread gets this function as text: it must use nothing from outside
 * itself.
 */
export function takePiece(
  copy: PartialCopy,
  { head, kinds, rows }: CopyPiece,
): void {
  if (head) {
    copy.subject = head;
    copy.kinds = [];
  }
  for (const kind of kinds) {
    for (const extra of kind.extra) Object.freeze(extra);
    Object.freeze(kind.extra);
    copy.kinds.push(kind);
  }
  const subject = copy.subject!;
  const hosts = "hosts" in subject ? subject.hosts : [];
  // deno-lint-ignore no-explicit-any
  const values = rows as readonly any[];
  for (let at = 0; at < values.length;) {
    const tag = values[at];
    if (tag >= 0) {
      const kind = copy.kinds[tag];
      hosts[hosts.length - 1].metrics.push({
        name: kind.name,
        value: values[at + 1],
        text: values[at + 2],
        tn: values[at + 3],
        slope: kind.slope,
        type: kind.type,
        units: kind.units,
        tmax: kind.tmax,
        dmax: kind.dmax,
        source: kind.source,
        extra: kind.extra,
      });
      at += 4;
    } else if (tag === -1) {
      hosts.push({
        name: values[at + 1],
        key: values[at + 2],
        up: values[at + 3],
        age: values[at + 4],
        time: values[at + 5],
        reported: values[at + 6],
        tmax: values[at + 7],
        dmax: values[at + 8],
        ip: values[at + 9],
        location: values[at + 10],
        tags: values[at + 11],
        gmondStarted: values[at + 12],
        metrics: [],
      });
      at += 13;
    } else {
      const kind = copy.kinds[values[at + 1]];
      subject.summary!.metrics.push({
        name: kind.name,
        sum: values[at + 2],
        num: values[at + 3],
        slope: kind.slope,
        type: kind.type,
        units: kind.units,
        tmax: kind.tmax,
        dmax: kind.dmax,
        source: kind.source,
        extra: kind.extra,
      });
      at += 4;
    }
  }
}
