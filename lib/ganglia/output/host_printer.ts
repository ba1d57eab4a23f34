import { plainDecimal } from "../decimal.ts";
import {
  type Instant,
  PLAIN_TMAX,
  receivedAt,
  secondsBetween,
} from "../host_state.ts";
import type { Host, HostDetail } from "../../tree/host.ts";
import {
  type Metric,
  type MetricDetail,
  type Slope,
  withHeld,
} from "../../tree/metric.ts";
import type { Cluster } from "../../tree/tree.ts";
import { bytesOf, type ByteWriter } from "./byte_writer.ts";

/** The types that the DTD knows. C leaves out metrics of any other (`in_type_list`). */
const TYPES: ReadonlySet<string> = new Set([
  "string",
  "int8",
  "uint8",
  "int16",
  "uint16",
  "int32",
  "uint32",
  "float",
  "double",
  "timestamp",
]);

/** The most that C prints of an age, in seconds. */
const MOST_SECONDS = 0xffff_ffff;

/** What is said of hosts whose source says nothing. `unspecified` is C's word. */
const PLAIN_HOST: Omit<HostDetail, "reported"> = {
  ip: "unspecified",
  tn: 0,
  tmax: PLAIN_TMAX,
  dmax: 0,
  location: "unspecified",
  gmondStarted: 0,
  tags: "unspecified",
};

/** Templates that are kept, some 30 MB: names of metrics may come and go for ever. */
const MOST_TEMPLATES = 50_000;

/** A metric's element but for what changes: VAL stands after `before`, TN before `after`. */
interface Template {
  readonly name: string;
  readonly slope: Slope;
  readonly detail: MetricDetail | undefined;
  readonly before: Uint8Array;
  readonly between: Uint8Array;
  readonly after: Uint8Array;
}

/**
 * Prints hosts. Of a metric all but its value and age is made once, for all hosts, and copied from
 * then on: that is as fast as copying whole hosts made ready, which would take as much memory as
 * the longest answer.
 */
export class HostPrinter {
  /** The templates of the last host, by place: the next host's are most likely the same. */
  readonly #row: (Template | undefined)[] = [];
  #detailed = new WeakMap<MetricDetail, Map<string, Template>>();
  readonly #plain = new Map<string, Template>();
  /** Templates that were made since they were all forgotten. */
  #made = 0;

  /**
   * Prints a host as it is at an instant: the time since it was received is part of every TN, and
   * metrics that are past their DMAX by then are left out, as {@linkcode isExpired} hosts should.
   *
   * @param name What it is called; see `gangliaHostNames`.
   * @param wanted If given, metrics of other names are left out.
   */
  print(
    out: ByteWriter,
    name: string,
    host: Host,
    cluster: Pick<Cluster, "source">,
    instant: Instant,
    wanted?: (name: string) => boolean,
  ): void {
    const age = ageOf(host, cluster, instant);
    openHost(out, name, host, age, instant);
    const metrics = host.observation ? withHeld(host.observation) : [];
    for (let place = 0; place < metrics.length; place++) {
      const metric = metrics[place];
      if (wanted && !wanted(metric.name)) continue;
      const text = textOf(metric);
      if (text === undefined) continue;
      const { tn = 0, detail } = metric;
      if (detail && detail.dmax > 0 && tn + age > detail.dmax) continue;
      const { before, between, after } = this.#templateOf(metric, place);
      out.bytes(before).value(text).bytes(between);
      out.integer(Math.min(tn + age, MOST_SECONDS)).bytes(after);
    }
    out.markup("</HOST>\n");
  }

  #templateOf(metric: Metric, place: number): Template {
    const { name, slope, detail } = metric;
    const last = this.#row[place];
    if (
      last && last.name === name && last.detail === detail &&
      last.slope === slope
    ) return last;
    const key = `${slope} ${name}`;
    const known = (detail ? this.#detailed.get(detail) : this.#plain)?.get(key);
    if (known) return this.#row[place] = known;
    if (++this.#made > MOST_TEMPLATES) this.#forget();
    const template = makeTemplate(metric);
    const templates = detail ? this.#templatesOf(detail) : this.#plain;
    templates.set(key, template);
    return this.#row[place] = template;
  }

  #forget(): void {
    this.#detailed = new WeakMap();
    this.#plain.clear();
    this.#row.length = 0;
    this.#made = 1;
  }

