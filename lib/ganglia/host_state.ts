import type { Host } from "../tree/host.ts";
import type { Cluster } from "../tree/tree.ts";

/** A point in time on both clocks. */
export interface Instant {
  /** Milliseconds since an arbitrary moment, for ages. */
  readonly monotonic: number;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/**
 * TMAX of hosts whose source names none: to Ganglia a host is down from 4 × TMAX on, and a node
 * that has not answered for 300 s is silent.
 */
export const PLAIN_TMAX = 75;

/** Ganglia's rule (gmetad 3.7.2, `startElement_HOST`): down from so many times TMAX on. */
const TMAX_FACTOR = 4;
/** Without a TMAX, it must have been heard of within so many seconds. */
const WITHOUT_TMAX = 60;

/**
 * When what is known of a host was received, on the monotonic clock: when its source answered, for
 * all that a source says of a host is as of that moment, or when it answered itself. Figures of an
 * earlier life of this program have only a time of the other clock.
 */
export function receivedAt(
  { detail, life, observation }: Host,
  { source }: Pick<Cluster, "source">,
  { monotonic, now }: Instant,
): number {
  const answeredAt = detail ? source?.answeredAt : life.answeredAt;
  return answeredAt ??
    monotonic - Math.max(0, now - (observation?.receivedAt ?? now));
}

/** Whole seconds between two times of the monotonic clock; never negative. */
export function secondsBetween(from: number, to: number): number {
  return Math.max(0, Math.floor((to - from) / 1000));
}

/** Whether the source of a cluster or grid failed to answer when it was asked last. */
export function isDead(of: Pick<Cluster, "source">): boolean {
  return of.source?.failure !== undefined;
}

/**
 * Whether a host is up. Its age goes on after it was received; if its source is dead, it is down.
 */
export function isUp(
  host: Host,
  cluster: Omit<Cluster, "hosts">,
  instant: Instant,
): boolean {
  if (isDead(cluster)) return false;
  const age = secondsBetween(
    receivedAt(host, cluster, instant),
    instant.monotonic,
  );
  const { detail } = host;
  if (!detail) return age < TMAX_FACTOR * PLAIN_TMAX;
  if (detail.tmax > 0) return detail.tn + age < TMAX_FACTOR * detail.tmax;
  const localtime = cluster.detail?.localtime ?? detail.reported;
  return Math.abs(localtime - detail.reported) + age < WITHOUT_TMAX;
}
