/**
 * What a spool's files have in common for who writes and who reads them; docs/spool.md has it all.
 *
 * @module
 */

/** The spool's name in a base directory. */
export const SPOOL_NAME = "spool";

/** The first bytes of a segment: what it is, and the format's version. */
export const MAGIC: Uint8Array = new TextEncoder().encode("gspool1\n");

/** Frames of one segment are at most so many seconds apart. */
export const SEGMENT_SECONDS = 600;

/** Bytes in front of a frame's head: two lengths and the CRC-32. */
export const PREFIX_BYTES = 12;

/** Bytes of the largest frame. */
export const MAX_FRAME_BYTES = 256 * 1024 * 1024;

/** Times, in milliseconds since the epoch, are less than this. */
export const MAX_TIME = 2 ** 50;

/** A segment's file. */
export interface SegmentName {
  readonly name: string;
  /** Grows from segment to segment, whatever the clock does. */
  readonly number: number;
  /** When the first frame was written, in whole seconds since the epoch. */
  readonly start: number;
}

/** The name of a segment's file; names sort as their numbers do. */
export function segmentName(number: number, start: number): SegmentName {
  const name = `${String(number).padStart(10, "0")}-${start}.spool`;
  return { name, number, start };
}

/** The segments among the names of files, in order. */
export function segmentsAmong(names: Iterable<string>): SegmentName[] {
  const segments: SegmentName[] = [];
  for (const name of names) {
    const match = /^(\d{10,15})-(\d{1,15})\.spool$/.exec(name);
    if (!match) continue;
    segments.push({
      name,
      number: Number(match[1]),
      start: Number(match[2]),
    });
  }
  return segments.sort((a, b) => a.number - b.number);
}
