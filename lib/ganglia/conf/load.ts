import { messageOf, UserError } from "../../errors.ts";
import { oneLine } from "../../text.ts";
import type { GmetadConf } from "./conf.ts";
import { parseGmetadConf, type ParseOptions } from "./parse.ts";

/** Bytes of a file. */
const MAX_BYTES = 1024 * 1024;

/**
 * Reads the gmetad.conf at `path`, and the files that it includes.
 *
 * @throws UserError when one cannot be read, and as {@linkcode parseGmetadConf} does.
 */
export function loadGmetadConf(path: string): GmetadConf {
  return parseGmetadConf(readConfFile(path), path, thisMachine);
}

/**
 * The text of a file. Bytes that are no UTF-8 are taken for Latin-1, as which gmetad passes them on.
 *
 * @throws UserError when it cannot be read, is too long, or is no text.
 */
export function readConfFile(path: string): string {
  try {
    return decode(readBounded(path));
  } catch (error) {
    throw new UserError(
      `cannot read ${JSON.stringify(oneLine(path))}: ${fault(error)}`,
      1,
      { cause: error },
    );
  }
}

/** The environment and the files of this machine. */
export const thisMachine: Required<ParseOptions> = {
  // No variable can have another name, and Deno throws at one.
  env: (name) => /^[^=\0]+$/.test(name) ? Deno.env.get(name) : undefined,
  files: {
    read: (path) => ifThere(path, () => decode(readBounded(path))),
    list: (directory) =>
      ifThere(
        directory,
        () =>
          [...Deno.readDirSync(directory)]
            .filter(({ isDirectory }) => !isDirectory)
            .map(({ name }) => name),
      ),
  },
};

function ifThere<T>(path: string, read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw new UserError(
      `cannot read ${JSON.stringify(oneLine(path))}: ${fault(error)}`,
      1,
      { cause: error },
    );
  }
}

function readBounded(path: string): Uint8Array {
  const buffer = new Uint8Array(MAX_BYTES + 1);
  let filled = 0;
  using file = Deno.openSync(path);
  while (filled < buffer.length) {
    const got = file.readSync(buffer.subarray(filled));
    if (got === null) return buffer.subarray(0, filled);
    filled += got;
  }
  throw new UserError(`it has more than ${MAX_BYTES} bytes; make it shorter`);
}

function decode(bytes: Uint8Array): string {
  if (bytes.includes(0)) throw new UserError("it is no text: it has NUL bytes");
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder("latin1").decode(bytes);
  }
}

function fault(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "no such file";
  if (error instanceof Deno.errors.PermissionDenied) {
    return "permission denied; the file must be readable for this user, and every directory above " +
      "it passable (x)";
  }
  if (error instanceof Deno.errors.IsADirectory) {
    return "it is a directory, not a file";
  }
  // Without the number and the path that Deno adds.
  return messageOf(error).replace(/ \(os error \d+\).*$/s, "");
}
