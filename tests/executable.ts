import { encodeNode, encodeSnapshot } from "../lib/snapshot/codec.ts";
import { readJson } from "../lib/snapshot/json.ts";
import { buildScript, compile } from "../scripts/build.ts";

/** A built executable, in a directory of its own that everybody may read. */
export interface Executable extends AsyncDisposable {
  /** The directory; tests may put more into it. */
  readonly dir: string;
  /** The executable. */
  readonly path: string;
}

/**
 * Builds the executable as a script, which is possible everywhere.
 */
export function builtScript(): Promise<Executable> {
  return inTempDir(async (dir) => {
    await buildScript(dir);
  });
}

/** Compiles the executable; `undefined`, with a line on stderr, where that is not possible. */
export async function builtBinary(): Promise<Executable | undefined> {
  let missing: string | undefined;
  const executable = await inTempDir(async (dir) => {
    missing = await compile(dir);
  });
  if (missing === undefined) return executable;
  await executable[Symbol.asyncDispose]();
  Deno.stderr.writeSync(
    new TextEncoder().encode(
      `tests of the compiled executable are skipped: no base runtime (${missing})\n`,
    ),
  );
}

async function inTempDir(
  build: (dir: string) => Promise<void>,
): Promise<Executable> {
  const dir = await publicTempDir();
  const dispose = () => Deno.remove(dir, { recursive: true });
  try {
    await build(`${dir}/dist`);
  } catch (error) {
    await dispose();
    throw error;
  }
  return {
    dir,
    path: `${dir}/dist/gatherer`,
    [Symbol.asyncDispose]: dispose,
  };
}

/** A temporary directory that everybody may read, the user "nobody" included. */
export async function publicTempDir(): Promise<string> {
  const dir = await Deno.makeTempDir({ prefix: "gatherer-test-" });
  await Deno.chmod(dir, 0o755);
  return dir;
}

/** What a run of a program came to. */
export interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs a program to its end, with nothing to read. */
export async function run(
  command: readonly string[],
  options: Pick<Deno.CommandOptions, "env" | "clearEnv" | "cwd"> = {},
): Promise<Outcome> {
  const [program, ...args] = command;
  const { code, stdout, stderr } = await new Deno.Command(program, {
    args,
    stdin: "null",
    ...options,
  }).output();
  const decoder = new TextDecoder();
  return {
    code,
    stdout: decoder.decode(stdout),
    stderr: decoder.decode(stderr),
  };
}

/**
 * Writes figures of a busy storage grid, measured this moment, into a directory: as our snapshot
 * and as the original gatherer's stats.json.
 */
export async function writeFreshStats(
  dir: string,
): Promise<{ msgpack: string; json: string }> {
  const capture = new URL(
    "testdata/tahoe/gatherer-stats-3-busy.json",
    import.meta.url,
  );
  // As text: numbers keep their digits.
  const text = (await Deno.readTextFile(capture)).replace(
    /"timestamp": *[\d.e+]+/g,
    `"timestamp": ${Date.now() / 1000}`,
  );
  const paths = { msgpack: `${dir}/stats.msgpack`, json: `${dir}/stats.json` };
  await Deno.writeTextFile(paths.json, text);
  const nodes = readJson(new TextEncoder().encode(text));
  await Deno.writeFile(paths.msgpack, encodeSnapshot(nodes.map(encodeNode)));
  return paths;
}
