import { assert, assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import { kill, World } from "./world.ts";

const FURL = "pb://secret@127.0.0.1:1/swissnum\n";

Deno.test("a gatherer has its base directory from before its start until its end", async () => {
  await using world = await World.make();
  const child = world.spawn("serve");
  await child.until(FURL);
  assertEquals(await world.names(), ["control.sock", "gatherer.pid"]);
  assertEquals(await world.read("gatherer.pid"), `${child.process.pid}\n`);
  assertEquals(await world.mode("gatherer.pid"), "600");
  assertEquals(await world.mode("control.sock"), "600");
  assertEquals(await world.pid(), child.process.pid);
  child.process.kill("SIGTERM");
  const { code, stdout, stderr } = await child.outcome;
  assertEquals([code, stdout], [0, FURL]);
  assertMatch(stderr, /stopping: SIGTERM\n.*the fake has stopped\n$/);
  assertEquals(await world.names(), []);
});

Deno.test("of several that are started at once, one runs, and the others name it", async () => {
  await using world = await World.make();
  for (let round = 0; round < 3; round++) {
    const children = [1, 2, 3, 4].map(() => world.spawn("serve"));
    const ends = children.map(async (child) => {
      const end = await Promise.race([child.until(FURL), child.outcome]);
      return { child, end };
    });
    const ready = (await Promise.all(ends)).filter(({ end }) => !end);
    assertEquals(ready.length, 1);
    const [{ child: first }] = ready;
    for (const child of children.filter((child) => child !== first)) {
      assertEquals(await child.outcome, {
        code: 1,
        stdout: "",
        stderr:
          `gatherer: a gatherer runs on ${world.basedir} already, as process ${first.process.pid}; ` +
          `to end it: gatherer stop --basedir ${world.basedir}\n`,
      });
    }
    first.process.kill("SIGINT");
    assertEquals((await first.outcome).code, 0);
  }
});

Deno.test("a second one touches nothing before it has given up", async () => {
  await using world = await World.make();
  const child = world.spawn("serve");
  await child.until(FURL);
  await Deno.chmod(world.basedir, 0o755);
  const before = await snapshotOf(world);
  assertEquals((await world.run("serve", ["--private"])).code, 1);
  assertEquals(await snapshotOf(world), before);
});

async function snapshotOf(world: World): Promise<unknown> {
  const files = [];
  for (const name of [".", ...await world.names()]) {
    const { ino, mtime, mode } = await Deno.lstat(join(world.basedir, name));
    files.push({ name, ino, mtime, mode });
  }
  return files;
}

Deno.test("a pid file that was left behind is no gatherer, whoever has its number now", async () => {
  await using world = await World.make();
  await Deno.mkdir(world.basedir);
  const path = join(world.basedir, "gatherer.pid");
  // A living process, one that cannot be, and what a crash may leave.
  for (const text of [`${Deno.pid}\n`, "4194305\n", "", "12", "garbage\0\n"]) {
    await Deno.writeTextFile(path, text);
    assertEquals((await world.run("status")).code, 3, text);
    const child = world.spawn("serve");
    await child.until(FURL);
    assertEquals(await world.read("gatherer.pid"), `${child.process.pid}\n`);
    child.process.kill("SIGTERM");
    assertEquals((await child.outcome).code, 0);
  }
});

Deno.test("after kill -9 the next one starts, and removes what was left", async () => {
  await using world = await World.make();
  const first = world.spawn("serve");
  await first.until(FURL);
  first.process.kill("SIGKILL");
  await first.outcome;
  assertEquals(await world.names(), ["control.sock", "gatherer.pid"]);
  await Deno.mkdir(join(world.basedir, ".control-half"));
  assertEquals((await world.run("status")).code, 3);
  const second = world.spawn("serve");
  await second.until(FURL);
  assertEquals(await world.names(), ["control.sock", "gatherer.pid"]);
  assertEquals((await world.run("status")).code, 0);
});

Deno.test("SIGHUP reloads: the log says what was done, and is opened again", async () => {
  await using world = await World.make();
  const log = join(world.basedir, "its.log");
  const child = world.spawn("serve", {}, ["--log-file", log]);
  await child.until(FURL);
  await Deno.rename(log, `${log}.1`);
  child.process.kill("SIGHUP");
  await world.until("its.log", "keep munin");
  assertEquals(
    (await world.read("its.log")).split("\n").map((line) => line.slice(25)),
    [
      "info    reloaded: stop web; start rrd; keep munin",
      "",
    ],
  );
});

Deno.test("SIGHUP with a configuration that cannot be used is one line, and no more", async () => {
  await using world = await World.make();
  const child = world.spawn("serve", { FAKE: "bad" });
  await child.until(FURL);
  child.process.kill("SIGHUP");
  await child.until("what is this?");
  child.process.kill("SIGTERM");
  const { code, stderr } = await child.outcome;
  assertEquals(code, 0);
  assertEquals(
    stderr.match(/^\S+ error .*$/gm)?.map((line) => line.slice(25)),
    [
      "error   reload failed, and nothing has changed: gatherer.toml:3: what is this?",
    ],
  );
});

Deno.test("a second signal ends at once", async () => {
  await using world = await World.make();
  const child = world.spawn("serve", { FAKE: "stubborn" });
  await child.until(FURL);
  child.process.kill("SIGTERM");
  await child.until("stopping: SIGTERM");
  child.process.kill("SIGINT");
  assertEquals((await child.process.status).signal, "SIGINT");
});

Deno.test("what does not stop, or leaves something running, is over after 5 s, and says so", async () => {
  await Promise.all(["stubborn", "lingers"].map(async (FAKE) => {
    await using world = await World.make();
    const child = world.spawn("serve", { FAKE });
    await child.until(FURL);
    const begun = performance.now();
    child.process.kill("SIGTERM");
    // Should it never end.
    const timer = setTimeout(() => child.process.kill("SIGKILL"), 20_000);
    const { code, stderr } = await child.outcome;
    clearTimeout(timer);
    const took = performance.now() - begun;
    assertEquals(code, 1, FAKE);
    assertMatch(
      stderr,
      /\ngatherer: not everything could be closed within 5 s of SIGTERM\n$/,
    );
    assert(took > 4900 && took < 8000, `${FAKE}: ${took} ms`);
  }));
});

Deno.test("a signal during a start that does not end is over after 5 s, too", async () => {
  await using world = await World.make();
  const child = world.spawn("serve", { FAKE: "slow" });
  await child.until("the fake starts");
  child.process.kill("SIGTERM");
  assertEquals((await child.outcome).code, 1);
});

for (const redirected of ["", " 2>/dev/null"]) {
  Deno.test(`a foreground gatherer${redirected} ends with its terminal`, async () => {
    await using world = await World.make();
    const command = `exec ${world.words("serve").join(" ")}${redirected}`;
    // A terminal of its own, which is gone when script is.
    const script = new Deno.Command("script", {
      args: ["-qec", command, "/dev/null"],
      stdin: "null",
      stdout: "null",
    }).spawn();
    await world.until("gatherer.pid", "\n");
    const pid = await world.pid();
    assert(pid !== undefined);
    await listening(world);
    const free = world.free().then(() => "free");
    script.kill("SIGKILL");
    const overdue = Promise.withResolvers<void>();
    const timer = setTimeout(overdue.resolve, 10_000);
    const event = await Promise.race([free, overdue.promise]);
    clearTimeout(timer);
    if (!event) Deno.kill(pid, "SIGKILL");
    assertEquals(event, "free");
    assertEquals(await world.names(), []);
    await script.status;
  });
}

/** Resolves when there is a control socket, that is, a gatherer is ready. */
async function listening(world: World): Promise<void> {
  using watcher = Deno.watchFs(world.basedir);
  if ((await world.names()).includes("control.sock")) return;
  for await (const _event of watcher) {
    if ((await world.names()).includes("control.sock")) return;
  }
}

Deno.test("a pid file that is removed meanwhile is made again with the next round", async () => {
  await using world = await World.make();
  const child = world.spawn("serve");
  await child.until(FURL);
  await Deno.remove(join(world.basedir, "gatherer.pid"));
  child.process.kill("SIGUSR2");
  await world.until("gatherer.pid", `${child.process.pid}\n`);
  assertEquals((await world.run("serve")).code, 1);
  assertEquals(await world.pid(), child.process.pid);
});

Deno.test("if another has taken the directory meanwhile, the first one ends", async () => {
  await using world = await World.make();
  const first = world.spawn("serve");
  await first.until(FURL);
  await Deno.remove(join(world.basedir, "gatherer.pid"));
  const second = world.spawn("serve");
  await second.until(FURL);
  first.process.kill("SIGUSR2");
  const { code, stderr } = await first.outcome;
  assertEquals(code, 1);
  assertMatch(stderr, /error .*a gatherer runs on .* already/);
  // The second one's files are its own.
  assertEquals(await world.names(), ["control.sock", "gatherer.pid"]);
  assertEquals(await world.pid(), second.process.pid);
  assertEquals((await world.run("status")).code, 0);
  kill(second.process.pid, "SIGTERM");
  assertEquals((await second.outcome).code, 0);
});
