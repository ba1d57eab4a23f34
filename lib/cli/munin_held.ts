import type { Clock } from "../clock.ts";
import { UserError } from "../errors.ts";
import type { Graph, Lines } from "../munin/graph.ts";
import { Held } from "../munin/held.ts";
import { readPast } from "../munin/past.ts";
import { dated, heartbeat, pastFrom, plainly } from "../munin/sampling.ts";
import type { SnapshotNode } from "../snapshot/codec.ts";
import type { StatGroup } from "../snapshot/scan.ts";
import { readAllNodes, scanSnapshotFile } from "../snapshot/file.ts";
import { openPortion, SPOOL_NAME } from "../spool/portion.ts";
import type { Earlier } from "../spool/sample.ts";
import type { Value } from "../value.ts";
import type { MuninEnvironment } from "./munin_environment.ts";

/** Bytes of the spool that are held at most. */
const WINDOW_BYTES = 256 * 1024 * 1024;

/** No figures of a node in one half. */
const NONE: ReadonlyMap<string, Value> = new Map();

/**
 * Reads what a graph needs, from the snapshot and the spool beside it.
 *
 * @param graph Left out: everything, for all graphs.
 * @throws UserError when the snapshot cannot be used. A spool that is damaged or cannot be read
 *   costs figures of the past only, and a line in munin-node's log.
 */
export async function readHeld(
  environment: MuninEnvironment,
  clock: Clock,
  graph?: Graph,
): Promise<Held> {
  const { statsfile } = environment;
  const nodes = await readNodes(statsfile, clock, graph);
  const now = clock.now() / 1000;
  const lines = graph?.lines;
  const spool = spoolOf(statsfile);
  const complaints: string[] = [];
  let earlier: Earlier | undefined;
  let past: ReadonlyMap<number, Earlier> | undefined;
  try {
    if (environment.timestamps) {
      earlier = await openPortion(spool, {
        from: pastFrom(now),
        context: heartbeat,
        maxBytes: WINDOW_BYTES,
        maxSamples: Infinity,
        wants: wantedBy(lines),
        complaints,
      });
    }
    if (lines === undefined || lines.kind === "growth") {
      past = await readPast(spool, now, complaints);
    }
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    complaints.push(error.message);
  }
  for (const line of complaints) environment.complain(line);
  const sampling = environment.timestamps ? dated(now, earlier) : plainly(now);
  return new Held(nodes, sampling, { past });
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
  return samples.map(({ key, nickname, timestamp, incarnation, value }) => ({
    key,
    nickname,
    timestamp,
    incarnation,
    counters: NONE,
    stats: NONE,
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
