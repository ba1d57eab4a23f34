import type { Host } from "./host.ts";
import type { Cluster } from "./tree.ts";

/** A host, and the cluster that it is in. */
export interface RosterEntry {
  readonly cluster: string;
  readonly host: Host;
}

/**
 * The hosts of all clusters, as plugins are told of them, in the order in which they came: what
 * readers call nodes rests on that order, and must be the same everywhere.
 */
export class Roster {
  readonly #entries = new Map<string, RosterEntry>();

  /** Takes what has become of a cluster; a host without figures is not there yet. */
  update(cluster: Cluster): void {
    for (const [id, entry] of this.#entries) {
      if (
        entry.cluster === cluster.name && !cluster.hosts.has(entry.host.key)
      ) this.#entries.delete(id);
    }
    for (const host of cluster.hosts.values()) {
      if (!host.observation) continue;
      this.#entries.set(`${cluster.name}\n${host.key}`, {
        cluster: cluster.name,
        host,
      });
    }
  }

  /** How many hosts there are. */
  get size(): number {
    return this.#entries.size;
  }

  /** Every host, in order of arrival. */
  entries(): IterableIterator<RosterEntry> {
    return this.#entries.values();
  }
}
