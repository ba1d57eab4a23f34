import { reasonOf } from "../secret_file.ts";
import { SnapshotError } from "../snapshot/error.ts";
import { SpoolError } from "./bytes.ts";
import { crc32 } from "./crc32.ts";
import { MAGIC, MAX_FRAME_BYTES, PREFIX_BYTES } from "./format.ts";
import { type FrameHead, SegmentReader } from "./frame.ts";
import { HeldPortion, type Older, type Segment } from "./held_portion.ts";
import type { Portion, PortionOptions } from "./portion.ts";
import { ReadWindow, SegmentFile } from "./segment_file.ts";

const MAX_BYTES = 64 * 1024 * 1024;
/** Some 30 bytes each. */
const MAX_SAMPLES = 250_000;

/** What is known of a segment before it is read. */
interface Which {
  /** Whether it may still be growing. */
  readonly isLast: boolean;
  /** Whether all of it is from before the time: then only who reported last is of interest. */
  readonly isOlder: boolean;
}

/** A segment that is being read. */
interface Reading extends Which {
  readonly segment: Segment;
  readonly older: Older & { readonly times: number[] };
}

/** Collects frames until a portion is full. */
export class Loader {
  readonly #options: PortionOptions;
  readonly #window = new ReadWindow();
  readonly #segments: Segment[] = [];
  readonly #older: Older[] = [];
  /** Milliseconds since the epoch. */
  readonly #since: number;
  #bytes = 0;
  #samples = 0;
  #lastTime = -Infinity;
  #end = -Infinity;
  #complete = true;

  constructor(options: PortionOptions) {
    this.#options = options;
    this.#since = Math.ceil(options.from) * 1000;
  }

