import { assert } from "@std/assert";

/** A program that runs, and what it says. */
export interface Running extends AsyncDisposable {
  readonly pid: number;
  /** What came out so far, a line each; of stderr without time and with single blanks. */
  readonly stdout: string[];
  readonly stderr: string[];
  /** Writes a line to its stdin. */
  tell(line: string): Promise<void>;
  /** Waits until something holds; it is looked at after each line. */
  until(condition: () => boolean): Promise<void>;
  /** Waits until it has ended by itself. */
  ended(): Promise<Deno.CommandStatus>;
  /** Sends a signal and waits for the end. */
  end(signal?: Deno.Signal): Promise<Deno.CommandStatus>;
}

/** Starts a program. It is killed at the end of the test if it is still there. */
export function startProgram(
  command: string,
  options: Deno.CommandOptions,
): Running {
  const process = new Deno.Command(command, {
    ...options,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const stdout: string[] = [];
  const stderr: string[] = [];
  const waiting = new Set<() => void>();
  let isOver = false;
  const wake = () => {
    for (const go of waiting) go();
  };
  const read = async (
    stream: ReadableStream<Uint8Array<ArrayBuffer>>,
    lines: string[],
    form: (line: string) => string,
  ) => {
    let rest = "";
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      const parts = (rest + text).split("\n");
      rest = parts.pop()!;
      lines.push(...parts.map(form));
      wake();
    }
  };
  const over = Promise.all([
    read(process.stdout, stdout, (line) => line),
    read(process.stderr, stderr, withoutTime),
    process.status,
  ]).then(() => {
    isOver = true;
    wake();
  });
  const writer = process.stdin.getWriter();
  writer.closed.catch(() => {});
  const ended = async () => {
    await over;
    return await process.status;
  };
  const end = async (signal: Deno.Signal = "SIGTERM") => {
    if (!isOver) process.kill(signal);
    return await ended();
  };
  return {
    pid: process.pid,
    stdout,
    stderr,
    tell: (line) => writer.write(new TextEncoder().encode(`${line}\n`)),
    async until(condition) {
      while (!condition()) {
        assert(!isOver, [...stdout, ...stderr].join("\n"));
        await new Promise<void>((resolve) => {
          const go = () => {
            waiting.delete(go);
            resolve();
          };
          waiting.add(go);
        });
      }
    },
    ended,
    end,
    async [Symbol.asyncDispose]() {
      await end("SIGKILL");
      await writer.close().catch(() => {});
    },
  };
}

/** `LEVEL message` of a line of the log. */
export function withoutTime(line: string): string {
  return line.replace(/^\d{4}-\S+ /, "").replace(/ +/, " ");
}

/** The lines of a log that are about something. */
export function about(lines: readonly string[], what: RegExp): string[] {
  return lines.filter((line) => what.test(line));
}
