import { replaceFile } from "./durable_file.ts";
import { UserError } from "./errors.ts";

/**
 * Writes a file that only its owner can read, from the moment it exists. An older one of the
 * name is replaced at once and whole, or not at all, see {@linkcode replaceFile}.
 */
export function writeSecret(path: string, text: string): Promise<void> {
  return replaceFile(path, text, 0o600);
}

/**
 * Reads a secret file.
 * @returns Its text and a complaint about its permissions; `undefined` if there is none.
 * @throws UserError when it is there but cannot be read.
 */
export async function readSecret(
  path: string,
): Promise<{ text: string; complaint: string | undefined } | undefined> {
  try {
    const text = await Deno.readTextFile(path);
    const { mode } = await Deno.stat(path);
    const complaint = mode !== null && (mode & 0o077) !== 0
      ? `${path} is a secret, but others can read it: chmod 600 ${path}`
      : undefined;
    return { text, complaint };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw new UserError(`cannot read ${path}: ${reasonOf(error)}`);
  }
}

/** A system error in a person's words, without the call's own noise. */
export function reasonOf(error: unknown): string {
  if (error instanceof Deno.errors.PermissionDenied) return "permission denied";
  if (error instanceof Deno.errors.NotFound) return "no such file or directory";
  if (error instanceof Deno.errors.IsADirectory) return "it is a directory";
  const message = error instanceof Error ? error.message : String(error);
  return message.replace(/ \(os error \d+\).*$/s, "").toLowerCase();
}
