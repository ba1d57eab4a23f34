import { fromFileUrl, join } from "@std/path";
import { UserError } from "../errors.ts";
import { executablePath } from "../munin_install/executable.ts";

/**
 * The command that runs this program once more, to be followed by its arguments: the executable,
 * whatever link it was called by; under `deno run` from source code, that.
 *
 * @param main The program's first module.
 */
export async function commandOfItself(
  main: string = Deno.mainModule,
): Promise<string[]> {
  try {
    return [await executablePath(main)];
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
  }
  // With the permissions that deno.json gives to the executable, as "deno task serve" has them.
  const config = join(import.meta.dirname ?? ".", "..", "..", "deno.json");
  return [
    Deno.execPath(),
    "run",
    "--quiet",
    "--no-prompt",
    "--config",
    config,
    "-P=gatherer",
    new URL(main).protocol === "file:" ? fromFileUrl(main) : main,
  ];
}
