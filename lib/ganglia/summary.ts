/**
 * What the hosts of a cluster, or the clusters of a grid, are together. Source of the rules: the C
 * gmetad 3.7.2 (`process_xml.c`, `gmetad.c`); where ours differ, docs/ganglia-ports.md says why.
 *
 * @module
 */
import type { Metric, MetricDetail, Slope } from "../tree/metric.ts";
import type { Summary, SummaryMetric } from "../tree/summary.ts";
import type { ChildGrid, Cluster } from "../tree/tree.ts";
import { decimalPlaces } from "./decimal.ts";
import {
  type Instant,
  isDead,
  isUp,
  receivedAt,
  secondsBetween,
} from "./host_state.ts";

/** Ganglia's types of numbers; of a `timestamp` there is no meaningful sum. */
const NUMERIC: ReadonlySet<string> = new Set([
  "int8",
  "uint8",
  "int16",
  "uint16",
  "int32",
  "uint32",
  "float",
  "double",
]);

/** Metrics that are summed up in one step. */
const BATCH = 10_000;
/** Digits of a double that are certain. */
const CERTAIN_DIGITS = 15;
/** Most that JavaScript rounds to, and the number from which it does not. */
const MOST_PLACES = 100;
const LEAST_HUGE = 1e21;

/**
 * The rule of gmetad.conf's `unsummarized_metrics` and `unsummarized_sflow_vm_metrics`: of which
 * metrics no summary is written. In XML they have one all the same.
 * @param prefixes Beginnings of names.
 * @param sflowVm Whether a `v` after the last point marks a metric that is left out as well.
 */
export function unsummarizedMetrics(
  prefixes: readonly string[],
  sflowVm: boolean,
): (name: string) => boolean {
  return (name) =>
    prefixes.some((prefix) => name.startsWith(prefix)) ||
    (sflowVm && /\.v[^.]*$/.test(name));
}

/**
 * Sums up a cluster. Hosts are up or down by {@linkcode isUp}; metrics of hosts that are down,
 * texts, what is no finite number, and metrics older than their DMAX do not count.
 */
export function summarize(
  cluster: Cluster,
  instant: Instant,
): Summary {
  const steps = summarizeInSteps(cluster, instant);
  while (true) {
    const { value, done } = steps.next();
    if (done) return value;
  }
}

/**
 * Sums up a cluster as {@linkcode summarize} does, in steps of some 10 ms, so that others can have
 * their turn in between: 10,000 nodes of 80 metrics take more than 100 ms.
 */
export function* summarizeInSteps(
  cluster: Cluster,
  instant: Instant,
): Generator<void, Summary> {
  let up = 0;
  let down = 0;
  const totals = new Totals();
  let added = 0;
  for (const host of cluster.hosts.values()) {
    const { observation } = host;
    // A node that has never answered is not there yet.
    if (!observation && !host.detail) continue;
    if (!isUp(host, cluster, instant)) {
      down++;
      continue;
    }
    up++;
    if (!observation) continue;
    const since = receivedAt(host, cluster, instant);
    totals.addHost(
      observation.metrics,
      secondsBetween(since, instant.monotonic),
    );
    added += observation.metrics.length;
    if (added >= BATCH) {
      added = 0;
      yield;
    }
  }
  return { up, down, metrics: totals.finish() };
}

/**
 * Sums up summaries: a grid's is the sum of those of its clusters and of the grids below it.
 * @param only If given, no other metrics count: gmetad.conf's `summarized_metrics`.
 */
export function sumSummaries(
  summaries: Iterable<Summary>,
  only?: ReadonlySet<string>,
): Summary {
  let up = 0;
  let down = 0;
  const totals = new Map<string, Total>();
  for (const summary of summaries) {
    up += summary.up;
    down += summary.down;
    for (const [name, metric] of summary.metrics) {
      if (only && !only.has(name)) continue;
      let total = totals.get(name);
      if (!total) totals.set(name, total = new Total(metric));
      total.add(metric.sum, decimalPlaces(String(metric.sum)));
      total.num += metric.num - 1;
    }
  }
  return { up, down, metrics: finish(totals) };
}

/** The summary of a grid below ours as it counts here: if its source is dead, all is down. */
export function childSummary(child: ChildGrid): Summary {
  const { up, down } = child.summary;
  return isDead(child)
    ? { up: 0, down: up + down, metrics: new Map() }
    : child.summary;
}

