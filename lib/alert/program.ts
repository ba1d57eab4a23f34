import type { Clock, Timer } from "../clock.ts";
import { reasonOf } from "../secret_file.ts";
import { oneLine } from "../text.ts";

/** How long a program has after it was asked to end. */
const KILL_MS = 1000;
/** How long the last of its stderr is waited for when it has ended: what it started may have it still. */
const STDERR_MS = 200;
/** Bytes that are kept of what it writes to stderr. */
const MOST_STDERR = 2000;

/** What is run, and how. */
export interface ProgramOptions {
  /** The program and its arguments; no shell sees them. */
  readonly argv: readonly string[];
  /** Added to the environment. */
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin: string;
  /** Milliseconds after which it is ended. */
  readonly limitMs: number;
  readonly clock: Clock;
  /** Ends it at once. */
  readonly signal: AbortSignal;
}

/**
 * Runs a program to its end.
 * @throws Error when it cannot be run, was ended, or did not exit with 0: then with what it wrote to
 *   stderr.
 */
export async function runProgram(options: ProgramOptions): Promise<void> {
  const { argv: [program, ...args], clock, limitMs, signal } = options;
  signal.throwIfAborted();
  const child = spawn(program, args, options.env);
  let ended: Error | undefined;
  let killing: Timer | undefined;
  const end = (reason: Error) => {
    ended ??= reason;
    kill(child, "SIGTERM");
    killing ??= clock.setTimer(() => kill(child, "SIGKILL"), KILL_MS);
  };
  const onAbort = () => {
    end(signal.reason);
    kill(child, "SIGKILL");
  };
  const limit = clock.setTimer(
    () => end(new Error(`it was not done within ${limitMs / 1000} s`)),
    limitMs,
  );
  signal.addEventListener("abort", onAbort, { once: true });
  const complaint = readComplaint(child.stderr, clock);
  const stopWriting = write(child.stdin, options.stdin);
  try {
    const { success, code } = await child.status;
    await stopWriting();
    const text = await complaint();
    if (ended) throw ended;
    if (!success) {
      throw new Error(`exit code ${code}${text ? `: ${oneLine(text)}` : ""}`);
    }
  } finally {
    limit.cancel();
    killing?.cancel();
    signal.removeEventListener("abort", onAbort);
  }
}

function spawn(
  program: string,
  args: string[],
  env: Readonly<Record<string, string>> | undefined,
): Deno.ChildProcess {
  try {
    return new Deno.Command(program, {
      args,
      env,
      stdin: "piped",
      stdout: "null",
      stderr: "piped",
    }).spawn();
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) {
      throw new Error(
        `the gatherer has no permission to run programs (--allow-run)`,
      );
    }
    throw new Error(`${program}: ${reasonOf(error)}`);
  }
}

function kill(child: Deno.ChildProcess, signal: Deno.Signal): void {
  try {
    child.kill(signal);
  } catch {
    // It is over.
  }
}

/**
 * Writes a text to a program. That it does not read, or has ended, is no failure.
 * @returns Gives up what has not been written.
 */
function write(
  stdin: WritableStream<Uint8Array>,
  text: string,
): () => Promise<void> {
  const writer = stdin.getWriter();
  const ignore = () => {};
  writer.write(new TextEncoder().encode(text))
    .then(() => writer.close()).catch(ignore);
  return () => writer.abort().catch(ignore);
}

/**
 * Reads what a program writes to stderr, all of it, so that it never waits for its reader.
 * @returns Gives the beginning, when the program has ended.
 */
function readComplaint(
  stderr: ReadableStream<Uint8Array>,
  clock: Clock,
): () => Promise<string> {
  const reader = stderr.getReader();
  const decoder = new TextDecoder();
  let text = "";
  const reading = (async () => {
    for (let part; !(part = await reader.read()).done;) {
      if (text.length >= MOST_STDERR) continue;
      text += decoder.decode(part.value, { stream: true });
    }
  })().catch(() => {});
  return async () => {
    await new Promise<void>((resolve) => {
      const timer = clock.setTimer(resolve, STDERR_MS);
      void reading.then(() => {
        timer.cancel();
        resolve();
      });
    });
    await reader.cancel().catch(() => {});
    return text.slice(0, MOST_STDERR).trim();
  };
}
