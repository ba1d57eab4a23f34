import { setImmediate } from "node:timers/promises";
import type { Clock, Timer } from "../clock.ts";
import { messageOf } from "../errors.ts";
import {
  type GangliaDocument,
  NotGangliaError,
} from "../ganglia/xml/document.ts";
import { GangliaReader, type ReaderOptions } from "../ganglia/xml/reader.ts";
import { reasonOf } from "../secret_file.ts";
import { oneLine } from "../text.ts";

/** Where a gmond listens. */
export interface HostPort {
  /** A name, an IPv4 or an IPv6 address; a name is resolved at each connection. */
  readonly host: string;
  readonly port: number;
}

/** How long a gmond may take, in milliseconds. */
export interface FetchLimits {
  /** To accept a connection. */
  readonly connectMs: number;
  /** Between two portions of its answer. */
  readonly idleMs: number;
  /** For a whole poll, all hosts of a source together. */
  readonly pollMs: number;
}

/** Opens a connection, as `Deno.connect` does. */
export type Connect = (options: Deno.ConnectOptions) => Promise<Deno.Conn>;

/** How {@linkcode fetchDocument} goes about it. */
export interface FetchOptions {
  readonly clock: Clock;
  readonly limits: FetchLimits;
  readonly connect: Connect;
  /** Ends it; its reason becomes the problem. */
  readonly signal: AbortSignal;
  readonly reader: ReaderOptions;
}

/** What came of it. */
export interface Fetched {
  /** What could be read; `undefined` if nothing could. */
  readonly document: GangliaDocument | undefined;
  /** Why it is not whole, in words; `undefined` if it is. */
  readonly problem: string | undefined;
  /** Bytes that came over the wire. */
  readonly bytes: number;
}

const BUFFER_BYTES = 128 * 1024;
/** Bytes that are decompressed at a time: they may become a thousand times as many. */
const GZIP_PORTION = 4096;
/** Bytes that are read at a stretch, before others get their turn: some ms. */
const STRETCH_BYTES = 128 * 1024;
const GZIP_MAGIC = [0x1f, 0x8b];

/** Reads one answer of a gmond: connects, sends nothing, reads to the end. Never rejects. */
export async function fetchDocument(
  target: HostPort,
  options: FetchOptions,
): Promise<Fetched> {
  const transfer = new Transfer(options);
  let problem: string | undefined;
  try {
    await transfer.run(target);
  } catch (error) {
    problem = messageOf(error);
    if (error instanceof NotGangliaError) {
      return { document: undefined, problem, bytes: transfer.bytes };
    }
  }
  const bytes = transfer.bytes;
  try {
    const document = transfer.reader.end();
    return { document, problem: problem ?? document.cut, bytes };
  } catch (error) {
    return { document: undefined, problem: problem ?? messageOf(error), bytes };
  }
}

/** One connection to a gmond. */
class Transfer {
  readonly reader: GangliaReader;
  bytes = 0;
  readonly #options: FetchOptions;
  readonly #abort = new AbortController();
  #timer: Timer | undefined;
  #readAt = 0;
  #atAStretch = 0;

  constructor(options: FetchOptions) {
    this.#options = options;
    this.reader = new GangliaReader(options.reader);
  }

