import type { Host } from "../../tree/host.ts";
import type { MetricDetail, Slope } from "../../tree/metric.ts";
import type { Cluster, ClusterDetail } from "../../tree/tree.ts";
import { type Attributes, UNSPECIFIED } from "./attributes.ts";
import { DetailPool } from "./details.ts";
import type { ReadCluster, ReadGrid, ReadHost } from "./document.ts";
import { HostBuilder } from "./host_builder.ts";
import type { XmlLimits } from "./limits.ts";
import { MetricTemplates } from "./metric_templates.ts";
import { Attribute } from "./names.ts";
import { Kind, kindOf, valueOf } from "./numbers.ts";
import { SummaryBuilder } from "./summaries.ts";
import type { Tokenizer } from "./tokenizer.ts";
import { wasUp } from "./up.ts";

/** What is worth keeping from one document of a source to the next: most of it comes again. */
export class ReaderMemory {
  readonly templates = new MetricTemplates();
  readonly details = new DetailPool();
}

/** How a document is to be read. */
export interface BuilderOptions {
  readonly memory: ReaderMemory;
  /**
   * gmetad.conf's `scalable`: whether a GRID is taken as one summary. If not, the clusters in it
   * are taken as our own, and its HOSTS and METRICS are ignored.
   */
  readonly scalable: boolean;
  /** Seconds since the epoch, for clusters and grids that name no LOCALTIME. */
  readonly now: number;
  /** What a cluster was before: texts and metrics that are the same are not made again. */
  readonly previous?: (cluster: string) => Pick<Cluster, "hosts"> | undefined;
}

/** Why an element is of no use: it is damaged, or it alone is left out. */
export type Refusal = { readonly damaged: string } | {
  readonly leftOut: string;
};

/** A cluster while it is read. */
interface OpenCluster {
  readonly name: string;
  readonly detail: ClusterDetail;
  readonly hosts: ReadHost[];
  readonly previous: ReadonlyMap<string, Host> | undefined;
  /** For a cluster in a grid that is taken as a summary; else `undefined`. */
  readonly summary: SummaryBuilder | undefined;
}

/** A grid, taken as a summary, while it is read. */
interface OpenGrid extends Omit<ReadGrid, "summary"> {
  readonly summary: SummaryBuilder;
}

/** What METRIC and METRICS have in common, while they are read. */
interface OpenMetric {
  readonly name: string;
  readonly slope: Slope;
  readonly detail: MetricDetail & { extra: [string, string][] };
}

/** A METRIC while it is read, with where its parts are, as offsets. */
interface OpenValue extends OpenMetric {
  readonly start: number;
  readonly valueStart: number;
  readonly valueEnd: number;
  /** `undefined` if it has none. */
  readonly tnStart: number | undefined;
  readonly tnEnd: number;
  readonly tn: number;
}

/** A METRICS while it is read. */
interface OpenSum extends OpenMetric {
  readonly sum: number;
  readonly num: number;
}

const SLOPES: ReadonlySet<string> = new Set<Slope>([
  "zero",
  "positive",
  "negative",
  "both",
  "derivative",
]);

/**
 * Makes clusters, hosts, metrics and grids of the elements that the reader finds. It rests on its
 * caller for the elements being within one another as they must.
 */
export class Builder {
  /** Clusters that are whole. */
  readonly clusters: ReadCluster[] = [];
  /** Grids that are whole. */
  readonly grids: ReadGrid[] = [];
  /** Metrics of a type that Ganglia does not have. */
  unknownTypes = 0;
  /** Which limit of the document was passed, in words. */
  tooMuch: string | undefined;
  /** The host that is open, unless it is none of ours. */
  host: HostBuilder | undefined;
  /** Where it begins, as an offset. */
  hostOffset = 0;

  readonly #options: BuilderOptions;
  readonly #limits: XmlLimits;
  readonly #tokenizer: Tokenizer;
  readonly #attributes: Attributes;
  readonly #openGrids: OpenGrid[] = [];
  #cluster: OpenCluster | undefined;
  #metric: OpenValue | undefined;
  #sum: OpenSum | undefined;
  #clusterCount = 0;
  #hostCount = 0;
  #metricCount = 0;

  constructor(
    options: BuilderOptions,
    limits: XmlLimits,
    tokenizer: Tokenizer,
    attributes: Attributes,
  ) {
    this.#options = options;
    this.#limits = limits;
    this.#tokenizer = tokenizer;
    this.#attributes = attributes;
  }

  /** What the open cluster is called. */
  get clusterName(): string | undefined {
    return this.#cluster?.name;
  }

  /** Whether a METRIC or METRICS is open that counts. */
  get isInMetric(): boolean {
    return this.#metric !== undefined || this.#sum !== undefined;
  }

