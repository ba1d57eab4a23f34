import { UserError } from "../errors.ts";
import { reasonOf } from "../secret_file.ts";
import {
  SEGMENT_SECONDS,
  type SegmentName,
  segmentName,
  segmentsAmong,
} from "./format.ts";

/** Bytes after which a segment ends, or a quarter of all, so that a portion can hold it. */
const SEGMENT_BYTES = 32 * 1024 * 1024;
/** A disk that is full costs nothing of the last day, for the master that was away for so long. */
const KEEP_MS = 24 * 3600_000;

/** How a {@linkcode SegmentStore} is set up. */
export interface StoreOptions {
  readonly directory: string;
  /** The files' permissions; their directory can be entered by those who can read them. */
  readonly mode: number;
  /** Bytes of all segments together, the one in the making among them. */
  readonly maxBytes: number;
  /** Milliseconds after which a segment is removed. */
  readonly maxAgeMs: number;
  /** Asked before a segment is begun; what it throws keeps it from being written. */
  readonly guard?: () => Promise<void>;
}

interface StoredSegment extends SegmentName {
  size: number;
}

/**
 * The segments on the disk, for the one who writes them. There is no fsync: a power failure costs
 * what the system had not written yet, some seconds, and of a gatherer that is off for longer.
 */
export class SegmentStore {
  readonly #options: StoreOptions;
  /** In order; the last one is in the making while there is a file. */
  readonly #segments: StoredSegment[] = [];
  #file: Deno.FsFile | undefined;
  /** Which file that is, whatever becomes of its name. */
  #place: { dev: number; ino: number | null } = { dev: 0, ino: null };
  /** Whether the directory is no longer as it was: others have moved or removed what is in it. */
  #isStale = false;
  /** When the segment in the making was begun, in milliseconds since the epoch. */
  #begun = 0;
  #nextNumber = 1;

  constructor(options: StoreOptions) {
    this.#options = options;
  }

  /**
   * Makes the directory or takes stock of what is in it.
   * @throws UserError
   */
  async open(): Promise<void> {
    try {
      await this.#takeStock();
    } catch (error) {
      throw new UserError(
        `cannot use the spool ${quote(this.#options.directory)}: ${
          reasonOf(error)
        }`,
        1,
        { cause: error },
      );
    }
  }

