/**
 * Makes the executable: `deno task build` and `deno task compile`.
 *
 * `compile` makes one binary with `deno compile`. That takes a base runtime, which Deno downloads
 * from its own site or is told of by DENORT_BIN. `build` does the same, and where the base runtime
 * cannot be had, it makes a script of the same name and behaviour, see {@linkcode buildScript}.
 *
 * @module
 */
import { resolve } from "node:path";
import { UserError } from "../lib/errors.ts";

/** The set of permissions in deno.json that the executable runs with. */
const PERMISSION_SET = "gatherer";

const root = new URL("../", import.meta.url);
const decoder = new TextDecoder();

/**
 * One binary, `DIR/gatherer`, with its permissions built in.
 *
 * @param dir Where to put it; made when it is missing.
 * @returns Why it cannot be made here: there is no base runtime to be had. `undefined` when it is
 *   made.
 * @throws UserError for every other failure.
 */
export async function compile(dir: string): Promise<string | undefined> {
  await Deno.mkdir(dir, { recursive: true });
  // Deno is run in the root of the project, which need not be where we are.
  const temporary = resolve(dir, "gatherer.tmp");
  await removeFile(temporary);
  const { success, stderr } = await deno([
    "compile",
    "--quiet",
    "--no-check",
    `--permission-set=${PERMISSION_SET}`,
    "--no-prompt",
    "--exclude-unused-npm",
    `--output=${temporary}`,
    "main.ts",
  ]);
  if (!success) {
    const reason = whyNoBaseRuntime(stderr);
    if (reason !== undefined) return reason;
    throw new UserError(`deno compile failed:\n${stderr.trim()}`);
  }
  await Deno.rename(temporary, `${dir}/gatherer`);
  // A script of an earlier build had its runtime and its command line beside it.
  await removeFile(`${dir}/deno`);
  await removeFile(`${dir}/gatherer-cli.js`);
  return undefined;
}

/**
 * Why `deno compile` had no base runtime, from what it said; `undefined` when it failed for another
 * reason. That the base runtime of one's own in DENORT_BIN is missing is another reason.
 */
export function whyNoBaseRuntime(stderr: string): string | undefined {
  return /^ *(?:0: )?Setting up base binary\.?\n *(?:1: )?(.+)/m.exec(stderr)
    ?.[1];
}

/**
 * The executable as plain JavaScript, `DIR/gatherer` and `DIR/gatherer-cli.js`, and a runtime for
 * it, `DIR/deno`.
 *
 * To the kernel it is a shell script, which finds a runtime and hands itself to it; to the runtime
 * it is JavaScript. A shebang cannot do that: it needs an absolute path, and the PATH, HOME and
 * user that Munin runs a plugin with reach neither /usr/local/bin nor a home directory. Therefore
 * the runtime goes along.
 *
 * The script has the Munin plugin alone; the command line is in the file beside it, and only read
 * when it is wanted. Runtime and modules are most of what a plugin run costs: without this it takes
 * three times as long.
 *
 * @param dir Where to put them; made when it is missing.
 * @throws UserError when it cannot be done.
 */
export async function buildScript(dir: string): Promise<void> {
  await Deno.mkdir(dir, { recursive: true });
  const runtime = Deno.execPath();
  const script = header(runtime, await runFlags()) +
    await bundle("scripts/plugin.ts");
  const commandLine = await bundle("main.ts");
  // A gatherer may be running from these files: they are replaced, not overwritten.
  await replaceFile(`${dir}/deno`, (path) => Deno.copyFile(runtime, path));
  await replaceFile(
    `${dir}/gatherer-cli.js`,
    (path) => Deno.writeTextFile(path, commandLine),
  );
  await replaceFile(
    `${dir}/gatherer`,
    (path) => Deno.writeTextFile(path, script),
  );
}

