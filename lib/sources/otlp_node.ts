import type { DetailPool } from "../ganglia/xml/details.ts";
import type { FigureForm } from "../otlp/figures.ts";
import type { Point, ScopeMetrics } from "../otlp/model.ts";
import { seriesName } from "../otlp/series_name.ts";
import type { Metric, MetricDetail, Observation } from "../tree/metric.ts";
import type { OtlpLimits } from "./otlp_limits.ts";
import {
  isDelta,
  type KnownMetric,
  nameFault,
  OtlpSeries,
  tellsStart,
} from "./otlp_series.ts";

/** Characters of a unit and of a description that are kept. */
const UNIT_LENGTH = 63;
const DESCRIPTION_LENGTH = 500;

/** Points, or buckets of them, after which others may have their turn. */
const STEP = 1000;

/** Why data points were not taken, and how many. */
export type Rejected = Map<string, number>;

/** What all nodes share. */
export interface OtlpShared {
  readonly limits: OtlpLimits;
  readonly details: DetailPool;
  /** Seconds from one observation to the next. */
  readonly intervalSeconds: number;
  /** Figures of all nodes. */
  figures: number;
}

/** When something came. */
export interface Arrival {
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Milliseconds of the monotonic clock. */
  readonly monotonic: number;
}

/** What is known of when a program began to count. */
export type Beginning = Pick<Observation, "incarnation" | "began">;

/** A point with its place among the series. */
interface Placed {
  readonly id: string;
  readonly scope: string;
  readonly metric: KnownMetric;
  readonly point: Point;
}

interface Entry {
  readonly series: OtlpSeries;
  readonly id: string;
  /** Of each figure, for as long as it is there. */
  readonly details: readonly MetricDetail[];
}

const EARLIER =
  "it is of an earlier process than the last one, or two processes have one name: " +
  "give each a service.instance.id of its own (OTEL_RESOURCE_ATTRIBUTES=service.instance.id=…)";
const OUT_OF_ORDER = "it is older than what came before";

/**
 * What one node has sent: its series, and when its program began to count. Knows nothing of where
 * it came from and where it goes.
 */
export class OtlpNode {
  readonly #shared: OtlpShared;
  #series = new Map<string, Entry>();
  /** When the cumulative series of the process before this one began. */
  #former = new Map<string, bigint>();
  /** The series that has a figure's name. */
  readonly #names = new Map<string, string>();
  /** By the name of a metric, the library that was the first to have it. */
  readonly #owners = new Map<string, string>();
  #beginning: Beginning = { incarnation: "" };
  /** What the resource says of its process. */
  #process = "";
  /** The latest time of a point, in nanoseconds since the epoch, by the node's clock. */
  #latest = 0n;
  /** When something was taken last, on both clocks; `undefined`: nothing was. */
  #takenAt: Arrival | undefined;
  /** Whether something was taken since it was observed last. */
  #isFresh = false;
  /** What was known of the node before this program was started. */
  #before: Observation | undefined;

  /** @param before What was known of the node before anything came. */
  constructor(shared: OtlpShared, before?: Observation) {
    this.#shared = shared;
    this.#before = before;
  }

  /** When something was taken last; `undefined`: nothing was. */
  get takenAt(): Arrival | undefined {
    return this.#takenAt;
  }

  /**
   * Takes what a resource has sent, in steps, between which others may have their turn, but nobody
   * may do anything with this node.
   * @param process What it says of its process; empty: nothing.
   * @returns What was not taken.
   */
  *take(
    scopes: readonly ScopeMetrics[],
    process: string,
    arrival: Arrival,
  ): Generator<void, Rejected> {
    const rejected: Rejected = new Map();
    const placed = yield* this.#place(scopes, rejected);
    if (!this.#isPresentProcess(placed, process, arrival)) {
      reject(rejected, EARLIER, placed.length);
      return rejected;
    }
    let taken = false;
    let work = 0;
    for (const one of placed) {
      work += workOf(one.point);
      if (work >= STEP) {
        work = 0;
        yield;
      }
      const fault = this.#takePoint(one, arrival.monotonic);
      if (fault === undefined) taken = true;
      else reject(rejected, fault);
    }
    // A resource without points is well, too: its program has nothing to tell.
    if (taken || placed.length === 0) {
      this.#takenAt = arrival;
      this.#isFresh = true;
    }
    return rejected;
  }

