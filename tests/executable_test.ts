import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { buildScript, compile } from "../scripts/build.ts";
import { muninPlugin } from "../lib/cli/munin.ts";
import { systemClock } from "../lib/clock.ts";
import { UserError } from "../lib/errors.ts";
import { tahoeStats as graphs } from "../lib/munin/tahoe_stats.ts";
import {
  builtBinary,
  builtScript,
  type Executable,
  publicTempDir,
  run,
  writeFreshStats,
} from "./executable.ts";

const GRAPH = "tahoe_storage_operations_get";
/** What munin-node gives to a plugin, see its sources, Munin::Node::Service. */
const muninEnv = {
  PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
  LANG: "C",
  LC_ALL: "C",
  MUNIN_CAP_MULTIGRAPH: "1",
  MUNIN_DEBUG: "0",
  MUNIN_MASTER_IP: "",
  MUNIN_PLUGSTATE: "/var/lib/munin-node/plugin-state/nobody",
  MUNIN_STATEFILE: `/var/lib/munin-node/plugin-state/nobody/${GRAPH}-`,
  PYTHONIOENCODING: "utf8:replace",
};

const script = await builtScript();
const binary = await builtBinary();
const stats = await publicTempDir();
const { msgpack, json } = await writeFreshStats(stats);

Deno.test.afterAll(async () => {
  await script[Symbol.asyncDispose]();
  await binary?.[Symbol.asyncDispose]();
  await Deno.remove(stats, { recursive: true });
});

/** Runs as a plugin does under Munin, but as this user. */
function asPlugin(
  command: readonly string[],
  options: { statsfile?: string; cwd?: string; path?: string } = {},
): ReturnType<typeof run> {
  return run(command, {
    clearEnv: true,
    env: {
      ...muninEnv,
      ...options.path && { PATH: options.path },
      statsfile: options.statsfile ?? msgpack,
    },
    cwd: options.cwd ?? "/",
  });
}

/** What the plugin's own code says, called within this process. */
async function expected(graph: string, phase?: string): Promise<string> {
  let text = "";
  await muninPlugin(graph, phase === undefined ? [] : [phase], {
    env: { statsfile: msgpack },
    clock: systemClock,
    stdout: (part) => void (text += part),
    stderr: (line) => {
      throw new Error(line);
    },
  });
  assert(text.length > 0);
  return text;
}

async function assertPlugin(
  command: readonly string[],
  options?: Parameters<typeof asPlugin>[1],
): Promise<void> {
  for (const phase of ["config", undefined]) {
    assertEquals(
      await asPlugin(phase ? [...command, phase] : command, options),
      { code: 0, stdout: await expected(GRAPH, phase), stderr: "" },
    );
  }
}

async function assertCommandLine(
  command: readonly string[],
  options?: Parameters<typeof asPlugin>[1],
): Promise<void> {
  const { code, stdout, stderr } = await asPlugin(
    [...command, "--version"],
    options,
  );
  assertEquals({ code, stderr }, { code: 0, stderr: "" });
  assertMatch(stdout, /^gatherer \d+\.\d+\.\d+\n$/);
}

/** A directory for links beside the executable; removed with it. */
async function linkDir({ dir }: Executable, name?: string): Promise<string> {
  if (name === undefined) {
    const made = await Deno.makeTempDir({ dir });
    await Deno.chmod(made, 0o755);
    return made;
  }
  await Deno.mkdir(`${dir}/${name}`);
  return `${dir}/${name}`;
}

/** Whether programs can be run as another user. */
const canBeNobody = Deno.uid() === 0 &&
  (await run(["sh", "-c", "command -v setpriv"])).code === 0;
const asNobody = [
  ...["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"],
  ...["sh", "-c", 'exec "$0" "$@" <&-'],
];