  async #takeStock(): Promise<void> {
    const { directory, mode } = this.#options;
    await this.#makeDirectory();
    const names: string[] = [];
    for await (const { name } of Deno.readDir(directory)) names.push(name);
    const found: StoredSegment[] = [];
    for (const segment of segmentsAmong(names)) {
      const path = `${directory}/${segment.name}`;
      const { size, isFile } = await Deno.lstat(path);
      this.#nextNumber = Math.max(this.#nextNumber, segment.number + 1);
      if (!isFile) continue;
      // From a start before with another mode, perhaps; of another user, perhaps.
      await setMode(path, mode).catch(() => {});
      found.push({ ...segment, size });
    }
    this.#segments.splice(0, Infinity, ...found);
    this.#isStale = false;
  }

  /**
   * Ends the segment in the making if a frame of this time is not to go into it.
   * @param time Milliseconds since the epoch.
   * @returns Whether there is none now; the next frame must begin one.
   */
  endIfDue(time: number): boolean {
    if (this.#file && !this.#isInPlace()) {
      this.end();
      this.#isStale = true;
    }
    const size = this.#file ? this.#segments.at(-1)!.size : 0;
    const most = Math.min(SEGMENT_BYTES, this.#options.maxBytes / 4);
    // A clock that was put back must not keep a segment growing until the time has come again.
    const isDue = time < this.#begun ||
      time >= this.#begun + SEGMENT_SECONDS * 1000;
    if (isDue || size >= most) this.end();
    return this.#file === undefined;
  }

  /** Whether those who read the spool find the segment in the making. */
  #isInPlace(): boolean {
    const path = `${this.#options.directory}/${this.#segments.at(-1)!.name}`;
    try {
      const { dev, ino } = Deno.lstatSync(path);
      return dev === this.#place.dev && ino === this.#place.ino;
    } catch {
      // Whatever it is, the next segment will tell.
      return false;
    }
  }

  /** Ends the segment in the making, if there is one. */
  end(): void {
    this.#file?.close();
    this.#file = undefined;
  }

  /**
   * Writes a frame, at the end of the segment in the making or as the first one of the next.
   * Segments that take more room than there may be, or are too old, are removed.
   *
   * @param time Of the frame, in milliseconds since the epoch.
   * @throws UserError when it cannot be written; then the segment is ended, and as it was before.
   */
  async append(frame: Uint8Array, time: number): Promise<void> {
    try {
      await this.#retain(time, frame.length);
      while (true) {
        try {
          if (!this.#file) await this.#begin(time);
          return await this.#write(frame);
        } catch (error) {
          if (!isFull(error) || !this.#isOlderThan(time, KEEP_MS)) throw error;
          await this.#removeOldest();
        }
      }
    } catch (error) {
      await this.#abandon();
      throw new UserError(
        `cannot write the spool ${quote(this.#options.directory)}: ${
          isFull(error)
            ? "no space is left for it; what is there can still be read, make room"
            : error instanceof UserError
            ? error.message
            : reasonOf(error)
        }`,
        1,
        { cause: error },
      );
    }
  }

  async #begin(time: number): Promise<void> {
    const { directory, mode, guard } = this.#options;
    await guard?.();
    if (this.#isStale) await this.#takeStock();
    const segment = segmentName(
      this.#nextNumber,
      Math.max(0, Math.floor(time / 1000)),
    );
    const open = () =>
      Deno.open(`${directory}/${segment.name}`, {
        append: true,
        createNew: true,
        mode,
      });
    try {
      this.#file = await open();
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      await this.#makeDirectory();
      this.#file = await open();
    }
    this.#begun = time;
    this.#nextNumber++;
    this.#segments.push({ ...segment, size: 0 });
    this.#place = await this.#file.stat();
    // The mode at creation is narrowed by the umask.
    await setMode(`${directory}/${segment.name}`, mode);
  }

  /** Leaves the file as it was when it cannot write all of the frame. */
  async #write(frame: Uint8Array): Promise<void> {
    const segment = this.#segments.at(-1)!;
    const file = this.#file!;
    try {
      for (let written = 0; written < frame.length;) {
        written += await file.write(frame.subarray(written));
      }
      segment.size += frame.length;
    } catch (error) {
      // Where this fails as well, whoever reads does without the half frame.
      await file.truncate(segment.size).catch(() => {});
      throw error;
    }
  }

  /** Ends the segment in the making after a failure; one that has no frame is removed. */
  async #abandon(): Promise<void> {
    if (!this.#file) return;
    this.end();
    const segment = this.#segments.at(-1)!;
    if (segment.size > 0) return;
    const path = `${this.#options.directory}/${segment.name}`;
    await Deno.remove(path).catch(() => {});
    this.#segments.pop();
  }

  /** Makes room for `incoming` bytes within the bound, and removes one segment for its age. */
  async #retain(time: number, incoming: number): Promise<void> {
    const { maxBytes, maxAgeMs } = this.#options;
    // One at a time: a clock that is ahead for an hour must not cost the whole past.
    if (this.#isOlderThan(time, maxAgeMs)) await this.#removeOldest();
    let total = incoming;
    for (const { size } of this.#segments) total += size;
    while (total > maxBytes && this.#hasEnded()) {
      total -= this.#segments[0].size;
      await this.#removeOldest();
    }
  }

  /** Whether all of the oldest segment is from so long ago. */
  #isOlderThan(time: number, ageMs: number): boolean {
    if (!this.#hasEnded()) return false;
    const end = this.#segments[0].start + SEGMENT_SECONDS;
    return end * 1000 < time - ageMs;
  }

  /** Whether there is an oldest segment that is not in the making. */
  #hasEnded(): boolean {
    return this.#segments.length > (this.#file ? 1 : 0);
  }

  async #removeOldest(): Promise<void> {
    const path = `${this.#options.directory}/${this.#segments[0].name}`;
    try {
      await Deno.remove(path);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
    this.#segments.shift();
  }

  async #makeDirectory(): Promise<void> {
    const { directory, mode } = this.#options;
    // Who may read may enter.
    const directoryMode = mode | 0o700 | (mode & 0o044) >> 2;
    try {
      await Deno.mkdir(directory, { mode: directoryMode });
    } catch (error) {
      if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    }
    await setMode(directory, directoryMode);
  }
}

async function setMode(path: string, mode: number): Promise<void> {
  if (Deno.build.os === "windows") return;
  const { mode: given } = await Deno.stat(path);
  if ((given! & 0o777) !== mode) await Deno.chmod(path, mode);
}

/** Whether an error says that there is no room on the disk, or no more for this user. */
function isFull(error: unknown): boolean {
  return error instanceof Error && "code" in error &&
    (error.code === "ENOSPC" || error.code === "EDQUOT");
}

function quote(path: string): string {
  return JSON.stringify(path);
}