/** The lines for the shell, and for munin-node-configure; to JavaScript they are a comment. */
function header(runtime: string, flags: readonly string[]): string {
  const text = `\
#!/bin/sh
":" /*
# Built by "deno task build". The shell finds a runtime and hands this file to it; to the runtime
# these lines are a comment.
#%# family=auto
#%# capabilities=autoconf suggest
called=$0
case $called in /*) ;; *) called=$PWD/$called ;; esac
self=$called
while [ -L "$self" ]; do
  target=$(readlink "$self") || break
  case $target in /*) self=$target ;; *) self=\${self%/*}/$target ;; esac
done
# Other characters are in nobody's name, and the runtime reads a meaning into some.
name=\${called##*[/]}
case \${name%.py} in *[!A-Za-z0-9_-]*) called=$self ;; esac
usable() { [ -f "$deno" ] && [ -x "$deno" ]; }
deno=\${self%/*}/deno
usable || deno=${shellQuote(runtime)}
usable || deno=$(command -v deno)
usable || deno=/usr/local/bin/deno
usable || deno=/usr/bin/deno
usable || deno=$HOME/.deno/bin/deno
usable || {
  echo "gatherer: no Deno runtime that this user may run: expected \${self%/*}/deno, or deno in" \\
    "/usr/local/bin" >&2
  exit 127
}
export DENO_NO_UPDATE_CHECK=1
exec "$deno" run --quiet --no-config --no-lock --no-remote --no-npm --no-prompt \\
  ${flags.join(" ")} \\
  --ext=mjs "$called" "$@"
# `;
  if (text.includes("*/")) {
    throw new UserError(
      `the path of the runtime, "${runtime}", must not contain "*/"`,
    );
  }
  return `${text}*/;\n`;
}

/** What deno.json lets the executable do, as options of `deno run`. */
async function runFlags(): Promise<string[]> {
  const config = JSON.parse(
    await Deno.readTextFile(new URL("deno.json", root)),
  );
  const set: Record<string, true | string[]> =
    config.permissions[PERMISSION_SET];
  const unstable: string[] = config.unstable;
  return [
    ...unstable.map((feature) => `--unstable-${feature}`),
    ...Object.entries(set).map(([kind, what]) =>
      `--allow-${kind}${what === true ? "" : `=${what.join(",")}`}`
    ),
  ];
}

async function bundle(entry: string): Promise<string> {
  const { success, stdout, stderr } = await deno(["bundle", "--quiet", entry]);
  if (!success) throw new UserError(`deno bundle failed:\n${stderr.trim()}`);
  return stdout;
}

async function deno(
  args: string[],
): Promise<{ success: boolean; stdout: string; stderr: string }> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args,
    cwd: root,
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  return {
    success,
    stdout: decoder.decode(stdout),
    stderr: decoder.decode(stderr),
  };
}

async function replaceFile(
  path: string,
  write: (path: string) => Promise<void>,
): Promise<void> {
  const temporary = `${path}.tmp`;
  await removeFile(temporary);
  await write(temporary);
  await Deno.chmod(temporary, path.endsWith(".js") ? 0o644 : 0o755);
  await Deno.rename(temporary, path);
}

async function removeFile(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

function shellQuote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function say(line: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(`${line}\n`));
}

/** `build.ts [--compile | --script] [DIR]` */
async function main(args: readonly string[]): Promise<number> {
  const form = args.find((arg) => arg.startsWith("--"));
  const [dir = "dist", ...others] = args.filter((arg) => arg !== form);
  if (
    others.length > 0 || ![undefined, "--compile", "--script"].includes(form)
  ) {
    throw new UserError("usage: build.ts [--compile | --script] [DIR]", 2);
  }
  if (form !== "--script") {
    const missing = await compile(dir);
    if (missing === undefined) {
      say(`${dir}/gatherer: compiled`);
      return 0;
    }
    say(`deno compile has no base runtime (${missing})`);
    if (form === "--compile") return 1;
  }
  await buildScript(dir);
  say(
    `${dir}/gatherer: a script, with its command line and its runtime beside it`,
  );
  return 0;
}

if (import.meta.main) {
  try {
    Deno.exitCode = await main(Deno.args);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    say(error.message);
    Deno.exitCode = error.exitCode;
  }
}
