/** Gatherers in processes of their own, for tests of how they live. */
import { fromFileUrl, join } from "@std/path";
import { findRunning } from "../../lib/life/lock.ts";

/** What runs the command line with a gatherer that does nothing, see `fake_gatherer.ts`. */
export const fakeCommand: readonly string[] = [
  Deno.execPath(),
  "run",
  "--quiet",
  "--no-prompt",
  "--config",
  fromFileUrl(new URL("../../deno.json", import.meta.url)),
  "-P=gatherer",
  fromFileUrl(new URL("fake_gatherer.ts", import.meta.url)),
];

/** How a command ended. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A base directory, and what may run on it; at the end nothing does any more. */
export class World implements AsyncDisposable {
  readonly basedir: string;
  readonly #root: string;
  readonly #command: readonly string[];
  readonly #children: Deno.ChildProcess[] = [];

  private constructor(
    root: string,
    basedir: string,
    command: readonly string[],
  ) {
    this.#root = root;
    this.basedir = basedir;
    this.#command = command;
  }

  /** @param name The base directory's, which is not made yet. */
  static async make(
    name = "base",
    command: readonly string[] = fakeCommand,
  ): Promise<World> {
    const root = await Deno.makeTempDir({ prefix: "gatherer-life-" });
    return new World(root, join(root, name), command);
  }

  /** A path beside the base directory. */
  beside(name: string): string {
    return join(this.#root, name);
  }

  /** Runs a command on the base directory to its end. */
  async run(
    name: string,
    args: readonly string[] = [],
    env: Record<string, string> = {},
  ): Promise<Outcome> {
    return await this.wrapped([], name, args, env);
  }

  /** The same through a program that is given the command to run. */
  async wrapped(
    wrapper: readonly string[],
    name: string,
    args: readonly string[] = [],
    env: Record<string, string> = {},
  ): Promise<Outcome> {
    const [program, ...rest] = [...wrapper, ...this.words(name, args)];
    const { code, stdout, stderr } = await new Deno.Command(program, {
      args: rest,
      // What one that is killed leaves behind goes with the rest.
      env: { TMPDIR: this.#root, ...env },
      stdin: "null",
    }).output();
    const decoder = new TextDecoder();
    return {
      code,
      stdout: decoder.decode(stdout),
      stderr: decoder.decode(stderr),
    };
  }

  /** A command on the base directory, as words. */
  words(name: string, args: readonly string[] = []): string[] {
    return [...this.#command, name, "--basedir", this.basedir, ...args];
  }

  /** Starts a command on the base directory, and does not wait for its end. */
  spawn(
    name: string,
    env: Record<string, string> = {},
    args: readonly string[] = [],
  ): Child {
    const [program, ...rest] = this.words(name, args);
    const child = new Deno.Command(program, {
      args: rest,
      env: { TMPDIR: this.#root, ...env },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#children.push(child);
    return new Child(child);
  }

  /** The process that has the base directory; `undefined`: none. */
  async pid(): Promise<number | undefined> {
    using running = await findRunning(this.basedir);
    return running?.pid;
  }

  /** Resolves when no process has the base directory any more. */
  async free(): Promise<void> {
    using running = await findRunning(this.basedir);
    if (!running) return;
    // By another description of the file, which can wait for its turn.
    using file = await Deno.open(join(this.basedir, "gatherer.pid"))
      .catch(() => undefined) ?? { lock() {}, [Symbol.dispose]() {} };
    await file.lock(false);
  }

  /** What is in a file of the base directory; empty if there is none. */
  async read(name: string): Promise<string> {
    return await Deno.readTextFile(join(this.basedir, name)).catch(() => "");
  }

  /** Resolves when a file of the base directory holds a text. */
  async until(name: string, text: string): Promise<void> {
    // The base directory may not be there yet.
    using watcher = Deno.watchFs(this.#root);
    if ((await this.read(name)).includes(text)) return;
    for await (const _event of watcher) {
      if ((await this.read(name)).includes(text)) return;
    }
  }

  /** The names in the base directory. */
  async names(): Promise<string[]> {
    const names: string[] = [];
    for await (const { name } of Deno.readDir(this.basedir)) names.push(name);
    return names.sort();
  }

  /** A file's permissions. */
  async mode(name: string): Promise<string> {
    const { mode } = await Deno.lstat(join(this.basedir, name));
    return (mode! & 0o777).toString(8);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const pid = await this.pid().catch(() => undefined);
    if (pid !== undefined) kill(pid, "SIGKILL");
    for (const child of this.#children) {
      kill(child.pid, "SIGKILL");
      await child.status;
    }
    await Deno.remove(this.#root, { recursive: true });
  }
}

/** A process that was started. */
export class Child {
  readonly process: Deno.ChildProcess;
  /** Its exit code, what it wrote to stdout and to stderr. */
  readonly outcome: Promise<Outcome>;
  readonly #lines: string[] = [];
  #wake = () => {};

  constructor(process: Deno.ChildProcess) {
    this.process = process;
    const collect = async (
      stream: ReadableStream<Uint8Array<ArrayBuffer>>,
    ): Promise<string> => {
      let text = "";
      for await (const part of stream.pipeThrough(new TextDecoderStream())) {
        text += part;
        this.#lines.push(part);
        this.#wake();
      }
      return text;
    };
    const stdout = collect(process.stdout);
    const stderr = collect(process.stderr);
    this.outcome = process.status.then(async ({ code }) => ({
      code,
      stdout: await stdout,
      stderr: await stderr,
    }));
  }

  /** Resolves when it has written a text. */
  async until(text: string): Promise<void> {
    while (!this.#lines.join("").includes(text)) {
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }
}

/** Sends a signal to a process that may have ended. */
export function kill(pid: number, signal: Deno.Signal): void {
  try {
    Deno.kill(pid, signal);
  } catch {
    // It has ended.
  }
}
