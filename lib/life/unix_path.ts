/**
 * Unix sockets at any path: the system takes about a hundred bytes, a base directory may have more.
 *
 * @module
 */
import { basename, dirname, join } from "@std/path";
import { UserError } from "../errors.ts";
import { reasonOf } from "../secret_file.ts";

/** Bytes that a path may have: 104 with the final nought on BSD and macOS, 108 on Linux. */
const LONGEST = 100;

/**
 * Does something with a socket's path, by way of a short link to its directory if it is too long.
 *
 * @throws What `use` throws, or the system when the link cannot be made.
 */
export async function withShortPath<T>(
  path: string,
  use: (path: string) => Promise<T> | T,
): Promise<T> {
  if (isShort(path)) return await use(path);
  const temporary = await shortTempDir();
  const link = join(temporary, "d");
  try {
    await Deno.symlink(await Deno.realPath(dirname(path)), link);
    return await use(join(link, basename(path)));
  } finally {
    await Deno.remove(temporary, { recursive: true }).catch(() => {});
  }
}

/**
 * A temporary directory of this user's alone, with a path that leaves room for a socket's name.
 * @throws UserError when none can be made.
 */
export async function shortTempDir(): Promise<string> {
  try {
    const made = await Deno.makeTempDir({ prefix: "gatherer-" });
    if (isShort(join(made, "d", "0123456789abcdef"))) return made;
    await Deno.remove(made);
    return await Deno.makeTempDir({ dir: "/tmp", prefix: "gatherer-" });
  } catch (error) {
    throw new UserError(
      `no temporary directory can be made: ${
        reasonOf(error)
      }; name another place for them with TMPDIR`,
    );
  }
}

function isShort(path: string): boolean {
  return new TextEncoder().encode(path).length <= LONGEST;
}
