import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { graphsCommand } from "../../lib/cli/graphs.ts";
import { muninPlugin } from "../../lib/cli/munin.ts";
import { UserError } from "../../lib/errors.ts";
import { graphs } from "../../lib/munin/graphs.ts";
import { encodeNode, encodeSnapshot } from "../../lib/snapshot/codec.ts";
import { readJson } from "../../lib/snapshot/json.ts";
import { FakeClock } from "../fake_clock.ts";
import {
  captures,
  modelGraphs,
  modelOutput,
  parseStats,
} from "../munin/model.ts";

interface Run {
  code: number;
  /** What was written, one entry a write. */
  writes: string[];
}

async function run(
  graph: string,
  args: string[],
  env: Record<string, string>,
  nowSeconds = 1_700_000_000,
): Promise<Run> {
  const writes: string[] = [];
  const code = await muninPlugin(graph, args, {
    env,
    clock: new FakeClock(nowSeconds * 1000),
    stdout: (text) => void writes.push(text),
  });
  return { code, writes };
}

/** The message of a run that must fail as a run under Munin has to. */
async function failure(
  graph: string,
  args: string[],
  env: Record<string, string>,
): Promise<string> {
  const writes: string[] = [];
  const error = await assertRejects(
    () =>
      muninPlugin(graph, args, {
        env,
        clock: stepping(),
        stdout: (text) => void writes.push(text),
      }),
    UserError,
  );
  assertEquals(writes, []);
  assertEquals(error.exitCode, 1);
  assertMatch(error.message, /^[^\r\n]+$/);
  return error.message;
}

/** A clock on which whatever is waited for is at once. */
function stepping(): FakeClock {
  const clock = new FakeClock();
  const setTimer = clock.setTimer.bind(clock);
  clock.setTimer = (fn, ms) => {
    const timer = setTimer(fn, ms);
    void clock.advance(ms);
    return timer;
  };
  return clock;
}

