import type { Clock } from "../clock.ts";
import { reasonOf } from "../secret_file.ts";
import type { LogLine } from "./line.ts";
import { bytesOf, Losses, type Outlet } from "./outlet.ts";

/** Lines on stderr. */
export class StderrOutlet implements Outlet {
  readonly #clock: Clock;
  readonly #format: (line: LogLine) => string;
  readonly #writeSync: (bytes: Uint8Array) => number;
  readonly #losses = new Losses();

  /** @param writeSync Writes some of the bytes, as `Deno.stderr` does, and returns how many. */
  constructor(
    clock: Clock,
    format: (line: LogLine) => string,
    writeSync = (bytes: Uint8Array) => Deno.stderr.writeSync(bytes),
  ) {
    this.#clock = clock;
    this.#format = format;
    this.#writeSync = writeSync;
  }

  get trouble(): string | undefined {
    const { reason } = this.#losses;
    return reason && `lines cannot be written to stderr: ${reason}`;
  }

  write(line: LogLine): void {
    try {
      if (this.#losses.count > 0) {
        this.#writeAll(this.#losses.line(this.#clock.now()));
        this.#losses.clear();
      }
      this.#writeAll(line);
    } catch (error) {
      this.#losses.add(reasonOf(error));
    }
  }

  reopen(): void {}

  close(): Promise<void> {
    return Promise.resolve();
  }

  #writeAll(line: LogLine): void {
    const bytes = bytesOf(this.#format(line));
    for (let done = 0; done < bytes.length;) {
      done += this.#writeSync(bytes.subarray(done));
    }
  }
}
