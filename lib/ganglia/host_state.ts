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
  return ageOf(host, cluster, instant) < limit;
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
  const silent = downAfter(detail);
  const age = ageOf(host, cluster, instant);
  const interval = cluster.source?.interval ?? 0;
  const isGone = life.attachedAt === undefined && age >= silent;
  return statusOf(
    {
      ...life,
      answeredAt: now - age * 1000,
      attachedAt: isGone ? undefined : life.attachedAt ?? -Infinity,
      detachedAt: now - (age - silent) * 1000,
      failure: life.detachReason ?? failureOf(cluster),
    },
    {
      lateMs: (LATE_FACTOR * detail.tmax + interval) * 1000,
      silentMs: silent * 1000,
    },
    now,
  );
}

/**
 * The age of a host in whole seconds, as gmetad counts it. It goes on after it was received; if it
 * is not known when that was, from the present on.
 */
function ageOf(
  host: Host,
  cluster: Omit<Cluster, "hosts">,
  instant: Instant,
): number {
  const { detail } = host;
  const since = receivedAt(host, cluster, instant);
  const age = secondsBetween(since, instant.monotonic);
  if (!detail) return age;
  const localtime = cluster.detail?.localtime ?? detail.reported;
  return ageWhenRead(detail, localtime) + age;
}

function failureOf({ source }: Pick<Cluster, "source">): string | undefined {
  return source?.failure &&
    `its source ${source.name} fails: ${source.failure}`;
}
