const encoder = new TextEncoder();

/**
 * Writes all of a text or of bytes to stdout. When the reader has gone away (`gatherer dump |
 * head`), there is nobody left to tell: the rest is dropped.
 */
export async function writeStdout(data: string | Uint8Array): Promise<void> {
  const bytes = typeof data === "string" ? encoder.encode(data) : data;
  try {
    for (let done = 0; done < bytes.length;) {
      done += await Deno.stdout.write(bytes.subarray(done));
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}

/** Writes a line for people to stderr. */
export function writeStderr(line: string): void {
  const bytes = encoder.encode(`${line}\n`);
  try {
    for (let done = 0; done < bytes.length;) {
      done += Deno.stderr.writeSync(bytes.subarray(done));
    }
  } catch {
    // A terminal that has gone away cannot be told so.
  }
}

/** Whether colours are wanted on stdout: it is a terminal, and `NO_COLOR` is not set. */
export function wantsColor(): boolean {
  return Deno.stdout.isTerminal() && !Deno.env.get("NO_COLOR");
}
