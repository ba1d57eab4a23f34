import { assertEquals, assertRejects } from "@std/assert";
import { UserError } from "../../lib/errors.ts";
import { Retired } from "../../lib/gatherer/retired.ts";
import { momentOf, Tree } from "../../lib/tree/tree.ts";
import { FakeClock } from "../fake_clock.ts";
import { captureLog } from "../log_capture.ts";

const EPOCH = Date.parse("2026-11-21T07:05:00Z");

/** A tree of nodes in two clusters, and a place for the list. */
async function setUp() {
  const directory = await Deno.makeTempDir();
  const path = `${directory}/retired.json`;
  const clock = new FakeClock(EPOCH);
  const tree = new Tree();
  const told: string[] = [];
  for (
    const [cluster, key, nickname] of [
      ["foolscap", "aaaa", "web-1"],
      ["foolscap", "bbbb", "web-2"],
      ["foolscap", "cccc", "[x]"],
      ["hosts", "hosts/web-1", "web-1"],
    ]
  ) {
    tree.update(cluster, key, {
      nickname,
      observation: {
        incarnation: "",
        sequence: 1,
        measuredAt: 1,
        receivedAt: 1,
        metrics: [],
      },
    });
  }
  tree.onCommit((cluster) =>
    told.push(
      `${cluster.name}: ${[...momentOf(cluster).hosts.keys()].join(" ")}`,
    )
  );
  return {
    path,
    clock,
    tree,
    told,
    open: (over: Tree = tree) =>
      Retired.open({ path, mode: 0o644, tree: over, clock }),
    [Symbol.asyncDispose]: () => Deno.remove(directory, { recursive: true }),
  };
}

Deno.test("nodes are retired by key, nickname or pattern, in any cluster, and told of no more", async () => {
  await using log = await captureLog();
  await using context = await setUp();
  const { path, told, tree } = context;
  const retired = await context.open();
  assertEquals(retired.nodes, []);
  assertEquals(await retired.retire("web-1"), [
    { cluster: "foolscap", key: "aaaa", nickname: "web-1" },
    { cluster: "hosts", key: "hosts/web-1", nickname: "web-1" },
  ]);
  assertEquals(told.splice(0), ["foolscap: bbbb cccc", "hosts: "]);
  // A nickname that looks like a pattern is meant as it is, too.
  assertEquals((await retired.retire("[x]"))[0].key, "cccc");
  assertEquals((await retired.retire("b*"))[0].key, "bbbb");
  assertEquals(told.splice(0), ["foolscap: bbbb", "foolscap: "]);
  const { life } = tree.host("foolscap", "aaaa")!;
  assertEquals(life.retireReason, "retired on 2026-11-21");
  assertEquals(await retired.retire("hosts/web-1", true), [
    { cluster: "hosts", key: "hosts/web-1", nickname: "web-1" },
  ]);
  assertEquals(
    retired.nodes.map(({ key, since }) => [key, since]),
    [["aaaa", EPOCH], ["cccc", EPOCH], ["bbbb", EPOCH]],
  );
  assertEquals(log.lines, [
    "info web-1 (aaaa) is retired",
    "info web-1 (hosts/web-1) is retired",
    "info [x] (cccc) is retired",
    "info web-2 (bbbb) is retired",
    "info web-1 (hosts/web-1) is no longer retired",
  ]);
  assertEquals(JSON.parse(await Deno.readTextFile(path)).retired[0], {
    cluster: "foolscap",
    key: "aaaa",
    nickname: "web-1",
    since: "2026-11-21T07:05:00.000Z",
  });
});

Deno.test("the list outlasts the program, also for nodes that are not there yet", async () => {
  await using context = await setUp();
  await (await context.open()).retire("aaaa");
  const tree = new Tree();
  const retired = await context.open(tree);
  assertEquals(retired.nodes.map(({ nickname }) => nickname), ["web-1"]);
  tree.update("foolscap", "aaaa", { nickname: "web-1" });
  tree.update("other", "aaaa", { nickname: "another of this key" });
  assertEquals(momentOf(tree.cluster("foolscap")).hosts.size, 0);
  assertEquals(momentOf(tree.cluster("other")).hosts.size, 1);
  // As a source does that brings all hosts at once.
  const host = tree.host("other", "aaaa")!;
  tree.replace({ name: "foolscap", hosts: new Map([["aaaa", host]]) });
  assertEquals(momentOf(tree.cluster("foolscap")).hosts.size, 0);
  await retired.retire("web-1", true);
  assertEquals(momentOf(tree.cluster("foolscap")).hosts.size, 1);
  assertEquals((await context.open()).nodes, []);
});

