import { hostNames } from "../../munin/hosts.ts";
import type { Host } from "../../tree/host.ts";
import type { Cluster } from "../../tree/tree.ts";

/** What the hosts of a cluster are called, both ways. */
export interface HostNames {
  /** Names by key, in order. */
  readonly byKey: ReadonlyMap<string, string>;
  /** Keys by name. Of two hosts that have the same, the last. */
  readonly byName: ReadonlyMap<string, string>;
}

/**
 * What hosts are called in Ganglia's views: in XML, in queries, and wherever a name must agree with
 * those. A gmond's host has its own name. A node that attached by itself is `NICKNAME-KEY.CLUSTER`,
 * KEY being the first characters of its tubid: nicknames come twice, and a name must not move when
 * a second node of that nickname comes.
 */
export function gangliaHostNames(
  cluster: Pick<Cluster, "name" | "hosts">,
): HostNames {
  const hosts = [...cluster.hosts.values()];
  const isOwn = hosts.map((host) => hasOwnName(host, cluster.name));
  const made = hostNames(
    hosts.filter((_, place) => !isOwn[place]),
    cluster.name,
  );
  const byKey = new Map<string, string>();
  const byName = new Map<string, string>();
  let next = 0;
  hosts.forEach(({ key, nickname }, place) => {
    const name = isOwn[place] ? nickname : made[next++];
    byKey.set(key, name);
    byName.set(name, key);
  });
  return { byKey, byName };
}

/** Whether a gmond told of a host; of one from an earlier life of this program, the key says it. */
function hasOwnName({ key, nickname, detail }: Host, cluster: string): boolean {
  return detail !== undefined || key === `${cluster}/${nickname}`;
}

/** Names hosts again only if they are others than before. */
export class HostNamer {
  /** The last hosts of each cluster, with their names. */
  readonly #last = new Map<
    string,
    { readonly hosts: ReadonlyMap<string, Host>; readonly names: HostNames }
  >();

  /** The names of a cluster's hosts. */
  names(cluster: Pick<Cluster, "name" | "hosts">): HostNames {
    const { name, hosts } = cluster;
    const last = this.#last.get(name);
    const names = last && areAlike(last.hosts, hosts)
      ? last.names
      : gangliaHostNames(cluster);
    this.#last.set(name, { hosts, names });
    return names;
  }

  /** Forgets a cluster. */
  forget(cluster: string): void {
    this.#last.delete(cluster);
  }
}

/** Whether hosts are the same, as far as names are concerned, in the same order. */
function areAlike(
  before: ReadonlyMap<string, Host>,
  now: ReadonlyMap<string, Host>,
): boolean {
  if (before.size !== now.size) return false;
  const others = before.values();
  for (const { key, nickname, detail } of now.values()) {
    const other = others.next().value!;
    if (
      other.key !== key || other.nickname !== nickname ||
      (other.detail === undefined) !== (detail === undefined)
    ) return false;
  }
  return true;
}
