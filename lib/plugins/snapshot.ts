import { setImmediate } from "node:timers/promises";
import type { Plugin } from "./plugin.ts";
import { encodeNode, snapshotParts } from "../snapshot/codec.ts";
import { writeSnapshot } from "../snapshot/file.ts";
import type { Host } from "../tree/host.ts";
import type { Metric, Observation } from "../tree/metric.ts";
import type { Cluster } from "../tree/tree.ts";
import type { Value } from "../value.ts";

/** Nodes that are encoded in one go: some 10 ms of work, then others have their turn. */
const BATCH = 500;

interface Entry {
  readonly cluster: string;
  readonly key: string;
  readonly observation: Observation;
  readonly nickname: string;
  readonly bytes: Uint8Array;
}

/** What the plugin has done, for the gatherer's own statistics. */
export interface SnapshotCounts {
  writes: number;
  bytes: number;
}

/**
 * Keeps the snapshot: each transaction writes the latest figures of every node to `path`, once,
 * atomically. A node is encoded when its figures have changed, not at every write.
 */
export class SnapshotPlugin implements Plugin {
  readonly id = "snapshot";
  readonly counts: SnapshotCounts = { writes: 0, bytes: 0 };
  readonly #path: string;
  readonly #mode: number;
  /** By cluster and key, in order of arrival: Munin's field names rest on the file's order. */
  readonly #entries = new Map<string, Entry>();

  /** @param mode The file's permissions: 0o644 for Munin's `nobody`, or 0o600. */
  constructor(path: string, mode: number) {
    this.#path = path;
    this.#mode = mode;
  }

  async notify(cluster: Cluster): Promise<void> {
    await this.#encode(cluster);
    const entries = [...this.#entries.values()];
    const parts = snapshotParts(entries.map((entry) => entry.bytes));
    await writeSnapshot(this.#path, parts, { mode: this.#mode });
    this.counts.writes++;
    for (const part of parts) this.counts.bytes += part.length;
  }

  async #encode(cluster: Cluster): Promise<void> {
    for (const [id, entry] of this.#entries) {
      if (entry.cluster === cluster.name && !cluster.hosts.has(entry.key)) {
        this.#entries.delete(id);
      }
    }
    let encoded = 0;
    for (const host of cluster.hosts.values()) {
      const { key, nickname, observation } = host;
      if (!observation) continue;
      const id = `${cluster.name}\n${key}`;
      const old = this.#entries.get(id);
      if (old?.observation === observation && old.nickname === nickname) {
        continue;
      }
      const bytes = encodeHost(host, observation);
      this.#entries.set(id, {
        cluster: cluster.name,
        key,
        observation,
        nickname,
        bytes,
      });
      if (++encoded % BATCH === 0) await setImmediate();
    }
  }
}

function encodeHost(host: Host, observation: Observation): Uint8Array {
  const { metrics } = observation;
  return encodeNode({
    key: host.key,
    timestamp: observation.receivedAt / 1000,
    nickname: host.nickname,
    counters: figures(metrics.filter((metric) => metric.slope === "positive")),
    stats: figures(metrics.filter((metric) => metric.slope !== "positive")),
  });
}

function figures(metrics: readonly Metric[]): [string, Value][] {
  return metrics.map(({ name, value }) => [name, value]);
}