Deno.test("who is not there, or is retired already, is said to be", async () => {
  await using context = await setUp();
  const retired = await context.open();
  const f = async (pattern: string, undo: boolean, message: string) => {
    const error = await assertRejects(
      () => retired.retire(pattern, undo),
      UserError,
    );
    assertEquals(error.message, message);
  };
  await f(
    "nobody*",
    false,
    'no node matches "nobody*", neither by its key nor by its nickname; "gatherer status --all" lists them',
  );
  await f("aaaa", true, 'no node that is retired matches "aaaa"');
  await retired.retire("aaaa");
  await f("aaaa", false, 'all nodes that match "aaaa" are retired already');
  await f(
    "[z-a]",
    false,
    'the pattern "[z-a]" has a range in brackets that runs backwards',
  );
});

Deno.test("changes that come together are all kept", async () => {
  await using context = await setUp();
  const retired = await context.open();
  await Promise.all([
    retired.retire("aaaa"),
    retired.retire("nobody").catch(() => {}),
    retired.retire("bbbb"),
    retired.retire("aaaa", true),
    retired.retire("cccc"),
  ]);
  assertEquals(
    (await context.open(new Tree())).nodes.map(({ key }) => key),
    ["bbbb", "cccc"],
  );
});

Deno.test("a list that must not be written where it would be changes nothing", async () => {
  await using context = await setUp();
  const { path, tree } = context;
  const retired = await Retired.open({
    path,
    mode: 0o644,
    tree,
    clock: new FakeClock(EPOCH),
    guard: () => Promise.reject(new UserError("the base directory is gone")),
  });
  await assertRejects(
    () => retired.retire("aaaa"),
    UserError,
    `cannot write "${path}": the base directory is gone; nothing has changed`,
  );
  await assertRejects(() => Deno.stat(path), Deno.errors.NotFound);
  assertEquals(retired.nodes, []);
});

Deno.test("a list that cannot be written changes nothing", async () => {
  await using context = await setUp();
  const { path, tree, told } = context;
  const retired = await context.open();
  // Where the file is to be, there is a directory.
  await Deno.mkdir(path);
  const error = await assertRejects(() => retired.retire("aaaa"), UserError);
  assertEquals(error.message.startsWith(`cannot write "${path}": `), true);
  assertEquals(error.message.endsWith("; nothing has changed"), true);
  assertEquals([retired.nodes.length, told.length], [0, 0]);
  assertEquals(momentOf(tree.cluster("foolscap")).hosts.size, 3);
});

Deno.test("a list that cannot be read is told of, and left as it is", async () => {
  await using context = await setUp();
  const { path } = context;
  const f = async (text: string, reason: string | RegExp) => {
    await Deno.writeTextFile(path, text);
    const error = await assertRejects(() => context.open(), UserError);
    const [, found] = /the list of retired nodes: (.*); mend it, or move it/
      .exec(error.message)!;
    if (typeof reason === "string") assertEquals(found, reason);
    else assertEquals(reason.test(found), true, found);
    assertEquals(await Deno.readTextFile(path), text);
  };
  await f("", /JSON/);
  await f('{"retired": [', /JSON/);
  await f("[]", "the file is no object");
  await f("{}", 'the field "retired" is no list');
  await f('{"retired": {}}', 'the field "retired" is no list');
  await f('{"retired": [5]}', "entry 1 is no object");
  const entry = { cluster: "c", key: "k", nickname: "n", since: "2026-11-21" };
  const of = (change: object) =>
    JSON.stringify({ retired: [entry, { ...entry, ...change }] });
  await f(of({ key: 5 }), 'entry 2: the field "key" is no text');
  await f(
    of({ cluster: undefined }),
    'entry 2: the field "cluster" is no text',
  );
  await f(of({ nickname: null }), 'entry 2: the field "nickname" is no text');
  await f(of({ since: 5 }), 'entry 2: the field "since" is no time');
  await f(of({ since: "soon" }), 'entry 2: the field "since" is no time');
  await Deno.chmod(path, 0);
  if (Deno.uid() !== 0) await assertRejects(() => context.open(), UserError);
});

Deno.test("what else a file says is kept", async () => {
  await using context = await setUp();
  const { path } = context;
  const entry = { cluster: "c", key: "k", nickname: "n", why: "sold" };
  const since = "2026-11-21T00:00:00.000Z";
  await Deno.writeTextFile(
    path,
    JSON.stringify({ comment: "ours", retired: [{ ...entry, since }] }),
  );
  await (await context.open()).retire("aaaa");
  const { comment, retired } = JSON.parse(await Deno.readTextFile(path));
  assertEquals([comment, retired[0], retired.length], [
    "ours",
    { ...entry, since },
    2,
  ]);
});