async function withDirectory(
  use: (directory: string) => Promise<void>,
): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await use(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

const graph = "tahoe_storage_allocated";

/** A stats.json of one fresh node that has allocated `value` bytes. */
function statsJson(value: string, nickname = "n"): string {
  return `{"abcdefghijklmnopqrstuvwxyz234567": {"timestamp": 1700000000.0, ` +
    `"nickname": ${JSON.stringify(nickname)}, "stats": {"counters": {}, ` +
    `"stats": {"storage_server.allocated": ${value}}}}}`;
}

Deno.test("all graphs of the captures are the original's, from stats.json and from a snapshot", async () => {
  await withDirectory(async (directory) => {
    for (const path of captures) {
      const bytes = await Deno.readFile(path);
      const stats = parseStats(new TextDecoder().decode(bytes));
      const times = Object.values(stats).map((node) => Number(node.timestamp));
      const snapshot = `${directory}/stats.msgpack`;
      await Deno.writeFile(
        snapshot,
        encodeSnapshot(readJson(bytes).map((node) => encodeNode(node))),
      );
      for (const now of [Math.min(...times) + 1, Math.max(...times) + 301]) {
        for (const model of modelGraphs()) {
          for (const phase of ["config", "fetch"] as const) {
            const args = phase === "config" ? ["config"] : [];
            const expected = {
              code: 0,
              writes: [modelOutput(model, stats, phase, now)],
            };
            for (const statsfile of [path, snapshot]) {
              assertEquals(
                await run(model.name, args, { statsfile }, now),
                expected,
                `${model.name} ${phase} ${statsfile}`,
              );
            }
          }
        }
      }
    }
  });
});

Deno.test("where the snapshot is: statsfile, else the smallest name that begins so, or a base directory", async () => {
  await withDirectory(async (directory) => {
    for (const [index, name] of ["exact", "first", "second"].entries()) {
      await Deno.writeTextFile(`${directory}/${name}`, statsJson(`${index}`));
    }
    for (const name of ["base", "a b", "none"]) {
      await Deno.mkdir(`${directory}/${name}`);
    }
    const snapshot = encodeSnapshot(
      readJson(new TextEncoder().encode(statsJson("3"))).map((node) =>
        encodeNode(node)
      ),
    );
    await Deno.writeFile(`${directory}/base/stats.msgpack`, snapshot);
    await Deno.writeFile(`${directory}/a b/stats.msgpack`, snapshot);
    const cases: [Record<string, string>, number][] = [
      [{ statsfile: "exact" }, 0],
      [{ statsfile_a: "first", statsfile: "exact", "statsfil": "second" }, 0],
      [{ statsfile_b: "second", statsfile_a: "first" }, 1],
      [{ statsfileb: "second", statsfileB: "first" }, 1],
      [{ statsfile: "base" }, 3],
      [{ statsfile: "base//" }, 3],
      [{ statsfile: "a b" }, 3],
    ];
    for (const [names, value] of cases) {
      const env = Object.fromEntries(
        Object.entries(names).map((
          [name, file],
        ) => [name, `${directory}/${file}`]),
      );
      assertEquals(
        await run(graph, [], env),
        { code: 0, writes: [`n_abcd.value ${value}\n`] },
        JSON.stringify(names),
      );
    }
    const message = await failure(graph, [], {
      statsfile: `${directory}/none`,
    });
    assert(message.includes(`${directory}/none/stats.msgpack`), message);
  });
});

Deno.test("no statsfile: one line that names the variable and where to set it", async () => {
  const cases: Record<string, string>[] = [
    {},
    { STATSFILE: "x", Statsfile: "x", mystatsfile: "x" },
    { statsfile: "" },
    { statsfile: "", statsfile_a: "/nonexistent" },
  ];
  for (const env of cases) {
    for (const args of [[], ["config"]]) {
      const message = await failure(graph, args, env);
      assertMatch(message, /env\.statsfile .*\[tahoe_\*\].*plugin-conf\.d/);
    }
  }
});

Deno.test("a file that cannot be used: one line with path and reason, in both phases", async () => {
  await withDirectory(async (directory) => {
    const whole = statsJson("5");
    const snapshot = encodeSnapshot(
      readJson(new TextEncoder().encode(whole)).map((node) => encodeNode(node)),
    );
    const text = (content: string) => new TextEncoder().encode(content);
    const cases: [string, Uint8Array | undefined][] = [
      ["missing", undefined],
      ["empty", text("")],
      ["blank", text(" \n")],
      ["truncated.json", text(whole.slice(0, -3))],
      ["truncated.msgpack", snapshot.subarray(0, -1)],
      ["array", text("[]")],
      ["text", text("hello")],
      ["pickle", text("(dp1\nS'abcd'\np2\n(dp3\n")],
      ["two lines\nin its name", undefined],
    ];
    for (const [name, content] of cases) {
      const path = `${directory}/${name}`;
      if (content) await Deno.writeFile(path, content);
      for (const args of [[], ["config"]]) {
        const message = await failure(graph, args, { statsfile: path });
        assert(message.includes(directory), message);
        assert(message.includes(name.split("\n")[0]), message);
      }
    }
  });
});

Deno.test("an unknown graph: one line with what may have been meant, whatever the file", async () => {
  const cases: [string, RegExp][] = [
    [
      "tahoe_storage_alocated",
      /^there is no graph "tahoe_storage_alocated": did you mean "tahoe_storage_allocated"\? "gatherer graphs" lists all 26$/,
    ],
    ["tahoe_", /^there is no graph "tahoe_": "gatherer graphs" lists all 26$/],
    ["a\nb", /^there is no graph "a\\nb": /],
  ];
  for (const [name, pattern] of cases) {
    for (const args of [[], ["config"]]) {
      assertMatch(await failure(name, args, {}), pattern);
    }
  }
});

Deno.test("arguments: config may be followed by cap, other words are refused", async () => {
  await withDirectory(async (directory) => {
    const env = { statsfile: `${directory}/stats.json` };
    await Deno.writeTextFile(env.statsfile, statsJson("5"));
    const config = await run(graph, ["config"], env);
    assertEquals(await run(graph, ["config", "cap"], env), config);
    assertEquals(await run(`${graph}.py`, ["config"], env), config);
    for (const word of ["fetch", "Config", "", "--help", "snmpconf", "a\nb"]) {
      const message = await failure(graph, [word], env);
      assert(message.startsWith(`unknown argument ${JSON.stringify(word)}: `));
    }
  });
});

Deno.test("autoconf answers yes or no with a reason, on one line, and never fails", async () => {
  await withDirectory(async (directory) => {
    const good = `${directory}/good`;
    const bad = `${directory}/bad`;
    await Deno.writeTextFile(good, statsJson("5"));
    await Deno.writeTextFile(bad, "[]");
    const cases: [string, Record<string, string>, RegExp][] = [
      ["tahoe_", { statsfile: good }, /^yes\n$/],
      [graph, { statsfile: good }, /^yes\n$/],
      ["tahoe_", {}, /^no \(.*env\.statsfile.*\)\n$/],
      ["tahoe_", { statsfile: bad }, /^no \(.*bad.*\)\n$/],
      ["tahoe_", { statsfile: directory }, /^no \(.*stats\.msgpack.*\)\n$/],
      ["tahoe_nosuch", { statsfile: good }, /^no \(.*"tahoe_nosuch".*\)\n$/],
      ["a\nb", { statsfile: good }, /^no \(.*\)\n$/],
    ];
    for (const [name, env, pattern] of cases) {
      const writes: string[] = [];
      const code = await muninPlugin(name, ["autoconf"], {
        env,
        clock: stepping(),
        stdout: (text) => void writes.push(text),
      });
      assertEquals([code, writes.length], [0, 1]);
      assertMatch(writes[0], pattern);
    }
  });
});

Deno.test("suggest lists what a link's name adds to tahoe_, for every graph, data or none", async () => {
  const { code, writes } = await run("tahoe_", ["suggest"], {});
  assertEquals([code, writes.length], [0, 1]);
  const suffixes = writes[0].trimEnd().split("\n");
  assertEquals(
    suffixes.map((suffix) => `tahoe_${suffix}`),
    graphs.map(({ name }) => name),
  );
  for (const suffix of suffixes) assertMatch(suffix, /^[-\w.:]+$/);
});

Deno.test("what a hostile nickname says stays out of the output", async () => {
  await withDirectory(async (directory) => {
    const statsfile = `${directory}/stats.json`;
    const nickname = "x\n.\n# timeout\nmultigraph y";
    await Deno.writeTextFile(statsfile, statsJson("5", nickname));
    const field = "x_____timeout_multigraph_y_abcd";
    assertEquals((await run(graph, [], { statsfile })).writes, [
      `${field}.value 5\n`,
    ]);
    assertEquals(
      (await run(graph, ["config"], { statsfile })).writes[0].split("\n").slice(
        5,
      ),
      [`${field}.label ${field}`, `${field}.draw LINE1`, ""],
    );
  });
});

Deno.test("gatherer graphs prints one line a graph under a heading", async () => {
  const writes: string[] = [];
  assertEquals(
    await graphsCommand([], { stdout: (text) => void writes.push(text) }),
    0,
  );
  const lines = writes.join("").trimEnd().split("\n");
  assertEquals(lines.length, 27);
  assertMatch(lines[0], /^GRAPH +STATISTIC +DRAWN AS$/);
  assertMatch(
    lines[8],
    /^tahoe_storage_operations_get +counters storage_server\.get +growth a second$/,
  );
  assertEquals(lines.filter((line) => / value$/.test(line)).length, 13);
  for (const line of lines) assert(line.length <= 110);
});

Deno.test("gatherer graphs takes no arguments", async () => {
  for (const args of [["tahoe_"], ["--all"]]) {
    const error = await assertRejects(
      () => graphsCommand(args, { stdout: () => {} }),
      UserError,
    );
    assertEquals(error.exitCode, 2);
  }
});
