import type { Host, NodeLife } from "./host.ts";
import type { Observation } from "./metric.ts";

/** Hosts that belong together: Ganglia's word. Hosts keep their order of arrival. */
export interface Cluster {
  readonly name: string;
  readonly hosts: ReadonlyMap<string, Host>;
}

/** The whole of what is known. */
export interface Grid {
  readonly name: string;
  readonly clusters: ReadonlyMap<string, Cluster>;
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
  readonly #clusters = new Map<
    string,
    { name: string; hosts: Map<string, Host> }
  >();
  readonly #listeners = new Set<(cluster: Cluster) => void>();

  /** @param name The grid's name. */
  constructor(name = "unspecified") {
    this.#name = name;
  }

  /** The grid as it is now. */
  get grid(): Grid {
    return { name: this.#name, clusters: this.#clusters };
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
      life?: Partial<NodeLife>;
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
      life: { ...UNKNOWN_LIFE, ...old?.life, ...change.life },
    };
    entry.hosts.set(key, host);
    return host;
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
