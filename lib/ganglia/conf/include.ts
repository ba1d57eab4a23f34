import { basename, dirname, join } from "@std/path";
import { globMatcher } from "../../glob.ts";

/** The files around a gmetad.conf. */
export interface ConfFiles {
  /**
   * The text of a file; `undefined` where there is none.
   * @throws UserError when there is one that cannot be read.
   */
  read(path: string): string | undefined;
  /**
   * The names of the files in a directory; `undefined` where there is no such directory.
   * @throws UserError when there is one that cannot be read.
   */
  list(directory: string): readonly string[] | undefined;
}

/** A file that is included. */
export interface IncludedFile {
  readonly path: string;
  /** `undefined` where there is no such file. */
  read(): string | undefined;
}

/**
 * The files that `Include PATTERN` names: one, or with `*` and `?` in its last part all that match,
 * in the order of their names, hidden ones not among them.
 *
 * A relative name is looked for in `includePath` if there is one; else beside the file that includes
 * it, and then, as the C gmetad does, in the working directory.
 *
 * @param from The file that includes.
 * @throws UserError when a directory or file cannot be read.
 */
export function includedFiles(
  pattern: string,
  from: string,
  includePath: string | undefined,
  files: ConfFiles,
): IncludedFile[] {
  for (const path of candidates(pattern, from, includePath)) {
    if (isPattern(path)) {
      const found = matching(path, files);
      if (found.length > 0) return found;
      continue;
    }
    const text = files.read(path);
    if (text !== undefined) return [{ path, read: () => text }];
  }
  return [];
}

/** Whether there may be several files, or none. */
export function isPattern(path: string): boolean {
  return /[*?]/.test(basename(path));
}

function candidates(
  pattern: string,
  from: string,
  includePath: string | undefined,
): string[] {
  if (pattern.startsWith("/")) return [pattern];
  if (includePath !== undefined) return [join(includePath, pattern)];
  return [join(dirname(from), pattern), pattern];
}

function matching(path: string, files: ConfFiles): IncludedFile[] {
  const directory = dirname(path);
  const matches = globMatcher(basename(path).replace(/[[\]\\]/g, "\\$&"));
  return (files.list(directory) ?? [])
    .filter((name) => !name.startsWith(".") && matches(name))
    .toSorted()
    .map((name) => {
      const path = join(directory, name);
      return { path, read: () => files.read(path) };
    });
}
