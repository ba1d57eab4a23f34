import { type Clock, sleep, type Timer } from "../clock.ts";
import { messageOf } from "../errors.ts";
import { makeDirectories } from "./directories.ts";
import {
  failureOf,
  type RrdAnswer,
  type RrdUpdate,
  type RrdWriter,
  WriterDown,
  WriterLost,
} from "./writer.ts";

/** Without an answer for so long rrdtool hangs, in milliseconds: a disk may be slow. */
const SILENCE_MS = 60_000;
/** How long it may take to end when its input has, in milliseconds. */
const END_MS = 1000;
/** How long answers gather in the pipe: it sends each by itself, and to read each costs more. */
const PACE_MS = 5;
/** Characters of its complaints that are kept. */
const MAX_COMPLAINT = 300;

/** How an {@linkcode RrdtoolWriter} is set up. */
export interface RrdtoolOptions {
  readonly clock: Clock;
  /** The program (default `rrdtool`, looked for in `PATH`). */
  readonly program?: string;
  /** Milliseconds without an answer after which it is taken to hang (default 60,000). */
  readonly silenceMs?: number;
}

/**
 * Writes RRDs through one `rrdtool -`, which takes commands on its standard input, a line each,
 * and answers each with a line `OK …` or `ERROR: …`. Source: rrdtool's manual, "Remote control".
 */
export class RrdtoolWriter implements RrdWriter {
  readonly name: string;
  readonly isLocal = true;
  readonly #options: RrdtoolOptions;
  #process: RrdtoolProcess | undefined;
  #isClosed = false;

  constructor(options: RrdtoolOptions) {
    this.#options = options;
    this.name = options.program ?? "rrdtool";
  }

  update(updates: readonly RrdUpdate[]): Promise<RrdAnswer[]> {
    return this.#run(updates, updates.map(updateLine));
  }

  async create(updates: readonly RrdUpdate[]): Promise<RrdAnswer[]> {
    const answers = await makeDirectories(updates);
    const makeable = updates.filter((_, index) => !answers[index]);
    const created = await this.#run(makeable, makeable.map(createLine));
    return answers.map((answer) => answer ?? created.shift());
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#process?.end();
    this.#process = undefined;
  }

  async #run(
    updates: readonly RrdUpdate[],
    lines: readonly string[],
  ): Promise<RrdAnswer[]> {
    if (lines.length === 0) return [];
    const answers: RrdAnswer[] = [];
    const process = this.#running();
    await process.run(
      lines,
      answers,
      (message) => failureOf(message, updates[answers.length].path),
    );
    return answers;
  }

  #running(): RrdtoolProcess {
    if (this.#isClosed) throw new WriterDown("it was told to stop");
    if (this.#process?.state === "killed") {
      // It cannot end as long as the disk does not answer; a second one would fare no better.
      throw new WriterDown("it does not end: does the disk hang?");
    }
    if (this.#process?.state !== "running") {
      this.#process = new RrdtoolProcess({
        ...this.#options,
        program: this.name,
      });
    }
    return this.#process;
  }
}

type Reader = ReadableStreamDefaultReader<Uint8Array>;

/** The commands under way. */
interface Run {
  readonly count: number;
  readonly answers: RrdAnswer[];
  readonly toFailure: (message: string) => RrdAnswer;
  readonly done: PromiseWithResolvers<void>;
}

/** A process of rrdtool. */
class RrdtoolProcess {
  state: "running" | "killed" | "ended" = "running";
  readonly #clock: Clock;
  readonly #silenceMs: number;
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #ended: Promise<void>;
  readonly #encoder = new TextEncoder();
  #complaint = "";
  #run: Run | undefined;
  #silence: Timer | undefined;

  /** @throws WriterDown when it cannot be started. */
  constructor(
    { clock, program = "", silenceMs = SILENCE_MS }: RrdtoolOptions,
  ) {
    this.#clock = clock;
    this.#silenceMs = silenceMs;
    this.#child = spawn(program);
    this.#input = this.#child.stdin.getWriter();
    this.#input.closed.catch(() => {});
    this.#ended = this.#watch();
  }

  /**
   * Has commands carried out.
   * @param answers Takes what becomes of each, as it becomes known.
   * @throws WriterLost
   */
  async run(
    lines: readonly string[],
    answers: RrdAnswer[],
    toFailure: Run["toFailure"],
  ): Promise<void> {
    const done = Promise.withResolvers<void>();
    this.#run = { count: lines.length, answers, toFailure, done };
    this.#heard();
    // A write that fails is a process that has ended; that is seen elsewhere.
    this.#input.write(this.#encoder.encode(lines.join(""))).catch(() => {});
    try {
      await done.promise;
    } finally {
      this.#silence?.cancel();
      this.#run = undefined;
    }
  }

