/**
 * Replaces a file at once and whole, or not at all, and so that it outlasts a power failure: written
 * beside it, flushed, renamed over it, and the rename flushed as well.
 *
 * @param mode The permissions, from the moment it exists; narrowed by the umask.
 * @throws What the system says. The file is then as it was, or, when only the last flush failed,
 *   the new one.
 */
export async function replaceFile(
  path: string,
  text: string,
  mode: number,
): Promise<void> {
  const temporary = `${path}.tmp`;
  await removeFile(temporary);
  try {
    using file = await Deno.open(temporary, {
      write: true,
      createNew: true,
      mode,
    });
    const bytes = new TextEncoder().encode(text);
    for (let done = 0; done < bytes.length;) {
      done += await file.write(bytes.subarray(done));
    }
    await file.sync();
    await Deno.rename(temporary, path);
  } catch (error) {
    await removeFile(temporary).catch(() => {});
    throw error;
  }
  await syncDirectoryOf(path);
}

/** @returns Whether there was a file to remove. */
export async function removeFile(path: string): Promise<boolean> {
  try {
    await Deno.remove(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/**
 * Makes what was made, renamed and removed in the directory of `path` outlast a power failure, where
 * the system lets us.
 * @throws What the system says when the disk fails.
 */
export async function syncDirectoryOf(path: string): Promise<void> {
  const directory = path.slice(0, path.lastIndexOf("/") + 1) || ".";
  // A program that uses the library need not have allowed it, and must not be asked.
  const allowed = await Deno.permissions.query({
    name: "read",
    path: directory,
  });
  if (allowed.state !== "granted") return;
  // Windows does not open directories.
  const opened = await Deno.open(directory).catch(() => undefined);
  try {
    await opened?.sync();
  } catch (error) {
    // Some network and user-space file systems refuse it; an I/O error is no refusal.
    if (!isRefusal(error)) throw error;
  } finally {
    opened?.close();
  }
}

function isRefusal(error: unknown): boolean {
  return error instanceof Error && "code" in error &&
    ["EINVAL", "ENOTSUP", "EROFS", "EBADF"].includes(String(error.code));
}
