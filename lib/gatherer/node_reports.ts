import type { Clock } from "../clock.ts";
import { type Instant, isDead, statusOfHost } from "../ganglia/host_state.ts";
import type { NodeDoing } from "../sources/poller.ts";
import type { Host } from "../tree/host.ts";
import type { StateLimits } from "../tree/state.ts";
import type { Cluster, Tree } from "../tree/tree.ts";
import { reasonSince, type RetiredNode } from "./retired.ts";
import type { NodeReport } from "../status.ts";

/** What {@linkcode nodeReports} needs to know. */
export interface NodeReportsOptions {
  readonly tree: Tree;
  readonly clock: Clock;
  /** Of nodes that are polled one by one. */
  readonly limits: StateLimits;
  /** How polls of such a node went. */
  doingOf(key: string): NodeDoing;
  readonly retired: readonly RetiredNode[];
}

const NO_DOING: NodeDoing = { lastError: null, usedMs: 0 };

/**
 * How every node is that is known, by cluster in order of arrival; last those of which nothing is
 * known but that they are retired. A host of a gmond has no time used and no last error of its own:
 * its source has.
 */
export function nodeReports(options: NodeReportsOptions): NodeReport[] {
  const { tree, clock, retired } = options;
  const instant = { monotonic: clock.monotonic(), now: clock.now() };
  const left = new Map(retired.map((node) => [idOf(node), node]));
  const reports: NodeReport[] = [];
  for (const cluster of tree.grid.clusters.values()) {
    for (const host of cluster.hosts.values()) {
      const id = idOf({ cluster: cluster.name, key: host.key });
      reports.push(reportOf(host, cluster, options, instant, left.get(id)));
      left.delete(id);
    }
  }
  for (const { cluster, key, nickname, since } of left.values()) {
    reports.push({
      cluster,
      key,
      nickname,
      state: "retired",
      reason: reasonSince(since),
      since,
      lastSuccess: null,
      failing: false,
      ...NO_DOING,
    });
  }
  return reports;
}

function reportOf(
  host: Host,
  cluster: Cluster,
  { limits, doingOf }: NodeReportsOptions,
  instant: Instant,
  retired: RetiredNode | undefined,
): NodeReport {
  const { key, nickname, detail, life } = host;
  const { state, reason, since } = statusOfHost(host, cluster, limits, instant);
  return {
    cluster: cluster.name,
    key,
    nickname,
    state,
    reason,
    since: retired?.since ?? onWallClock(since, instant),
    lastSuccess: onWallClock(life.answeredAt, instant),
    failing: life.failure !== undefined || isDead(cluster),
    ...(detail ? NO_DOING : doingOf(key)),
  };
}

/** A time of the monotonic clock in milliseconds since the epoch; `null`: not known. */
function onWallClock(
  time: number | undefined,
  { monotonic, now }: Instant,
): number | null {
  const at = Math.round(now - (monotonic - (time ?? NaN)));
  return Number.isFinite(at) ? at : null;
}

function idOf({ cluster, key }: { cluster: string; key: string }): string {
  return JSON.stringify([cluster, key]);
}
