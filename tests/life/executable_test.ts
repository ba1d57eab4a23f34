import { assert, assertEquals, assertMatch } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { builtBinary, builtScript, run } from "../executable.ts";
import { World } from "./world.ts";

/** The real gatherer in the forms in which it can be run: each must find itself to start itself. */

const script = await builtScript();
const binary = await builtBinary();

Deno.test.afterAll(async () => {
  await script[Symbol.asyncDispose]();
  await binary?.[Symbol.asyncDispose]();
});

const root = new URL("../../", import.meta.url);
const forms: [name: string, command: string[] | undefined][] = [
  ["script", [script.path]],
  ["compiled", binary && [binary.path]],
  ["source", [
    Deno.execPath(),
    "run",
    "--quiet",
    "--config",
    fromFileUrl(new URL("deno.json", root)),
    "-P=gatherer",
    fromFileUrl(new URL("main.ts", root)),
  ]],
];

const none = { stdout: "", stderr: "" };

for (const [form, command] of forms) {
  Deno.test({
    name: `${form}: start, status, reload, restart, stop`,
    ignore: command === undefined,
    async fn() {
      await using world = await World.make("base", command);
      assertEquals(await world.run("start"), { code: 0, ...none });
      const first = await world.run("status");
      assertEquals([first.code, first.stderr], [0, ""]);
      assertMatch(first.stdout, /^state {10}ready for \d+ s$/m);
      assertMatch(first.stdout, /^well {11}yes$/m);
      assertEquals((await world.run("reload")).code, 0);
      const pid = await world.pid();
      assertEquals(await world.run("restart"), { code: 0, ...none });
      assert(await world.pid() !== pid);
      assertEquals(await world.run("stop"), { code: 0, ...none });
      assertEquals((await world.run("status")).code, 3);
      const furl = (await world.read("stats_gatherer.furl")).trim();
      assertMatch(furl, /^pb:/);
      const log = await world.read("gatherer.log");
      assert(!log.includes(furl.slice(furl.lastIndexOf("/") + 1)), log);
    },
  });
}

Deno.test("script: a real failure is on the terminal of whoever typed the command", async () => {
  await using world = await World.make("base", [script.path]);
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { code, stdout, stderr } = await world.run("start", [
    `--munin=127.0.0.1:${listener.addr.port}`,
  ]);
  assertEquals([code, stdout], [1, ""]);
  assertMatch(
    stderr,
    new RegExp(`^gatherer: .*${listener.addr.port}[^\n]*\n$`),
  );
});

Deno.test("script: a reload of files that cannot be used changes nothing, whichever it is", async () => {
  await using world = await World.make("base", [script.path]);
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const config = world.beside("gatherer.toml");
  const graphs = world.beside("graphs.json");
  const configure = (...lines: string[]) =>
    Deno.writeTextFile(
      config,
      [`basedir = "${world.basedir}"`, ...lines].join("\n"),
    );
  const munin = ["[munin]", `listen = 0`, `graphs = "${graphs}"`];
  await Deno.writeTextFile(graphs, "{}");
  await configure(...munin);
  assertEquals(
    await run([script.path, "start", "--config", config]),
    { code: 0, ...none },
  );
  const reload = async () => {
    const { code, stderr } = await world.run("reload");
    return code === 0 ? "" : stderr;
  };
  await configure("interval = = 3", ...munin);
  assertMatch(await reload(), /^gatherer: .*gatherer\.toml:2:\d+: /);
  await configure(...munin);
  await Deno.writeTextFile(graphs, "{{{");
  assertMatch(await reload(), /^gatherer: .*graphs\.json:1:2: /);
  await Deno.writeTextFile(graphs, "{}");
  await configure("[log]", 'file = "missing/log"');
  assertMatch(await reload(), /^gatherer: cannot write the log file /);
  // What could not be followed then is not what is gone back to now.
  await configure("[munin]", `listen = ${taken.addr.port}`);
  assertMatch(await reload(), /^gatherer: .*port \d+ is in use/);
  const { stdout } = await world.run("status");
  assertMatch(stdout, /^listening .*\(nodes\)\n +127\.0\.0\.1:\d+ \(munin\)$/m);
  await configure("interval = 30", ...munin);
  assertEquals(await reload(), "");
  // The base directory cannot change, and so the log in it does not either.
  const log = world.read("gatherer.log");
  await Deno.writeTextFile(config, `basedir = "${world.beside("other")}"`);
  assertEquals(await reload(), "");
  assert((await world.read("gatherer.log")).length > (await log).length);
  assertEquals((await world.run("stop")).code, 0);
});

/** Whether programs can be run as another user. */
const isRoot = Deno.uid() === 0 &&
  (await run(["id", "-u", "nobody"])).code === 0;

