import {
  type Instant,
  isPresent,
  PLAIN_TMAX,
  receivedAt,
  secondsBetween,
} from "../ganglia/host_state.ts";
import type { Host } from "../tree/host.ts";
import type { Metric } from "../tree/metric.ts";
import { SILENT_SECONDS } from "../tree/state.ts";
import type { Cluster, SourceState } from "../tree/tree.ts";
import type { Facts } from "./evaluate.ts";

/** A figure is known for as long as a node is not silent, or until it is so many TMAX old. */
const KNOWN_TMAX = 4;

/** What is known of one host. Used for one host after another, and for each of its metrics. */
export class HostFacts implements Facts {
  readonly #instant: Instant;
  readonly #startedAt: number;
  readonly #cluster: Cluster;
  readonly #named = new Map<string, Metric>();
  #metric: Metric | undefined;
  #silent = false;
  /** Seconds since the host was heard of. */
  age = 0;
  /** Seconds since its figures were received. */
  #received = 0;

  /** @param startedAt When this program began to look, on the monotonic clock. */
  constructor(cluster: Cluster, instant: Instant, startedAt: number) {
    this.#instant = instant;
    this.#startedAt = startedAt;
    this.#cluster = cluster;
  }

  /** @param wanted The metrics that conditions name. */
  takeHost(host: Host, wanted: ReadonlySet<string>): void {
    const instant = this.#instant;
    const since = receivedAt(host, this.#cluster, instant);
    this.#received = secondsBetween(since, instant.monotonic);
    this.age = this.#received + (host.detail?.tn ?? 0);
    // A source that misses one poll does not make its hosts silent: their age does.
    this.#silent = !isPresent(host, this.#cluster, instant);
    if (!host.detail && host.observation?.sequence === 0) {
      // A node of an earlier life of this program has as long to attach.
      const waited = secondsBetween(this.#startedAt, instant.monotonic);
      this.age = Math.min(this.age, waited);
      this.#silent &&= waited >= SILENT_SECONDS;
    }
    this.#metric = undefined;
    this.#named.clear();
    if (wanted.size === 0) return;
    for (const metric of host.observation?.metrics ?? []) {
      if (wanted.has(metric.name)) this.#named.set(metric.name, metric);
    }
  }

  /** Says which of the host's metrics is the one in question. */
  takeMetric(metric: Metric): void {
    this.#metric = metric;
  }

  word(word: string): number | boolean | undefined {
    switch (word) {
      case "value":
        return this.#figure(this.#metric);
      case "age":
        return this.age;
      case "silent":
        return this.#silent;
    }
  }

  metric(name: string): number | undefined {
    return this.#figure(this.#named.get(name));
  }

  /** The number, unless it is not known, or no longer. */
  #figure(metric: Metric | undefined): number | undefined {
    if (metric === undefined || metric.value === null || this.#silent) {
      return undefined;
    }
    const { detail, tn = 0, value } = metric;
    const age = this.#received + tn;
    const tmax = detail?.tmax ?? PLAIN_TMAX;
    if (age > Math.max(SILENT_SECONDS, KNOWN_TMAX * tmax)) return undefined;
    if (detail && detail.dmax > 0 && age > detail.dmax) return undefined;
    const number = Number(value);
    return Number.isFinite(number) ? number : undefined;
  }
}

/** What is known of a source. */
export class SourceFacts implements Facts {
  /** Seconds since its last good answer. */
  readonly age: number;
  readonly #down: boolean;

  constructor({ answeredAt, failure }: SourceState, { monotonic }: Instant) {
    this.age = secondsBetween(answeredAt, monotonic);
    this.#down = failure !== undefined;
  }

  word(word: string): number | boolean | undefined {
    return word === "age" ? this.age : word === "down" ? this.#down : undefined;
  }

  metric(): undefined {
    return undefined;
  }
}
