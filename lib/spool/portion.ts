/**
 * Reading the spool: the figures of a time, as many as one wants to hold at once. No module of the
 * runtime is imported here: the first one costs a Munin plugin's start 15 ms.
 *
 * @module
 */
import { UserError } from "../errors.ts";
import { reasonOf } from "../secret_file.ts";
import type { StatGroup } from "../snapshot/scan.ts";
import { SEGMENT_SECONDS, type SegmentName, segmentsAmong } from "./format.ts";
import { Loader } from "./loader.ts";
import type { Earlier, Sample } from "./sample.ts";

export { SPOOL_NAME } from "./format.ts";

/** What is wanted of the spool. */
export interface PortionOptions {
  /** Seconds since the epoch: figures of this second and later ones. */
  readonly from: number;
  /**
   * How many seconds before {@linkcode PortionOptions.from} the last reports of nodes are looked
   * for at least, to see whether they were restarted since (default 0).
   */
  readonly context?: number;
  /** Seconds since the epoch: rounds that ended later are left out (default: none are). */
  readonly until?: number;
  /** Bytes of the spool that are held at most (default 64 MiB). */
  readonly maxBytes?: number;
  /** Samples that one statistic has at most (default 250,000: some 8 MB). */
  readonly maxSamples?: number;
  /** The statistics to be read, where not all are; the others are passed over on the disk. */
  readonly wants?: (group: StatGroup, stat: string) => boolean;
  /** Takes a line for the log for each segment that is damaged; the same ones every time. */
  readonly complaints?: string[];
}

/** The figures of a time. Held in memory: what becomes of the files is of no matter. */
export interface Portion extends Earlier {
  /** As asked for. */
  readonly from: number;
  /** The time of the newest sample, in seconds since the epoch; {@linkcode from} without any. */
  readonly end: number;
  /** Whether there is no more at present; otherwise ask again from the floor of {@linkcode end}. */
  readonly complete: boolean;
  /** @throws RangeError when the statistic was not wanted. */
  series(
    group: StatGroup,
    stat: string,
  ): ReadonlyMap<string, readonly Sample[]>;
}

/**
 * Reads the spool from a time on. However small the bounds are, a portion that is not complete
 * has samples of a later second than `from`, and it keeps the frame that takes it over a bound
 * out, unless it would have none without it. A spool that does not exist is empty; what is damaged
 * costs what stands behind it in its segment.
 *
 * When the clock was put back, the figures count that were written last: those before them that
 * have later times are left out.
 *
 * @param directory The spool's own.
 * @throws UserError when the directory cannot be read.
 */
export async function openPortion(
  directory: string,
  options: PortionOptions,
): Promise<Portion> {
  const segments = listSegments(directory);
  const { from, context = 0 } = options;
  const loader = new Loader(options);
  const last = segments.at(-1);
  for (const segment of segments) {
    // The end of a segment is not the start of the next: the clock may have been wrong for one.
    const end = segment.start + SEGMENT_SECONDS;
    if (end < from - context) continue;
    const path = `${directory}/${segment.name}`;
    const which = { isLast: segment === last, isOlder: end < from };
    if (!await loader.load(path, which)) break;
  }
  return loader.portion();
}

function listSegments(directory: string): SegmentName[] {
  try {
    const entries = Deno.readDirSync(directory);
    return segmentsAmong(Array.from(entries, ({ name }) => name));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw new UserError(
      `cannot read the spool ${quote(directory)}: ${reasonOf(error)}`,
      1,
      { cause: error },
    );
  }
}

function quote(path: string): string {
  return JSON.stringify(path);
}