/** A gmetad with everything in one directory, on any ports. */
async function withGmetad(
  test: (
    gmetad: (...args: string[]) => string[],
    world: World,
  ) => Promise<void>,
): Promise<void> {
  await using world = await World.make("gatherer", [script.path]);
  await Deno.chmod(world.beside("."), 0o755);
  const conf = world.beside("gmetad.conf");
  await Deno.writeTextFile(
    conf,
    `rrd_rootdir "${world.beside("rrds")}"\nwrite_rrds off\n`,
  );
  const link = world.beside("gmetad");
  await Deno.symlink(script.path, link);
  await test(
    (...args) => [link, "-c", conf, "-x", "0", "-i", "0", ...args],
    world,
  );
}

/** User, group and other groups of a process, by number. */
async function identity(pid: number): Promise<string[]> {
  const { stdout } = await run(
    ["ps", "-o", "uid=,gid=,supgid=", "-p", String(pid)],
  );
  return stdout.trim().split(/\s+/);
}

Deno.test("gmetad goes to the background when it is ready, with a pid file", async () => {
  await withGmetad(async (gmetad, world) => {
    const pidFile = world.beside("gmetad.pid");
    assertEquals(await run(gmetad("--pid-file", pidFile)), {
      code: 0,
      ...none,
    });
    const pid = await world.pid();
    assertEquals(await Deno.readTextFile(pidFile), `${pid}\n`);
    const again = await run(gmetad());
    assertEquals(again.code, 1);
    assertMatch(again.stderr, new RegExp(`^gmetad: .*as process ${pid};.*\n$`));
    assertEquals(await world.run("stop"), { code: 0, ...none });
  });
});

Deno.test({
  name: "gmetad gives up all of root's rights, its groups too",
  ignore: !isRoot,
  async fn() {
    const nobody = ["-u", "-g"].map(async (option) =>
      (await run(["id", option, "nobody"])).stdout.trim()
    );
    const expected = [...await Promise.all(nobody), "-"];
    // Root with more groups than its own.
    const withGroups = ["setpriv", "--groups=0,4,24"];
    for (const foreground of [false, true]) {
      await withGmetad(async (gmetad, world) => {
        const pidFile = world.beside("gmetad.pid");
        const command = [...withGroups, ...gmetad("-p", pidFile)];
        if (!foreground) {
          assertEquals(await run(command), { code: 0, ...none });
        }
        const launcher = foreground
          ? new Deno.Command(command[0], {
            args: [...command.slice(1), "--foreground"],
            stdin: "null",
            stderr: "null",
          }).spawn()
          : undefined;
        await world.until("gatherer.pid", "\n");
        const pid = await world.pid();
        assert(pid !== undefined);
        assertEquals(await identity(pid), expected);
        const { uid } = await Deno.stat(world.basedir);
        assertEquals(String(uid), expected[0]);
        assertEquals(await Deno.readTextFile(pidFile), `${pid}\n`);
        if (launcher) {
          launcher.kill("SIGTERM");
          assertEquals((await launcher.status).code, 0);
          assertEquals(await world.pid(), undefined);
        } else assertEquals((await world.run("stop")).code, 0);
      });
    }
  },
});

Deno.test({
  name: "root makes nothing where a link in another user's directory leads",
  ignore: !isRoot,
  async fn() {
    await withGmetad(async (gmetad, world) => {
      const nobody = ["-u", "-g"].map(async (option) =>
        Number((await run(["id", option, "nobody"])).stdout)
      );
      const [uid, gid] = await Promise.all(nobody);
      await Deno.mkdir(world.basedir);
      await Deno.chown(world.basedir, uid, gid);
      const elsewhere = world.beside("elsewhere");
      const log = `${world.basedir}/gatherer.log`;
      await Deno.symlink(elsewhere, log);
      const { code, stderr } = await run(gmetad());
      assertEquals(code, 1);
      assertMatch(stderr, /gatherer\.log: Permission denied\n/);
      assertEquals((await run(["ls", elsewhere])).stdout, "");
      await Deno.remove(log);
      assertEquals((await run(gmetad())).code, 0);
      const made = await Deno.stat(log);
      assertEquals([made.uid, made.mode! & 0o777], [uid, 0o640]);
      assertEquals((await world.run("stop")).code, 0);
    });
  },
});

Deno.test({
  name: "gmetad says which user there is not, before anything is started",
  ignore: !isRoot,
  async fn() {
    await withGmetad(async (gmetad, world) => {
      const conf = world.beside("gmetad.conf");
      await Deno.writeTextFile(conf, 'setuid_username "no-such-user"\n', {
        append: true,
      });
      const { code, stderr } = await run(gmetad());
      assertEquals(
        [code, stderr],
        [1, 'gmetad: there is no user "no-such-user"\n'],
      );
    });
  },
});
