import type { ServerResponse } from "node:http";
import type { Writable } from "node:stream";
import { createGzip } from "node:zlib";
import type { Clock, Timer } from "../clock.ts";
import type { WebLimits } from "./limits.ts";
import type { Turns } from "./turns.ts";

/** Milliseconds of work on an answer after which others have their turn. */
const TURN_MS = 5;
/** The fastest: what is sent is repetitive, and shrinks to a fifth even so. */
const GZIP_LEVEL = 1;

const encoder = new TextEncoder();

/** The client did not take its answer; without a message, it has gone. */
export class NotTaken extends Error {
  override name = "NotTaken";
}

/** How an {@linkcode Outlet} is set up. */
export interface OutletOptions {
  readonly response: ServerResponse;
  readonly clock: Clock;
  readonly limits: WebLimits;
  readonly turns: Turns;
  readonly gzip: boolean;
}

/**
 * A body on its way to a client, in pieces, as fast as the client takes them. No more of it is held
 * than a chunk and what the system buffers.
 */
export class Outlet {
  readonly #options: OutletOptions;
  readonly #target: Writable;
  #end: NotTaken | undefined;
  /** Rejects what is being waited for. */
  #reject: ((end: NotTaken) => void) | undefined;

  constructor(options: OutletOptions) {
    const { response, gzip } = options;
    this.#options = options;
    this.#target = response;
    if (gzip) {
      const packer = createGzip({ level: GZIP_LEVEL });
      packer.pipe(response);
      this.#target = packer;
    }
    response.once("close", () => this.#stop(new NotTaken()));
    for (const stream of [response, this.#target]) {
      stream.on("error", () => this.#stop(new NotTaken()));
    }
  }

  /**
   * Sends all pieces.
   * @throws NotTaken when the client does not take them in time, or goes.
   */
  async send(pieces: Iterable<string>): Promise<void> {
    const { clock, limits, turns } = this.#options;
    const { answerMs, chunkBytes } = limits;
    const deadline = this.#within(
      answerMs,
      `it has not taken its answer within ${answerMs / 1000} s`,
    );
    try {
      let text = "";
      let turn = clock.monotonic();
      for (const piece of pieces) {
        text += piece;
        if (text.length >= chunkBytes) {
          await this.#write(text);
          text = "";
        }
        // A write that the system takes at once lets nobody else have a turn.
        if (clock.monotonic() - turn >= TURN_MS) {
          await this.#unlessEnded((resolve) => turns.next().then(resolve));
          turn = clock.monotonic();
        }
      }
      await this.#write(text);
      await this.#unlessEnded((resolve) => {
        this.#options.response.once("finish", resolve);
        this.#target.end();
      });
    } finally {
      deadline.cancel();
    }
  }

  async #write(text: string): Promise<void> {
    if (text === "") return;
    const { writeMs } = this.#options.limits;
    const timer = this.#within(
      writeMs,
      `it has taken nothing of its answer for ${writeMs / 1000} s`,
    );
    try {
      await this.#unlessEnded((resolve) => {
        if (this.#target.write(encoder.encode(text))) resolve();
        else this.#target.once("drain", resolve);
      });
    } finally {
      timer.cancel();
    }
  }

  /** Waits for something, but not beyond the end. */
  #unlessEnded(begin: (resolve: () => void) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#end) return reject(this.#end);
      this.#reject = reject;
      begin(resolve);
    });
  }

  #within(ms: number, message: string): Timer {
    return this.#options.clock.setTimer(
      () => this.#stop(new NotTaken(message)),
      ms,
      { keepAlive: false },
    );
  }

  #stop(end: NotTaken): void {
    if (this.#end) return;
    this.#end = end;
    this.#reject?.(end);
    this.#options.response.destroy();
    if (this.#target !== this.#options.response) this.#target.destroy();
  }
}
