import type { Clock } from "../clock.ts";
import { UserError } from "../errors.ts";
import type { Graph, Lines } from "../munin/graph.ts";
import { Held, window } from "../munin/held.ts";
import { readPast } from "../munin/past.ts";
import type { SnapshotNode } from "../snapshot/codec.ts";
import type { StatGroup } from "../snapshot/scan.ts";
import { readAllNodes, scanSnapshotFile } from "../snapshot/file.ts";
import { openPortion, SPOOL_NAME } from "../spool/portion.ts";
import type { MuninEnvironment } from "./munin_environment.ts";

/**
 * Reads what a graph needs, from the snapshot and the spool beside it.
 *
 * @param need.graph Left out: everything, for all graphs.
 * @param need.values Whether more than the latest figures are of use.
 * @throws UserError when the snapshot cannot be used. A spool that is missing or damaged costs
 *   figures of the past only, and a line in munin-node's log.
 */
export async function readHeld(
  environment: MuninEnvironment,
  clock: Clock,
  need: { graph?: Graph; values: boolean },
): Promise<Held> {
  const { statsfile } = environment;
  const nodes = await readNodes(statsfile, clock, need.graph);
  const now = clock.now() / 1000;
  const dated = environment.timestamps;
  if (!need.values) return new Held(nodes, { now, dated });
  const spool = spoolOf(statsfile);
  const lines = need.graph?.lines;
  const growth = lines === undefined || lines.kind === "growth";
  try {
    return new Held(nodes, {
      now,
      dated,
      earlier: dated
        ? await openPortion(spool, {
          from: Math.floor(now - window),
          wants: wantedBy(lines),
        })
        : undefined,
      past: growth ? await readPast(spool, now) : undefined,
    });
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    environment.complain(error.message);
    return new Held(nodes, { now, dated });
  }
}

/** Which statistics' past is needed; `undefined`: any may be. */
function wantedBy(
  lines: Lines | undefined,
): ((group: StatGroup, stat: string) => boolean) | undefined {
  if (lines?.kind !== "nodes" || typeof lines.stat !== "string") {
    return undefined;
  }
  const { group, stat } = lines;
  return (itsGroup, itsStat) => itsStat === stat && itsGroup === group;
}

async function readNodes(
  statsfile: string,
  clock: Clock,
  graph: Graph | undefined,
): Promise<SnapshotNode[]> {
  const lines = graph?.lines;
  // The one statistic of most graphs is found without building all the others.
  if (lines?.kind !== "nodes" || typeof lines.stat !== "string") {
    return await readAllNodes(statsfile, clock);
  }
  const { group, stat } = lines;
  const samples = await scanSnapshotFile(statsfile, clock, group, stat);
  return samples.map(({ key, nickname, timestamp, value }) => ({
    key,
    nickname,
    timestamp,
    counters: new Map(),
    stats: new Map(),
    ...(value === undefined ? {} : { [group]: new Map([[stat, value]]) }),
  }));
}

/** The spool that belongs to a snapshot, given as a file or as the base directory. */
function spoolOf(statsfile: string): string {
  let directory = statsfile.replace(/\/+$/, "");
  try {
    if (!Deno.statSync(directory).isDirectory) {
      directory = directory.includes("/")
        ? directory.replace(/\/[^/]*$/, "") || "/"
        : ".";
    }
  } catch {
    // That it is missing has been said by whoever read the snapshot.
  }
  return `${directory}/${SPOOL_NAME}`;
}
