import { setImmediate } from "node:timers/promises";
import { getLogger } from "@logtape/logtape";
import type { GangliaDocument } from "../ganglia/xml/document.ts";
import { oneLine } from "../text.ts";
import type { SourceState, Tree } from "../tree/tree.ts";
import {
  type ClusterLimits,
  countMetrics,
  mergeClusterInSteps,
  type Moment,
} from "./gmond_cluster.ts";

const logger = getLogger(["gatherer", "gmond"]);

/** How long another source of a cluster may be silent before its cluster is free. */
const FREE_AFTER_INTERVALS = 3;
const FREE_AFTER_MS = 60_000;

/** Names whose refusal is remembered, and so said once; further ones are refused silently. */
const MOST_REFUSED = 1000;

/** What keeps what a source has brought from growing for ever. */
export interface StoreLimits extends ClusterLimits {
  /** Clusters that a source may have, those among them that it no longer sends, and grids. */
  readonly clusters: number;
}

/** Writes what one source brings into the tree: one transaction a cluster, or a grid. */
export class GmondStore {
  readonly #tree: Tree;
  readonly #source: { readonly name: string; readonly intervalSeconds: number };
  readonly #limits: StoreLimits;
  /** The clusters and grids that are this source's. */
  readonly #clusters = new Set<string>();
  readonly #grids = new Set<string>();
  readonly #refused = new Set<string>();

  constructor(
    tree: Tree,
    source: { readonly name: string; readonly intervalSeconds: number },
    limits: StoreLimits,
  ) {
    this.#tree = tree;
    this.#source = source;
    this.#limits = limits;
    // A source whose settings have changed has brought something before.
    for (const cluster of tree.grid.clusters.values()) {
      if (cluster.source?.name === source.name) {
        this.#clusters.add(cluster.name);
      }
    }
    for (const grid of tree.grid.grids.values()) {
      if (grid.source.name === source.name) this.#grids.add(grid.name);
    }
  }

