import { fromFileUrl } from "@std/path";
import { UserError } from "../errors.ts";

/**
 * The path of the executable that runs, for links to lead to: absolute, and of the file itself
 * rather than of a link to it.
 *
 * @param main The program's first module.
 * @throws UserError when there is none, because a runtime was given the source code to run.
 */
export async function executablePath(
  main: string = Deno.mainModule,
): Promise<string> {
  if (Deno.build.standalone) return await Deno.realPath(Deno.execPath());
  const url = new URL(main);
  if (url.protocol === "file:") {
    const path = await Deno.realPath(fromFileUrl(url));
    if (await isScript(path)) return path;
  }
  throw new UserError(
    "Munin needs an executable to link to, and this runs from source code: build one first, with " +
      '"deno task build", and install it where munin-node can see it',
  );
}

/** Whether the system can run a file by itself: of the source code it cannot run any. */
async function isScript(path: string): Promise<boolean> {
  const { mode } = await Deno.stat(path);
  if (mode === null || (mode & 0o111) === 0) return false;
  using file = await Deno.open(path);
  const start = new Uint8Array(2);
  await file.read(start);
  return new TextDecoder().decode(start) === "#!";
}
