import type { IncomingMessage } from "node:http";
import type { WebLimits } from "./limits.ts";
import { NotTaken } from "./outlet.ts";

/** A body is larger than one may be. */
export class TooLarge extends Error {
  override name = "TooLarge";
}

/** Bodies are larger together than they may be. */
export class TooMuch extends Error {
  override name = "TooMuch";
}

/** Counts the bytes of all bodies that are held. */
export class BodyStore {
  readonly #limits: WebLimits;
  #held = 0;

  constructor(limits: WebLimits) {
    this.#limits = limits;
  }

  /** The body of a request, which is not read yet. */
  open(request: IncomingMessage): Body {
    return new Body(request, this.#limits, (bytes) => {
      this.#held += bytes;
      return this.#held <= this.#limits.allBodiesBytes;
    });
  }
}

/** The body of one request. */
export class Body implements Disposable {
  readonly #request: IncomingMessage;
  readonly #limits: WebLimits;
  readonly #hold: (bytes: number) => boolean;
  #held = 0;

  /** @param hold Adds to the bytes that are held; whether these are not too many. */
  constructor(
    request: IncomingMessage,
    limits: WebLimits,
    hold: (bytes: number) => boolean,
  ) {
    this.#request = request;
    this.#limits = limits;
    this.#hold = hold;
  }

  /**
   * All of it.
   * @throws TooLarge or TooMuch; NotTaken when the client goes before its end.
   */
  async read(): Promise<Uint8Array<ArrayBuffer>> {
    const { bodyBytes } = this.#limits;
    const tooLarge = () =>
      new TooLarge(`the body is larger than ${bodyBytes} bytes`);
    const said = Number(this.#request.headers["content-length"] ?? 0);
    if (said > bodyBytes) throw tooLarge();
    const chunks: Uint8Array[] = [];
    const input = this.#request[Symbol.asyncIterator]();
    while (true) {
      const { value, done } = await next(input);
      if (done) break;
      this.#held += value.length;
      const isHeld = this.#hold(value.length);
      if (this.#held > bodyBytes) throw tooLarge();
      if (!isHeld) {
        throw new TooMuch("too much is being received; come back later");
      }
      chunks.push(value);
    }
    const bytes = new Uint8Array(this.#held);
    let at = 0;
    for (const chunk of chunks) {
      bytes.set(chunk, at);
      at += chunk.length;
    }
    return bytes;
  }

  [Symbol.dispose](): void {
    this.#hold(-this.#held);
    this.#held = 0;
  }
}

async function next(
  input: AsyncIterator<Uint8Array>,
): Promise<IteratorResult<Uint8Array>> {
  try {
    return await input.next();
  } catch {
    // The server tells it itself if it was too slow.
    throw new NotTaken();
  }
}