  #templatesOf(detail: MetricDetail): Map<string, Template> {
    let templates = this.#detailed.get(detail);
    if (!templates) this.#detailed.set(detail, templates = new Map());
    return templates;
  }
}

/** Whether a host is there at all: a node that has never answered is not yet. */
export function isKnown({ observation, detail }: Host): boolean {
  return observation !== undefined || detail !== undefined;
}

/** Whether a host is past its DMAX, and so not there any more. */
export function isExpired(
  host: Host,
  cluster: Pick<Cluster, "source">,
  instant: Instant,
): boolean {
  const { detail } = host;
  return detail !== undefined && detail.dmax > 0 &&
    detail.tn + ageOf(host, cluster, instant) > detail.dmax;
}

function ageOf(
  host: Host,
  cluster: Pick<Cluster, "source">,
  instant: Instant,
): number {
  const since = receivedAt(host, cluster, instant);
  return secondsBetween(since, instant.monotonic);
}

function openHost(
  out: ByteWriter,
  name: string,
  { detail }: Host,
  age: number,
  { now }: Instant,
): void {
  const said = detail ??
    { ...PLAIN_HOST, reported: Math.floor(now / 1000) - age };
  out.markup('<HOST NAME="').value(name);
  out.markup('" IP="').value(said.ip);
  out.markup('" REPORTED="').integer(said.reported);
  out.markup('" TN="').integer(Math.min(said.tn + age, MOST_SECONDS));
  out.markup('" TMAX="').integer(said.tmax);
  out.markup('" DMAX="').integer(said.dmax);
  out.markup('" LOCATION="').value(said.location);
  out.markup('" GMOND_STARTED="').integer(said.gmondStarted);
  out.markup('" TAGS="').value(said.tags).markup('">\n');
}

/** VAL; `undefined` for what Ganglia has no way to say. */
function textOf({ text, value, detail }: Metric): string | undefined {
  if (detail && !TYPES.has(detail.type)) return undefined;
  if (text !== undefined) return text;
  if (typeof value === "bigint") return value.toString();
  return value !== null && Number.isFinite(value)
    ? plainDecimal(value)
    : undefined;
}

/**
 * What is said of a metric whose source says nothing. A double holds any figure; GROUP, by which
 * Ganglia's pages arrange graphs, is the first part of the name.
 */
function plainDetail(name: string): MetricDetail {
  return {
    type: "double",
    units: "",
    tmax: PLAIN_TMAX,
    dmax: 0,
    source: "gatherer",
    extra: [["GROUP", name.split(".", 1)[0]]],
  };
}

function makeTemplate({ name, slope, detail }: Metric): Template {
  const said = detail ?? plainDetail(name);
  return {
    name,
    slope,
    detail,
    before: bytesOf((out) =>
      out.markup('<METRIC NAME="').value(name).markup('" VAL="')
    ),
    between: bytesOf((out) => {
      out.markup('" TYPE="').value(said.type);
      out.markup('" UNITS="').value(said.units).markup('" TN="');
    }),
    after: bytesOf((out) => {
      out.markup('" TMAX="').integer(said.tmax);
      out.markup('" DMAX="').integer(said.dmax);
      addSlopeAndSource(out, slope, said.source);
      addExtraData(out, said.extra);
      out.markup("</METRIC>\n");
    }),
  };
}

/** Ends the opening tag of a METRIC or METRICS. */
export function addSlopeAndSource(
  out: ByteWriter,
  slope: Slope,
  source: string,
): void {
  out.markup('" SLOPE="').value(slope);
  out.markup('" SOURCE="').value(source).markup('">\n');
}

/** The element EXTRA_DATA; as in C, it is there even if there is nothing in it. */
export function addExtraData(
  out: ByteWriter,
  extra: MetricDetail["extra"],
): void {
  out.markup("<EXTRA_DATA>\n");
  for (const [name, value] of extra) {
    out.markup('<EXTRA_ELEMENT NAME="').value(name);
    out.markup('" VAL="').value(value).markup('"/>\n');
  }
  out.markup("</EXTRA_DATA>\n");
}