  /** @throws Error that says in words what went wrong. */
  async run({ host, port }: HostPort): Promise<void> {
    const { connect, limits, signal } = this.#options;
    const abort = this.#abort;
    let connection: Deno.Conn | undefined;
    const onStop = () => abort.abort(signal.reason);
    signal.addEventListener("abort", onStop, { once: true });
    // A read that waits ends with its connection.
    abort.signal.addEventListener("abort", () => close(connection));
    try {
      signal.throwIfAborted();
      this.#abortAfter(
        limits.connectMs,
        `no connection within ${limits.connectMs / 1000} s`,
      );
      connection = await this.#orAborted(
        connect({ hostname: host, port, signal: abort.signal }),
      );
      this.#timer?.cancel();
      await this.#receive(connection);
    } catch (error) {
      throw abort.signal.aborted ? abort.signal.reason : inWords(error);
    } finally {
      this.#timer?.cancel();
      signal.removeEventListener("abort", onStop);
      close(connection);
    }
  }

  async #receive(connection: Deno.Conn): Promise<void> {
    this.#readAt = this.#options.clock.monotonic();
    this.#watch();
    const portions = this.#portions(connection);
    const head: Uint8Array[] = [];
    let length = 0;
    // The two bytes that tell may come one by one.
    while (length < GZIP_MAGIC.length) {
      const { value } = await portions.next();
      if (!value) break;
      head.push(value.slice());
      length += value.length;
    }
    const first = new Uint8Array(length);
    let at = 0;
    for (const part of head) {
      first.set(part, at);
      at += part.length;
    }
    if (GZIP_MAGIC.every((byte, i) => first[i] === byte)) {
      await this.#decompress(first, portions, connection);
      return;
    }
    await this.#read(first);
    while (!this.reader.done) {
      const { value } = await portions.next();
      if (!value) break;
      await this.#read(value);
    }
  }

  /** Reads on. As long as there is something to read, nobody else would get a turn by itself. */
  async #read(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; at += STRETCH_BYTES) {
      const stretch = bytes.subarray(at, at + STRETCH_BYTES);
      this.reader.push(stretch);
      this.#atAStretch += stretch.length;
      if (this.#atAStretch < STRETCH_BYTES) continue;
      this.#atAStretch = 0;
      await setImmediate();
    }
  }

  /** What arrives; each portion is good until the next is asked for. */
  async *#portions(
    connection: Deno.Conn,
  ): AsyncGenerator<Uint8Array, undefined> {
    const buffer = new Uint8Array(BUFFER_BYTES);
    for (;;) {
      const length = await connection.read(buffer);
      if (length === null) return;
      this.#readAt = this.#options.clock.monotonic();
      this.bytes += length;
      yield buffer.subarray(0, length);
    }
  }

  async #decompress(
    first: Uint8Array,
    portions: AsyncGenerator<Uint8Array, undefined>,
    connection: Deno.Conn,
  ): Promise<void> {
    const { readable, writable } = new DecompressionStream("gzip");
    const writer = writable.getWriter();
    const output = readable.getReader();
    /** Why no more came; everything else is the decompressor's complaint. */
    let lost: unknown;
    const next = async () => {
      try {
        return (await portions.next()).value;
      } catch (error) {
        lost = error;
        throw error;
      }
    };
    const feed = async () => {
      for (
        let portion: Uint8Array | undefined = first;
        portion;
        portion = await next()
      ) {
        for (let at = 0; at < portion.length; at += GZIP_PORTION) {
          await writer.write(portion.slice(at, at + GZIP_PORTION));
        }
      }
      await writer.close();
    };
    const feeding = feed().catch((error) => writer.abort(error))
      .catch(() => {});
    try {
      while (!this.reader.done) {
        const { value } = await output.read();
        if (!value) break;
        await this.#read(value);
      }
    } catch (error) {
      if (lost !== undefined) throw lost;
      throw error instanceof TypeError
        ? new Error(`its gzip is damaged: ${oneLine(error.message, 100)}`)
        : error;
    } finally {
      close(connection);
      output.cancel().catch(() => {});
      await feeding;
    }
  }

  #abortAfter(ms: number, reason: string): void {
    this.#timer = this.#options.clock.setTimer(
      () => this.#abort.abort(new Error(reason)),
      ms,
    );
  }

  /** Ends the transfer when nothing has come for too long. */
  #watch(): void {
    const { clock, limits: { idleMs } } = this.#options;
    this.#timer = clock.setTimer(() => {
      if (clock.monotonic() - this.#readAt < idleMs) return this.#watch();
      const after = this.bytes === 0 ? "" : ` after ${this.bytes} bytes`;
      const reason = `nothing came for ${idleMs / 1000} s${after}`;
      this.#abort.abort(new Error(reason));
    }, this.#readAt + idleMs - clock.monotonic());
  }

  /** Waits for a connection, but no longer than until the transfer is aborted. */
  #orAborted(connecting: Promise<Deno.Conn>): Promise<Deno.Conn> {
    const { signal } = this.#abort;
    return new Promise((resolve, reject) => {
      signal.addEventListener("abort", () => {
        reject(signal.reason);
        connecting.then(close).catch(() => {});
      }, { once: true });
      connecting.then(resolve, reject);
    });
  }
}

function close(connection: Deno.Conn | undefined): void {
  try {
    connection?.close();
  } catch {
    // It is closed already.
  }
}

/** A system's error in a person's words; any other as it is. */
function inWords(error: unknown): unknown {
  if (error instanceof NotGangliaError) return error;
  if (
    error instanceof Deno.errors.ConnectionReset ||
    error instanceof Deno.errors.ConnectionRefused ||
    error instanceof Deno.errors.PermissionDenied
  ) return new Error(reasonOf(error));
  if (error instanceof Error && /failed to lookup/.test(error.message)) {
    return new Error("its name cannot be resolved");
  }
  return error instanceof Error
    ? new Error(oneLine(error.message, 200))
    : error;
}
