import type { RrdShape } from "./shape.ts";

/** A value for an RRD. */
export interface RrdUpdate {
  /** The file's absolute path. */
  readonly path: string;
  /** Seconds since the epoch. */
  readonly time: number;
  /** `SUM` or `SUM:NUM`, numbers as rrdtool takes them. */
  readonly values: string;
  /** What the file holds, if it is to be made. */
  readonly shape: RrdShape;
}

/** What became of a command: `undefined` when it was carried out. */
export type RrdAnswer = RrdFailure | undefined;

/** Why a command was not carried out. */
export interface RrdFailure {
  /** `missing`: there is no such file; `old`: the file has a value of that time or a later one. */
  readonly kind: "missing" | "exists" | "old" | "other";
  /** In rrdtool's words, or the system's. */
  readonly reason: string;
}

/**
 * A way to write RRDs. It connects, or starts what it needs, at the first call after it was made
 * or lost. Calls do not overlap.
 */
export interface RrdWriter {
  /** What it is, for the log: `rrdcached at …`. */
  readonly name: string;
  /** Whether the files are on this machine. */
  readonly isLocal: boolean;
  /**
   * Writes values, in order.
   * @returns What became of each.
   * @throws WriterDown, WriterLost
   */
  update(updates: readonly RrdUpdate[]): Promise<RrdAnswer[]>;
  /**
   * Makes files for values, so that each file's first is one that it takes, and the directories
   * they are in. Files that exist are left alone.
   * @returns What became of each; `exists` where there was nothing to do.
   * @throws WriterDown, WriterLost
   */
  create(updates: readonly RrdUpdate[]): Promise<RrdAnswer[]>;
  /** Ends it for good: what is under way is given up after a moment. */
  close(): Promise<void>;
}

/** The writer cannot be reached or started; it was given nothing. */
export class WriterDown extends Error {
  override name = "WriterDown";

  /**
   * @param reason In words.
   * @param isAbsent Whether a person has to do something about it, so that there is no use in
   * trying soon.
   */
  constructor(reason: string, readonly isAbsent = false) {
    super(reason);
  }
}

/** The writer has ended, or does not answer, in the middle of its work. */
export class WriterLost extends Error {
  override name = "WriterLost";

  /**
   * @param reason In words.
   * @param answers What became of the first commands; of the others nothing is known.
   */
  constructor(reason: string, readonly answers: readonly RrdAnswer[] = []) {
    super(reason);
  }
}

/**
 * A failure from the words of rrdtool 1.7 or rrdcached 1.7.
 * @param path The file it is about: what its name says must not be taken for the reason.
 */
export function failureOf(message: string, path: string): RrdFailure {
  const reason = message.replaceAll(`'${path}'`, "it")
    .replaceAll(`${path}: `, "").replaceAll(`: ${path}`, "").trim();
  const kind = /No such file/.test(reason)
    ? "missing"
    : /File exists/.test(reason)
    ? "exists"
    : /illegal attempt to update using time/.test(reason)
    ? "old"
    : "other";
  return { kind, reason };
}
