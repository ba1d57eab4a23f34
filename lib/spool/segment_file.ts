/** Bytes that are read ahead: several frames of a hundred nodes, a head of some thousands. */
const WINDOW = 64 * 1024;
/** Bytes that are read without giving others their turn: some milliseconds from a slow disk. */
const AT_ONCE = 256 * 1024;

/**
 * A segment's file, as it was when it was opened: it may grow or be removed meanwhile.
 *
 * Small reads are synchronous, since each wait would cost a Munin plugin as much as it reads;
 * but not many of them in a row, since others wait for a server.
 */
export class SegmentFile implements Disposable {
  readonly size: number;
  readonly #file: Deno.FsFile;
  readonly #window: ReadWindow;

  /** @throws What the system says, when it cannot be opened. */
  constructor(path: string, window: ReadWindow) {
    this.#file = Deno.openSync(path);
    try {
      this.size = this.#file.statSync().size;
    } catch (error) {
      this.#file.close();
      throw error;
    }
    this.#window = window;
    window.start = window.end = 0;
  }

  /**
   * Bytes to look at until the next call; they are copied on demand only.
   * @returns `undefined` when the file does not have so many.
   */
  async look(
    position: number,
    length: number,
  ): Promise<Uint8Array | undefined> {
    const window = this.#window;
    if (position < window.start || position + length > window.end) {
      const wanted = Math.min(
        Math.max(length, WINDOW),
        this.size - position,
      );
      if (wanted < length) return undefined;
      if (window.bytes.length < wanted) window.bytes = new Uint8Array(wanted);
      window.start = window.end = position;
      window.end += await this.#fill(
        position,
        window.bytes.subarray(0, wanted),
      );
      if (position + length > window.end) return undefined;
    }
    const start = position - window.start;
    return window.bytes.subarray(start, start + length);
  }

  /**
   * Bytes into an array of one's own.
   * @returns Whether the file has so many.
   */
  async read(position: number, into: Uint8Array): Promise<boolean> {
    const { bytes, start, end } = this.#window;
    if (position >= start && position + into.length <= end) {
      into.set(
        bytes.subarray(position - start, position - start + into.length),
      );
      return true;
    }
    if (position + into.length > this.size) return false;
    return await this.#fill(position, into) === into.length;
  }

  async #fill(position: number, into: Uint8Array): Promise<number> {
    const window = this.#window;
    this.#file.seekSync(position, Deno.SeekMode.Start);
    window.atOnce += into.length;
    const wait = window.atOnce > AT_ONCE;
    if (wait) window.atOnce = 0;
    let filled = 0;
    while (filled < into.length) {
      const rest = into.subarray(filled);
      const got = wait
        ? await this.#file.read(rest)
        : this.#file.readSync(rest);
      if (got === null) break;
      filled += got;
    }
    return filled;
  }

  [Symbol.dispose](): void {
    this.#file.close();
  }
}

/** What has been read ahead; one for all the files that are read one after the other. */
export class ReadWindow {
  bytes = new Uint8Array(WINDOW);
  start = 0;
  end = 0;
  /** Bytes read since others had their turn. */
  atOnce = 0;
}
