import {
  failureOf,
  type RrdAnswer,
  type RrdUpdate,
  type RrdWriter,
  WriterDown,
  WriterLost,
} from "../../lib/rrd/writer.ts";

/** What a {@linkcode FakeWriter} is to do next, in place of its work. */
export type Trouble =
  | { readonly down: string; readonly isAbsent?: boolean }
  /** It is lost after so many commands, which it has carried out; `told` of these are answered. */
  | { readonly lost: string; readonly after?: number; readonly told?: number };

/** A writer that keeps what it is told. It knows rrdtool's rules of times. */
export class FakeWriter implements RrdWriter {
  readonly name = "the writer";
  readonly isLocal = false;
  /** Everything that it was asked for, a line each. */
  readonly log: string[] = [];
  /** What is in the files: `TIME:VALUES`. */
  readonly files = new Map<string, string[]>();
  /** What befalls the next calls. */
  readonly troubles: Trouble[] = [];
  /** Paths that cannot be made, and why. */
  readonly unmakeable = new Map<string, string>();
  /** Paths that cannot be updated, and why. */
  readonly unwritable = new Map<string, string>();
  /** Paths whose updates end it. */
  readonly deadly = new Set<string>();
  /** Resolves when a call has come; a call waits while this is set. */
  gate: Promise<void> | undefined;
  isClosed = false;
  #closing = Promise.withResolvers<never>();

  constructor() {
    this.#closing.promise.catch(() => {});
  }

  update(updates: readonly RrdUpdate[]): Promise<RrdAnswer[]> {
    return this.#each(updates, (update) => {
      const { path, time, values } = update;
      this.log.push(`update ${path} ${time}:${values}`);
      if (this.deadly.has(path)) throw new WriterLost("killed");
      const reason = this.unwritable.get(path);
      if (reason !== undefined) return failureOf(reason, path);
      const file = this.files.get(path);
      if (!file) return failureOf(`No such file: ${path}`, path);
      if (file.length > 0 && parseInt(file.at(-1)!) >= time) {
        return failureOf(
          `illegal attempt to update using time ${time} when last update time is ${
            parseInt(file.at(-1)!)
          } (minimum one second step)`,
          path,
        );
      }
      file.push(`${time}:${values}`);
    });
  }

  create(updates: readonly RrdUpdate[]): Promise<RrdAnswer[]> {
    return this.#each(updates, ({ path, time, shape }) => {
      this.log.push(
        `create ${path} ${time - 1} ${shape.step} ${
          shape.definitions.join(" ")
        }`,
      );
      const reason = this.unmakeable.get(path);
      if (reason !== undefined) return failureOf(reason, path);
      if (this.files.has(path)) {
        return failureOf(`creating '${path}': File exists`, path);
      }
      this.files.set(path, []);
    });
  }

  close(): Promise<void> {
    this.isClosed = true;
    this.#closing.reject(new WriterLost("closed"));
    return Promise.resolve();
  }

  async #each(
    updates: readonly RrdUpdate[],
    act: (update: RrdUpdate) => RrdAnswer,
  ): Promise<RrdAnswer[]> {
    await Promise.race([this.gate, this.#closing.promise]);
    if (this.isClosed) throw new WriterDown("closed");
    const trouble = this.troubles.shift();
    if (trouble && "down" in trouble) {
      throw new WriterDown(trouble.down, trouble.isAbsent);
    }
    const answers: RrdAnswer[] = [];
    for (const update of updates) {
      if (trouble && answers.length === (trouble.after ?? 0)) break;
      try {
        answers.push(act(update));
      } catch (error) {
        if (!(error instanceof WriterLost)) throw error;
        throw new WriterLost(error.message, answers);
      }
    }
    if (trouble) {
      throw new WriterLost(
        trouble.lost,
        answers.slice(0, trouble.told ?? answers.length),
      );
    }
    return answers;
  }
}
