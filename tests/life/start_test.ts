import { assert, assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import { fakeCommand, World } from "./world.ts";

const none = { stdout: "", stderr: "" };

Deno.test("start returns when it is ready and says nothing; stop when it is gone", async () => {
  await using world = await World.make();
  assertEquals(await world.run("start"), { code: 0, ...none });
  assertEquals(await world.names(), [
    "control.sock",
    "gatherer.log",
    "gatherer.pid",
  ]);
  assertEquals(await world.mode("gatherer.log"), "640");
  const log = await world.read("gatherer.log");
  assertMatch(log, /^\S+ info {4}the fake starts\n$/);
  assertEquals((await world.run("status")).code, 0);
  const gone = world.free();
  assertEquals(await world.run("stop"), { code: 0, ...none });
  await gone;
  assertEquals(await world.names(), ["gatherer.log"]);
  assertMatch(
    await world.read("gatherer.log"),
    /stopping: gatherer stop\n.*the fake has stopped\n$/,
  );
});

Deno.test("a private base directory is private from the start", async () => {
  await using world = await World.make();
  assertEquals((await world.run("start", ["--private"])).code, 0);
  assertEquals(await world.mode("."), "700");
  assertEquals((await world.run("stop")).code, 0);
});

Deno.test("start, where one runs already: one line, exit code 1, and nothing is touched", async () => {
  await using world = await World.make();
  await world.run("start");
  const pid = await world.pid();
  const log = await world.read("gatherer.log");
  assertEquals(await world.run("start"), {
    code: 1,
    stdout: "",
    stderr:
      `gatherer: a gatherer runs on ${world.basedir} already, as process ${pid}; ` +
      `to end it: gatherer stop --basedir ${world.basedir}\n`,
  });
  assertEquals(await world.pid(), pid);
  assertEquals(await world.read("gatherer.log"), log);
});

Deno.test("several starts at once: one succeeds", async () => {
  await using world = await World.make();
  const outcomes = await Promise.all([1, 2, 3].map(() => world.run("start")));
  assertEquals(outcomes.map(({ code }) => code).sort(), [0, 1, 1]);
  const pid = await world.pid();
  for (const { code, stderr } of outcomes) {
    if (code === 0) assertEquals(stderr, "");
    else assertMatch(stderr, new RegExp(`already, as process ${pid};.*\n$`));
  }
});

Deno.test("a start that fails says why, as serve would have", async () => {
  await using world = await World.make();
  // What is in the log from before is none of it.
  await Deno.mkdir(world.basedir);
  await Deno.writeTextFile(join(world.basedir, "gatherer.log"), "of old\n");
  const { code, stdout, stderr } = await world.run("start", [], {
    FAKE: "fail",
  });
  assertEquals([code, stdout], [1, ""]);
  assertMatch(
    stderr,
    /^\S+ info {4}the fake starts\ngatherer: cannot listen on port 1: no\n$/,
  );
  assertEquals((await world.run("status")).code, 3);
  assertEquals(await world.read("gatherer.log"), `of old\n${stderr}`);
});

Deno.test("a start that ends without a word has at least that said", async () => {
  await using world = await World.make();
  const { code, stderr } = await world.run("start", [], { FAKE: "exit" });
  assertEquals(code, 1);
  assertMatch(
    stderr,
    /\ngatherer: it ended before it was ready, with exit code 7\n$/,
  );
});

Deno.test("what a dying runtime says is in the log", async () => {
  await using world = await World.make();
  const { code, stderr } = await world.run("start", [], {
    FAKE: "throw",
  });
  assertEquals(code, 1);
  assertMatch(stderr, /Uncaught .*out of the blue/);
  assertMatch(await world.read("gatherer.log"), /Uncaught .*out of the blue/);
});

Deno.test("wrong usage is said before anything is made", async () => {
  await using world = await World.make();
  const { code, stderr } = await world.run("start", ["--interval=0"]);
  assertEquals(code, 2);
  assertMatch(stderr, /^gatherer: --interval[^\n]*\n$/);
  assertEquals(await exists(world.basedir), false);
});

Deno.test("a base directory that cannot be: one line", async () => {
  await using world = await World.make("missing/base");
  const { code, stderr } = await world.run("start");
  assertEquals([code, stderr.split("\n").length], [1, 2]);
  assertMatch(stderr, /^gatherer: .*missing\/base/);
});

Deno.test("no room for temporary files: one line", async () => {
  await using world = await World.make();
  const env = { TMPDIR: world.beside("missing") };
  const { code, stderr } = await world.run("start", [], env);
  assertEquals(code, 1);
  assertEquals(
    stderr,
    "gatherer: no temporary directory can be made: no such file or directory; " +
      "name another place for them with TMPDIR\n",
  );
});

Deno.test("start with everything closed", async () => {
  await using world = await World.make();
  const closed = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh"];
  assertEquals(await world.wrapped(closed, "start"), { code: 0, ...none });
  assertEquals((await world.run("status")).code, 0);
});

Deno.test("start from a terminal that is closed afterwards", async () => {
  await using world = await World.make();
  const { code } = await new Deno.Command("script", {
    args: ["-qec", world.words("start").join(" "), "/dev/null"],
    stdin: "null",
    stdout: "null",
  }).output();
  assertEquals(code, 0);
  // Its session is its own: the end of the terminal was not its end.
  assertEquals((await world.run("status")).code, 0);
  assertEquals((await world.run("stop")).code, 0);
  assert(!(await world.read("gatherer.log")).includes("SIGHUP"));
});

Deno.test("Ctrl-C while it waits ends what was started", async () => {
  await using world = await World.make();
  const child = world.spawn("start", { FAKE: "slow" });
  await world.until("gatherer.log", "the fake starts");
  child.process.kill("SIGINT");
  assertEquals(await child.outcome, {
    code: 1,
    stdout: "",
    stderr: "gatherer: given up; what had been started has ended\n",
  });
  assertEquals((await world.run("status")).code, 3);
});

Deno.test("what nobody waits for any more ends by itself", async () => {
  await using world = await World.make();
  const child = world.spawn("start", { FAKE: "slow" });
  await world.until("gatherer.log", "the fake starts");
  child.process.kill("SIGKILL");
  await world.free();
  assertMatch(
    await world.read("gatherer.log"),
    /within 5 s of the end of "gatherer start"\n$/,
  );
});

Deno.test("no secret gets into the log by way of stdout", async () => {
  await using world = await World.make();
  await world.run("start");
  await world.run("stop");
  assert(!(await world.read("gatherer.log")).includes("secret"));
});

Deno.test("stop: none is running, or there is no such directory, or it takes too long", async () => {
  await using world = await World.make();
  const missing = await world.run("stop");
  assertEquals(missing.code, 1);
  assertMatch(
    missing.stderr,
    /^gatherer: there is no base directory [^\n]*\n$/,
  );
  await Deno.mkdir(world.basedir);
  assertEquals(await world.run("stop"), {
    code: 0,
    stdout: "",
    stderr: `gatherer: none is running on ${world.basedir}\n`,
  });
  await world.run("start", [], { FAKE: "stubborn" });
  const late = await world.run("stop", ["--timeout=0.5"]);
  assertEquals(late.code, 1);
  assertMatch(
    late.stderr,
    /^gatherer: .* has not ended within 0.5 s; .*: kill -9 \d+\n$/,
  );
});

Deno.test("stop ends one that is starting, and cannot be asked yet", async () => {
  await using world = await World.make();
  const child = world.spawn("start", { FAKE: "slow" });
  await world.until("gatherer.log", "the fake starts");
  assertEquals((await world.run("status")).code, 4);
  assertEquals(await world.run("stop"), { code: 0, ...none });
  assertEquals((await child.outcome).code, 1);
});

Deno.test("restart: another process with the same options, from wherever it is called", async () => {
  await using world = await World.make();
  const config = world.beside("its.toml");
  await Deno.writeTextFile(config, "interval = 30\n");
  // Relative paths are meant from where it was started.
  const outcome = await new Deno.Command(fakeCommand[0], {
    args: [
      ...fakeCommand.slice(1),
      "start",
      "--basedir=base",
      "--config=its.toml",
    ],
    cwd: world.beside("."),
  }).output();
  assertEquals(outcome.code, 0);
  const before = await world.pid();
  assertEquals(await world.run("restart"), { code: 0, ...none });
  const after = await world.pid();
  assert(after !== undefined && after !== before);
  const interval = async () =>
    JSON.parse((await world.run("status", ["--json"])).stdout).intervalSeconds;
  assertEquals(await interval(), 30);

  // Other options are all there is then.
  assertEquals((await world.run("restart", ["--interval=20"])).code, 0);
  assertEquals(await interval(), 20);

  // What cannot be is said before it is ended.
  const running = await world.pid();
  assertEquals((await world.run("restart", ["--interval=x"])).code, 2);
  assertEquals(await world.pid(), running);
  await world.run("stop");
  assertEquals((await world.run("restart")).code, 0);
});

Deno.test("restart leaves alone what systemd runs", async () => {
  await using world = await World.make();
  const child = world.spawn("serve", { NOTIFY_SOCKET: "@nobody-listens" });
  await child.until("cannot tell systemd");
  const { code, stderr } = await world.run("restart");
  assertEquals(code, 1);
  assertMatch(stderr, /systemctl restart\n$/);
  assertEquals(await world.pid(), child.process.pid);
});

Deno.test("reload prints the plan; what cannot be used is exit code 1 and the reason", async () => {
  await using world = await World.make();
  assertEquals((await world.run("reload")).code, 1);
  await world.run("start");
  assertEquals(await world.run("reload"), {
    code: 0,
    stdout: "stop    web\nstart   rrd\nkeep    munin\n",
    stderr: "",
  });
  await world.run("stop");
  await world.run("start", [], { FAKE: "bad" });
  assertEquals(await world.run("reload"), {
    code: 1,
    stdout: "",
    stderr: "gatherer: gatherer.toml:3: what is this?\n",
  });
  assertEquals((await world.run("status")).code, 0);
});

Deno.test("retire prints what it did", async () => {
  await using world = await World.make();
  await world.run("start");
  assertEquals(await world.run("retire", ["web-2"]), {
    code: 0,
    stdout: "retired web-2 (key-of-web-2)\n",
    stderr: "",
  });
  assertEquals(
    (await world.run("retire", ["web-2", "--undo"])).stdout,
    "brought back web-2 (key-of-web-2)\n",
  );
  assertEquals(await world.run("retire", ["nobody"]), {
    code: 1,
    stdout: "",
    stderr: 'gatherer: no node is called "nobody"\n',
  });
  assertEquals((await world.run("retire")).code, 2);
});

Deno.test("status: exit codes, and all of it as JSON", async () => {
  await using world = await World.make();
  assertEquals((await world.run("status")).code, 2);
  await world.run("start", [], { FAKE: "unwell" });
  const unwell = await world.run("status");
  assertEquals(unwell.code, 1);
  assertMatch(unwell.stdout, /^not well {7}the disk is full$/m);
  await world.run("stop");
  await world.run("start", [], { FAKE: "many" });
  const { code, stdout } = await world.run("status", ["--json"]);
  const status = JSON.parse(stdout);
  assertEquals([code, status.nodes.length], [0, 10_002]);
  assertEquals(status.nodes[10_001].nickname, "n9999");
  const all = await world.run("status", ["--all"]);
  assertEquals(all.stdout.split("\n").length > 10_000, true);
  assertEquals((await world.run("status", ["--all", "--json"])).code, 2);
});

Deno.test("status: a log that cannot be written is not well", async () => {
  await using world = await World.make();
  const logs = world.beside("logs");
  await Deno.mkdir(logs);
  const log = ["--log-file", join(logs, "log")];
  assertEquals((await world.run("start", log)).code, 0);
  assertEquals((await world.run("status")).code, 0);
  await Deno.remove(logs, { recursive: true });
  assertEquals((await world.run("reload")).code, 0);
  const lost = await world.run("status");
  assertEquals(lost.code, 1);
  assertMatch(
    lost.stdout.replaceAll(/\s+/g, " "),
    / not well lines cannot be written to the log file ".*log": no such file/,
  );
  await Deno.mkdir(logs);
  assertEquals((await world.run("reload")).code, 0);
  assertEquals((await world.run("status")).code, 0);
  assertEquals((await world.run("stop")).code, 0);
});

Deno.test("a base directory whose path no socket could have", async () => {
  await using world = await World.make("x".repeat(200));
  assertEquals((await world.run("start")).code, 0);
  assertEquals(await world.names(), [
    "control.sock",
    "gatherer.log",
    "gatherer.pid",
  ]);
  assertEquals((await world.run("status")).code, 0);
  assertEquals((await world.run("reload")).code, 0);
  assertEquals((await world.run("stop")).code, 0);
});

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}
