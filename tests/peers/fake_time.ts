import type { Executable } from "../executable.ts";

/** Sets the time that an executable believes in, in seconds since the epoch. */
export type SetTime = (at: number) => Promise<void>;

/**
 * Makes a built script take its time from the test: each process of it starts at the time that was
 * set last, and from there its clock runs on. It is for scripts with their runtime beside them.
 */
export async function fakeTime({ dir, path }: Executable): Promise<SetTime> {
  const runtime = path.replace(/[^/]*$/, "deno");
  const time = `${dir}/time`;
  await Deno.writeTextFile(
    `${dir}/fake_time.mjs`,
    `\
const began = Date.now();
const now = Date.now;
const at = 1000 * Number(Deno.readTextFileSync(${JSON.stringify(time)}));
Date.now = () => at + now() - began;
`,
  );
  await Deno.rename(runtime, `${runtime}-real`);
  await Deno.writeTextFile(
    runtime,
    `\
#!/bin/sh
subcommand=$1
shift
exec '${runtime}-real' "$subcommand" --preload='${dir}/fake_time.mjs' "$@"
`,
  );
  await Deno.chmod(runtime, 0o755);
  return (at) => Deno.writeTextFile(time, `${at}`);
}
