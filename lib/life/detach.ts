/**
 * Starts a process that goes on without us, and waits until it is ready or has failed.
 *
 * @module
 */
import { join } from "@std/path";
import { type Clock, sleep } from "../clock.ts";
import { UserError } from "../errors.ts";
import { reasonOf } from "../secret_file.ts";
import { LineReader } from "./lines.ts";
import { STARTER_VARIABLE, type StarterMessage } from "./starter.ts";
import { shortTempDir } from "./unix_path.ts";
import type { User } from "./user.ts";

/** The file in a base directory that a detached gatherer's output goes to. */
export const LOG_NAME = "gatherer.log";

const LOG_MODE = 0o640;
/** Bytes of a message, and of the end of the log that is shown after a failure. */
const MOST_BYTES = 64 * 1024;
/** Milliseconds that a process has for its end after it was told to, or has failed. */
const END_MS = 10_000;
/** Milliseconds in which the last words of a process that has ended are read. */
const GRACE_MS = 200;

/** What is to be started. */
export interface DetachOptions {
  /** The program and its arguments. */
  readonly command: readonly string[];
  /** Where its output goes, to the end of the file. */
  readonly logFile: string;
  /** Who it is to be, for root (default: the same as us). */
  readonly user?: User;
  readonly clock: Clock;
  /** Ends the waiting, and what was started with it. */
  readonly signal?: AbortSignal;
}

/** How it went. */
export type DetachOutcome =
  | { readonly kind: "ready"; readonly pid: number }
  | {
    readonly kind: "failed";
    /** Lines for a person: what it has said to its log, and why it failed. */
    readonly text: string;
  }
  /** The waiting was ended, and so is what was started. */
  | { readonly kind: "aborted" };

/**
 * Starts a process in a session of its own, without a terminal, and waits.
 *
 * @throws UserError when it cannot even be started.
 */
export async function startDetached(
  options: DetachOptions,
): Promise<DetachOutcome> {
  const { logFile, user, clock } = options;
  const offset = await makeLog(logFile, user);
  const temporary = await shortTempDir();
  try {
    const path = join(temporary, "starter");
    using listener = Deno.listen({ transport: "unix", path });
    if (user) {
      // The directory last: as long as it is ours nobody can put something else into its place.
      for (const place of [path, temporary]) {
        await Deno.chown(place, user.uid, user.gid);
      }
    }
    const child = spawn(options, path);
    // The shell's own complaints: its end is when the program has the log instead.
    const complaints = new Response(child.stderr).text().catch(() => "");
    const message = listener.accept().then((connection) =>
      readMessage(connection, clock)
    ).catch(() => undefined);
    const event = await Promise.race([
      message.then((message) => message ?? child.status.then(() => undefined)),
      child.status.then(() => undefined),
      aborted(options.signal),
    ]);
    if (event === "aborted") {
      await end(child, clock);
      return { kind: "aborted" };
    }
    if (event && "ready" in event) {
      child.unref();
      return { kind: "ready", pid: child.pid };
    }
    await end(child, clock, END_MS);
    // It may have said why and ended before that was read.
    const last = await Promise.race([message, sleep(clock, GRACE_MS)]);
    const lines = [await complaints, await readFrom(logFile, offset)]
      .flatMap((text) => text.split("\n")).filter((line) => line !== "");
    if (last && "failed" in last) {
      const { failed } = last;
      if (!lines.some((line) => line.includes(failed))) {
        lines.push(`gatherer: ${failed}`);
      }
    } else {
      const { code, signal } = await child.status;
      lines.push(
        `gatherer: it ended before it was ready, ${
          signal ? `by ${signal}` : `with exit code ${code}`
        }`,
      );
    }
    return { kind: "failed", text: `${lines.join("\n")}\n` };
  } finally {
    await Deno.remove(temporary, { recursive: true }).catch(() => {});
  }
}

function spawn(
  { command, logFile, user }: DetachOptions,
  starter: string,
): Deno.ChildProcess {
  try {
    // The shell gives its own place to the program once output goes to the log.
    return new Deno.Command("/bin/sh", {
      args: [
        "-c",
        // The log is made for its owner and group alone. The journal is not where output goes.
        '(umask g-w,o=; : >>"$0") && unset JOURNAL_STREAM && exec "$@" </dev/null >>"$0" 2>&1',
        logFile,
        ...command,
      ],
      env: { [STARTER_VARIABLE]: starter },
      stdin: "null",
      stdout: "null",
      stderr: "piped",
      // In a session of its own: the terminal's signals are not for it.
      detached: true,
      ...user && { uid: user.uid, gid: user.gid },
    }).spawn();
  } catch (error) {
    throw new UserError(`cannot start ${command[0]}: ${reasonOf(error)}`);
  }
}

/**
 * The log's length in bytes; one that is missing is made. Not by root for another user: what lies
 * in that user's directory may be a link to somewhere else. The process makes it itself then.
 */
async function makeLog(path: string, user: User | undefined): Promise<number> {
  try {
    if (user) return (await Deno.stat(path)).size;
    using file = await Deno.open(path, {
      append: true,
      create: true,
      mode: LOG_MODE,
    });
    return (await file.stat()).size;
  } catch (error) {
    if (user && error instanceof Deno.errors.NotFound) return 0;
    throw new UserError(`cannot write ${path}: ${reasonOf(error)}`);
  }
}

async function readMessage(
  connection: Deno.Conn,
  clock: Clock,
): Promise<StarterMessage | undefined> {
  using _connection = connection;
  // A gatherer may take as long as it needs to be ready.
  const text = await new LineReader(connection, clock).next(
    MOST_BYTES,
    2 ** 31 - 1,
  );
  return text === undefined ? undefined : JSON.parse(text);
}

function aborted(signal: AbortSignal | undefined): Promise<"aborted"> {
  return new Promise((resolve) => {
    if (signal?.aborted) resolve("aborted");
    signal?.addEventListener("abort", () => resolve("aborted"));
  });
}

/** Waits for the end of a process, which is told to end after `patienceMs`, and then killed. */
async function end(
  child: Deno.ChildProcess,
  clock: Clock,
  patienceMs = 0,
): Promise<void> {
  const kill = (signal: Deno.Signal) => {
    try {
      child.kill(signal);
    } catch {
      // It has ended.
    }
  };
  const timers = [
    clock.setTimer(() => kill("SIGTERM"), patienceMs),
    clock.setTimer(() => kill("SIGKILL"), patienceMs + END_MS),
  ];
  await child.status;
  for (const timer of timers) timer.cancel();
}

/** What has come to a file since it had a length, but no more than the end of it. */
async function readFrom(path: string, offset: number): Promise<string> {
  try {
    using file = await Deno.open(path);
    const { size } = await file.stat();
    const start = Math.max(offset, size - MOST_BYTES);
    await file.seek(start, Deno.SeekMode.Start);
    const bytes = new Uint8Array(Math.max(0, size - start));
    let done = 0;
    while (done < bytes.length) {
      const read = await file.read(bytes.subarray(done));
      if (read === null) break;
      done += read;
    }
    return new TextDecoder().decode(bytes.subarray(0, done));
  } catch {
    return "";
  }
}