  /** Ends it; by force if it is at work, or does not end by itself within a second. */
  async end(): Promise<void> {
    if (!this.#isAnswering) {
      this.#input.close().catch(() => {});
      if (await within(this.#clock, this.#ended, END_MS)) return;
    }
    this.#kill("it was told to stop");
    await within(this.#clock, this.#ended, END_MS);
  }

  async #watch(): Promise<void> {
    const streams = [this.#child.stdout, this.#child.stderr]
      .map((stream) => stream.getReader());
    const read = Promise.all([
      this.#readAnswers(streams[0]),
      this.#readComplaints(streams[1]),
    ]);
    const { code, signal } = await this.#child.status;
    // What it has said last is still to be read; a child of its own may hold the pipes open.
    await within(this.#clock, read, END_MS);
    for (const stream of streams) stream.cancel().catch(() => {});
    this.state = "ended";
    const complaint = this.#complaint.trim();
    const how = signal ? `ended by ${signal}` : `ended with code ${code}`;
    this.#lose(complaint === "" ? how : `${how}: ${complaint}`);
  }

  async #readAnswers(reader: Reader): Promise<void> {
    const decoder = new TextDecoder();
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const text = rest + decoder.decode(value, { stream: true });
      const lines = text.split("\n");
      rest = lines.pop()!;
      for (const line of lines) this.#take(line);
      this.#heard();
      if (this.#isAnswering) await sleep(this.#clock, PACE_MS);
    }
  }

  async #readComplaints(reader: Reader): Promise<void> {
    const decoder = new TextDecoder();
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const text = this.#complaint + decoder.decode(value, { stream: true });
      this.#complaint = text.slice(0, MAX_COMPLAINT);
    }
  }

  get #isAnswering(): boolean {
    return this.#run !== undefined &&
      this.#run.answers.length < this.#run.count;
  }

  #take(line: string): void {
    const run = this.#run;
    // It may say more than it was asked for.
    if (!run || !this.#isAnswering) return;
    if (line.startsWith("OK ")) run.answers.push(undefined);
    else if (line.startsWith("ERROR: ")) {
      run.answers.push(run.toFailure(line.slice("ERROR: ".length)));
    } else return;
    if (run.answers.length === run.count) run.done.resolve();
  }

  #heard(): void {
    this.#silence?.cancel();
    if (!this.#isAnswering) return;
    this.#silence = this.#clock.setTimer(
      () => this.#kill(`it does not answer for ${this.#silenceMs / 1000} s`),
      this.#silenceMs,
    );
  }

  #kill(reason: string): void {
    if (this.state !== "running") return;
    this.state = "killed";
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has just ended by itself.
    }
    this.#lose(reason);
  }

  #lose(reason: string): void {
    this.#run?.done.reject(new WriterLost(reason, this.#run.answers));
  }
}

/** @returns Whether something ended within so many milliseconds. */
function within(
  clock: Clock,
  promise: Promise<unknown>,
  ms: number,
): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = clock.setTimer(() => resolve(false), ms);
    const end = () => {
      timer.cancel();
      resolve(true);
    };
    void promise.then(end, end);
  });
}

function spawn(program: string): Deno.ChildProcess {
  try {
    return new Deno.Command(program, {
      args: ["-"],
      // With RRDCACHED_ADDRESS it would write through a daemon, and in other languages its errors
      // could not be told apart.
      clearEnv: true,
      env: { LC_ALL: "C" },
      // An interrupt from the terminal is for us: what waits is written first.
      detached: true,
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      throw new WriterDown(`${program} is not installed`, true);
    }
    if (
      error instanceof Deno.errors.NotCapable ||
      error instanceof Deno.errors.PermissionDenied
    ) {
      throw new WriterDown(
        `this program may not run ${program}; if it was installed just now, a restart helps`,
        true,
      );
    }
    throw new WriterDown(messageOf(error));
  }
}

function updateLine({ path, time, values }: RrdUpdate): string {
  return `update ${quoted(path)} ${time}:${values}\n`;
}

function createLine({ path, time, shape }: RrdUpdate): string {
  return `create ${quoted(path)} --start ${time - 1} --step ${shape.step} ` +
    `--no-overwrite ${shape.definitions.join(" ")}\n`;
}

/**
 * A path as one word of a command: rrdtool knows both kinds of quotes, and no backslash; a word
 * may be made of several quoted parts.
 */
function quoted(path: string): string {
  if (!/[ '"]/.test(path)) return path;
  return path.split("'").map((part) => `'${part}'`).join(`"'"`);
}
