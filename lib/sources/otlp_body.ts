import type { Clock } from "../clock.ts";
import { messageOf } from "../errors.ts";
import { oneLine } from "../text.ts";

/** Bytes that are inflated at once: gzip makes at most 1,032 times as many of them. */
const INFLATE_BYTES = 4096;

/** Why a body cannot be had. */
export class BodyError extends Error {
  override name = "BodyError";

  /** @param status The HTTP status that says so. */
  constructor(readonly status: 400 | 408 | 413 | 415 | 503, message: string) {
    super(message);
  }
}

/** What bodies may take. */
export interface BodyLimits {
  /** Bytes of one body, as it comes and after decompression, each. */
  readonly bodyBytes: number;
  /** Bytes of all bodies that are being received or dealt with. */
  readonly underWayBytes: number;
  /** Milliseconds that a body may take. */
  readonly bodyMs: number;
}

/** Receives the bodies of requests, within limits that they share. */
export class BodyReader {
  readonly #limits: BodyLimits;
  readonly #clock: Clock;
  /** Bytes that are held for bodies that are being received or dealt with. */
  #underWay = 0;

  constructor(limits: BodyLimits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
  }

  /**
   * Does something with the body of a request, decompressed. It counts against the limits until that
   * is done: whoever waits for his turn has his body in memory.
   * @throws BodyError when it cannot be had within the limits.
   */
  async read<T>(
    request: Request,
    use: (body: Uint8Array) => Promise<T>,
  ): Promise<T> {
    const encoding = request.headers.get("content-encoding")?.trim()
      .toLowerCase() || "identity";
    if (encoding !== "gzip" && encoding !== "identity") {
      throw new BodyError(
        415,
        `the content encoding ${
          JSON.stringify(oneLine(encoding, 40))
        } is not known here; send gzip or none`,
      );
    }
    // A body of a length that is too large is not begun.
    const length = Number(request.headers.get("content-length") ?? 0);
    if (length > this.#limits.bodyBytes) throw this.#tooLarge();
    let held = 0;
    const hold = (bytes: number) => {
      if (this.#underWay + bytes > this.#limits.underWayBytes) {
        throw new BodyError(
          503,
          "too much is being received; try again later",
        );
      }
      held += bytes;
      this.#underWay += bytes;
    };
    try {
      const body = await this.#receive(request, hold);
      return await use(
        encoding === "gzip" ? await this.#inflate(body, hold) : body,
      );
    } finally {
      this.#underWay -= held;
    }
  }

  async #receive(
    request: Request,
    hold: (bytes: number) => void,
  ): Promise<Uint8Array> {
    if (!request.body) return new Uint8Array();
    const { bodyMs } = this.#limits;
    const reader = request.body.getReader();
    let isLate = false;
    const timer = this.#clock.setTimer(() => {
      isLate = true;
      reader.cancel().catch(() => {});
    }, bodyMs);
    const late = () =>
      new BodyError(408, `the body did not come within ${bodyMs / 1000} s`);
    try {
      const chunks = new Chunks(this.#limits.bodyBytes, hold);
      while (true) {
        const { done, value } = await reader.read();
        if (isLate) throw late();
        if (done) return chunks.whole();
        if (!chunks.add(value)) throw this.#tooLarge();
      }
    } catch (error) {
      if (error instanceof BodyError) throw error;
      if (isLate) throw late();
      throw new BodyError(
        400,
        `the body was cut off: ${oneLine(messageOf(error), 200)}`,
      );
    } finally {
      timer.cancel();
      reader.cancel().catch(() => {});
    }
  }

  async #inflate(
    body: Uint8Array,
    hold: (bytes: number) => void,
  ): Promise<Uint8Array> {
    // Piece by piece: a piece is inflated whole, before anybody can count.
    let pos = 0;
    const source = new ReadableStream<BufferSource>({
      pull(controller) {
        const piece = body.slice(pos, pos + INFLATE_BYTES);
        pos += piece.length;
        if (piece.length > 0) controller.enqueue(piece);
        else controller.close();
      },
    }, { highWaterMark: 0 });
    const reader = source.pipeThrough(new DecompressionStream("gzip"))
      .getReader();
    try {
      const chunks = new Chunks(this.#limits.bodyBytes, hold);
      while (true) {
        const { done, value } = await reader.read();
        if (done) return chunks.whole();
        if (!chunks.add(value)) throw this.#tooLarge();
      }
    } catch (error) {
      if (error instanceof BodyError) throw error;
      throw new BodyError(
        400,
        `the body is no gzip: ${oneLine(messageOf(error), 200)}`,
      );
    } finally {
      reader.cancel().catch(() => {});
    }
  }

  #tooLarge(): BodyError {
    return new BodyError(
      413,
      `the body is larger than ${this.#limits.bodyBytes} bytes; send less at once`,
    );
  }
}

class Chunks {
  readonly #most: number;
  readonly #hold: (bytes: number) => void;
  readonly #chunks: Uint8Array[] = [];
  #size = 0;

  constructor(most: number, hold: (bytes: number) => void) {
    this.#most = most;
    this.#hold = hold;
  }

  /** @returns Whether there was room for it. */
  add(chunk: Uint8Array): boolean {
    if (this.#size + chunk.length > this.#most) return false;
    this.#hold(chunk.length);
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    return true;
  }

  whole(): Uint8Array {
    if (this.#chunks.length === 1) return this.#chunks[0];
    const all = new Uint8Array(this.#size);
    let pos = 0;
    for (const chunk of this.#chunks) {
      all.set(chunk, pos);
      pos += chunk.length;
    }
    return all;
  }
}
