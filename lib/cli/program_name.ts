/**
 * The name that this program was called by, without directories: a link's own name, not that of
 * the file it leads to. In a compiled executable that is argv[0] as typed; under `deno run` the
 * script's path, which the runtime does not resolve. `Deno.execPath()` is resolved in both and
 * never tells.
 */
export async function programName(): Promise<string> {
  const path = Deno.build.standalone
    // The first module of the runtime costs 15 ms, which a plugin of the built script is spared.
    ? (await import("node:process")).default.argv0
    : decodeURIComponent(new URL(Deno.mainModule).pathname);
  return path.slice(path.lastIndexOf("/") + 1);
}
