import { join } from "@std/path";
import type { Clock } from "../clock.ts";
import { UserError } from "../errors.ts";
import { reasonOf } from "../secret_file.ts";
import { oneLine } from "../text.ts";
import {
  CONTROL_LIMITS,
  CONTROL_NAME,
  type ControlLine,
  type ControlRequest,
} from "./control.ts";
import {
  closeQuietly,
  LineError,
  LineReader,
  type LineReader as Reader,
  writeLine,
} from "./lines.ts";
import { withShortPath } from "./unix_path.ts";

/** A gatherer runs, or is about to, and cannot be talked to. */
export class NoAnswer extends UserError {
  override name = "NoAnswer";
}

/**
 * Asks the gatherer of a base directory.
 *
 * @param ms Milliseconds that it may take to the next line of its answer.
 * @returns The lines of the answer but the last, which only says that it is complete.
 * @throws NoAnswer when nobody answers, or not in time, or what is no answer.
 * @throws UserError what the gatherer says against it.
 */
export async function askGatherer(
  basedir: string,
  request: ControlRequest,
  clock: Clock,
  ms: number,
): Promise<ControlLine[]> {
  const path = join(basedir, CONTROL_NAME);
  let connection: Deno.Conn;
  try {
    connection = await withShortPath(
      path,
      (path) => Deno.connect({ transport: "unix", path }),
    );
  } catch (error) {
    throw new NoAnswer(
      `the gatherer on ${basedir} cannot be asked: ${path}: ${reasonOf(error)}`,
    );
  }
  try {
    await writeLine(connection, JSON.stringify(request), clock, ms);
    return await readAnswer(new LineReader(connection, clock), ms);
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new NoAnswer(
      `the gatherer on ${basedir} does not answer: ${
        error instanceof LineError ? error.message : reasonOf(error)
      }`,
    );
  } finally {
    closeQuietly(connection);
  }
}

async function readAnswer(reader: Reader, ms: number): Promise<ControlLine[]> {
  const lines: ControlLine[] = [];
  let length = 0;
  while (true) {
    const text = await reader.next(CONTROL_LIMITS.line, ms);
    if (text === undefined) throw new LineError("its answer is not complete");
    length += text.length;
    if (length > CONTROL_LIMITS.answer) {
      throw new LineError("its answer is too long");
    }
    const line = parseLine(text);
    if ("error" in line) throw new UserError(oneLine(String(line.error)));
    if (line.done === true) return lines;
    lines.push(line);
  }
}

function parseLine(text: string): ControlLine {
  try {
    const line: unknown = JSON.parse(text);
    if (typeof line === "object" && line !== null) return line as ControlLine;
  } catch {
    // Said below.
  }
  throw new LineError("its answer is not JSON");
}
