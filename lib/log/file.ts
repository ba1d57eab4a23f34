import { dirname } from "@std/path";
import type { Clock } from "../clock.ts";
import { UserError } from "../errors.ts";
import { reasonOf } from "../secret_file.ts";
import type { LogLine } from "./line.ts";
import { bytesOf, type Complain, Losses, type Outlet } from "./outlet.ts";

/** The least time between two complaints about a file, and between two tries to rotate it. */
const PATIENCE_MS = 60_000;

const LINE_END = bytesOf("");

/** How a file is written. */
export interface LogFileOptions {
  readonly path: string;
  readonly format: (line: LogLine) => string;
  /** Bytes that a file does not grow beyond, unless by a single line; 0: no limit. */
  readonly maxBytes: number;
  /** How many files are kept besides. */
  readonly keep: number;
  readonly clock: Clock;
  readonly complain: Complain;
}

/** An open file. */
interface Open {
  readonly file: Deno.FsFile;
  readonly info: Deno.FileInfo;
}

/**
 * A file that lines are appended to. When one more would make it too long, it becomes FILE.1,
 * FILE.1 becomes FILE.2 and so on, and a new one is begun.
 *
 * Before each line it is looked whether the file is still the one of that name, so that somebody
 * else may move it away, empty it or delete it at any time. A line that cannot be written is
 * counted; the next one that can is preceded by how many are missing.
 */
export class LogFile implements Outlet {
  readonly #options: LogFileOptions;
  readonly #losses = new Losses();
  #open: Open | undefined;
  /** Whether the file ends in the middle of a line, for there was no room for the rest. */
  #isTorn = false;
  /** Whether it is known that no new file can be begun where the old one was moved away. */
  #isAstray = false;
  #complainAgain = -Infinity;
  #rotateAgain = -Infinity;
  #rotationFails = false;

  /** @throws UserError when the file cannot be opened. */
  constructor(options: LogFileOptions) {
    this.#options = options;
    const { path } = options;
    try {
      this.#open = openLog(path);
    } catch (error) {
      throw new UserError(
        `cannot write the log file ${JSON.stringify(path)}: ${
          whyNotOpened(error, path)
        }`,
      );
    }
  }

  get trouble(): string | undefined {
    const { reason } = this.#losses;
    return reason && `lines cannot be written to ${this.#name}: ${reason}`;
  }

  write(line: LogLine): void {
    try {
      this.#sayLost();
      this.#append(line);
    } catch (error) {
      const { clock, complain } = this.#options;
      const isFirst = this.#losses.count === 0;
      this.#losses.add(reasonOf(error));
      if (!isFirst || clock.monotonic() < this.#complainAgain) return;
      this.#complainAgain = clock.monotonic() + PATIENCE_MS;
      complain(`${this.trouble}; it is tried again with each line`);
    }
  }

  reopen(): void {
    try {
      this.#renew();
    } catch {
      // The next line tries again, and counts if that fails.
    }
  }

  close(): Promise<void> {
    try {
      this.#sayLost();
    } catch {
      this.#options.complain(`${this.#name}: ${this.#losses.text}`);
    }
    this.#open?.file.close();
    this.#open = undefined;
    return Promise.resolve();
  }

  get #name(): string {
    return `the log file ${JSON.stringify(this.#options.path)}`;
  }

  #sayLost(): void {
    if (this.#losses.count === 0) return;
    this.#append(this.#losses.line(this.#options.clock.now()));
    this.#losses.clear();
  }

  #append(line: LogLine): void {
    const { format, maxBytes } = this.#options;
    const bytes = bytesOf(format(line));
    const size = this.#ownSize();
    if (maxBytes > 0 && size > 0 && size + bytes.length > maxBytes) {
      this.#rotate(size);
    }
    const open = this.#open!;
    const { file } = open;
    // Unless it was emptied meanwhile.
    if (this.#isTorn && sizeOf(infoOf(open)) > 0) file.writeSync(LINE_END);
    this.#isTorn = false;
    for (let done = 0; done < bytes.length;) {
      done += file.writeSync(bytes.subarray(done));
      this.#isTorn = done < bytes.length;
    }
  }