  /**
   * What the node reports now; `undefined` if nothing has come since it was asked last. Forgets what
   * has not been sent for long.
   */
  observe(
    monotonic: number,
  ): Omit<Observation, "sequence"> | undefined {
    const arrival = this.#takenAt;
    if (arrival === undefined || !this.#isFresh) return undefined;
    this.#isFresh = false;
    this.#forget(monotonic);
    const metrics: Metric[] = [];
    const held: Metric[] = [];
    for (const { series, details } of this.#series.values()) {
      // With deltas, not to be sent means that nothing was added.
      const into = series.isFresh || series.isDelta ? metrics : held;
      const age = Math.floor((arrival.monotonic - series.seenAt) / 1000);
      const tn = series.isDelta ? 0 : Math.max(0, age);
      const values = series.read();
      for (let i = 0; i < values.length; i++) {
        const { name, isCounter } = series.forms[i];
        into.push({
          name,
          value: values[i],
          slope: isCounter ? "positive" : "both",
          ...(tn > 0 ? { tn } : {}),
          detail: details[i],
        });
      }
    }
    return {
      ...this.#beginning,
      measuredAt: arrival.now,
      receivedAt: arrival.now,
      metrics,
      ...(held.length > 0 ? { held } : {}),
    };
  }

  /** Gives back what it has taken of what all nodes share. */
  clear(): void {
    for (const entry of this.#series.values()) this.#drop(entry);
    this.#former.clear();
  }

  *#place(
    scopes: readonly ScopeMetrics[],
    rejected: Rejected,
  ): Generator<void, Placed[]> {
    const placed: Placed[] = [];
    for (const { name: scope, metrics } of inOrder(scopes)) {
      for (const metric of metrics) {
        if (metric.kind === "unknown") continue;
        for (const point of metric.points) {
          if (point.fault !== undefined) {
            reject(rejected, point.fault);
            continue;
          }
          const id = `${scope}\n${seriesName(metric.name, point.attributes)}`;
          placed.push({ id, scope, metric, point });
          if (placed.length % STEP === 0) yield;
        }
      }
    }
    return placed;
  }

  /**
   * Whether the points are of the process that counts now; if they show that it is a new one, all
   * begins anew.
   */
  #isPresentProcess(
    placed: readonly Placed[],
    process: string,
    arrival: Arrival,
  ): boolean {
    if (process !== "" && this.#process !== "" && process !== this.#process) {
      // It begins with the time of its start.
      if (process < this.#process && !this.#isSilent(arrival)) return false;
      this.#restart();
    } else if (process === "" || this.#process === "") {
      switch (this.#compare(placed, arrival)) {
        case "earlier":
          return false;
        case "new":
          this.#restart();
      }
    }
    this.#process ||= process;
    if (this.#beginning.began === undefined) this.#begin(placed, arrival);
    return true;
  }

  /** What the starts of points say of the process that they are of. */
  #compare(
    placed: readonly Placed[],
    arrival: Arrival,
  ): "same" | "new" | "earlier" {
    let known = 0;
    let newer = 0;
    let older = 0;
    let earliest: bigint | undefined;
    for (const { id, metric, point } of placed) {
      if (!tellsStart(metric, point) || isDelta(metric)) continue;
      const { start } = point;
      if (earliest === undefined || start < earliest) earliest = start;
      const present = this.#series.get(id)?.series.start || undefined;
      const former = this.#former.get(id);
      if (present !== undefined) {
        known++;
        if (start > present) newer++;
        else if (start < present) older++;
      } else if (former !== undefined && start <= former) {
        known++;
        older++;
      }
    }
    if (known === 0) return "same";
    if (older === known) return this.#isSilent(arrival) ? "new" : "earlier";
    if (newer < known) return "same";
    // One series of many may begin anew by itself, when it has not been used for long.
    const isAll = 2 * known >= this.#countCumulative();
    return isAll || earliest! > this.#latest ? "new" : "same";
  }

  #countCumulative(): number {
    let count = 0;
    for (const { series } of this.#series.values()) {
      if (series.start !== 0n && !series.isDelta) count++;
    }
    return count;
  }