/** The summary of everything; clusters without a summary do not count. */
export function gridSummary(
  grid: {
    readonly clusters: ReadonlyMap<string, Pick<Cluster, "summary">>;
    readonly grids: ReadonlyMap<string, ChildGrid>;
  },
  only?: ReadonlySet<string>,
): Summary {
  const summaries: Summary[] = [];
  for (const { summary } of grid.clusters.values()) {
    if (summary) summaries.push(summary);
  }
  for (const child of grid.grids.values()) summaries.push(childSummary(child));
  return sumSummaries(summaries, only);
}

/** The sum of one metric, while it is made. */
class Total {
  readonly #slope: Slope;
  readonly #detail: MetricDetail | undefined;
  #sum = 0;
  /** What the additions have lost (Neumaier's summation). */
  #lost = 0;
  /** The most decimal places of a term; `Infinity`: they are not known. */
  #places = 0;
  num = 0;

  constructor({ slope, detail }: { slope: Slope; detail?: MetricDetail }) {
    this.#slope = slope;
    this.#detail = detail;
  }

  add(term: number, places: number): void {
    const sum = this.#sum + term;
    this.#lost += Math.abs(this.#sum) >= Math.abs(term)
      ? this.#sum - sum + term
      : term - sum + this.#sum;
    this.#sum = sum;
    if (places > this.#places) this.#places = places;
    this.num++;
  }

  /**
   * The double nearest to the sum of the decimals that the terms stand for, so that its shortest
   * digits are that sum: 0.1 and 0.2 make 0.3.
   */
  finish(): SummaryMetric {
    const exact = this.#sum + this.#lost;
    // Terms are finite, but their sum may not be.
    const sum = Number.isFinite(exact)
      ? rounded(exact, this.#places, this.num)
      : Math.sign(this.#sum) * Number.MAX_VALUE;
    return {
      sum,
      num: this.num,
      slope: this.#slope,
      ...(this.#detail ? { detail: this.#detail } : {}),
    };
  }
}

function rounded(sum: number, places: number, terms: number): number {
  if (places === 0 || Math.abs(sum) >= LEAST_HUGE) return sum;
  if (places <= MOST_PLACES) return Number(sum.toFixed(places));
  return terms === 1 ? sum : Number(sum.toPrecision(CERTAIN_DIGITS));
}

function finish(
  totals: ReadonlyMap<string, Total>,
): Map<string, SummaryMetric> {
  const metrics = new Map<string, SummaryMetric>();
  for (const [name, total] of totals) {
    if (total.num > 0) metrics.set(name, total.finish());
  }
  return metrics;
}

/** What is done with the metric at a certain place among those of a host. */
interface Column {
  readonly name: string;
  readonly detail: MetricDetail | undefined;
  /** `undefined`: it is not summed. */
  readonly total: Total | undefined;
}

/** The sums of a cluster, while they are made. */
class Totals {
  readonly #totals = new Map<string, Total>();
  /** Hosts are alike: the next one has most likely the same metrics in the same order. */
  readonly #columns: Column[] = [];

  /** @param age How long ago they were received, in seconds. */
  addHost(metrics: readonly Metric[], age: number): void {
    for (let place = 0; place < metrics.length; place++) {
      const metric = metrics[place];
      const { value, detail } = metric;
      if (value === null) continue;
      let column = this.#columns[place];
      if (column?.name !== metric.name || column.detail !== detail) {
        this.#columns[place] = column = this.#columnOf(metric);
      }
      const { total } = column;
      if (!total) continue;
      if (
        detail && detail.dmax > 0 && (metric.tn ?? 0) + age > detail.dmax
      ) continue;
      const term = Number(value);
      if (!Number.isFinite(term)) continue;
      if (Number.isInteger(term)) total.add(term, 0);
      else {
        total.add(
          term,
          metric.text === undefined ? Infinity : decimalPlaces(metric.text),
        );
      }
    }
  }

  finish(): Map<string, SummaryMetric> {
    return finish(this.#totals);
  }

  #columnOf({ name, detail, slope }: Metric): Column {
    if (detail && !NUMERIC.has(detail.type)) {
      return { name, detail, total: undefined };
    }
    let total = this.#totals.get(name);
    if (!total) this.#totals.set(name, total = new Total({ slope, detail }));
    return { name, detail, total };
  }
}