  /**
   * Makes sure that the file is open.
   * @returns Its size; 0 for what is not to be rotated: a device, or a file that was moved away.
   * @throws When there is none.
   */
  #ownSize(): number {
    const { path } = this.#options;
    let there: Deno.FileInfo | undefined;
    try {
      there = Deno.statSync(path);
    } catch (error) {
      // Somebody who may not look may still write to what is open.
      if (this.#open && !(error instanceof Deno.errors.NotFound)) {
        return sizeOf(infoOf(this.#open));
      }
    }
    if (there && this.#open && isSame(there, this.#open.info)) {
      this.#isAstray = false;
      return sizeOf(there);
    }
    this.#renew();
    return this.#isAstray ? 0 : sizeOf(infoOf(this.#open!));
  }

  /**
   * Opens what stands under the name now. When that fails, lines go on to the file that was moved
   * away, unless it was deleted.
   * @throws When there is no file at all.
   */
  #renew(): void {
    try {
      const next = openLog(this.#options.path);
      this.#open?.file.close();
      this.#open = next;
      this.#isTorn = false;
      this.#isAstray = false;
    } catch (error) {
      if (!this.#open || infoOf(this.#open)?.nlink === 0) {
        this.#open?.file.close();
        this.#open = undefined;
        throw error;
      }
      if (!this.#isAstray) {
        this.#options.complain(
          `${this.#name} cannot be begun anew: ${
            reasonOf(error)
          }; lines go to where it was moved`,
        );
      }
      this.#isAstray = true;
    }
  }

  /** Sets the file aside and begins a new one; when that fails, the old one grows on. */
  #rotate(size: number): void {
    const { path, keep, clock, complain } = this.#options;
    if (clock.monotonic() < this.#rotateAgain) return;
    try {
      if (keep < 1) this.#open!.file.truncateSync(0);
      else {
        // A gap takes up the shift: nothing behind it has to go.
        let last = 1;
        while (last < keep && exists(`${path}.${last}`)) last++;
        for (let number = last; number > 1; number--) {
          Deno.renameSync(`${path}.${number - 1}`, `${path}.${number}`);
        }
        Deno.renameSync(path, `${path}.1`);
        this.#renew();
      }
      this.#rotationFails = false;
    } catch (error) {
      this.#rotateAgain = clock.monotonic() + PATIENCE_MS;
      if (!this.#rotationFails) {
        complain(
          `${this.#name} cannot be rotated: ${
            reasonOf(error)
          }; it has ${size} bytes and grows on`,
        );
      }
      this.#rotationFails = true;
    }
  }
}

function whyNotOpened(error: unknown, path: string): string {
  if (error instanceof Deno.errors.NotFound) {
    return `there is no directory ${JSON.stringify(dirname(path))}; ` +
      "make it, or name another file";
  }
  if (error instanceof Deno.errors.NotCapable) {
    return "the runtime does not let a program use devices, other than /dev/null";
  }
  return reasonOf(error);
}

/** Opens a file for appending; makes it, for its owner and group, if there is none. */
function openLog(path: string): Open {
  refuseOther(path);
  const file = Deno.openSync(path, { append: true, create: true, mode: 0o640 });
  try {
    return { file, info: file.statSync() };
  } catch (error) {
    file.close();
    throw error;
  }
}

/** Opening a pipe would wait for its reader. */
function refuseOther(path: string): void {
  let there: Deno.FileInfo;
  try {
    there = Deno.statSync(path);
  } catch {
    // Opening says what is wrong.
    return;
  }
  if (there.isDirectory) throw new Error("it is a directory");
  if (!there.isFile && !there.isCharDevice) {
    throw new Error("it is neither a file nor a device");
  }
}

/**
 * @returns `undefined` when it cannot be known: the runtime looks at the name again to see what the
 *   program is permitted, also for a file that is open.
 */
function infoOf({ file }: Open): Deno.FileInfo | undefined {
  try {
    return file.statSync();
  } catch {
    return undefined;
  }
}

function sizeOf(info: Deno.FileInfo | undefined): number {
  return info?.isFile ? info.size : 0;
}

function isSame(a: Deno.FileInfo, b: Deno.FileInfo): boolean {
  return a.ino === b.ino && a.dev === b.dev;
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}