for (
  const [form, executable] of [
    ["script", script],
    ["compiled", binary],
  ] as const
) {
  const test = (
    name: string,
    fn: (executable: Executable) => Promise<void>,
    ignore = false,
  ) =>
    Deno.test({
      name: `${form}: ${name}`,
      ignore: ignore || executable === undefined,
      fn: () => fn(executable!),
    });

  test("by its own name it is the command line", async ({ path }) => {
    await assertCommandLine([path]);
    const help = await asPlugin([path, "--help"]);
    assertEquals(help.code, 0);
    assertStringIncludes(help.stdout, "Usage: gatherer COMMAND");
    const shell = { clearEnv: true, env: { PATH: muninEnv.PATH } };
    const none = await run([path], shell);
    assertEquals([none.code, none.stdout], [2, ""]);
    // Under Munin it is all graphs at once.
    const all = await asPlugin([path]);
    assertEquals([all.code, all.stdout], [0, await expected("gatherer")]);
    const unknown = await asPlugin([path, "no such"]);
    assertEquals([unknown.code, unknown.stdout], [2, ""]);
    assertMatch(
      unknown.stderr,
      /^gatherer: unknown command "no such"[^\n]*\n$/,
    );
  });

  test("through a link named after a graph it is that graph's plugin", async (executable) => {
    const links = await linkDir(executable);
    const name = executable.path.slice(executable.dir.length);
    await Deno.symlink(executable.path, `${links}/${GRAPH}`);
    await assertPlugin([`${links}/${GRAPH}`]);
    await assertPlugin([`./${GRAPH}`], { cwd: links });
    await assertPlugin([GRAPH], { path: `${links}:${muninEnv.PATH}` });
    // Deno.Command looks the name up by itself, env as Munin's programs do.
    await assertPlugin(["env", GRAPH], { path: `${links}:${muninEnv.PATH}` });
    await assertPlugin(["env", GRAPH], {
      path: `:${muninEnv.PATH}`,
      cwd: links,
    });

    await Deno.symlink(`../${name}`, `${links}/${GRAPH}.py`);
    await assertPlugin([`${links}/${GRAPH}.py`]);
  });

  test("a chain of links counts by the name of its first", async (executable) => {
    const { dir } = executable;
    const links = await linkDir(executable);
    const others = await linkDir(executable, `others-${form}`);
    await Deno.symlink(executable.path, `${others}/tahoe_`);
    await Deno.symlink("tahoe_", `${others}/tahoe_traffic_upload`);
    await Deno.symlink(
      `../others-${form}/tahoe_traffic_upload`,
      `${links}/${GRAPH}`,
    );
    await assertPlugin([`${links}/${GRAPH}`]);

    await Deno.symlink(links, `${dir}/by-directory-${form}`);
    await assertPlugin([`${dir}/by-directory-${form}/${GRAPH}`]);
    await assertPlugin([`./${GRAPH}`], { cwd: `${dir}/by-directory-${form}` });
  });

  test("a name that no graph has makes it the command line", async (executable) => {
    const links = await linkDir(executable);
    for (
      const name of [
        "gatherer",
        "tahoe_",
        "tahoe_storage_operations_ge",
        "tahoe%5Fstorage_operations_get",
        "a b.ts",
        "a.d.ts",
        "a.json",
        "a.wasm",
        "a.cjs",
        "a.node",
        "-h",
        "a:b",
        "http:",
        "näme#1?2%",
        "'\"$HOME`",
        "\n",
      ]
    ) {
      const link = `${links}/${name}`;
      await Deno.symlink(executable.path, link);
      await assertCommandLine([link]);
      await assertCommandLine([`./${name}`], { cwd: links });
    }
  });

  test("a directory with an odd name makes no difference", async (executable) => {
    for (const name of ["é #1?%41 ", "http:", "'\"$HOME`\\", "-n"]) {
      const links = await linkDir(executable, `${name}${form}`);
      await Deno.symlink(executable.path, `${links}/${GRAPH}`);
      await assertPlugin([`${links}/${GRAPH}`]);
      await assertPlugin([`${name}${form}/${GRAPH}`], { cwd: executable.dir });
    }
  });

  test("what lies about in the link's directory is not read", async (executable) => {
    const links = await linkDir(executable);
    for (
      const name of ["deno.json", "package.json", "deno.lock", ".npmrc", ".env"]
    ) {
      await Deno.writeTextFile(`${links}/${name}`, "{ not JSON");
    }
    await Deno.symlink(executable.path, `${links}/${GRAPH}`);
    await assertPlugin([`${links}/${GRAPH}`], { cwd: links });
    await Deno.symlink(executable.path, `${links}/gatherer`);
    await assertCommandLine([`${links}/gatherer`], { cwd: links });
  });

  test("every graph says what the plugin's code says", async (executable) => {
    const links = await linkDir(executable);
    let values = 0;
    for (const { name } of graphs) {
      const link = `${links}/${name}`;
      await Deno.symlink(executable.path, link);
      for (const statsfile of [msgpack, json]) {
        const config = await asPlugin([link, "config"], { statsfile });
        assertEquals(config, {
          code: 0,
          stdout: await expected(name, "config"),
          stderr: "",
        });
        const fetched = await asPlugin([link], { statsfile });
        assertEquals([fetched.code, fetched.stderr], [0, ""]);
        if (fetched.stdout !== "") {
          values++;
          assertEquals(fetched.stdout, await expected(name));
        }
      }
    }
    // In either file, the other eleven draw what the captured nodes did not have.
    assertEquals(values, 2 * 15);
    const spelledOut = await asPlugin([executable.path, "munin", GRAPH]);
    assertEquals(spelledOut.stdout, await expected(GRAPH));
  });

  test("autoconf and suggest are answered", async (executable) => {
    const links = await linkDir(executable);
    await Deno.symlink(executable.path, `${links}/${GRAPH}`);
    assertEquals(await asPlugin([`${links}/${GRAPH}`, "autoconf"]), {
      code: 0,
      stdout: "yes\n",
      stderr: "",
    });
    const suggested = await asPlugin([`${links}/${GRAPH}`, "suggest"]);
    assertEquals([suggested.code, suggested.stderr], [0, ""]);
    assertEquals(suggested.stdout, await expected(GRAPH, "suggest"));
  });

  test("what goes wrong is one line on stderr, exit 1, nothing on stdout", async (executable) => {
    const links = await linkDir(executable);
    const link = `${links}/${GRAPH}`;
    await Deno.symlink(executable.path, link);
    const bytes = await Deno.readFile(msgpack);
    const files: Record<string, Uint8Array> = {
      empty: new Uint8Array(),
      truncated: bytes.subarray(0, bytes.length - 1),
      foreign: new TextEncoder().encode("<html></html>\n"),
    };
    for (const [name, content] of Object.entries(files)) {
      await Deno.writeFile(`${links}/${name}`, content);
    }
    for (
      const [statsfile, reason] of [
        ["", /env\.statsfile/],
        ["/nowhere/to/be found", /\/nowhere\/to\/be found/],
        [`${links}/empty`, /\/empty"/],
        [`${links}/truncated`, /\/truncated"/],
        [`${links}/foreign`, /\/foreign"/],
      ] as const
    ) {
      for (const phase of [[], ["config"]]) {
        const outcome = await asPlugin([link, ...phase], { statsfile });
        assertEquals([outcome.code, outcome.stdout], [1, ""]);
        assertMatch(outcome.stderr, /^tahoe_storage_operations_get: [^\n]+\n$/);
        assertMatch(outcome.stderr, reason);
      }
    }
  });

  test(
    "user nobody, no HOME, no stdin: the plugin runs",
    async (executable) => {
      const links = await linkDir(executable);
      await Deno.symlink(executable.path, `${links}/${GRAPH}`);
      await assertPlugin([...asNobody, `${links}/${GRAPH}`]);
      // munin-run by root leaves HOME as it is.
      await assertPlugin(
        ["env", "HOME=/root", ...asNobody, `${links}/${GRAPH}`],
      );
      const outcome = await asPlugin([...asNobody, `${links}/${GRAPH}`], {
        statsfile: "/proc/1/environ",
      });
      assertEquals([outcome.code, outcome.stdout], [1, ""]);
      assertMatch(outcome.stderr, /^[^\n]+\/proc\/1\/environ[^\n]+\n$/);
    },
    !canBeNobody,
  );

  test("a copy in another directory works, too", async (executable) => {
    const copy = `${await linkDir(executable)}/copy`;
    assertEquals(
      (await run(["cp", "-r", `${executable.dir}/dist`, copy])).code,
      0,
    );
    await Deno.mkdir(`${copy}/plugins`);
    await Deno.symlink("../gatherer", `${copy}/plugins/${GRAPH}`);
    const user = canBeNobody ? asNobody : [];
    await assertPlugin([...user, `${copy}/plugins/${GRAPH}`]);
    await assertCommandLine([...user, `${copy}/gatherer`]);
  });

  test("serve prints a FURL and ends with status 0 at SIGTERM", async ({ path, dir }) => {
    const basedir = `${dir}/base-${form}`;
    const server = new Deno.Command(path, {
      args: ["serve", "--basedir", basedir, "--hostname", "127.0.0.1"],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const stderr = new Response(server.stderr).text();
    const lines = server.stdout.pipeThrough(new TextDecoderStream());
    let stdout = "";
    for await (const text of lines) {
      stdout += text;
      if (!stdout.endsWith("\n")) continue;
      const shown = await run([
        path,
        "dump",
        "--basedir",
        basedir,
        "--format",
        "json",
      ]);
      assertEquals(shown.code, 0);
      const [own] = Object.values<{ nickname: string }>(
        JSON.parse(shown.stdout),
      );
      assertEquals(own.nickname, "gatherer");
      server.kill("SIGTERM");
    }
    assertMatch(
      stdout,
      /^pb:\/\/[a-z2-7]{32}@tcp:127\.0\.0\.1:\d+\/[a-z2-7]+\n$/,
    );
    assertEquals(
      [
        (await server.status).code,
        await server.status.then((s) => s.signal),
      ],
      [0, null],
      await stderr,
    );
    await stderr;
  });

  test("demo shows figures and ends by itself, status 0, when stdout is no terminal", async ({ path }) => {
    const { code, stdout, stderr } = await run([path, "demo"]);
    assertEquals(code, 0, stderr);
    assertMatch(stdout, /alpha/);
    assertMatch(stdout, /^graph_title Tahoe/m);
    assertMatch(stdout, /^alpha_\w{4}\.value \d{10}:\d+$/m);
    assertMatch(stdout, /^beta_\w{4}\.value \d{10}:\d+$/m);
  });
}

/** The script with other text in its shell part, without a runtime beside it. */
async function alteredScript(
  replacements: Record<string, string>,
): Promise<string> {
  const dir = await linkDir(script);
  let text = await Deno.readTextFile(script.path);
  for (const [from, to] of Object.entries(replacements)) {
    assertStringIncludes(text, from);
    text = text.replace(from, () => to);
  }
  await Deno.writeTextFile(`${dir}/gatherer`, text);
  await Deno.chmod(`${dir}/gatherer`, 0o755);
  return `${dir}/gatherer`;
}

/** A program that prints what it was called with. */
async function writeFakeRuntime(path: string): Promise<void> {
  await Deno.writeTextFile(path, '#!/bin/sh\necho "$0"\nprintf "%s|" "$@"\n');
  await Deno.chmod(path, 0o755);
}

Deno.test("script: the runtime beside the real file comes first, then others", async () => {
  const path = await alteredScript({ [`'${Deno.execPath()}'`]: "/none" });
  const dir = path.replace(/\/gatherer$/, "");
  const links = await linkDir(script);
  await Deno.symlink(path, `${links}/link`);
  const args = ["one two", "", "*", "-A"];
  const tail = `|${links}/link|one two||*|-A|`;

  await Deno.mkdir(`${dir}/bin`);
  await writeFakeRuntime(`${dir}/bin/deno`);
  const byPath = await asPlugin([`${links}/link`, ...args], {
    path: `${dir}/bin:${muninEnv.PATH}`,
  });
  assertEquals([byPath.code, byPath.stderr], [0, ""]);
  assertEquals(byPath.stdout.split("\n")[0], `${dir}/bin/deno`);
  assert(byPath.stdout.endsWith(tail), byPath.stdout);

  await writeFakeRuntime(`${dir}/deno`);
  const beside = await asPlugin([`${links}/link`, ...args], {
    path: `${dir}/bin:${muninEnv.PATH}`,
  });
  assertEquals(beside.stdout.split("\n")[0], `${dir}/deno`);
  assert(beside.stdout.endsWith(tail), beside.stdout);
});

Deno.test("script: without any runtime it says so in one line, exit 127", async () => {
  const path = await alteredScript({ '[ -x "$deno" ]': "false" });
  const { code, stdout, stderr } = await asPlugin([path, "--version"]);
  assertEquals([code, stdout], [127, ""]);
  assertMatch(stderr, /^gatherer: no Deno runtime [^\n]+\n$/);
});

Deno.test("script: one that was cut off does not pretend to work", async () => {
  const dir = await linkDir(script);
  await Deno.symlink(`${script.dir}/dist/deno`, `${dir}/deno`);
  const text = await Deno.readTextFile(script.path);
  await Deno.writeTextFile(`${dir}/gatherer`, text.slice(0, -1000));
  await Deno.chmod(`${dir}/gatherer`, 0o755);
  const { code, stdout } = await asPlugin([`${dir}/gatherer`, "--version"]);
  assertEquals([code !== 0, stdout], [true, ""]);
});

Deno.test("script: the plugin's way imports no module of the runtime", async () => {
  const text = await Deno.readTextFile(script.path);
  const plugin = text.slice(0, text.lastIndexOf("\n/*"));
  assertEquals(plugin.match(/^import .*|\brequire\(.*/gm), null);
});

Deno.test("script: munin-node-configure finds its markers", async () => {
  const lines = (await Deno.readTextFile(script.path)).split("\n");
  assert(lines.includes("#%# family=auto"));
  assert(lines.includes("#%# capabilities=autoconf suggest"));
});

Deno.test("building again replaces files that are in use", async () => {
  const dir = await publicTempDir();
  try {
    await Deno.writeTextFile(`${dir}/gatherer`, "old");
    using before = await Deno.open(`${dir}/gatherer`);
    await buildScript(dir);
    assertEquals((await before.stat()).size, 3);
    assertEquals(
      [...Deno.readDirSync(dir)].map(({ name }) => name).sort(),
      ["deno", "gatherer", "gatherer-cli.js"],
    );
    assertEquals((await Deno.stat(`${dir}/gatherer`)).mode! & 0o777, 0o755);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test({
  name: "compile builds the permissions of deno.json in, and no more",
  // Any ELF file serves as a base runtime that is only written.
  ignore: Deno.build.os !== "linux",
  async fn() {
    const dir = await publicTempDir();
    const before = Deno.env.get("DENORT_BIN");
    try {
      Deno.env.set("DENORT_BIN", "/bin/true");
      assertEquals(await compile(dir), undefined);
      const text = new TextDecoder("latin1").decode(
        await Deno.readFile(`${dir}/gatherer`),
      );
      const granted = [...text.matchAll(/"(allow_\w+)":(\[[^\]]*\])/g)]
        .map(([, kind, what]) => `${kind} ${what}`)
        .filter((line) => !line.startsWith("allow_import")).sort();
      assertEquals(granted, [
        "allow_env []",
        "allow_net []",
        "allow_read []",
        "allow_run []",
        'allow_sys ["networkInterfaces","hostname","loadavg","systemMemoryInfo","osUptime","statfs"]',
        "allow_write []",
      ]);
      assertStringIncludes(text, '"prompt":false');

      Deno.env.set("DENORT_BIN", `${dir}/none`);
      const error = await assertRejects(() => compile(dir), UserError);
      assertStringIncludes(error.message, `${dir}/none`);
    } finally {
      if (before === undefined) Deno.env.delete("DENORT_BIN");
      else Deno.env.set("DENORT_BIN", before);
      await Deno.remove(dir, { recursive: true });
    }
  },
});
