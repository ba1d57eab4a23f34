import type { Host } from "./host.ts";
import type { NodeLife } from "./state.ts";
import type { Observation } from "./metric.ts";
import type { Summary } from "./summary.ts";

/** Hosts that belong together: Ganglia's word. Hosts keep their order of arrival. */
export interface Cluster {
  readonly name: string;
  readonly hosts: ReadonlyMap<string, Host>;
  /** What else its source says of it; left out by sources that say nothing. */
  readonly detail?: ClusterDetail;
  /** How its source is; left out where each host is a source of its own. */
  readonly source?: SourceState;
  /** What plugins are told with it, where somebody needs it. */
  readonly summary?: Summary;
}

/** What Ganglia says of a cluster. */
export interface ClusterDetail {
  readonly owner: string;
  readonly latlong: string;
  readonly url: string;
  /** The cluster's clock when it was asked, in seconds since the epoch. */
  readonly localtime: number;
}

/** How a source of many hosts is, as far as its last poll shows. */
export interface SourceState {
  /** The name of the data source in the configuration. */
  readonly name: string;
  /** When its last good answer was received, on the monotonic clock, in milliseconds. */
  readonly answeredAt: number;
  /** Seconds from one poll to the next. */
  readonly interval: number;
  /** Why the last poll failed; `undefined` if it did not. */
  readonly failure: string | undefined;
}

/** A grid below ours: only its summary is known here. */
export interface ChildGrid {
  readonly name: string;
  /** Where more of it is to be had: a URL. */
  readonly authority: string;
  /** Its clock when it was asked, in seconds since the epoch. */
  readonly localtime: number;
  readonly source: SourceState;
  readonly summary: Summary;
}

/** The whole of what is known. */
export interface Grid {
  readonly name: string;
  readonly clusters: ReadonlyMap<string, Cluster>;
  readonly grids: ReadonlyMap<string, ChildGrid>;
}

/**
 * A cluster as others are told of it: a moment that does not change, and without the nodes that an
 * operator has retired. The one place where these are left out.
 */
export function momentOf(cluster: Cluster): Cluster {
  const hosts = new Map<string, Host>();
  for (const [key, host] of cluster.hosts) {
    if (host.life.retireReason === undefined) hosts.set(key, host);
  }
  return { ...cluster, hosts };
}

interface Entry extends Cluster {
  hosts: Map<string, Host>;
  source?: SourceState;
}

const UNKNOWN_LIFE: NodeLife = {
  attachedAt: undefined,
  answeredAt: undefined,
  failure: undefined,
  detachReason: undefined,
  retireReason: undefined,
};

/**
 * The one place where the latest values live: Grid → Cluster → Host → Metric.
 *
 * Hosts and observations are immutable values that replace one another; whoever holds one reads
 * a moment that stays as it was. Sources write through {@linkcode Tree.update} and say
 * {@linkcode Tree.commit} when a transaction is whole; readers only read.
 */
export class Tree {
  readonly #name: string;
  readonly #clusters = new Map<string, Entry>();
  readonly #grids = new Map<string, ChildGrid>();
  readonly #listeners = new Set<(cluster: Cluster) => void>();
  readonly #gridListeners = new Set<(grid: ChildGrid) => void>();
  readonly #gridGoneListeners = new Set<(name: string) => void>();
  /** Why nodes are retired, by cluster and key; of some of them nothing else is known. */
  readonly #retired = new Map<string, Map<string, string>>();

  /** @param name The grid's name. */
  constructor(name = "unspecified") {
    this.#name = name;
  }

  /** The grid as it is now. */
  get grid(): Grid {
    return {
      name: this.#name,
      clusters: this.#clusters,
      grids: this.#grids,
    };
  }

  /** A cluster as it is now, or an empty one. */
  cluster(name: string): Cluster {
    return this.#clusters.get(name) ?? { name, hosts: new Map() };
  }

  /** A host as it is now. */
  host(cluster: string, key: string): Host | undefined {
    return this.#clusters.get(cluster)?.hosts.get(key);
  }