  /** What has been taken. */
  portion(): Portion {
    return new HeldPortion(
      {
        segments: this.#segments,
        older: this.#older,
        span: { since: this.#since, end: this.#end },
        complete: this.#complete,
      },
      this.#options,
    );
  }

  /**
   * Takes the frames of the next segment.
   * @returns Whether there is room for more.
   */
  async load(path: string, which: Which): Promise<boolean> {
    const segment: Segment = {
      path,
      reader: new SegmentReader(),
      wanted: [],
      frames: [],
    };
    const before = this.#bytes;
    const samplesBefore = this.#samples;
    try {
      using file = new SegmentFile(path, this.#window);
      const older = { reader: segment.reader, times: [] };
      this.#older.push(older);
      await this.#loadFrames(file, { ...which, segment, older });
    } catch (error) {
      if (!isOfSystem(error)) throw error;
      // Old segments are removed while they are wanted.
      if (!(error instanceof Deno.errors.NotFound)) {
        this.#complain(`cannot read ${quote(path)}: ${reasonOf(error)}`);
      }
    }
    // Frames of before the time are needed only for those after them.
    if (this.#samples === samplesBefore) this.#bytes = before;
    else this.#segments.push(segment);
    return this.#complete;
  }

  async #loadFrames(file: SegmentFile, reading: Reading): Promise<void> {
    const { segment, isLast } = reading;
    let position = 0;
    try {
      const magic = await file.look(0, Math.min(MAGIC.length, file.size));
      if (magic?.some((byte, i) => byte !== MAGIC[i])) {
        throw new SpoolError("it is no segment of this version");
      }
      position = MAGIC.length;
      while (position < file.size) {
        const next = await this.#loadFrame(file, position, reading);
        if (next === undefined) return;
        position = next;
      }
      if (position > file.size) throw new CutShort();
    } catch (error) {
      if (error instanceof CutShort) {
        // Whoever writes the last one may be in the middle of it.
        if (isLast) return;
      } else if (
        !(error instanceof SpoolError || error instanceof SnapshotError)
      ) throw error;
      this.#complain(
        `the segment ${quote(segment.path)} is damaged at byte ${position}, ` +
          `what stands before that is used: ${error.message}`,
      );
    }
  }

  /** @returns Where the next frame begins; `undefined` when the portion is full. */
  async #loadFrame(
    file: SegmentFile,
    position: number,
    { segment, older, isOlder }: Reading,
  ): Promise<number | undefined> {
    const prefix = await file.look(position, PREFIX_BYTES);
    if (!prefix) throw new CutShort();
    const view = new DataView(prefix.buffer, prefix.byteOffset);
    const headLength = view.getUint32(0, true);
    const bodyLength = view.getUint32(4, true);
    const crc = view.getUint32(8, true);
    const bodyAt = position + PREFIX_BYTES + headLength;
    const end = bodyAt + bodyLength;
    if (end - position > MAX_FRAME_BYTES) {
      throw new SpoolError(`a frame has ${end - position} bytes`);
    }
    if (end > file.size) throw new CutShort();
    const before = crc32(prefix, 0, 8);
    const bytes = await file.look(position + PREFIX_BYTES, headLength);
    if (!bytes) throw new CutShort();
    if (crc32(bytes, 0, headLength, before) !== crc) {
      throw new SpoolError("a head's CRC is wrong");
    }
    const head = segment.reader.readHead(bytes, bodyLength);
    this.#noteOlder(head, older.times);
    if (isOlder) return end;
    const { columns, starts, length } = this.#wantedOf(head, segment);
    const size = PREFIX_BYTES + headLength + length;
    if (!this.#admit(head, size)) return undefined;
    const body = new Uint8Array(length);
    await readBody(file, bodyAt, starts, columns, body);
    segment.frames.push({ ...head, columns, body });
    this.#bytes += size;
    return end;
  }

  #noteOlder({ ids, times, oldest }: FrameHead, older: number[]): void {
    if (oldest >= this.#since) return;
    for (let position = 0; position < ids.length; position++) {
      const time = times[position];
      if (time < this.#since) older[ids[position]] = time;
    }
  }

  /** The columns that are wanted, as they will stand behind one another; where they stand now. */
  #wantedOf(
    { columns }: FrameHead,
    { reader, wanted }: Segment,
  ): { columns: Uint32Array; starts: number[]; length: number } {
    const { wants } = this.#options;
    while (wanted.length < reader.statistics.length) {
      const { group, name } = reader.statistics[wanted.length];
      wanted.push(wants?.(group, name) ?? true);
    }
    const kept: number[] = [];
    const starts: number[] = [];
    let length = 0;
    for (let at = 0; at < columns.length; at += 4) {
      if (!wanted[columns[at]]) continue;
      kept.push(columns[at], length, columns[at + 2], columns[at + 3]);
      starts.push(columns[at + 1]);
      length += columns[at + 2];
    }
    return { columns: Uint32Array.from(kept), starts, length };
  }

  /** Counts a frame in, unless the portion is full without it. */
  #admit(
    { time, times, oldest, newest }: FrameHead,
    size: number,
  ): boolean {
    const since = this.#since;
    const { until = Infinity } = this.#options;
    if (time > until * 1000) {
      this.#complete = false;
      return false;
    }
    if (newest < since) return true;
    const samples = oldest >= since
      ? times.length
      : times.reduce((count, time) => time >= since ? count + 1 : count, 0);
    const { maxBytes = MAX_BYTES, maxSamples = MAX_SAMPLES } = this.#options;
    if (
      this.#end >= since + 1000 &&
      (this.#bytes + size > maxBytes || this.#samples + samples > maxSamples)
    ) {
      this.#complete = false;
      return false;
    }
    const wasPutBack = time < this.#lastTime;
    this.#lastTime = time;
    this.#end = wasPutBack ? newest : Math.max(this.#end, newest);
    this.#samples += samples;
    return true;
  }

  #complain(line: string): void {
    this.#options.complaints?.push(line);
  }
}

/** Reads the wanted columns, those that stand behind one another in one go. */
async function readBody(
  file: SegmentFile,
  position: number,
  starts: readonly number[],
  columns: Uint32Array,
  body: Uint8Array,
): Promise<void> {
  for (let i = 0; i < starts.length;) {
    const start = starts[i];
    const into = columns[i * 4 + 1];
    let length = 0;
    for (; i < starts.length && starts[i] === start + length; i++) {
      length += columns[i * 4 + 2];
    }
    const isThere = await file.read(
      position + start,
      body.subarray(into, into + length),
    );
    if (!isThere) throw new CutShort();
  }
}

/** The file ends within a frame. */
class CutShort extends SpoolError {
  constructor() {
    super("it ends within a frame");
  }
}

function isOfSystem(error: unknown): boolean {
  return error instanceof Deno.errors.NotCapable ||
    error instanceof Error && "code" in error;
}

function quote(path: string): string {
  return JSON.stringify(path);
}
