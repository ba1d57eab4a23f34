/**
 * Graphs whose names have a part that varies: Tahoe-LAFS's `tahoe_server_latency_OP_PERCENTILE` and
 * `tahoe_server_operations_OP`, and ours for any program's own numbers.
 *
 * @module
 */
import type { StatGroup } from "../snapshot/scan.ts";
import { smash } from "./fields.ts";
import type { Graph } from "./graph.ts";

/** What a storage server does. Source: what Tahoe-LAFS's storage servers count and time. */
const OPERATIONS = [
  "allocate",
  "write",
  "close",
  "abort",
  "get",
  "read",
  "add-lease",
  "renew",
  "cancel",
  "readv",
  "writev",
] as const;

/** What is kept of the times that operations took. Source: `get_latencies` of its storage server. */
const PERCENTILES = [
  "mean",
  "01_0",
  "10_0",
  "50_0",
  "90_0",
  "95_0",
  "99_0",
  "99_9",
] as const;

/**
 * Tahoe-LAFS's `tahoe_server_latency_OP_PERCENTILE` and `tahoe_server_operations_OP`, every one.
 * Source: the plugins of these names in Tahoe-LAFS's `misc/operations_helpers/munin`.
 */
export const tahoeServer: readonly Graph[] = [
  ...OPERATIONS.map(operationsGraph),
  ...OPERATIONS.flatMap((operation) =>
    PERCENTILES.map((percentile) => latencyGraph(operation, percentile))
  ),
];

function operationsGraph(operation: string): Graph {
  return {
    name: `tahoe_server_operations_${operation}`,
    title: `Tahoe Server '${operation}' Operations`,
    vlabel: "ops per second",
    category: "tahoe",
    info:
      `This graph shows how many '${operation}' operations take place on the storage server`,
    lines: {
      kind: "nodes",
      group: "counters",
      stat: `storage_server.${operation}`,
      type: "DERIVE",
      draw: "LINE2",
      label: "nickname",
    },
  };
}

function latencyGraph(operation: string, percentile: string): Graph {
  const mean = percentile === "mean";
  const what = mean
    ? "mean"
    : `${percentile.replaceAll("_", ".")}th percentile`;
  return {
    name: `tahoe_server_latency_${operation}_${percentile}`,
    title: `Tahoe Server '${operation}' Latency (${what})`,
    vlabel: "seconds",
    category: "tahoe",
    info:
      `This graph shows how long '${operation}' operations took on the storage server, the ${what} ` +
      "delay between message receipt and response generation, calculated over the last thousand " +
      "operations.",
    lines: {
      kind: "nodes",
      group: "stats",
      stat: `storage_server.latencies.${operation}.${
        mean ? "mean" : `${percentile}_percentile`
      }`,
      type: "GAUGE",
      draw: "LINE2",
      label: "nickname",
    },
  };
}

/** How the names of graphs of any program's own numbers begin. */
const PREFIXES = {
  counters: "gatherer_counter_",
  stats: "gatherer_stat_",
} as const satisfies Record<StatGroup, string>;

/** Longest part of such a name that names the statistic: the name is part of a file's name. */
const MAX_NAME = 80;

/**
 * The name of the graph of one statistic, whatever program it is of; `undefined` for a statistic
 * whose name is too long to be part of a file's name.
 */
export function ownGraphName(
  group: StatGroup,
  stat: string,
): string | undefined {
  const name = smash(stat);
  if (name === "" || name.length > MAX_NAME) return undefined;
  return PREFIXES[group] + name;
}

/**
 * The graph of a name such as `gatherer_stat_NAME` or `gatherer_counter_NAME`, where NAME is that
 * of a statistic with all but letters and digits written as `_`.
 *
 * @param stat The statistic's own name, for the title, where it is known.
 */
export function ownGraph(name: string, stat?: string): Graph | undefined {
  for (const group of ["counters", "stats"] as const) {
    const prefix = PREFIXES[group];
    if (!name.startsWith(prefix)) continue;
    const smashed = name.slice(prefix.length);
    if (!/^[A-Za-z0-9_]+$/.test(smashed) || smashed.length > MAX_NAME) {
      return undefined;
    }
    const title = stat === undefined ? smashed : harmless(stat);
    const counter = group === "counters";
    return {
      name,
      title,
      vlabel: counter ? "per ${graph_period}" : "value",
      category: categoryOf(title),
      info: counter
        ? `How fast the counter ${title} grows, a line for each node.`
        : `The statistic ${title}, a line for each node.`,
      lines: {
        kind: "nodes",
        group,
        stat: { smashed },
        type: counter ? "DERIVE" : "GAUGE",
        draw: "LINE1",
        label: "nickname",
      },
    };
  }
}

/** A statistic's name for a page and a protocol: nodes choose it, and may mean harm. */
function harmless(stat: string): string {
  return stat.replace(/[^A-Za-z0-9_.:/ -]/gu, "_");
}

/** What programs of their own put before the first dot of a statistic's name: a part of theirs. */
function categoryOf(title: string): string {
  const part = /^([A-Za-z0-9_]+)[.]./.exec(title)?.[1];
  return part === undefined ? "gatherer" : part.toLowerCase();
}
