/** Splits what a client sends into commands. */

/** How many bytes were read into the buffer; `null` at the end. As `Deno.Conn` reads. */
export type Read = (buffer: Uint8Array) => Promise<number | null>;

/** A command that is longer than the limit. */
export class LineTooLong extends Error {
  override name = "LineTooLong";
}

const LF = 10;
const decoder = new TextDecoder();

/**
 * Reads lines that end with a line feed, or at the end of what the client sends. Its buffer is as
 * large as the longest line: that is all that is ever held of a client's bytes.
 */
export class CommandReader {
  readonly #read: Read;
  readonly #buffer: Uint8Array;
  #start = 0;
  #end = 0;

  /** @param lineBytes Bytes of the longest line, its end counted. */
  constructor(read: Read, lineBytes: number) {
    this.#read = read;
    this.#buffer = new Uint8Array(lineBytes);
  }

  /** The next line without its line feed, if all of it has been read. */
  take(): string | undefined {
    const waiting = this.#buffer.subarray(this.#start, this.#end);
    const length = waiting.indexOf(LF);
    if (length < 0) return undefined;
    this.#start += length + 1;
    return decoder.decode(waiting.subarray(0, length));
  }

  /**
   * Reads on. To be called when {@linkcode take} has nothing.
   * @returns False at the end.
   * @throws LineTooLong; or what reading throws.
   */
  async more(): Promise<boolean> {
    this.#buffer.copyWithin(0, this.#start, this.#end);
    this.#end -= this.#start;
    this.#start = 0;
    if (this.#end === this.#buffer.length) {
      throw new LineTooLong(
        `a command is longer than ${this.#buffer.length} bytes`,
      );
    }
    const got = await this.#read(this.#buffer.subarray(this.#end));
    if (got === null) return false;
    this.#end += got;
    return true;
  }

  /** What came after the last line feed; `undefined` if nothing. For the end of the stream. */
  rest(): string | undefined {
    if (this.#start === this.#end) return undefined;
    const rest = decoder.decode(this.#buffer.subarray(this.#start, this.#end));
    this.#start = this.#end;
    return rest;
  }
}
