import type { Host } from "../../lib/tree/host.ts";
import type { Metric, MetricDetail } from "../../lib/tree/metric.ts";
import type { Cluster } from "../../lib/tree/tree.ts";

/** The time of all clusters here, in seconds since the epoch: that of a fresh FakeClock. */
export const TIME = 1_700_000_000;

const LIFE = {
  attachedAt: undefined,
  answeredAt: undefined,
  failure: undefined,
  detachReason: undefined,
  retireReason: undefined,
};

/** What a gmond says of a metric. */
export function detailOf(type: string, dmax = 0): MetricDetail {
  return { type, units: "", tmax: 60, dmax, source: "gmond", extra: [] };
}

/** A metric as a gmond sends it; its number is as the reader makes it. */
export function gmondMetric(
  name: string,
  text: string,
  { type = "float", slope = "both", ...rest }:
    & { type?: string }
    & Partial<Metric> = {},
): Metric {
  const value = type === "string"
    ? null
    : type === "float" || type === "double"
    ? Number(text)
    : BigInt(text);
  return { name, value, text, slope, detail: detailOf(type), ...rest };
}

/** A host as a gmond sends it. */
export function gmondHost(
  name: string,
  metrics: readonly Metric[],
  { tn = 1, tmax = 20, time = TIME } = {},
): Host {
  return {
    key: name,
    nickname: name,
    life: LIFE,
    observation: {
      incarnation: "",
      sequence: 1,
      measuredAt: time * 1000,
      receivedAt: time * 1000,
      metrics,
    },
    detail: {
      ip: "127.0.0.1",
      reported: time - tn,
      tn,
      tmax,
      dmax: 0,
      location: "",
      gmondStarted: 0,
      tags: "",
    },
  };
}

/** A cluster as it is after a poll. */
export function gmondCluster(
  name: string,
  hosts: readonly Host[],
  {
    time = TIME,
    interval = 10,
    failure = undefined as string | undefined,
    answeredAt = 0,
  } = {},
): Cluster {
  return {
    name,
    hosts: new Map(hosts.map((host) => [host.key, host])),
    detail: { owner: "", latlong: "", url: "", localtime: time },
    source: { name, answeredAt, interval, failure },
  };
}

/** A node that attached by itself. */
export function node(
  key: string,
  nickname: string,
  metrics: readonly Metric[],
  { time = TIME, sequence = 1, answeredAt = 0 } = {},
): Host {
  return {
    key,
    nickname,
    life: { ...LIFE, attachedAt: 0, answeredAt },
    observation: {
      incarnation: "i",
      sequence,
      measuredAt: time * 1000,
      receivedAt: time * 1000,
      metrics,
    },
  };
}

/** The cluster of nodes that attached by themselves. */
export function nodes(hosts: readonly Host[]): Cluster {
  return {
    name: "foolscap",
    hosts: new Map(hosts.map((host) => [host.key, host])),
  };
}