  /** Changes what is known of a host; one that is new is added last. */
  update(
    cluster: string,
    key: string,
    change: {
      nickname?: string;
      observation?: Observation;
      life?: Partial<Omit<NodeLife, "retireReason">>;
    },
  ): Host {
    let entry = this.#clusters.get(cluster);
    if (!entry) {
      entry = { name: cluster, hosts: new Map() };
      this.#clusters.set(cluster, entry);
    }
    const old = entry.hosts.get(key);
    const host: Host = {
      key,
      nickname: change.nickname ?? old?.nickname ?? "",
      observation: change.observation ?? old?.observation,
      life: {
        ...UNKNOWN_LIFE,
        ...old?.life,
        ...change.life,
        retireReason: this.#retired.get(cluster)?.get(key),
      },
    };
    entry.hosts.set(key, host);
    return host;
  }

  /**
   * Puts a whole cluster in the place of the one of that name, or adds it last.
   * @param cluster Its hosts are the tree's from now on; nobody else may change the map.
   */
  replace(
    cluster: Omit<Cluster, "summary"> & { hosts: Map<string, Host> },
  ): void {
    const { name, hosts } = cluster;
    for (const [key, retireReason] of this.#retired.get(name) ?? []) {
      const host = hosts.get(key);
      if (host) {
        hosts.set(key, { ...host, life: { ...host.life, retireReason } });
      }
    }
    this.#clusters.set(name, { ...cluster });
  }

  /**
   * Takes a node out for those who are told of it ({@linkcode momentOf}), whether it is there yet
   * or not; or brings it back, with what it reported last. To be followed by a commit.
   * @param reason Why it is retired; `undefined`: it no longer is.
   */
  retire(cluster: string, key: string, reason: string | undefined): void {
    let retired = this.#retired.get(cluster);
    if (!retired) this.#retired.set(cluster, retired = new Map());
    if (reason === undefined) retired.delete(key);
    else retired.set(key, reason);
    const hosts = this.#clusters.get(cluster)?.hosts;
    const host = hosts?.get(key);
    if (!hosts || !host) return;
    const life = { ...host.life, retireReason: reason };
    // What it reported is known, but when it comes back that is no new report.
    const observation = host.observation &&
      { ...host.observation, sequence: 0 };
    hosts.set(key, { ...host, observation, life });
  }

  /** Says how the source of a cluster is. */
  setSource(cluster: string, source: SourceState): void {
    const entry = this.#clusters.get(cluster);
    if (entry) entry.source = source;
  }

  /** Takes a cluster out; listeners are told of an empty one at its next commit. */
  remove(cluster: string): void {
    this.#clusters.delete(cluster);
  }

  /**
   * Puts a grid below ours in the place of the one of that name, or adds it last, and tells
   * everybody who asked to be told.
   */
  setGrid(grid: ChildGrid): void {
    this.#grids.set(grid.name, grid);
    for (const listener of this.#gridListeners) listener(grid);
  }

  /**
   * Asks to be told of every grid below ours.
   * @returns A function that ends it.
   */
  onGrid(listener: (grid: ChildGrid) => void): () => void {
    this.#gridListeners.add(listener);
    return () => void this.#gridListeners.delete(listener);
  }

  /** Takes out a grid below ours, and tells everybody who asked to be told. */
  removeGrid(name: string): void {
    if (!this.#grids.delete(name)) return;
    for (const listener of this.#gridGoneListeners) listener(name);
  }

  /**
   * Asks to be told of every grid below ours that is taken out, by its name.
   * @returns A function that ends it.
   */
  onGridGone(listener: (name: string) => void): () => void {
    this.#gridGoneListeners.add(listener);
    return () => void this.#gridGoneListeners.delete(listener);
  }

  /** A transaction on a cluster is whole: tells everybody who asked to be told. */
  commit(cluster: string): void {
    const changed = this.cluster(cluster);
    for (const listener of this.#listeners) listener(changed);
  }

  /**
   * Asks to be told of every transaction.
   * @returns A function that ends it.
   */
  onCommit(listener: (cluster: Cluster) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
}