  openGrid(): Refusal | undefined {
    this.#countCluster();
    if (!this.#options.scalable) return;
    const name = this.#name();
    if (typeof name !== "string") return { damaged: name.problem };
    const attributes = this.#attributes;
    this.#openGrids.push({
      name,
      authority: attributes.text(Attribute.AUTHORITY),
      localtime: attributes.seconds(Attribute.LOCALTIME) || this.#options.now,
      summary: new SummaryBuilder(),
    });
  }

  closeGrid(): void {
    const grid = this.#openGrids.pop();
    if (!grid) return;
    const { name, authority, localtime } = grid;
    const summary = grid.summary.finish();
    const outer = this.#openGrids.at(-1);
    if (outer) outer.summary.addPart(summary);
    else this.grids.push({ name, authority, localtime, summary });
  }

  openCluster(): Refusal | undefined {
    this.#countCluster();
    const name = this.#name();
    if (typeof name !== "string") return { damaged: name.problem };
    const attributes = this.#attributes;
    const localtime = attributes.seconds(Attribute.LOCALTIME);
    if (localtime === undefined) return { damaged: "its LOCALTIME is no time" };
    const isOurs = this.#openGrids.length === 0;
    this.#cluster = {
      name,
      detail: {
        owner: attributes.text(Attribute.OWNER),
        latlong: attributes.text(Attribute.LATLONG),
        url: attributes.text(Attribute.URL),
        localtime: localtime || this.#options.now,
      },
      hosts: [],
      previous: isOurs ? this.#options.previous?.(name)?.hosts : undefined,
      summary: isOurs ? undefined : new SummaryBuilder(),
    };
  }

  closeCluster(): void {
    const cluster = this.#cluster;
    this.#cluster = undefined;
    if (!cluster) return;
    const { name, detail, hosts, summary } = cluster;
    if (!summary) {
      this.clusters.push({ name, detail, hosts });
      return;
    }
    summary.addCluster({ name, detail, hosts });
    this.#openGrids.at(-1)?.summary.addPart(summary.finish());
  }

  openHost(): Refusal | undefined {
    const { hosts } = this.#limits;
    const cluster = this.#cluster;
    if (!cluster) return { damaged: "it is in no cluster" };
    if (++this.#hostCount > hosts) this.tooMuch = `more than ${hosts} hosts`;
    this.hostOffset = this.#tokenizer.tokenOffset;
    const name = this.#name();
    if (typeof name !== "string") return { damaged: name.problem };
    const before = cluster.previous?.get(`${cluster.name}/${name}`);
    const old = before?.detail;
    const attributes = this.#attributes;
    const reported = attributes.seconds(Attribute.REPORTED);
    const tn = attributes.seconds(Attribute.TN);
    const tmax = attributes.seconds(Attribute.TMAX);
    const dmax = attributes.seconds(Attribute.DMAX);
    const gmondStarted = attributes.seconds(Attribute.GMOND_STARTED);
    if (
      reported === undefined || tn === undefined || tmax === undefined ||
      dmax === undefined || gmondStarted === undefined
    ) return { damaged: `a time of ${name} is no number of seconds` };
    const detail = {
      ip: attributes.text(Attribute.IP, UNSPECIFIED, old?.ip),
      reported,
      tn,
      tmax,
      dmax,
      location: attributes.text(Attribute.LOCATION, UNSPECIFIED, old?.location),
      gmondStarted,
      tags: attributes.text(Attribute.TAGS, UNSPECIFIED, old?.tags),
    };
    const isUp = wasUp(detail, cluster.detail.localtime);
    this.host = new HostBuilder(name, detail, isUp, before);
  }

  closeHost(): void {
    if (this.host) this.#cluster?.hosts.push(this.host.finish());
    this.host = undefined;
  }

  /** Forgets what is open below cluster or grid. */
  dropHost(): void {
    this.host = undefined;
    this.#metric = undefined;
    this.#sum = undefined;
  }

  /**
   * Counts a metric of the open host.
   * @returns Why it is one too many for the host.
   */
  countMetric(): { readonly damaged: string } | undefined {
    const { hostMetrics, metrics } = this.#limits;
    if (this.host!.count >= hostMetrics) {
      return { damaged: `more than ${hostMetrics} metrics` };
    }
    if (++this.#metricCount > metrics) {
      this.tooMuch = `more than ${metrics} metrics`;
    }
  }

  openMetric(): Refusal | undefined {
    const tooMany = this.countMetric();
    if (tooMany) return tooMany;
    const attributes = this.#attributes;
    const common = this.#commonOfMetric();
    if ("problem" in common) return { leftOut: common.problem };
    const tn = attributes.seconds(Attribute.TN);
    if (tn === undefined) return { leftOut: "its TN is no number of seconds" };
    if (!attributes.has(Attribute.VAL) || !attributes.has(Attribute.TYPE)) {
      return { leftOut: "no VAL or no TYPE" };
    }
    const { tokenOffset, window: { base } } = this.#tokenizer;
    this.#metric = {
      ...common,
      start: tokenOffset,
      valueStart: base + attributes.start(Attribute.VAL),
      valueEnd: base + attributes.end(Attribute.VAL),
      tnStart: attributes.has(Attribute.TN)
        ? base + attributes.start(Attribute.TN)
        : undefined,
      tnEnd: base + attributes.end(Attribute.TN),
      tn,
    };
  }

  closeMetric(): void {
    const metric = this.#metric;
    this.#metric = undefined;
    if (!metric || !this.host) return;
    const { details, templates } = this.#options.memory;
    const { window: { bytes, base }, offset } = this.#tokenizer;
    const template = {
      name: details.name(metric.name),
      slope: metric.slope,
      detail: details.intern(metric.detail),
      kind: kindOf(metric.detail.type),
    };
    if (template.kind === undefined) this.unknownTypes++;
    const valueStart = metric.valueStart - base;
    const valueEnd = metric.valueEnd - base;
    this.host.add(template, bytes, valueStart, valueEnd, metric.tn);
    if (metric.tnStart === undefined) return;
    const places = {
      start: metric.start - base,
      valueStart,
      valueEnd,
      tnStart: metric.tnStart - base,
      tnEnd: metric.tnEnd - base,
      end: offset - base,
    };
    templates.learn(bytes, places, template);
  }

  takeExtra(): Refusal | undefined {
    const { extraElements } = this.#limits;
    const { extra } = (this.#metric ?? this.#sum)!.detail;
    if (extra.length >= extraElements) {
      return { damaged: `more than ${extraElements} EXTRA_ELEMENTs` };
    }
    extra.push([
      this.#attributes.text(Attribute.NAME, ""),
      this.#attributes.text(Attribute.VAL, ""),
    ]);
  }

  takeHosts(): Refusal | undefined {
    const up = this.#attributes.seconds(Attribute.UP);
    const down = this.#attributes.seconds(Attribute.DOWN);
    if (up === undefined || down === undefined) {
      return { leftOut: "its UP or DOWN is no number" };
    }
    this.#summary()?.addHosts(up, down);
  }

  openSum(): Refusal | undefined {
    const attributes = this.#attributes;
    const common = this.#commonOfMetric();
    if ("problem" in common) return { leftOut: common.problem };
    const num = attributes.seconds(Attribute.NUM);
    const sum = attributes.has(Attribute.SUM)
      ? valueOf(
        Kind.real,
        this.#tokenizer.window.bytes,
        attributes.start(Attribute.SUM),
        attributes.end(Attribute.SUM),
      )
      : null;
    if (num === undefined || sum === null) {
      return { leftOut: "its SUM or NUM is no number" };
    }
    this.#sum = { ...common, sum: Number(sum), num };
  }

  closeSum(): void {
    const open = this.#sum;
    this.#sum = undefined;
    if (!open) return;
    const { details } = this.#options.memory;
    const { name, sum, num, slope } = open;
    const detail = details.intern(open.detail);
    this.#summary()?.addMetrics(details.name(name), sum, num, slope, detail);
  }

  /** The summary that HOSTS and METRICS belong to; our own clusters have none. */
  #summary(): SummaryBuilder | undefined {
    return this.#cluster
      ? this.#cluster.summary
      : this.#openGrids.at(-1)?.summary;
  }

  #countCluster(): void {
    const { clusters } = this.#limits;
    if (++this.#clusterCount > clusters) {
      this.tooMuch = `more than ${clusters} clusters and grids`;
    }
  }

  #commonOfMetric(): OpenMetric | { problem: string } {
    const attributes = this.#attributes;
    const name = this.#name();
    if (typeof name !== "string") return name;
    const tmax = attributes.seconds(Attribute.TMAX);
    const dmax = attributes.seconds(Attribute.DMAX);
    if (tmax === undefined || dmax === undefined) {
      return { problem: "its TMAX or DMAX is no number of seconds" };
    }
    const slope = attributes.text(Attribute.SLOPE);
    return {
      name,
      slope: SLOPES.has(slope) ? slope as Slope : "unspecified",
      detail: {
        type: attributes.text(Attribute.TYPE),
        units: attributes.text(Attribute.UNITS),
        tmax,
        dmax,
        source: attributes.text(Attribute.SOURCE, "gmond"),
        extra: [],
      },
    };
  }

  #name(): string | { problem: string } {
    const attributes = this.#attributes;
    const { nameBytes } = this.#limits;
    if (!attributes.has(Attribute.NAME)) return { problem: "no NAME" };
    const length = attributes.end(Attribute.NAME) -
      attributes.start(Attribute.NAME);
    if (length > nameBytes) {
      return { problem: `a NAME longer than ${nameBytes} bytes` };
    }
    return attributes.text(Attribute.NAME) || { problem: "an empty NAME" };
  }
}
