import { getLogger } from "@logtape/logtape";
import { join } from "@std/path";
import type { Clock } from "../clock.ts";
import type { Damage } from "../ganglia/xml/document.ts";
import { reasonOf } from "../secret_file.ts";
import { oneLine } from "../text.ts";

const logger = getLogger(["gatherer", "gmond"]);

/** Files that are kept; each holds an excerpt of at most 64 KiB. */
const MOST_FILES = 20;
/** What one source may keep in a poll. */
const MOST_A_POLL = 5;
/** How long what is damaged in the same way is not kept again. */
const AGAIN_MS = 3_600_000;
const MOST_REMEMBERED = 1000;

/**
 * Keeps damaged pieces of documents in a directory, for a person to look at: the newest 20, each in
 * a file of its own that only its owner can read. The first line of a file says what is wrong.
 */
export class SalvageStore {
  readonly #directory: string;
  readonly #source: string;
  readonly #clock: Clock;
  /** When what was kept last, on the monotonic clock. */
  readonly #kept = new Map<string, number>();
  #thisPoll = 0;
  #count = 0;
  #writing: Promise<void> = Promise.resolve();
  #isFailing = false;

  /** @param directory Made when there is something to keep. */
  constructor(directory: string, source: string, clock: Clock) {
    this.#directory = directory;
    this.#source = source;
    this.#clock = clock;
  }

  /** A new poll begins. */
  beginPoll(): void {
    this.#thisPoll = 0;
  }

  /** Keeps a piece, unless one like it was kept within the hour. Returns at once. */
  keep(bytes: Uint8Array, damage: Damage): void {
    if (this.#thisPoll >= MOST_A_POLL || bytes.length === 0) return;
    const { cluster = "", host = "", what } = damage;
    const now = this.#clock.monotonic();
    const key = [cluster, host, what].join("\n");
    if (now - (this.#kept.get(key) ?? -Infinity) < AGAIN_MS) return;
    if (this.#kept.size >= MOST_REMEMBERED) this.#kept.clear();
    this.#kept.set(key, now);
    this.#thisPoll++;
    const name = this.#fileName();
    this.#writing = this.#writing.then(() => this.#write(name, bytes, damage));
  }

  /** Resolves when all that was given is kept. */
  settled(): Promise<void> {
    return this.#writing;
  }

  /** Sorted by name, files are sorted by age. */
  #fileName(): string {
    const time = new Date(this.#clock.now()).toISOString().replace(
      /[-:.]/g,
      "",
    );
    const number = String(this.#count++ % 1000).padStart(3, "0");
    const source = this.#source.replace(/[^A-Za-z0-9_-]/g, "_").slice(0, 60);
    return `${time}-${number}-${source}.xml`;
  }

  async #write(
    name: string,
    bytes: Uint8Array,
    { offset, at, what, cluster, host }: Damage,
  ): Promise<void> {
    const where = [
      `source ${this.#source}`,
      ...(cluster === undefined ? [] : [`cluster ${cluster}`]),
      ...(host === undefined ? [] : [`host ${host}`]),
      `from byte ${offset} on, noticed at byte ${at}`,
    ].join(", ");
    const line = oneLine(`${what} (${where})`).replaceAll("--", "- -");
    try {
      await Deno.mkdir(this.#directory, { recursive: true, mode: 0o700 });
      const file = await Deno.open(join(this.#directory, name), {
        write: true,
        createNew: true,
        mode: 0o600,
      });
      try {
        await writeAll(file, new TextEncoder().encode(`<!-- ${line} -->\n`));
        await writeAll(file, bytes);
      } finally {
        file.close();
      }
      await this.#removeOldest();
      this.#isFailing = false;
    } catch (error) {
      if (this.#isFailing) return;
      this.#isFailing = true;
      logger.warn("cannot keep what is damaged in {directory}: {reason}", {
        directory: this.#directory,
        reason: reasonOf(error),
      });
    }
  }

  async #removeOldest(): Promise<void> {
    const names: string[] = [];
    for await (const { name, isFile } of Deno.readDir(this.#directory)) {
      if (isFile && /^\d{8}T\d{9}Z-\d{3}-.*\.xml$/.test(name)) names.push(name);
    }
    names.sort();
    for (const name of names.slice(0, -MOST_FILES)) {
      // Another source may have removed it just now.
      await Deno.remove(join(this.#directory, name)).catch(() => {});
    }
  }
}

async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    done += await file.write(bytes.subarray(done));
  }
}
