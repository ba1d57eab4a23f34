import type { MuninContent } from "../../lib/munin_node/content.ts";
import { defaultLimits, type Limits } from "../../lib/munin_node/limits.ts";
import { Session } from "../../lib/munin_node/session.ts";
import type { ByteStream } from "../../lib/net/conversation.ts";
import { FakeClock } from "../fake_clock.ts";

/** A connection without a network. */
export class MemoryStream implements ByteStream {
  /** What was written, one entry a write. */
  readonly written: Uint8Array[] = [];
  /** How many bytes a write takes at most; 0: none, and it never resolves. */
  window = Infinity;
  /** Whether the client is gone: writes fail. */
  broken = false;
  /** How often it was closed. */
  closed = 0;
  readonly #input: Uint8Array[] = [];
  #ended = false;
  #wake: (() => void) | undefined;

  /** What was written, as text. */
  get text(): string {
    const decoder = new TextDecoder();
    return this.written.map((bytes) => decoder.decode(bytes, { stream: true }))
      .join("");
  }

  /** Puts in what the client sends: each chunk is for one read or more. */
  send(...chunks: (string | Uint8Array)[]): void {
    for (const chunk of chunks) {
      this.#input.push(
        typeof chunk === "string" ? new TextEncoder().encode(chunk) : chunk,
      );
    }
    this.#wake?.();
  }

  /** The client sends no more. */
  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  async read(buffer: Uint8Array): Promise<number | null> {
    while (this.#input.length === 0) {
      if (this.#ended) return null;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    const chunk = this.#input[0];
    const count = Math.min(chunk.length, buffer.length);
    buffer.set(chunk.subarray(0, count));
    if (count < chunk.length) this.#input[0] = chunk.subarray(count);
    else this.#input.shift();
    return count;
  }

  write(bytes: Uint8Array): Promise<number> {
    if (this.broken) return Promise.reject(new Error("broken pipe"));
    if (this.window === 0) return new Promise(() => {});
    const taken = bytes.slice(0, this.window);
    this.written.push(taken);
    return Promise.resolve(taken.length);
  }

  close(): void {
    this.closed++;
  }
}

/** A session over a {@linkcode MemoryStream}, under way. */
export class MemorySession {
  readonly stream = new MemoryStream();
  readonly clock = new FakeClock();
  readonly counts = { commands: 0, bytes: 0, aborted: 0, dropped: 0 };
  readonly warnings: string[] = [];
  readonly session: Session;
  /** Resolves when the session has ended. */
  readonly ended: Promise<void>;

  constructor(content: MuninContent, limits: Partial<Limits> = {}) {
    this.session = new Session({
      stream: this.stream,
      content,
      version: "9.8.7",
      clock: this.clock,
      limits: { ...defaultLimits, ...limits },
      counts: this.counts,
      warn: (what) => this.warnings.push(what),
    });
    this.ended = this.session.run();
  }
}

/** What a client gets that sends something and then only listens, without the banner. */
export async function converse(
  content: MuninContent,
  ...chunks: (string | Uint8Array)[]
): Promise<string> {
  const { stream, ended, warnings } = new MemorySession(content);
  stream.send(...chunks);
  stream.end();
  await ended;
  if (warnings.length > 0) throw new Error(warnings.join("\n"));
  const banner = `# munin node at ${content.hostName}\n`;
  if (!stream.text.startsWith(banner)) throw new Error(stream.text);
  return stream.text.slice(banner.length);
}
