import { type Instant, isUp } from "../ganglia/host_state.ts";
import type { HostNamer } from "../ganglia/output/host_names.ts";
import type { Metric } from "../tree/metric.ts";
import type { Cluster } from "../tree/tree.ts";

/** Hosts that are dealt with in one go: a millisecond or two, then others have their turn. */
export const HOST_BATCH = 100;

/** What a metric costs beside its texts, in bytes, roughly. */
const METRIC_BYTES = 100;

/** A host that is up, with what it reported. */
export interface LiveHost {
  /** Its key in the tree. */
  readonly key: string;
  /** What it is called in Ganglia's views. */
  readonly name: string;
  readonly metrics: readonly Metric[];
  /** When it reported, in seconds since the epoch, on our clock. */
  readonly receivedAt: number;
}

/**
 * The hosts of a cluster that are up, with what they reported this time. One that was not in its
 * source's answer has reported nothing, though it is not down yet; nodes as they were read from a
 * snapshot are not there yet.
 */
export function* liveHosts(
  cluster: Cluster,
  instant: Instant,
  namer: HostNamer,
): Generator<LiveHost, void> {
  const names = namer.names(cluster).byKey;
  for (const host of cluster.hosts.values()) {
    const { key, nickname, observation, detail, life } = host;
    if (!observation || !isUp(host, cluster, instant)) continue;
    if (detail && life.detachReason !== undefined) continue;
    if (!detail && observation.sequence === 0) continue;
    yield {
      key,
      name: names.get(key) ?? nickname,
      metrics: observation.metrics,
      receivedAt: Math.floor(observation.receivedAt / 1000),
    };
  }
}

/**
 * Whether a metric is a number to store: not a text, nor a point in time, and not so old that its
 * source has forgotten it.
 */
export function isStored({ value, detail, tn = 0 }: Metric): boolean {
  if (value === null) return false;
  if (!detail) return true;
  const { type, dmax } = detail;
  return type !== "timestamp" && type !== "string" &&
    (dmax === 0 || tn <= dmax);
}

/** How much memory metrics hold that nothing else holds any more, roughly. */
export function bytesOf(
  metrics: readonly Pick<Metric, "name" | "text">[],
): number {
  let bytes = 0;
  for (const { name, text } of metrics) {
    bytes += METRIC_BYTES + name.length + (text?.length ?? 0);
  }
  return bytes;
}
