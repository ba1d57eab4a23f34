import { summarize, sumSummaries } from "../summary.ts";
import type { Host, NodeLife } from "../../tree/host.ts";
import type { MetricDetail, Slope } from "../../tree/metric.ts";
import type { Summary, SummaryMetric } from "../../tree/summary.ts";
import type { ReadCluster } from "./document.ts";

const NO_LIFE: NodeLife = {
  attachedAt: undefined,
  answeredAt: undefined,
  failure: undefined,
  detachReason: undefined,
  retireReason: undefined,
};

/**
 * The summary of a grid or of a cluster in one, while it is read. HOSTS and METRICS of its own stand
 * for the whole, as in a `?filter=summary` of gmetad: what is inside is then not counted again.
 */
export class SummaryBuilder {
  readonly #parts: Summary[] = [];
  readonly #own = new Map<string, SummaryMetric>();
  #up = 0;
  #down = 0;
  #hasOwn = false;

  /** Takes the HOSTS of it. */
  addHosts(up: number, down: number): void {
    this.#hasOwn = true;
    this.#up += up;
    this.#down += down;
  }

  /** Takes one METRICS of it. Nothing is known by a sum of nought metrics. */
  addMetrics(
    name: string,
    sum: number,
    num: number,
    slope: Slope,
    detail: MetricDetail,
  ): void {
    this.#hasOwn = true;
    if (num > 0) this.#own.set(name, { sum, num, slope, detail });
  }

  /** Takes what a cluster or grid in it is. */
  addPart(summary: Summary): void {
    this.#parts.push(summary);
  }

  /** Takes a cluster with the hosts that were sent. */
  addCluster({ name, detail, hosts }: ReadCluster): void {
    if (hosts.length === 0) return;
    const byName = new Map<string, Host>();
    for (const { name, detail, metrics } of hosts) {
      byName.set(name, {
        key: name,
        nickname: name,
        observation: metrics && {
          incarnation: "",
          sequence: 0,
          measuredAt: 0,
          receivedAt: 0,
          metrics,
        },
        life: NO_LIFE,
        detail,
      });
    }
    // All is as of one moment, so any will do.
    const moment = { monotonic: 0, now: 0 };
    this.addPart(summarize({ name, hosts: byName, detail }, moment));
  }

  finish(): Summary {
    if (this.#hasOwn) {
      return { up: this.#up, down: this.#down, metrics: this.#own };
    }
    return this.#parts.length === 1
      ? this.#parts[0]
      : sumSummaries(this.#parts);
  }
}
