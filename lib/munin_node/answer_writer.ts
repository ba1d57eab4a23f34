/** Collects answers into chunks, and keeps out what would break the protocol. */

const encoder = new TextEncoder();

/**
 * Text on its way to a client. It holds one chunk; while a chunk is being sent, whoever adds more
 * waits.
 */
export class AnswerWriter {
  readonly #send: (bytes: Uint8Array) => Promise<void>;
  readonly #chunk: Uint8Array;
  #filled = 0;
  #sent = 0;

  /**
   * @param send Sends all of the bytes; they are overwritten once it has resolved.
   * @param chunkBytes At least some bytes, so that any character fits.
   */
  constructor(send: (bytes: Uint8Array) => Promise<void>, chunkBytes: number) {
    this.#send = send;
    this.#chunk = new Uint8Array(chunkBytes);
  }

  /** How many bytes have been sent. */
  get sent(): number {
    return this.#sent;
  }

  /** Adds text, sending what is full. */
  async add(text: string): Promise<void> {
    for (let at = 0;;) {
      const { read, written } = encoder.encodeInto(
        at === 0 ? text : text.slice(at),
        this.#chunk.subarray(this.#filled),
      );
      this.#filled += written;
      at += read;
      if (at === text.length) return;
      await this.flush();
    }
  }

  /** Sends what is there. */
  async flush(): Promise<void> {
    if (this.#filled === 0) return;
    const bytes = this.#chunk.subarray(0, this.#filled);
    this.#filled = 0;
    await this.#send(bytes);
    this.#sent += bytes.length;
  }

  /** Forgets what has been added and not yet sent. */
  discard(): void {
    this.#filled = 0;
  }
}

/**
 * What must not be in the lines of an answer. A lone dot ends it, and munin-asyncd stops at any
 * line that starts with one. munin-update drops carriage returns wherever they are, so that a dot
 * beside one would be a lone one; and a line with "# timeout" anywhere in it makes it give up the
 * whole host (Munin 2.0, `Munin::Master::Node`). An empty line says nothing.
 */
const UNSAFE_LINE = /^(?:\.|$)|\r|# timeout/;
/** Whether any of some whole lines is unsafe, or the last has no end. */
const UNSAFE = /^[.\n]|\n[.\n]|\r|# timeout|[^\n]$/;

/** Some whole lines without those that would break the protocol, and how many those were. */
export function safeLines(piece: string): { text: string; dropped: number } {
  if (!UNSAFE.test(piece)) return { text: piece, dropped: 0 };
  const lines = piece.split("\n");
  // After the last line feed.
  if (lines.at(-1) === "") lines.pop();
  const safe = lines.filter((line) => !UNSAFE_LINE.test(line));
  return {
    text: safe.map((line) => `${line}\n`).join(""),
    dropped: lines.length - safe.length,
  };
}

/** Whether a name of a host or service can stand in an answer. */
export function isSafeName(name: string): boolean {
  return /^[^.\s\p{Cc}][^\s\p{Cc}]*$/u.test(name);
}
