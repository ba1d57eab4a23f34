import type { Clock, Timer } from "../clock.ts";
import type { LogLine } from "./line.ts";

/** Lines of a kind that are let through in a row. */
const LET_THROUGH = 5;
/** How long after its first line a kind is begun anew, in milliseconds. */
const WINDOW_MS = 60_000;
/** Kinds that are told apart at a time. */
const MOST_KINDS = 1000;
/** Characters of a template that is remembered. */
const LONGEST_TEMPLATE = 1000;

/** What is known of the lines of a kind. */
interface Kind {
  /** On the monotonic clock. */
  readonly since: number;
  /** Whether it stands for everything that there is no room to tell apart. */
  readonly mixed: boolean;
  passed: number;
  folded: number;
  last: LogLine | undefined;
}

/**
 * Keeps floods out of the log. Lines of one level, category and template are of a kind: of these
 * the first five within a minute pass, the rest are counted; when the minute is over, the last of
 * them follows with `… and 214 like it`.
 *
 * Memory is bounded: beyond 1,000 kinds at a time, those of a level are counted together, but for
 * errors and worse, which then all pass.
 */
export class FloodFolder {
  readonly #clock: Clock;
  readonly #emit: (line: LogLine) => void;
  /** In order of their beginnings. */
  readonly #kinds = new Map<string, Kind>();
  #timer: Timer | undefined;

  /** @param emit Is given the lines that are to be written. */
  constructor(clock: Clock, emit: (line: LogLine) => void) {
    this.#clock = clock;
    this.#emit = emit;
  }

  /**
   * Takes a line.
   * @param template The message before its values were put in.
   */
  take(line: LogLine, template: string): void {
    const kind = this.#kindOf(line, template);
    if (kind === undefined) return this.#emit(line);
    if (kind.passed < LET_THROUGH) {
      kind.passed++;
      this.#emit(line);
    } else {
      kind.folded++;
      kind.last = line;
    }
  }

  /** Says what was counted and not said yet, and forgets everything. */
  flush(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    for (const key of [...this.#kinds.keys()]) this.#end(key);
  }

  /** @returns `undefined` for what is to pass unseen. */
  #kindOf(line: LogLine, template: string): Kind | undefined {
    this.#endDue();
    const { level, category } = line;
    const known = template.length <= LONGEST_TEMPLATE;
    const key = `${level} ${category} ${template}`;
    const kind = known ? this.#kinds.get(key) : undefined;
    if (kind) return kind;
    if (known && this.#kinds.size < MOST_KINDS) return this.#begin(key, false);
    if (level === "error" || level === "fatal") return undefined;
    return this.#kinds.get(level) ?? this.#begin(level, true);
  }

  #begin(key: string, mixed: boolean): Kind {
    const since = this.#clock.monotonic();
    const kind = { since, mixed, passed: 0, folded: 0, last: undefined };
    this.#kinds.set(key, kind);
    this.#timer ??= this.#setTimer(since);
    return kind;
  }

  /** Ends those whose minute is over; the timer may be late when there is much to do. */
  #endDue(): void {
    const due = this.#clock.monotonic() - WINDOW_MS;
    for (const [key, { since }] of this.#kinds) {
      if (since > due) break;
      this.#end(key);
    }
  }

  #end(key: string): void {
    const { last, folded, mixed } = this.#kinds.get(key)!;
    this.#kinds.delete(key);
    if (!last) return;
    const more = folded - 1;
    if (more === 0) return this.#emit(last);
    const text = `${last.text} … and ${more} ${mixed ? "others" : "like it"}`;
    this.#emit({ ...last, text, folded: more });
  }

  /** @param since When the oldest kind began. */
  #setTimer(since: number): Timer {
    return this.#clock.setTimer(
      () => {
        this.#endDue();
        const oldest = this.#kinds.values().next().value;
        this.#timer = oldest && this.#setTimer(oldest.since);
      },
      Math.max(0, since + WINDOW_MS - this.#clock.monotonic()),
      { keepAlive: false },
    );
  }
}
