import { assert, assertEquals } from "@std/assert";
import { BaseDir } from "../../lib/gatherer/basedir.ts";
import { Retired, RETIRED_NAME } from "../../lib/gatherer/retired.ts";
import { Tree } from "../../lib/tree/tree.ts";
import { parseIdentity } from "../../lib/foolscap/certificate.ts";
import { parseFurl } from "../../lib/foolscap/furl.ts";
import { loadSnapshot } from "../../lib/snapshot/file.ts";
import { openPortion } from "../../lib/spool/portion.ts";
import { SegmentStore } from "../../lib/spool/store.ts";
import { FakeClock } from "../fake_clock.ts";

/** What a gatherer had told the world by the time of its crash. */
export interface Told {
  /** What it had printed, and nodes attach with from then on. */
  furl?: string;
  port?: number;
  /** Rounds that it had finished, in milliseconds since the epoch. */
  rounds: number[];
  /** Whether a node was retired; `undefined`: it was about to be, or to be brought back. */
  retired: boolean | undefined;
}

/** What was found. */
export interface Found {
  /** By its time in seconds: a counter in the spool. */
  readonly figures: ReadonlyMap<number, unknown>;
}

/** How many of the last rounds the spool has in any case, within its bound of bytes. */
const IN_SPOOL = 5;

/**
 * Looks at a base directory as the next gatherer does, and makes sure that nothing is missing.
 *
 * @param isPowerFailure Whether what was not flushed may be lost; else only a program died.
 */
export async function checkAfterCrash(
  path: string,
  told: Told,
  isPowerFailure = false,
): Promise<Found> {
  const basedir = await BaseDir.open(path, 0o755);
  const tubid = await checkIdentity(basedir, told);
  const loaded = await loadSnapshot(
    basedir.file("stats.msgpack"),
    new FakeClock(),
  );
  for (const note of loaded.notes) {
    assert(note.endsWith("left by a write that was cut short"), note);
  }
  const last = told.rounds.at(-1);
  if (last !== undefined) {
    // The backup is for disks that break: a crash must not even need it.
    assertEquals(loaded.source, "snapshot");
    const self = loaded.nodes.find(({ key }) => key === tubid);
    assert(
      self && self.timestamp * 1000 >= last,
      `the snapshot is of ${self?.timestamp}, ${last} was finished`,
    );
  }
  const { nodes } = await Retired.open({
    path: basedir.file(RETIRED_NAME),
    mode: 0o644,
    tree: new Tree(),
    clock: new FakeClock(),
  });
  if (told.retired !== undefined) {
    assertEquals(nodes.length, told.retired ? 1 : 0, "who is retired");
  }
  const complaints: string[] = [];
  const spool = basedir.file("spool");
  const portion = await openPortion(spool, { from: 0, complaints });
  const samples = tubid === undefined
    ? []
    : portion.series("counters", "gatherer.polls").get(tubid) ?? [];
  const figures = new Map(samples.map(({ time, value }) => [time, value]));
  for (const line of complaints) {
    // Of an earlier life that was killed within a frame.
    const isTorn = line.endsWith("it ends within a frame");
    assert(isTorn || isPowerFailure, line);
    assert(/ is damaged at byte \d+, what stands before/.test(line), line);
  }
  if (!isPowerFailure) {
    const missing = told.rounds.slice(-IN_SPOOL)
      .filter((round) => !figures.has(round / 1000));
    assertEquals(missing, [], "rounds that are not in the spool");
  }
  // Whatever is there can be gone on with.
  const store = new SegmentStore({
    directory: spool,
    mode: 0o644,
    maxBytes: 1e6,
    maxAgeMs: 1e9,
  });
  await store.open();
  return { figures };
}

/** @returns The tubid; `undefined` when there is none yet. */
async function checkIdentity(
  basedir: BaseDir,
  { furl, port }: Told,
): Promise<string | undefined> {
  const wasTold = furl === undefined ? undefined : parseFurl(furl);
  const pem = await Deno.readTextFile(basedir.file("stats_gatherer.pem"))
    .catch(() => undefined);
  if (pem === undefined) {
    assertEquals(wasTold, undefined, "the identity is lost");
    return undefined;
  }
  const { tubid } = parseIdentity(pem);
  const swissnum = await basedir.swissnum(tubid);
  const kept = await basedir.port();
  const location = await basedir.location();
  if (wasTold) {
    assertEquals([tubid, swissnum, kept], [wasTold.tubid, wasTold.name, port]);
    assert(location, "the location is lost");
  }
  for (const name of ["stats_gatherer.pem", "stats_gatherer.furl"]) {
    const info = await Deno.stat(basedir.file(name)).catch(() => undefined);
    assert(!info || (info.mode! & 0o077) === 0, `others can read ${name}`);
  }
  return tubid;
}
