import process from "node:process";

/**
 * The name that this program was called by, without directories: a link's own name, not that of
 * the file it leads to. In a compiled executable that is argv[0] as typed; under `deno run` the
 * path of the script. `Deno.execPath()` is resolved in both and never tells.
 */
export function programName(): string {
  const path = Deno.build.standalone ? process.argv0 : process.argv[1] ?? "";
  return path.slice(path.lastIndexOf("/") + 1);
}
