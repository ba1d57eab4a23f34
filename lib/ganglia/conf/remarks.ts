import { UserError } from "../../errors.ts";
import { oneLine } from "../../text.ts";

/** Characters of what was found that a message shows. */
const MAX_SHOWN = 100;

/** Where something is in a file. */
export interface Place {
  readonly path: string;
  /** From 1 on. */
  readonly line: number;
  /** From 1 on, in characters. */
  readonly column: number;
}

/** Something to be said about a file. */
export interface Remark {
  /** What a line means; what is not done, or not as it may have been meant; what is wrong. */
  readonly kind: "meaning" | "warning" | "error";
  /** One line. */
  readonly message: string;
  readonly place: Place;
}

/** A directive that cannot be used. Never leaves this directory: it becomes a {@linkcode Remark}. */
export class Mistake extends Error {
  constructor(message: string, readonly place: Place) {
    super(message);
  }
}

/** Warnings after which no more are kept. */
const MAX_WARNINGS = 1000;
/** Errors after which no more are looked for. */
const MAX_ERRORS = 100;

/** Ends the reading where there are too many errors. */
export class TooManyErrors extends Error {}

/** Collects remarks, up to a limit. */
export class Remarks {
  readonly #all: Remark[] = [];
  #warnings = 0;
  #errors = 0;

  /** All, in the order they were added. */
  get all(): readonly Remark[] {
    return this.#all;
  }

  /** How many errors there are. */
  get errors(): number {
    return this.#errors;
  }

  /** Says what a line means. */
  means(message: string, place: Place): void {
    this.#add("meaning", message, place);
  }

  /** Says what is not done, or not as it may have been meant. */
  warn(message: string, place: Place): void {
    if (++this.#warnings > MAX_WARNINGS) return;
    const last = this.#warnings === MAX_WARNINGS;
    this.#add(
      "warning",
      message + (last ? "; no more warnings are kept" : ""),
      place,
    );
  }

  /** As {@linkcode warn}, of a line that has remarks already: this one follows them. */
  warnAfterwards(message: string, place: Place): void {
    const last = this.#all.findLastIndex(({ place: { path, line } }) =>
      path === place.path && line === place.line
    );
    const others = this.#all.splice(last + 1);
    this.warn(message, place);
    for (const other of others) this.#all.push(other);
  }

  /**
   * Says what is wrong.
   * @throws TooManyErrors with the last that is kept.
   */
  error(message: string, place: Place): void {
    const last = ++this.#errors === MAX_ERRORS;
    this.#add(
      "error",
      message + (last ? "; no more errors are looked for" : ""),
      place,
    );
    if (last) throw new TooManyErrors();
  }

  #add(kind: Remark["kind"], message: string, place: Place): void {
    this.#all.push({ kind, message: oneLine(message), place });
  }
}

/** A remark on one line, with file, line and column. */
export function remarkLine({ message, place }: Remark): string {
  return `${placeText(place)}: ${message}`;
}

/** File, line and column. */
export function placeText({ path, line, column }: Place): string {
  return `${oneLine(path)}:${line}:${column}`;
}

/** A line that a remark at `from` speaks of. */
export function where(
  { path, line }: Omit<Place, "column">,
  from: Place,
): string {
  return path === from.path ? `line ${line}` : `${oneLine(path)}:${line}`;
}

/** The first of some errors as what is thrown. It says how many more there are. */
export function asUserError(
  errors: readonly Remark[],
  path: string,
): UserError {
  const more = errors.length - 1;
  return new UserError(
    remarkLine(errors[0]) +
      (more === 0
        ? ""
        : ` (and ${more} more: gatherer check ${oneLine(path)} lists them)`),
  );
}

/** A text from a file for a message: in quotes, on one line, not too long. */
export function quote(text: string): string {
  return oneLine(JSON.stringify(
    text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text,
  ));
}
