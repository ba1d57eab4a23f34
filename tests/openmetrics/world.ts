import { SILENT_SECONDS } from "../../lib/tree/state.ts";
import type { Host } from "../../lib/tree/host.ts";
import type { Metric, MetricDetail } from "../../lib/tree/metric.ts";
import type { Cluster } from "../../lib/tree/tree.ts";
import { Exposition } from "../../lib/openmetrics/exposition.ts";
import type { Exposed } from "../../lib/openmetrics/exposition.ts";
import type { OwnStatus } from "../../lib/openmetrics/status_texts.ts";
import type { Format } from "../../lib/openmetrics/text.ts";

/** The time of all that is made here, on both clocks. */
export const NOW = 1_700_000_000_000;
export const MONOTONIC = 10_000_000;

/** Limits of nodes with a round a minute. */
export const LIMITS = { lateMs: 80_000, silentMs: SILENT_SECONDS * 1000 };

/** A gatherer with which all is well. */
export function statusWith(change: Partial<OwnStatus> = {}): OwnStatus {
  return {
    state: "ready",
    since: NOW,
    version: "0.1.0",
    pid: 1,
    basedir: "/var/lib/gatherer",
    startedAt: NOW - 3_600_000,
    lastRound: NOW - 1000,
    rounds: 60,
    intervalSeconds: 60,
    degraded: [],
    listening: [],
    configuration: { file: null, loadedAt: NOW },
    sources: [],
    plugins: [],
    ...change,
  };
}

/** A node that has just answered. */
export function nodeWith(
  key: string,
  metrics: readonly Metric[],
  change: Partial<Host> & { began?: number } = {},
): Host {
  const { began, ...rest } = change;
  return {
    key,
    nickname: key,
    observation: {
      incarnation: "one",
      ...(began === undefined ? {} : { began }),
      sequence: 1,
      measuredAt: NOW - 1000,
      receivedAt: NOW - 1000,
      metrics,
    },
    life: {
      attachedAt: MONOTONIC - 60_000,
      answeredAt: MONOTONIC - 1000,
      failure: undefined,
      detachReason: undefined,
      retireReason: undefined,
    },
    ...rest,
  };
}

export function clusterOf(name: string, ...hosts: Host[]): Cluster {
  return { name, hosts: new Map(hosts.map((host) => [host.key, host])) };
}

export function counter(name: string, value: Metric["value"]): Metric {
  return { name, value, slope: "positive" };
}

export function gauge(name: string, value: Metric["value"]): Metric {
  return { name, value, slope: "both" };
}

export function detail(change: Partial<MetricDetail> = {}): MetricDetail {
  return {
    type: "float",
    units: "",
    tmax: 60,
    dmax: 0,
    source: "gmond",
    extra: [],
    ...change,
  };
}

/** The whole exposition. */
export function expose(
  clusters: readonly Cluster[],
  format: Format,
  change: Partial<Exposed> = {},
): string {
  return [
    ...new Exposition().texts({
      clusters,
      grids: [],
      status: statusWith(),
      lives: { limits: () => LIMITS },
      instant: { now: NOW, monotonic: MONOTONIC },
      ...change,
    }, format),
  ].join("");
}
