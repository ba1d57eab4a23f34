import type { Clock, Timer } from "../clock.ts";
import { isDead } from "../ganglia/host_state.ts";
import { sumSummaries, unsummarizedMetrics } from "../ganglia/summary.ts";
import {
  FileNames,
  type FileRules,
  type NamedSum,
  type Place,
  SummaryJob,
} from "../rrd/jobs.ts";
import { RrdRoot } from "../rrd/root.ts";
import { Shapes, stepOf } from "../rrd/shape.ts";
import { SourceClock } from "../rrd/source_clock.ts";
import { type RrdCounts, RrdStore } from "../rrd/store.ts";
import type { Summary } from "../tree/summary.ts";
import type { ChildGrid, Cluster } from "../tree/tree.ts";
import type { RrdOptions } from "./rrd.ts";
import type { Plugin } from "./plugin.ts";

/** Seconds from one summary of the whole grid to the next: gmetad's step. */
const GRID_STEP = 15;

/** How RRDs of summaries are stored. */
export interface RrdSummaryOptions
  extends Omit<RrdOptions, "caseSensitiveHostnames"> {
  /** Metrics whose names begin so have no RRD of their summary: `unsummarized_metrics`. */
  readonly unsummarizedMetrics?: readonly string[];
  /** Nor have sFlow's of virtual machines: `unsummarized_sflow_vm_metrics`. */
  readonly unsummarizedSflowVmMetrics?: boolean;
  /** If there are any, the whole grid's summary has RRDs of these only: `summarized_metrics`. */
  readonly summarizedMetrics?: readonly string[];
}

/** What is known of a cluster or of a grid below ours. */
interface Part {
  readonly isDead: boolean;
  readonly summary: Summary;
}

/**
 * Stores the summaries of clusters and of grids below ours, as they come, and every 15 s that of
 * the whole grid, each metric in an RRD of its own, where and how gmetad does.
 */
export class RrdSummaryPlugin implements Plugin {
  readonly id = "rrd_summary";
  readonly wantsSummary = true;
  readonly #root: RrdRoot;
  readonly #isLocal: boolean;
  readonly #rules: FileRules;
  readonly #isUnsummarized: (name: string) => boolean;
  readonly #only: ReadonlySet<string> | undefined;
  readonly #step: number;
  readonly #clock: Clock;
  readonly #sourceClock: SourceClock;
  readonly #store: RrdStore;
  /** The newest of each cluster and grid. */
  readonly #parts = new Map<string, Part>();
  #timer: Timer | undefined;
  #due = 0;

  /** @throws UserError when the root or an archive is none. */
  constructor(options: RrdSummaryOptions) {
    this.#root = new RrdRoot(options.root);
    this.#isLocal = options.writer.isLocal;
    this.#rules = {
      shapes: new Shapes(options.rras),
      names: new FileNames(),
      allRestart: options.countersRestart ?? false,
    };
    this.#isUnsummarized = unsummarizedMetrics(
      options.unsummarizedMetrics ?? [],
      options.unsummarizedSflowVmMetrics ?? false,
    );
    const only = options.summarizedMetrics ?? [];
    this.#only = only.length > 0 ? new Set(only) : undefined;
    this.#step = stepOf(options.step ?? 15);
    this.#clock = options.clock;
    this.#sourceClock = new SourceClock(options.clock);
    this.#store = new RrdStore({
      ...options,
      name: "writing RRDs of summaries",
    });
  }

  /** What it has done. */
  get counts(): RrdCounts {
    return this.#store.counts;
  }

  async start(): Promise<void> {
    if (this.#isLocal) await this.#root.make();
    this.#due = this.#clock.monotonic();
    this.#wait();
  }

  notify(cluster: Cluster): void {
    const { name, summary, source, detail } = cluster;
    const id = `cluster ${name}`;
    if (!summary || cluster.hosts.size === 0) {
      this.#parts.delete(id);
      this.#sourceClock.forget(id);
      return;
    }
    this.#parts.set(id, { isDead: isDead(cluster), summary });
    if (isDead(cluster)) return;
    const step = source ? stepOf(source.interval) : this.#step;
    const time = this.#sourceClock.tell({
      id,
      localtime: detail?.localtime,
      step,
      // The plugin for hosts complains.
      complain: false,
    });
    this.#write(name, time, step, summary);
  }

  notifyGrid(grid: ChildGrid): void {
    const { name, summary, localtime, source } = grid;
    const id = `grid ${name}`;
    this.#parts.set(id, { isDead: isDead(grid), summary });
    if (isDead(grid)) return;
    const step = stepOf(source.interval);
    const time = this.#sourceClock.tell({ id, localtime, step });
    this.#write(name, time, step, summary);
  }

  forgetGrid(name: string): void {
    this.#parts.delete(`grid ${name}`);
  }

  stopping(): void {
    this.#store.stopping();
  }

  async stop(): Promise<void> {
    this.#timer?.cancel();
    await this.#store.stop();
  }

  #write(
    name: string,
    time: number | undefined,
    step: number,
    { metrics }: Summary,
  ): void {
    if (time === undefined) return;
    const place = { directory: this.#root.ofSummary(name), time, step };
    this.#add(place, metrics);
  }

  #wait(): void {
    this.#due += GRID_STEP * 1000;
    // After the machine slept, once is enough.
    const now = this.#clock.monotonic();
    if (this.#due < now) this.#due = now;
    this.#timer = this.#clock.setTimer(
      () => {
        this.#writeGrid();
        this.#wait();
      },
      this.#due - now,
      { keepAlive: false },
    );
  }

  #writeGrid(): void {
    const live = [...this.#parts.values()].filter((part) => !part.isDead);
    const { metrics } = sumSummaries(
      live.map(({ summary }) => summary),
      this.#only,
    );
    const time = this.#sourceClock.now();
    this.#add({ directory: this.#root.ofGrid, time, step: GRID_STEP }, metrics);
  }

  #add(place: Place, metrics: Summary["metrics"]): void {
    const sums: NamedSum[] = [];
    for (const [name, { sum, num, slope, detail }] of metrics) {
      if (this.#isUnsummarized(name)) continue;
      sums.push({ name, sum, num, slope, detail });
    }
    if (sums.length === 0) return;
    this.#store.add(new SummaryJob(place, sums, this.#rules));
  }
}
