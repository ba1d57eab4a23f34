import { type Instant, statusOfHost } from "../ganglia/host_state.ts";
import type { Host } from "../tree/host.ts";
import { countersBegan } from "../tree/incarnation.ts";
import type { Metric } from "../tree/metric.ts";
import type { NodeLife, NodeState, StateLimits } from "../tree/state.ts";
import type { Cluster } from "../tree/tree.ts";
import { type Layout, LayoutFinder, type Layouts } from "./layout.ts";
import { labelsText } from "./text.ts";

/** How the states of nodes are found out. */
export interface Lives {
  /** When nodes that attach by themselves are late and silent. */
  limits(): StateLimits;
  /**
   * What is known of a node's life now; plugins are told of it at the end of a round only.
   * Left out, or `undefined`: what they were told.
   */
  lifeOf?(cluster: string, key: string): NodeLife | undefined;
}

/** A host as it is at the moment of a {@linkcode Survey}. */
export interface SeenHost {
  readonly cluster: string;
  readonly host: Host;
  /** `cluster="…",node="…",key="…"`. */
  readonly labels: string;
  readonly state: NodeState;
  /** Whether its latest figures are taken for the present ones. */
  readonly isPresent: boolean;
}

/** The present figures of a host. */
export interface ShownHost {
  /** `cluster="…",node="…",key="…"`. */
  readonly labels: string;
  readonly metrics: readonly Metric[];
  /** When its counters began at nought, in milliseconds since the epoch. */
  readonly began: number | undefined;
}

/** Hosts with the same metrics. */
export interface Group {
  readonly layout: Layout;
  readonly hosts: ShownHost[];
}

/** All hosts at one moment. */
export interface Survey {
  readonly hosts: readonly SeenHost[];
  /** Those whose figures are present. */
  readonly groups: readonly Group[];
  /** For the next survey. */
  readonly layouts: Layouts;
}

/** Hosts that are looked at in one go. */
const STEP = 100;

/**
 * Looks at all hosts once, in steps: others have their turn in between.
 * @param before The layouts of the survey before.
 */
export function* survey(
  clusters: Iterable<Cluster>,
  lives: Lives,
  instant: Instant,
  before: Layouts,
): Generator<void, Survey> {
  const finder = new LayoutFinder(before);
  const hosts: SeenHost[] = [];
  const groups = new Map<Layout, Group>();
  const taken = new Set<string>();
  const limits = lives.limits();
  for (const cluster of clusters) {
    for (const host of cluster.hosts.values()) {
      if (hosts.length % STEP === 0) yield;
      const labels = labelsText([
        ["cluster", cluster.name],
        ["node", host.nickname],
        ["key", host.key],
      ]);
      // Only texts that are no Unicode can become the same.
      if (taken.has(labels)) continue;
      taken.add(labels);
      const life = lives.lifeOf?.(cluster.name, host.key) ?? host.life;
      const now = life === host.life ? host : { ...host, life };
      const { state, isPresent } = statusOfHost(now, cluster, limits, instant);
      hosts.push({ cluster: cluster.name, host, labels, state, isPresent });
      const metrics = host.observation?.metrics;
      if (!isPresent || !metrics) continue;
      const layout = yield* finder.find(metrics);
      let group = groups.get(layout);
      if (!group) groups.set(layout, group = { layout, hosts: [] });
      group.hosts.push({
        labels,
        metrics,
        began: countersBegan(host),
      });
    }
  }
  return { hosts, groups: [...groups.values()], layouts: finder.found };
}
