/**
 * Lines over a connection, within limits of length and time.
 *
 * @module
 */
import type { Clock } from "../clock.ts";

/** What lines need of a connection. */
export type LineConnection = Pick<Deno.Conn, "read" | "write" | "close">;

/** A line came too late, was too long, or is none. */
export class LineError extends Error {
  override name = "LineError";
}

const encoder = new TextEncoder();

/** Reads lines from a connection. */
export class LineReader {
  readonly #connection: LineConnection;
  readonly #clock: Clock;
  readonly #buffer = new Uint8Array(64 * 1024);
  #rest = new Uint8Array();

  constructor(connection: LineConnection, clock: Clock) {
    this.#connection = connection;
    this.#clock = clock;
  }

  /**
   * The next line, without its end.
   *
   * @param most Bytes that it may have.
   * @param ms Milliseconds that it may take in all.
   * @returns `undefined` when the connection has ended; what came without an end of line is lost.
   * @throws LineError when it is too long or late; the connection is closed when it is late.
   */
  async next(most: number, ms: number): Promise<string | undefined> {
    const parts: Uint8Array[] = [];
    let length = 0;
    return await within(this.#connection, this.#clock, ms, async () => {
      while (true) {
        const end = this.#rest.indexOf(10);
        const part = end < 0 ? this.#rest : this.#rest.subarray(0, end);
        length += part.length;
        if (length > most) {
          throw new LineError(`a line of more than ${most} bytes`);
        }
        parts.push(part);
        if (end >= 0) {
          this.#rest = this.#rest.subarray(end + 1);
          return new TextDecoder().decode(concat(parts, length));
        }
        const read = await this.#connection.read(this.#buffer);
        if (read === null) return undefined;
        this.#rest = this.#buffer.slice(0, read);
      }
    });
  }
}

/**
 * Writes a line.
 *
 * @param ms Milliseconds that it may take in all.
 * @throws LineError when it takes longer; then the connection is closed.
 */
export async function writeLine(
  connection: LineConnection,
  text: string,
  clock: Clock,
  ms: number,
): Promise<void> {
  const bytes = encoder.encode(`${text}\n`);
  await within(connection, clock, ms, async () => {
    for (let done = 0; done < bytes.length;) {
      done += await connection.write(bytes.subarray(done));
    }
  });
}

/** Does something with a connection, which is closed when it takes too long. */
async function within<T>(
  connection: LineConnection,
  clock: Clock,
  ms: number,
  act: () => Promise<T>,
): Promise<T> {
  let isLate = false;
  const timer = clock.setTimer(() => {
    isLate = true;
    closeQuietly(connection);
  }, ms);
  try {
    return await act();
  } catch (error) {
    if (isLate) throw new LineError(`nothing for ${ms / 1000} s`);
    throw error;
  } finally {
    timer.cancel();
  }
}

/** Closes a connection that may be closed already. */
export function closeQuietly(connection: { close(): void }): void {
  try {
    connection.close();
  } catch {
    // It is closed.
  }
}

function concat(parts: readonly Uint8Array[], length: number): Uint8Array {
  const all = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
