import type { ReadCluster, ReadHost } from "../ganglia/xml/document.ts";
import { downAfter } from "../ganglia/xml/up.ts";
import type { Host, HostDetail, NodeLife } from "../tree/host.ts";
import { type Metric, type Observation, withHeld } from "../tree/metric.ts";
import type { Cluster, SourceState } from "../tree/tree.ts";

/** When an answer was received. */
export interface Moment {
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Milliseconds of the monotonic clock. */
  readonly monotonic: number;
}

/** What keeps a cluster from growing for ever. */
export interface ClusterLimits {
  /** Seconds after which hosts and metrics without a DMAX are forgotten. */
  readonly forgetSeconds: number;
  /** Hosts that a cluster may have; of those that are no longer sent, the oldest go first. */
  readonly hosts: number;
  /** Metrics that a host may have before those that are no longer sent go. */
  readonly hostMetrics: number;
  /** Metrics that are no longer sent, of all hosts together, with their hosts or without. */
  readonly metrics: number;
}

/**
 * What a cluster has become by an answer. All ages, of hosts and of metrics, are as of the answer,
 * whether they were in it or not: whoever shows them adds the time since
 * {@linkcode SourceState.answeredAt}.
 *
 * - Hosts keep their order; new ones come last.
 * - A host that is down keeps the figures that it had: gmetad does not read those sent with it.
 * - Hosts and metrics that are no longer sent stay until their DMAX, the metrics apart from those
 *   that were sent: a gmond that was restarted has to hear of them all again, some of them every 20
 *   minutes only.
 *
 * @param whyMissing Why a host of before was not in the answer, by its key.
 */
