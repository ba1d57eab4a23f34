import type { Metric, MetricDetail, Slope } from "../tree/metric.ts";
import { bytesOf, isStored } from "./live.ts";
import { fileName } from "./names.ts";
import { numberText } from "./number_text.ts";
import type { Shapes } from "./shape.ts";
import type { RrdJob } from "./store.ts";
import type { RrdUpdate } from "./writer.ts";

/** Names of files that are kept ready. */
const MAX_NAMES = 20_000;

/** The names of metrics' files; hosts have the same metrics, more or less. */
export class FileNames {
  readonly #names = new Map<string, string>();

  /** The name of a metric's file. */
  of(metric: string): string {
    let name = this.#names.get(metric);
    if (name === undefined) {
      name = fileName(metric);
      if (this.#names.size >= MAX_NAMES) this.#names.clear();
      this.#names.set(metric, name);
    }
    return name;
  }
}

/** Where values belong. */
export interface Place {
  /** An absolute path. */
  readonly directory: string;
  /** Seconds since the epoch. */
  readonly time: number;
  readonly step: number;
}

/** What files have in common. */
export interface FileRules {
  readonly shapes: Shapes;
  readonly names: FileNames;
  /** Whether all counters are taken to restart, not only those of which it is known. */
  readonly allRestart: boolean;
}

/** The metrics of a host. */
export class HostJob implements RrdJob {
  readonly count: number;
  readonly bytes: number;
  readonly #place: Place;
  readonly #metrics: readonly Metric[];
  readonly #former: FormerMetrics | undefined;
  readonly #rules: FileRules;

  /** @param former If the host was restarted: what it reported last before that. */
  constructor(
    place: Place,
    metrics: readonly Metric[],
    rules: FileRules,
    former?: FormerMetrics,
  ) {
    this.#place = place;
    this.#metrics = metrics;
    this.#former = former;
    this.#rules = rules;
    this.count = metrics.length + (former?.metrics.length ?? 0);
    this.bytes = bytesOf(metrics) + bytesOf(former?.metrics ?? []);
  }

  updates(): RrdUpdate[] {
    const { metrics, time = -Infinity } = this.#former ?? {};
    const updates = this.#valuesOf(this.#metrics);
    if (metrics === undefined) return updates;
    // Not known between the two: RRD must not take their difference for progress.
    const hasRoom = this.#place.time - 1 > time;
    const unknown = this.#valuesOf(metrics)
      .filter(({ shape }) => shape.type !== "GAUGE")
      .map((update) => ({
        ...update,
        time: hasRoom ? update.time - 1 : update.time,
        values: "U",
      }));
    if (hasRoom) return [...unknown, ...updates];
    const paths = new Set(unknown.map(({ path }) => path));
    return [...unknown, ...updates.filter(({ path }) => !paths.has(path))];
  }

  #valuesOf(metrics: readonly Metric[]): RrdUpdate[] {
    const updates: RrdUpdate[] = [];
    const { directory, time, step } = this.#place;
    const { names } = this.#rules;
    for (const metric of metrics) {
      if (!isStored(metric)) continue;
      const shape = shapeOf(metric, step, false, this.#rules);
      const values = numberText(metric, shape.type);
      if (values === undefined) continue;
      const path = `${directory}/${names.of(metric.name)}`;
      updates.push({ path, time, values, shape });
    }
    return updates;
  }
}

/** What a host reported last before it was restarted. */
export interface FormerMetrics {
  readonly metrics: readonly Metric[];
  /** The time of the last values that were written; `undefined`: not known. */
  readonly time: number | undefined;
}

/** A metric of many hosts. */
export interface NamedSum {
  readonly name: string;
  readonly sum: number;
  readonly num: number;
  readonly slope: Slope;
  readonly detail?: MetricDetail;
}

/** The metrics of a summary. */
export class SummaryJob implements RrdJob {
  readonly count: number;
  readonly bytes: number;
  readonly #place: Place;
  readonly #sums: readonly NamedSum[];
  readonly #rules: FileRules;

  constructor(place: Place, sums: readonly NamedSum[], rules: FileRules) {
    this.#place = place;
    this.#sums = sums;
    this.#rules = rules;
    this.count = sums.length;
    this.bytes = bytesOf(sums);
  }

  updates(): RrdUpdate[] {
    const updates: RrdUpdate[] = [];
    const { directory, time, step } = this.#place;
    const { names } = this.#rules;
    for (const metric of this.#sums) {
      const shape = shapeOf(metric, step, true, this.#rules);
      const sum = numberText({ value: metric.sum }, shape.type);
      const num = numberText({ value: metric.num }, "GAUGE");
      if (sum === undefined || num === undefined) continue;
      updates.push({
        path: `${directory}/${names.of(metric.name)}`,
        time,
        values: `${sum}:${num}`,
        shape,
      });
    }
    return updates;
  }
}

/** Nodes, of which there is no detail, begin their counters anew when they are restarted. */
function shapeOf(
  { slope, detail }: { slope: Slope; detail?: MetricDetail },
  step: number,
  summary: boolean,
  { shapes, allRestart }: FileRules,
) {
  const restarts = allRestart || detail === undefined;
  return shapes.of({ slope, restarts, summary, step });
}
