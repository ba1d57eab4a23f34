import type { Executable } from "../executable.ts";

/**
 * Makes each process of a built script run some JavaScript before the script. It is for scripts
 * with their runtime beside them.
 */
export async function preload(
  { dir, path }: Pick<Executable, "dir" | "path">,
  code: string,
): Promise<void> {
  const runtime = path.replace(/[^/]*$/, "deno");
  await Deno.writeTextFile(`${dir}/preload.mjs`, code);
  await Deno.rename(runtime, `${runtime}-real`);
  await Deno.writeTextFile(
    runtime,
    `\
#!/bin/sh
subcommand=$1
shift
exec '${runtime}-real' "$subcommand" --preload='${dir}/preload.mjs' "$@"
`,
  );
  await Deno.chmod(runtime, 0o755);
}

/** Sets the time that an executable believes in, in seconds since the epoch. */
export type SetTime = (at: number) => Promise<void>;

/**
 * Makes a built script take its time from the test: each process of it starts at the time that was
 * set last, and from there its clock runs on.
 */
export async function fakeTime(executable: Executable): Promise<SetTime> {
  const time = `${executable.dir}/time`;
  await preload(
    executable,
    `\
const now = Date.now;
const began = now();
const at = 1000 * Number(Deno.readTextFileSync(${JSON.stringify(time)}));
Date.now = () => at + now() - began;
`,
  );
  return (at) => Deno.writeTextFile(time, `${at}`);
}
