/** Answers of the ports as they are made, without any sockets. */

import type { Instant } from "../../lib/ganglia/host_state.ts";
import { answer, type Grids } from "../../lib/ganglia/output/answer.ts";
import { bytesOf } from "../../lib/ganglia/output/byte_writer.ts";
import { gangliaHostNames } from "../../lib/ganglia/output/host_names.ts";
import { HostPrinter } from "../../lib/ganglia/output/host_printer.ts";
import { parseRequest, type Query } from "../../lib/ganglia/output/query.ts";
import { gridSummary, summarize } from "../../lib/ganglia/summary.ts";
import type { ChildGrid, Cluster } from "../../lib/tree/tree.ts";

/** The time at which tests receive everything. */
export const BEGIN: Instant = { monotonic: 0, now: 0 };

/** Some time later. */
export function after(seconds: number): Instant {
  return { monotonic: 1000 * seconds, now: 1000 * seconds };
}

/** Everything that answers are made of. */
export function gridsOf(
  clusters: readonly Cluster[],
  children: readonly ChildGrid[] = [],
  at = BEGIN,
): Grids {
  const shown = new Map(clusters.map((cluster) => [cluster.name, {
    ...cluster,
    summary: cluster.summary ?? summarize(cluster, at),
    names: gangliaHostNames(cluster),
  }]));
  const grids = new Map(children.map((child) => [child.name, child]));
  return {
    name: "LabGrid",
    authority: "http://lab.example.test/ganglia/",
    clusters: shown,
    grids,
    summary: gridSummary({ clusters: shown, grids }),
  };
}

/** A query, as the interactive port reads it. */
export function queryOf(line: string): Query {
  const request = parseRequest(new TextEncoder().encode(line));
  if (request.kind !== "query") throw new Error(JSON.stringify(request));
  return request.query;
}

/** The answer to a query. */
export function ask(
  grids: Grids,
  line: string,
  at = BEGIN,
  printer = new HostPrinter(),
): Uint8Array {
  return bytesOf((out) => {
    for (const write of answer(grids, queryOf(line), at, printer)) write(out);
  });
}