  /** Whether the present process has not sent for so long that another may take its place. */
  #isSilent({ monotonic }: Arrival): boolean {
    const last = this.#takenAt?.monotonic ?? -Infinity;
    return monotonic - last > this.#shared.limits.seriesMs;
  }

  #restart(): void {
    const former = new Map<string, bigint>();
    for (const entry of this.#series.values()) {
      const { start, isDelta } = entry.series;
      if (start !== 0n && !isDelta) former.set(entry.id, start);
      this.#drop(entry);
    }
    this.#former = former;
    this.#owners.clear();
    this.#beginning = { incarnation: "" };
    this.#process = "";
    this.#before = undefined;
  }

  /** Finds out when the program began to count, from its points. */
  #begin(placed: readonly Placed[], arrival: Arrival): void {
    let first: Point | undefined;
    let hasDelta = false;
    for (const { metric, point } of placed) {
      if (!tellsStart(metric, point)) continue;
      hasDelta ||= isDelta(metric);
      if (first === undefined || point.start < first.start) first = point;
    }
    if (first === undefined) {
      this.#beginning = { incarnation: this.#process };
      return;
    }
    const before = this.#before;
    this.#before = undefined;
    const { start, time } = first;
    // By the difference of the node's own times: its clock may be wrong.
    const age = time > start ? Number(time - start) / 1e6 : 0;
    const began = arrival.now - age;
    // Totals of deltas begin with us: a process may have several, one after another.
    const incarnation = hasDelta
      ? `${this.#process} ${start}`.trim()
      : this.#process || `${start}`;
    const isSame = before !== undefined && before.incarnation !== "" &&
      !hasDelta &&
      (this.#process === ""
        ? began <= before.receivedAt
        : before.incarnation === incarnation);
    this.#beginning = isSame
      ? { incarnation: before.incarnation, began: before.began ?? began }
      : { incarnation, began };
  }

  /** @returns Why it was not taken. */
  #takePoint(
    { id, scope, metric, point }: Placed,
    monotonic: number,
  ): string | undefined {
    const entry = this.#series.get(id);
    if (point.isGone) {
      if (entry) this.#drop(entry);
      return undefined;
    }
    const fault = this.#pointFault(id, metric, point, entry?.series);
    if (fault !== undefined) return fault;
    if (entry && isDelta(metric) && isRepeated(entry.series, point)) {
      return undefined;
    }
    if (point.time > this.#latest) this.#latest = point.time;
    if (entry?.series.fits(metric, point)) {
      entry.series.take(point, monotonic);
      return undefined;
    }
    if (entry) this.#drop(entry);
    return this.#add(id, scope, metric, point, monotonic);
  }

  #pointFault(
    id: string,
    metric: KnownMetric,
    point: Point,
    series: OtlpSeries | undefined,
  ): string | undefined {
    const { start, time } = point;
    const former = this.#former.get(id);
    if (former !== undefined) {
      if (start !== 0n && start <= former) return EARLIER;
      this.#former.delete(id);
    }
    if (isDelta(metric) && point.type === "number") {
      if (typeof point.value === "number" && !Number.isFinite(point.value)) {
        return "a delta is not finite";
      }
      if (metric.kind === "sum" && metric.isMonotonic && point.value < 0) {
        return "a delta of a sum that only grows is negative";
      }
    }
    if (!series || time === 0n) return undefined;
    if (isDelta(metric)) {
      return time < series.time ? OUT_OF_ORDER : undefined;
    }
    if (tellsStart(metric, point)) {
      if (start < series.start) return EARLIER;
      if (start > series.start) return undefined;
    }
    return time < series.time ? OUT_OF_ORDER : undefined;
  }

  /** @returns Why there is no place for it. */
  #add(
    id: string,
    scope: string,
    metric: KnownMetric,
    point: Point,
    monotonic: number,
  ): string | undefined {
    const owner = this.#ownerOf(metric.name, scope);
    const series = new OtlpSeries(
      metric,
      point,
      monotonic,
      owner === scope ? [] : [["otel.scope.name", scope]],
    );
    if (series.forms.some(({ name }) => this.#names.has(name))) {
      return "another metric has its name already";
    }
    const { forms } = series;
    const fault = nameFault(forms) ?? this.#roomFault(forms.length, monotonic);
    if (fault !== undefined) return fault;
    const details = forms.map((form) => this.#detail(metric, scope, form));
    for (const { name } of forms) this.#names.set(name, id);
    this.#shared.figures += forms.length;
    this.#series.set(id, { series, id, details });
    return undefined;
  }

  /** The library whose metric of a name goes by that alone; others add their own name. */
  #ownerOf(metric: string, scope: string): string {
    const owner = this.#owners.get(metric);
    if (owner !== undefined) return owner;
    if (this.#owners.size >= this.#shared.limits.nodeFigures) {
      this.#owners.clear();
    }
    this.#owners.set(metric, scope);
    return scope;
  }

  #roomFault(wanted: number, monotonic: number): string | undefined {
    const { nodeFigures, figures } = this.#shared.limits;
    const isFull = () => this.#names.size + wanted > nodeFigures;
    if (isFull()) this.#makeRoom(wanted, monotonic);
    if (isFull()) {
      return `a node may have ${nodeFigures} figures; its attributes have too many values`;
    }
    return this.#shared.figures + wanted > figures
      ? `all nodes together may have ${figures} figures`
      : undefined;
  }

  /** Drops what was sent longest ago, totals of deltas too, if that is long enough. */
  #makeRoom(wanted: number, monotonic: number): void {
    const { nodeFigures, seriesMs } = this.#shared.limits;
    const old = [...this.#series.values()].filter(({ series }) =>
      monotonic - series.seenAt > seriesMs
    ).sort((a, b) => a.series.seenAt - b.series.seenAt);
    // Some more at once: the next that wants room is not to sort them all again.
    const target = nodeFigures - wanted - Math.floor(nodeFigures / 10);
    for (const entry of old) {
      if (this.#names.size <= target) return;
      this.#drop(entry);
    }
  }

  #drop({ id, series }: Entry): void {
    this.#series.delete(id);
    for (const { name } of series.forms) this.#names.delete(name);
    this.#shared.figures -= series.forms.length;
  }

  #forget(monotonic: number): void {
    const { seriesMs } = this.#shared.limits;
    for (const entry of this.#series.values()) {
      const { series } = entry;
      // A total that is forgotten would have to begin at nought.
      if (!series.isDelta && monotonic - series.seenAt > seriesMs) {
        this.#drop(entry);
      }
    }
  }

  #detail(
    { unit, description }: KnownMetric,
    scope: string,
    { hasUnit }: FigureForm,
  ): MetricDetail {
    const extra: [string, string][] = [];
    if (scope !== "") extra.push(["GROUP", cut(scope, UNIT_LENGTH)]);
    if (description !== "") {
      extra.push(["DESC", cut(description, DESCRIPTION_LENGTH)]);
    }
    return this.#shared.details.intern({
      type: "double",
      units: hasUnit ? cut(unit, UNIT_LENGTH) : "",
      tmax: this.#shared.intervalSeconds,
      dmax: 0,
      source: "otlp",
      extra,
    });
  }
}

/** How many figures a point is, about. */
function workOf(point: Point): number {
  return point.type === "histogram" ? 1 + point.counts.length : 1;
}

/** By name, so that it does not matter in which order an exporter happens to send them. */
function inOrder(scopes: readonly ScopeMetrics[]): readonly ScopeMetrics[] {
  return scopes.toSorted((a, b) => a.name < b.name ? -1 : 1);
}

/** Adds to what was not taken. */
export function reject(rejected: Rejected, reason: string, count = 1): void {
  if (count > 0) rejected.set(reason, (rejected.get(reason) ?? 0) + count);
}

/** Whether a delta is the last one once more, sent again because its answer was lost. */
function isRepeated(series: OtlpSeries, { time }: Point): boolean {
  return time !== 0n && time === series.time;
}

function cut(text: string, most: number): string {
  return text.slice(0, most).toWellFormed();
}
