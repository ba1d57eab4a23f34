import type { Host } from "../../lib/tree/host.ts";
import type { Metric } from "../../lib/tree/metric.ts";
import type { Cluster, SourceState } from "../../lib/tree/tree.ts";
import type { AlertConfig } from "../../lib/alert/config.ts";
import { readAlertConfig } from "../../lib/alert/config.ts";
import type { FakeClock } from "../fake_clock.ts";

/** A section of gmetad.conf, its lines as they would stand there. */
export function alertConfig(text: string): AlertConfig {
  return readAlertConfig(
    text.split("\n").map((line) => /^\s*(\S+)\s+(.*?)\s*$/.exec(line))
      .filter((match) => match !== null)
      .map(([, directive, text]) => ({ directive, text })),
  );
}

/** How a host of a gmond is. */
export interface HostSketch {
  /** Seconds since its gmond heard of it. */
  tn?: number;
  tmax?: number;
  metrics?: Record<string, number | bigint | null | Partial<Metric>>;
}

/** A cluster whose gmond has just answered, unless `source` says otherwise. */
export function clusterOf(
  clock: FakeClock,
  hosts: Record<string, HostSketch>,
  source: Partial<SourceState> = {},
  name = "web",
): Cluster {
  return {
    name,
    detail: { owner: "", latlong: "", url: "", localtime: 0 },
    source: {
      name: `${name} source`,
      answeredAt: clock.monotonic(),
      interval: 15,
      failure: undefined,
      ...source,
    },
    hosts: new Map(
      Object.entries(hosts).map(([host, sketch]) => [
        `${name}/${host}`,
        hostOf(`${name}/${host}`, host, sketch, clock),
      ]),
    ),
  };
}

function hostOf(
  key: string,
  nickname: string,
  { tn = 0, tmax = 20, metrics = {} }: HostSketch,
  clock: FakeClock,
): Host {
  return {
    key,
    nickname,
    life: {
      attachedAt: undefined,
      answeredAt: undefined,
      failure: undefined,
      detachReason: undefined,
      retireReason: undefined,
    },
    observation: {
      incarnation: "",
      sequence: 1,
      measuredAt: clock.now(),
      receivedAt: clock.now(),
      metrics: Object.entries(metrics).map(([name, value]): Metric => ({
        name,
        slope: "both",
        detail: {
          type: "float",
          units: "",
          tmax: 60,
          dmax: 0,
          source: "gmond",
          extra: [],
        },
        ...(typeof value === "object" && value !== null
          ? { value: null, ...value }
          : { value, text: String(value) }),
      })),
    },
    detail: {
      ip: "",
      reported: 0,
      tn,
      tmax,
      dmax: 0,
      location: "",
      gmondStarted: 0,
      tags: "",
    },
  };
}