  /** Takes an answer; not to be called again before it has resolved. */
  async take(document: GangliaDocument, at: Moment): Promise<void> {
    const tree = this.#tree;
    const { clusters, grids, cut } = document;
    const whyMissing = this.#whyMissing(document);
    const source: SourceState = {
      name: this.#source.name,
      answeredAt: at.monotonic,
      interval: this.#source.intervalSeconds,
      failure: undefined,
    };
    for (const read of clusters) {
      const before = tree.grid.clusters.get(read.name);
      // Nodes that attach by themselves have keys of their own, and no source.
      const isForeign = before !== undefined && before.source === undefined &&
        [...before.hosts.keys()].some((key) =>
          !key.startsWith(`${read.name}/`)
        );
      if (isForeign) {
        this.#refuse(
          read.name,
          "cluster",
          takenBy("nodes that attach by themselves"),
        );
      } else if (this.#isFree(read.name, "cluster", before?.source, at)) {
        this.#clusters.add(read.name);
        const steps = mergeClusterInSteps(
          read,
          before,
          source,
          at,
          whyMissing,
          this.#limits,
        );
        let step = steps.next();
        for (; !step.done; step = steps.next()) await setImmediate();
        tree.replace(step.value);
        tree.commit(read.name);
      }
    }
    for (const read of grids) {
      const before = tree.grid.grids.get(read.name);
      if (!this.#isFree(read.name, "grid", before?.source, at)) continue;
      const { clusters: most } = this.#limits;
      if (!this.#grids.has(read.name) && this.#grids.size >= most) {
        this.#refuse(
          read.name,
          "grid",
          `but has had ${most} others: it is ignored`,
        );
        continue;
      }
      this.#grids.add(read.name);
      tree.setGrid({ ...read, source });
    }
    const sent = new Set(clusters.map(({ name }) => name));
    this.#bound(sent);
    if (cut !== undefined) return;
    const reason = `it is not in the answer of ${this.#source.name} any more`;
    this.#failClusters(reason, sent);
    this.#failGrids(reason, new Set(grids.map(({ name }) => name)));
    this.#forget(at);
  }

  /** Takes that there was no answer. */
  fail(reason: string): void {
    this.#failClusters(reason);
    this.#failGrids(reason);
  }

  /** Takes out all that this source has brought. */
  retract(): void {
    const { name } = this.#source;
    for (const cluster of [...this.#tree.grid.clusters.values()]) {
      if (cluster.source?.name !== name) continue;
      this.#tree.remove(cluster.name);
      this.#tree.commit(cluster.name);
    }
    for (const { name: grid, source } of [...this.#tree.grid.grids.values()]) {
      if (source.name === name) this.#tree.removeGrid(grid);
    }
  }

  /** Why a host of before is not in an answer. */
  #whyMissing({ cut, damages }: GangliaDocument): (key: string) => string {
    const { name } = this.#source;
    const damaged = new Set(
      damages.filter(({ cost }) => cost === "host")
        .map(({ cluster, host }) => `${cluster}/${host}`),
    );
    return (key) =>
      damaged.has(key)
        ? `it is damaged in the answer of ${name}`
        : cut !== undefined
        ? `the answer of ${name} is not whole: ${cut}`
        : `it is not in the answer of ${name} any more`;
  }

  #failClusters(failure: string, but: ReadonlySet<string> = new Set()): void {
    for (const name of this.#clusters) {
      const source = this.#tree.grid.clusters.get(name)?.source;
      if (but.has(name) || source?.name !== this.#source.name) continue;
      this.#tree.setSource(name, { ...source, failure });
      // Told once: that the reason changes changes nothing.
      if (source.failure === undefined) this.#tree.commit(name);
    }
  }

  #failGrids(failure: string, but: ReadonlySet<string> = new Set()): void {
    for (const name of this.#grids) {
      const grid = this.#tree.grid.grids.get(name);
      if (!grid || but.has(name)) continue;
      const { source } = grid;
      if (source.name !== this.#source.name || source.failure !== undefined) {
        continue;
      }
      this.#tree.setGrid({ ...grid, source: { ...source, failure } });
    }
  }

  /** Takes out clusters and grids that have not been sent for long, while their source was well. */
  #forget({ monotonic }: Moment): void {
    for (const name of this.#clusters) {
      const source = this.#tree.grid.clusters.get(name)?.source;
      if (source?.name !== this.#source.name) {
        this.#clusters.delete(name);
      } else if (
        monotonic - source.answeredAt > this.#limits.forgetSeconds * 1000
      ) {
        this.#remove(name);
      }
    }
    for (const name of this.#grids) {
      const source = this.#tree.grid.grids.get(name)?.source;
      if (source?.name !== this.#source.name) {
        this.#grids.delete(name);
      } else if (
        monotonic - source.answeredAt > this.#limits.forgetSeconds * 1000
      ) {
        this.#grids.delete(name);
        this.#tree.removeGrid(name);
      }
    }
  }

  /** Takes out the clusters that were sent longest ago, if those no longer sent are too many. */
  #bound(sent: ReadonlySet<string>): void {
    const { clusters: mostClusters, metrics: mostMetrics } = this.#limits;
    const unsent: { name: string; answeredAt: number; metrics: number }[] = [];
    let metrics = 0;
    for (const name of this.#clusters) {
      if (sent.has(name)) continue;
      const { hosts, source } = this.#tree.cluster(name);
      if (source?.name !== this.#source.name) continue;
      const { answeredAt } = source;
      const count = hosts.values().reduce(
        (n, host) => n + countMetrics(host),
        0,
      );
      unsent.push({ name, answeredAt, metrics: count });
      metrics += count;
    }
    unsent.sort((a, b) => a.answeredAt - b.answeredAt);
    for (const oldest of unsent) {
      if (this.#clusters.size <= mostClusters && metrics <= mostMetrics) return;
      metrics -= oldest.metrics;
      this.#remove(oldest.name);
    }
  }

  #remove(name: string): void {
    this.#clusters.delete(name);
    this.#tree.remove(name);
    this.#tree.commit(name);
  }

  /** Whether a name is not, or no longer, that of something that another source brings. */
  #isFree(
    name: string,
    kind: "cluster" | "grid",
    owner: SourceState | undefined,
    { monotonic }: Moment,
  ): boolean {
    if (owner === undefined || owner.name === this.#source.name) return true;
    const most = FREE_AFTER_INTERVALS * owner.interval * 1000 + FREE_AFTER_MS;
    if (
      owner.failure !== undefined || monotonic - owner.answeredAt > most
    ) return true;
    this.#refuse(name, kind, takenBy(`the source ${owner.name}`));
    return false;
  }

  /** @param why What follows the name in the log. */
  #refuse(name: string, kind: "cluster" | "grid", why: string): void {
    const key = `${kind}\n${name}`;
    if (this.#refused.has(key) || this.#refused.size >= MOST_REFUSED) return;
    this.#refused.add(key);
    logger.warn(
      "source {source} has a {kind} called {name}, {why}",
      {
        source: oneLine(this.#source.name, 100),
        kind,
        name: oneLine(name, 100),
        why,
      },
    );
  }
}

function takenBy(owner: string): string {
  const name = oneLine(owner, 100);
  return `a name taken by ${name}: it is ignored; give one of them another name`;
}