export function mergeCluster(
  ...args: Parameters<typeof mergeClusterInSteps>
): MergedCluster {
  const steps = mergeClusterInSteps(...args);
  while (true) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/** A cluster as the tree takes it. */
export type MergedCluster = Omit<Cluster, "summary"> & {
  hosts: Map<string, Host>;
};

/** Hosts that are dealt with in one go. */
const STEP_HOSTS = 50;

/** What {@linkcode mergeCluster} does, with pauses between some hosts and others. */
export function* mergeClusterInSteps(
  read: ReadCluster,
  before: Cluster | undefined,
  source: SourceState,
  at: Moment,
  whyMissing: (key: string) => string,
  limits: ClusterLimits,
): Generator<void, MergedCluster> {
  let done = 0;
  const sent = new Map<string, ReadHost>();
  for (const host of read.hosts) sent.set(`${read.name}/${host.name}`, host);
  const hosts = new Map<string, Host>();
  const missing: Host[] = [];
  /** Metrics that are no longer sent. */
  let unsent = 0;
  for (const [key, host] of before?.hosts ?? []) {
    if (++done % STEP_HOSTS === 0) yield;
    const again = sent.get(key);
    const room = limits.metrics - unsent;
    const merged = again
      ? mergeHost(key, again, host, at, limits, room)
      : ageHost(host, whyMissing(key), at, limits);
    sent.delete(key);
    if (!merged) continue;
    hosts.set(key, merged);
    if (!again) missing.push(merged);
    unsent += again
      ? merged.observation?.held?.length ?? 0
      : countMetrics(merged);
  }
  for (const [key, host] of sent) {
    if (++done % STEP_HOSTS === 0) yield;
    const merged = mergeHost(key, host, undefined, at, limits, 0);
    if (merged) hosts.set(key, merged);
  }
  if (hosts.size > limits.hosts || unsent > limits.metrics) {
    missing.sort((a, b) => heardAt(a) - heardAt(b));
    for (const host of missing) {
      if (hosts.size <= limits.hosts && unsent <= limits.metrics) break;
      hosts.delete(host.key);
      unsent -= countMetrics(host);
    }
  }
  return { name: read.name, hosts, detail: read.detail, source };
}

/** All metrics of a host, whether they are still sent or not. */
export function countMetrics({ observation }: Host): number {
  if (!observation) return 0;
  return observation.metrics.length + (observation.held?.length ?? 0);
}

function heardAt(host: Host): number {
  return host.life.answeredAt ?? -Infinity;
}

/**
 * A host that was sent; `undefined` if it is past its DMAX.
 * @param room How many metrics that are no longer sent it may keep.
 */
function mergeHost(
  key: string,
  { name, detail, metrics }: ReadHost,
  before: Host | undefined,
  at: Moment,
  limits: ClusterLimits,
  room: number,
): Host | undefined {
  if (detail.dmax > 0 && detail.tn > detail.dmax) return undefined;
  const heard = at.monotonic - detail.tn * 1000;
  const old = before?.observation;
  // Ages count from the last answer that the host was in, or was aged in.
  const elapsed = before ? secondsSince(before, at) : 0;
  let observation: Observation | undefined;
  if (metrics) {
    const incarnation = String(detail.gmondStarted);
    const isSame = old?.incarnation === incarnation &&
      before?.detail?.reported === detail.reported;
    const measuredAt = at.now - detail.tn * 1000;
    const held = old && heldOf(metrics, old, elapsed, limits, room);
    observation = {
      incarnation,
      sequence: (old?.sequence ?? 0) + 1,
      // What was reported once was measured once, however often it is sent.
      measuredAt: isSame ? old.measuredAt : measuredAt,
      receivedAt: at.now,
      metrics,
      ...(held ? { held } : {}),
    };
  } else if (old) {
    observation = ageObservation(old, elapsed, limits);
  }
  const life: NodeLife = {
    attachedAt: wellSince(before, heard, detail) ?? heard,
    answeredAt: heard,
    failure: metrics ? undefined : `it was last heard of ${detail.tn} s ago`,
    detachReason: undefined,
    retireReason: before?.life.retireReason,
  };
  return {
    key: before?.key ?? key,
    nickname: before?.nickname ?? name,
    observation,
    life,
    detail,
  };
}

/** Since when a host has been there without being silent in between; `undefined`: not before. */
function wellSince(
  before: Host | undefined,
  heard: number,
  detail: HostDetail,
): number | undefined {
  const { attachedAt, answeredAt = -Infinity } = before?.life ?? {};
  const wasSilent = heard - answeredAt >= downAfter(detail) * 1000;
  return wasSilent ? undefined : attachedAt;
}

/** A host that was not sent; `undefined` if it is to be forgotten. */
function ageHost(
  host: Host,
  why: string,
  at: Moment,
  limits: ClusterLimits,
): Host | undefined {
  // What came from a snapshot has been missing since this program started.
  const answeredAt = host.life.answeredAt ?? at.monotonic;
  const tn = Math.max(0, Math.floor((at.monotonic - answeredAt) / 1000));
  if (tn > (host.detail?.dmax || limits.forgetSeconds)) return undefined;
  const elapsed = secondsSince(host, at);
  return {
    ...host,
    observation: host.observation &&
      ageObservation(host.observation, elapsed, limits),
    life: {
      ...host.life,
      attachedAt: undefined,
      answeredAt,
      detachReason: why,
    },
    ...(host.detail ? { detail: { ...host.detail, tn } } : {}),
  };
}

/** Seconds since the answer that the ages of a host are as of. */
function secondsSince({ life, detail }: Host, at: Moment): number {
  if (life.answeredAt === undefined || !detail) return 0;
  const seconds = (at.monotonic - life.answeredAt) / 1000 - detail.tn;
  return Math.max(0, Math.round(seconds));
}

function ageMetric(metric: Metric, elapsed: number): Metric {
  return elapsed === 0 ? metric : { ...metric, tn: (metric.tn ?? 0) + elapsed };
}

function isKept(
  { detail, tn = 0 }: Metric,
  { forgetSeconds }: ClusterLimits,
): boolean {
  return tn <= (detail?.dmax || forgetSeconds);
}

/** Figures that were not sent again, or not read. */
function ageObservation(
  observation: Observation,
  elapsed: number,
  limits: ClusterLimits,
): Observation {
  if (elapsed === 0) return observation;
  const age = (metrics: readonly Metric[]) =>
    metrics.map((metric) => ageMetric(metric, elapsed))
      .filter((metric) => isKept(metric, limits));
  const { metrics, held } = observation;
  return {
    ...observation,
    metrics: age(metrics),
    ...(held ? { held: age(held) } : {}),
  };
}

/** Those of before that were not sent this time; `undefined`: none. */
function heldOf(
  sent: readonly Metric[],
  before: Observation,
  elapsed: number,
  limits: ClusterLimits,
  room: number,
): Metric[] | undefined {
  const isAsBefore = !before.held &&
    before.metrics.every(({ name }, place) => sent[place]?.name === name);
  if (isAsBefore) return undefined;
  const names = new Set(sent.map(({ name }) => name));
  const most = Math.min(room, limits.hostMetrics - sent.length);
  const held: Metric[] = [];
  for (const metric of withHeld(before)) {
    if (held.length >= most) break;
    if (names.has(metric.name)) continue;
    const aged = ageMetric(metric, elapsed);
    if (isKept(aged, limits)) held.push(aged);
  }
  return held.length > 0 ? held : undefined;
}
