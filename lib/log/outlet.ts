import { type LogLine, ownLine } from "./line.ts";

/** Somewhere that lines go. */
export interface Outlet {
  /** Takes a line. Never throws: a log that cannot be written must not take the program along. */
  write(line: LogLine): void;
  /** Opens again what may have been moved away. Never throws. */
  reopen(): void;
  /** Writes what waits and says what was lost. Never throws; over within a second or so. */
  close(): Promise<void>;
  /** Why lines are being lost at this moment; `undefined`: none are. */
  readonly trouble: string | undefined;
}

/** Says on stderr what is wrong with an outlet. */
export type Complain = (text: string) => void;

/** Lines that could not be written, until that can be said where they are missing. */
export class Losses {
  #count = 0;
  #reason = "";

  get count(): number {
    return this.#count;
  }

  /** Why the last of them was lost; `undefined`: nothing is lost. */
  get reason(): string | undefined {
    return this.#count > 0 ? this.#reason : undefined;
  }

  add(reason: string, count = 1): void {
    this.#count += count;
    this.#reason = reason;
  }

  clear(): void {
    this.#count = 0;
  }

  /** What is to be said of them. */
  get text(): string {
    return `${this.#count} ${
      this.#count === 1 ? "line" : "lines"
    } could not be written: ${this.#reason}`;
  }

  /** The same as a line. */
  line(time: number): LogLine {
    return ownLine(time, "warning", this.text);
  }
}

const encoder = new TextEncoder();

/** A line's bytes, with its end. */
export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(`${text}\n`);
}
