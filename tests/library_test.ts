import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { systemClock } from "../lib/clock.ts";
import { startGatherer } from "../lib/gatherer/gatherer.ts";
import { decodeSnapshot } from "../lib/snapshot/codec.ts";
import { run } from "./executable.ts";

const program = `\
import { connect, StatsProvider } from "gatherer";

const stats = new StatsProvider();
await using _gatherer = connect(stats, { furl: Deno.args[0], nickname: "outsider" });
stats.count("outsider.jobs_done", 3);

// Work, until stdin ends.
for await (const _ of Deno.stdin.readable);
`;

Deno.test("a program outside the repository is a node with three lines", async () => {
  const dir = await Deno.makeTempDir();
  await using cleanup = new AsyncDisposableStack();
  cleanup.defer(() => Deno.remove(dir, { recursive: true }));
  const { imports } = JSON.parse(
    await Deno.readTextFile(new URL("../deno.json", import.meta.url)),
  );
  const gatherer = new URL("../mod.ts", import.meta.url).href;
  await Deno.writeTextFile(
    `${dir}/deno.json`,
    JSON.stringify({ imports: { ...imports, gatherer } }),
  );
  await Deno.writeTextFile(`${dir}/program.ts`, program);
  cleanup.use(
    await startGatherer({
      basedir: `${dir}/base`,
      clock: systemClock,
      host: "127.0.0.1",
      hostname: "127.0.0.1",
      port: 0,
      intervalMs: 1000,
    }),
  );
  const rounds = Deno.watchFs(`${dir}/base`);
  const node = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "--no-prompt", "--allow-net=127.0.0.1"],
      ...[`--allow-read=${dir}`, `--allow-write=${dir}`],
      ...["program.ts", `${dir}/base/stats_gatherer.furl`],
    ],
    cwd: dir,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const said = Promise.all(
    [node.stdout, node.stderr].map((stream) => new Response(stream).text()),
  );
  let ended = false;
  const status = node.status.finally(() => ended = true);
  cleanup.defer(async () => {
    if (!ended) node.kill("SIGKILL");
    await status;
    await said;
  });
  // When it has not attached by then, it never will.
  const deadline = setTimeout(() => node.kill("SIGKILL"), 20_000);
  cleanup.defer(() => clearTimeout(deadline));
  void status.then(() => rounds.close());
  let counted: unknown;
  for await (const _ of rounds) {
    const snapshot = decodeSnapshot(
      await Deno.readFile(`${dir}/base/stats.msgpack`),
    );
    counted = snapshot.find(({ nickname }) => nickname === "outsider")
      ?.counters.get("outsider.jobs_done");
    if (counted !== undefined) break;
  }
  assertEquals(counted, 3n, ended ? (await said).join("\n") : undefined);

  await node.stdin.close();
  assertEquals((await status).code, 0);
  // A library logs nothing unless it is told to.
  assertEquals(await said, ["", ""]);
});

Deno.test("the package can be published: no slow types, and nothing to warn of but the import of plugins", async () => {
  const { code, stderr } = await run([
    ...[Deno.execPath(), "publish", "--dry-run", "--allow-dirty"],
  ], {
    cwd: new URL("..", import.meta.url),
    env: { NO_COLOR: "1" },
  });
  assertEquals(code, 0, stderr);
  assertStringIncludes(stderr, "Checking for slow types");
  // Which files are plugins of others is known at run time only.
  assertEquals(
    stderr.match(/^ *(warning|error)\b.*\n.*/gim)?.map((warning) =>
      warning.replace(/ *--> .*\/(lib\/[^:]*):.*/, " $1").replace("\n", "")
    ),
    [
      "warning[unanalyzable-dynamic-import]: unable to analyze dynamic import " +
      "lib/gatherer/plugin_thread.ts",
    ],
    stderr,
  );
  const files = stderr.match(/file:\S+/g)?.join("\n") ?? "";
  assertMatch(files, /\/mod\.ts$/m);
  assertEquals(/\/(tests|bench|scripts)\//.test(files), false);
});
