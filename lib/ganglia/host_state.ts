import type { Host } from "../tree/host.ts";
import {
  type NodeStatus,
  SILENT_SECONDS,
  type StateLimits,
  statusOf,
} from "../tree/state.ts";
import type { Cluster } from "../tree/tree.ts";
import { ageWhenRead, downAfter } from "./xml/up.ts";

/** A point in time on both clocks. */
export interface Instant {
  /** Milliseconds since an arbitrary moment, for ages. */
  readonly monotonic: number;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/**
 * TMAX of hosts whose source names none: to Ganglia a host is down from 4 × TMAX on, and so it is
 * when it is silent.
 */
export const PLAIN_TMAX = SILENT_SECONDS / 4;

/** A host is late after so many times TMAX, and one interval of its source. */
const LATE_FACTOR = 2;

/**
 * When what is known of a host was received, on the monotonic clock: when its source answered, for
 * all that a source says of a host is as of that moment, or when it answered itself. Of one that
 * has never answered nothing is known yet; it is as old as its connection.
 */
export function receivedAt(
  { detail, life }: Host,
  { source }: Pick<Cluster, "source">,
  { monotonic }: Pick<Instant, "monotonic">,
): number {
  const answeredAt = detail ? source?.answeredAt : life.answeredAt;
  return answeredAt ?? life.attachedAt ?? monotonic;
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
 * Whether a host is up, as gmetad sees it: if its figures are present ones, but never if its source
 * is dead.
 */
export function isUp(
  host: Host,
  cluster: Omit<Cluster, "hosts">,
  instant: Instant,
): boolean {
  return !isDead(cluster) && isPresent(host, cluster, instant);
}

/** Whether the figures of a host are its present ones, by their age alone. */
export function isPresent(
  host: Host,
  cluster: Omit<Cluster, "hosts">,
  instant: Instant,
): boolean {
  const limit = host.detail ? downAfter(host.detail) : SILENT_SECONDS;
  const age = instant.monotonic - heardAt(host, cluster, instant);
  return age < limit * 1000;
}

/**
 * The state of any host: of a node that attached by itself, and of one that a gmond tells of. The
 * latter is late if it, or its source, has missed what Ganglia expects of it, and silent when
 * gmetad calls it down for its age; one that its gmond no longer tells of is gone then.
 *
 * @param limits Of nodes that attach by themselves.
 */
export function statusOfHost(
  host: Host,
  cluster: Omit<Cluster, "hosts">,
  limits: StateLimits,
  instant: Instant,
): NodeStatus {
  const { detail, life } = host;
  const now = instant.monotonic;
  if (!detail) return statusOf(life, limits, now);
  const answeredAt = heardAt(host, cluster, instant);
  const silentMs = downAfter(detail) * 1000;
  const interval = cluster.source?.interval ?? 0;
  const isGone = life.attachedAt === undefined && now - answeredAt >= silentMs;
  return statusOf(
    {
      ...life,
      answeredAt,
      attachedAt: isGone ? undefined : life.attachedAt ?? -Infinity,
      detachedAt: answeredAt + silentMs,
      failure: life.detachReason ?? failureOf(cluster),
    },
    { lateMs: (LATE_FACTOR * detail.tmax + interval) * 1000, silentMs },
    now,
  );
}

/**
 * When a host was heard of, on the monotonic clock, as it counts for Ganglia. TN and TMAX are whole
 * seconds, so that it makes no difference that gmetad counts the time since in those, too.
 */
function heardAt(
  host: Host,
  cluster: Omit<Cluster, "hosts">,
  instant: Instant,
): number {
  const { detail } = host;
  const received = receivedAt(host, cluster, instant);
  if (!detail) return received;
  const localtime = cluster.detail?.localtime ?? detail.reported;
  return received - ageWhenRead(detail, localtime) * 1000;
}

function failureOf({ source }: Pick<Cluster, "source">): string | undefined {
  return source?.failure &&
    `its source ${source.name} fails: ${source.failure}`;
}
