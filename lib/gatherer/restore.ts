import type { Clock } from "../clock.ts";
import { OTLP_CLUSTER } from "../sources/otlp.ts";
import { STATISTICS_CLUSTER } from "../sources/statistics.ts";
import type { SnapshotNode } from "../snapshot/codec.ts";
import type { Metric } from "../tree/metric.ts";
import type { Tree } from "../tree/tree.ts";
import { FOOLSCAP_CLUSTER, type GathererOptions } from "./options.ts";

/**
 * Puts what a snapshot knows of a node into the tree. Its age is taken over to the monotonic clock
 * once: a wall clock that jumps later makes no node older or younger.
 */
export function restoreNode(
  tree: Tree,
  cluster: string,
  node: SnapshotNode,
  clock: Clock,
): void {
  const metrics: Metric[] = [];
  for (const [name, value] of node.counters) {
    metrics.push({ name, value, slope: "positive" });
  }
  for (const [name, value] of node.stats) {
    metrics.push({ name, value, slope: "both" });
  }
  const at = node.timestamp * 1000;
  const { incarnation = "", began } = node;
  const age = Math.max(0, clock.now() - at);
  tree.update(cluster, node.key, {
    nickname: node.nickname,
    observation: {
      incarnation,
      ...(began === undefined ? {} : { began: began * 1000 }),
      sequence: 0,
      measuredAt: at,
      receivedAt: at,
      metrics,
    },
    life: {
      answeredAt: Number.isNaN(age) ? -Infinity : clock.monotonic() - age,
      detachReason: "not seen since this gatherer started",
    },
  });
}

/** The cluster that a node of the snapshot is put into; `undefined`: it comes by itself, or never. */
export function clusterOf(
  key: string,
  { statistics = [], http }: GathererOptions,
): string | undefined {
  const [, cluster, name] = /^([^/]*)\/(.*)$/s.exec(key) ?? [];
  switch (cluster) {
    case undefined:
      return FOOLSCAP_CLUSTER;
    case STATISTICS_CLUSTER:
      return statistics.some((page) => page.name === name)
        ? cluster
        : undefined;
    case OTLP_CLUSTER:
      return http?.otlp ? cluster : undefined;
    default:
      // Hosts of a data source come with its first poll.
      return undefined;
  }
}
