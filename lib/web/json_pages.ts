/**
 * What is known as JSON, in pieces.
 *
 * @module
 */
import type { GathererStatus, NodeReport } from "../status.ts";
import { type Instant, isPresent } from "../ganglia/host_state.ts";
import { writeJson } from "../snapshot/json.ts";
import type { Host } from "../tree/host.ts";
import { countersBegan, incarnationOf } from "../tree/incarnation.ts";
import type { Metric, Observation } from "../tree/metric.ts";
import type { Cluster } from "../tree/tree.ts";
import type { Value } from "../value.ts";

/** Which nodes and statistics are wanted. */
export interface Selection {
  /** By nickname or key. */
  node(name: string): boolean;
  stat(name: string): boolean;
  /** Whether nodes without any such statistic are not. */
  readonly hasStats: boolean;
}

/** What the page of nodes says of one, beside how it is. */
interface NodeEntry extends NodeReport {
  /** Whether its latest figures are taken for the present ones. */
  readonly isPresent: boolean;
  /** When they were measured; `null`: there are none. */
  readonly measuredAt: number | null;
  readonly metrics: number;
  /** The incarnation of its program, empty if it is not known, and when that began. */
  readonly incarnation: string;
  readonly began: number | null;
}

/** Nodes or statistics that are looked at in one go, for a pattern may take long over a name. */
const STEP = 20;

/** How all nodes are: an object with the time and a list. */
export function* nodesJson(
  nodes: GathererStatus["nodes"],
  clusters: ReadonlyMap<string, Cluster>,
  { node: isWanted }: Selection,
  instant: Instant,
): Generator<string> {
  yield `{"time":${instant.now},"nodes":[`;
  let comma = "\n";
  let seen = 0;
  for (const report of nodes) {
    if (seen++ % STEP === 0) yield "";
    if (!isWanted(report.nickname) && !isWanted(report.key)) continue;
    const cluster = clusters.get(report.cluster);
    const host = cluster?.hosts.get(report.key);
    const observation = host?.observation;
    const entry: NodeEntry = {
      ...report,
      isPresent: !!(cluster && host && observation) &&
        isPresent(host, cluster, instant),
      measuredAt: observation?.measuredAt ?? null,
      metrics: observation?.metrics.length ?? 0,
      incarnation: host ? incarnationOf(host) : "",
      began: (host && countersBegan(host)) ?? null,
    };
    yield comma + JSON.stringify(entry);
    comma = ",\n";
  }
  yield "\n]}\n";
}

/** The latest figures of all nodes, in the form of `gatherer dump --format json`. */
export function* snapshotJson(
  clusters: Iterable<Cluster>,
  selection: Selection,
): Generator<string> {
  const { node: isWanted, hasStats } = selection;
  yield "{";
  let comma = "";
  let seen = 0;
  for (const { hosts } of clusters) {
    for (const host of hosts.values()) {
      if (seen++ % STEP === 0) yield "";
      const { key, nickname, observation } = host;
      if (!observation || !(isWanted(nickname) || isWanted(key))) continue;
      const metrics = yield* wantedOf(observation, selection);
      if (hasStats && metrics.length === 0) continue;
      yield comma + hostJson(host, observation, metrics);
      comma = ", ";
    }
  }
  yield "}\n";
}

/** The statistics of a node that are wanted, in steps. */
function* wantedOf(
  { metrics }: Observation,
  { stat, hasStats }: Selection,
): Generator<string, readonly Metric[]> {
  if (!hasStats) return metrics;
  const wanted: Metric[] = [];
  for (let i = 0; i < metrics.length; i++) {
    if (i % STEP === 0) yield "";
    if (stat(metrics[i].name)) wanted.push(metrics[i]);
  }
  return wanted;
}

function hostJson(
  host: Host,
  { receivedAt }: Observation,
  metrics: readonly Metric[],
): string {
  const began = countersBegan(host);
  const isCounter = ({ slope }: Metric) => slope === "positive";
  const object = writeJson([{
    key: host.key,
    timestamp: receivedAt / 1000,
    nickname: host.nickname,
    incarnation: incarnationOf(host),
    ...(began === undefined ? {} : { began: began / 1000 }),
    counters: figures(metrics.filter(isCounter)),
    stats: figures(metrics.filter((metric) => !isCounter(metric))),
  }]);
  return object.slice(1, -1);
}

function figures(metrics: readonly Metric[]): Map<string, Value> {
  return new Map(metrics.map(({ name, value }) => [name, value]));
}
