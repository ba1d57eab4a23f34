/**
 * A model of Tahoe-LAFS's plugin `tahoe_stats` to hold ours against, made from a description of
 * its behaviour and the data of its 26 graphs, and from nothing of ours. It prints values as they
 * stand in the file, which the original's Python wrote.
 */
import type { StatSample } from "../../lib/snapshot/scan.ts";

/** A graph as tests/testdata/tahoe-graphs.json has it. */
export interface ModelGraph {
  name: string;
  category: "counters" | "stats";
  stat: string;
  title: string;
  vlabel: string;
  graph_category: string;
  info: string;
  args?: string;
  field: Record<string, string | number>;
}

/** A stats.json whose numbers are still the text that stands in the file. */
export type ModelStats = Record<string, {
  timestamp?: string;
  nickname: string;
  stats: Record<"counters" | "stats", Record<string, string | null>>;
}>;

const testdata = new URL("../testdata/", import.meta.url);

/** The captured files of a gatherer of Tahoe-LAFS nodes, as they were from minute to minute. */
export const captures: readonly string[] = [
  "0-attached",
  "1-some-traffic",
  "2-a-quarter-hour-later",
  "3-busy",
].map((name) =>
  new URL(`tahoe/gatherer-stats-${name}.json`, testdata).pathname
);

export function modelGraphs(): ModelGraph[] {
  return JSON.parse(
    Deno.readTextFileSync(new URL("tahoe-graphs.json", testdata)),
  );
}

type Reviver = (
  key: string,
  value: unknown,
  context: { source: string },
) => unknown;

export function parseStats(text: string): ModelStats {
  const keepDigits: Reviver = (_key, value, { source }) =>
    typeof value === "number" ? source : value;
  // The types of JSON.parse do not know the third argument of a reviver yet.
  return JSON.parse(
    text,
    keepDigits as (key: string, value: unknown) => unknown,
  );
}

export function modelOutput(
  graph: ModelGraph,
  stats: ModelStats,
  phase: "config" | "fetch",
  nowSeconds: number,
): string {
  let out = "";
  const print = (line: string) => out += line + "\n";
  if (phase === "config") {
    print("graph_title " + graph.title);
    print("graph_vlabel " + graph.vlabel);
    print("graph_category " + graph.graph_category);
    print("graph_info " + graph.info);
    if (graph.args) print("graph_args " + graph.args);
  }
  for (const [tubid, node] of Object.entries(stats)) {
    if (phase === "fetch" && nowSeconds - Number(node.timestamp ?? 0) > 300) {
      continue;
    }
    const value = node.stats[graph.category][graph.stat] ?? null;
    if (value === null) continue;
    const field = [...`${node.nickname}_${tubid.slice(0, 4)}`]
      .map((char) => /^[a-zA-Z0-9]$/.test(char) ? char : "_").join("");
    if (phase === "fetch") {
      print(field + ".value " + value);
      continue;
    }
    print(field + ".label " + field);
    for (const attribute of ["type", "min", "draw"]) {
      if (attribute in graph.field) {
        print(`${field}.${attribute} ${graph.field[attribute]}`);
      }
    }
  }
  return out;
}

/** What a scan of the file for the graph's statistic finds. */
export function modelSamples(
  graph: ModelGraph,
  stats: ModelStats,
): StatSample[] {
  return Object.entries(stats).map(([key, node]) => {
    const value = node.stats[graph.category][graph.stat];
    return {
      key,
      nickname: node.nickname,
      timestamp: Number(node.timestamp ?? 0),
      value: value === undefined || value === null
        ? value
        : /[.e]/.test(value)
        ? Number(value)
        : BigInt(value),
    };
  });
}
