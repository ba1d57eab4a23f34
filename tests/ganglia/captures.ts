/** Trees made of what a real gmond sent, and whatever else tests need of the captures. */

import type { Host, NodeLife } from "../../lib/tree/host.ts";
import type { Metric, MetricDetail, Slope } from "../../lib/tree/metric.ts";
import type { Cluster, SourceState } from "../../lib/tree/tree.ts";
import type { Value } from "../../lib/value.ts";
import { attribute, type Element, elements, parseXml } from "./xml_tree.ts";

/** A file of the captures. */
export function readCapture(name: string): Uint8Array {
  return Deno.readFileSync(
    new URL(`../testdata/ganglia/${name}`, import.meta.url),
  );
}

/** A life of which nothing is known. */
export const NO_LIFE: NodeLife = {
  attachedAt: undefined,
  answeredAt: undefined,
  failure: undefined,
  detachReason: undefined,
  retireReason: undefined,
};

/** A source that answers, as tests need it. */
export function source(change: Partial<SourceState> = {}): SourceState {
  return {
    name: "test",
    answeredAt: 0,
    interval: 15,
    failure: undefined,
    ...change,
  };
}

/** The cluster in what a gmond sent, received at 0 on the monotonic clock. */
export function readGmond(file: string): Cluster & { source: SourceState } {
  const [cluster] = elements(parseXml(readCapture(file)).root, "CLUSTER");
  const text = (name: string) => attribute(cluster, name);
  const name = text("NAME");
  const details = new Map<string, MetricDetail>();
  const hosts = new Map<string, Host>();
  for (const element of cluster.children) {
    const host = readHost(element, name, details);
    hosts.set(host.key, host);
  }
  return {
    name,
    hosts,
    detail: {
      owner: text("OWNER"),
      latlong: text("LATLONG"),
      url: text("URL"),
      localtime: Number(text("LOCALTIME")),
    },
    source: source({ name }),
  };
}

function readHost(
  element: Element,
  cluster: string,
  details: Map<string, MetricDetail>,
): Host {
  const text = (name: string, absent = "unspecified") =>
    element.attributes.get(name) ?? absent;
  const number = (name: string) => Number(text(name, "0"));
  const name = attribute(element, "NAME");
  return {
    key: `${cluster}/${name}`,
    nickname: name,
    observation: {
      incarnation: "",
      sequence: 1,
      measuredAt: 0,
      receivedAt: 0,
      metrics: element.children.map((child) => readMetric(child, details)),
    },
    life: NO_LIFE,
    detail: {
      ip: text("IP"),
      reported: number("REPORTED"),
      tn: number("TN"),
      tmax: number("TMAX"),
      dmax: number("DMAX"),
      location: text("LOCATION"),
      gmondStarted: number("GMOND_STARTED"),
      tags: text("TAGS"),
    },
  };
}

function readMetric(
  element: Element,
  details: Map<string, MetricDetail>,
): Metric {
  const text = (name: string, absent: string) =>
    element.attributes.get(name) ?? absent;
  const made: MetricDetail = {
    type: attribute(element, "TYPE"),
    units: text("UNITS", ""),
    tmax: Number(text("TMAX", "0")),
    dmax: Number(text("DMAX", "0")),
    source: text("SOURCE", "gmond"),
    extra: elements(element, "EXTRA_ELEMENT").map((extra) => [
      attribute(extra, "NAME"),
      attribute(extra, "VAL"),
    ]),
  };
  const key = JSON.stringify(made);
  const detail = details.get(key) ?? made;
  details.set(key, detail);
  const value = attribute(element, "VAL");
  return {
    name: attribute(element, "NAME"),
    value: valueOf(value, detail.type),
    slope: text("SLOPE", "unspecified") as Slope,
    text: value,
    tn: Number(text("TN", "0")),
    detail,
  };
}

function valueOf(text: string, type: string): Value {
  if (/^u?int(8|16|32)$|^timestamp$/.test(type)) {
    return /^-?\d+$/.test(text) ? BigInt(text) : null;
  }
  if (type !== "float" && type !== "double") return null;
  return /^-?\d+(\.\d+)?(e[-+]?\d+)?$/i.test(text) ? Number(text) : null;
}

/** A gmond's host that tests describe in part. */
export function gmondHost(
  name: string,
  metrics: readonly Metric[],
  detail: Partial<Host["detail"]> = {},
): Host {
  return {
    key: `c/${name}`,
    nickname: name,
    observation: {
      incarnation: "",
      sequence: 1,
      measuredAt: 0,
      receivedAt: 0,
      metrics,
    },
    life: NO_LIFE,
    detail: {
      ip: "192.0.2.1",
      reported: 1000,
      tn: 1,
      tmax: 20,
      dmax: 0,
      location: "0,0,0",
      gmondStarted: 500,
      tags: "",
      ...detail,
    },
  };
}

/** A gmond's metric that tests describe in part. */
export function gmondMetric(
  name: string,
  text: string,
  detail: Partial<MetricDetail> = {},
  tn = 0,
): Metric {
  const type = detail.type ?? "float";
  return {
    name,
    value: valueOf(text, type),
    slope: "both",
    text,
    tn,
    detail: {
      units: "",
      tmax: 60,
      dmax: 0,
      source: "gmond",
      extra: [],
      ...detail,
      type,
    },
  };
}

/** A node that attached by itself. */
export function plainHost(
  nickname: string,
  key: string,
  metrics: readonly Metric[],
  answeredAt: number | undefined = 0,
): Host {
  return {
    key,
    nickname,
    observation: {
      incarnation: "1",
      sequence: 1,
      measuredAt: 0,
      receivedAt: 0,
      metrics,
    },
    life: { ...NO_LIFE, attachedAt: 0, answeredAt },
  };
}

/** A cluster of some hosts. */
export function clusterOf(
  name: string,
  hosts: readonly Host[],
  rest: Partial<Cluster> = {},
): Cluster {
  return {
    name,
    hosts: new Map(hosts.map((host) => [host.key, host])),
    ...rest,
  };
}
