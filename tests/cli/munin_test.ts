import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { graphsCommand } from "../../lib/cli/graphs.ts";
import { isPluginCall, muninPlugin } from "../../lib/cli/munin.ts";
import { UserError } from "../../lib/errors.ts";
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
    // As the original; what is said of time has tests of its own.
    env: { timestamps: "no", ...env },
    clock: new FakeClock(nowSeconds * 1000),
    stdout: (text) => void writes.push(text),
    stderr: (line) => {
      throw new Error(line);
    },
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
        stderr: () => {},
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
      /^there is no graph "tahoe_storage_alocated": did you mean "tahoe_storage_allocated"\? "gatherer graphs" lists all$/,
    ],
    ["tahoe_", /^"tahoe_" is where links lead, and no graph: /],
    ["gatherer_", /^"gatherer_" is where links lead, and no graph: /],
    [
      "gatherer_stat_",
      /^there is no graph "gatherer_stat_": "gatherer graphs" lists all$/,
    ],
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
    const empty = `${directory}/empty`;
    await Deno.writeTextFile(empty, "{}");
    const cases: [string, Record<string, string>, RegExp][] = [
      ["tahoe_", { statsfile: good }, /^yes\n$/],
      [graph, { statsfile: good }, /^yes\n$/],
      ["gatherer", { statsfile: good }, /^yes\n$/],
      ["gatherer_", { statsfile: good }, /^yes\n$/],
      ["gatherer", { statsfile: empty }, /^no \(no node reports .*\)\n$/],
      ["tahoe_", { statsfile: empty }, /^no \(no node reports .*tahoe_.*\)\n$/],
      [
        "tahoe_storage_consumed",
        { statsfile: good },
        /^no \(no node reports what tahoe_storage_consumed draws\)\n$/,
      ],
      [
        "gatherer_stat_storage_server_allocated",
        { statsfile: good },
        /^yes\n$/,
      ],
      [
        "gatherer_stat_nosuch",
        { statsfile: good },
        /^no \(no node reports .*\)\n$/,
      ],
      [
        "mine",
        { statsfile: good, graphs: `${directory}/none` },
        /^no \(.*none.*\)\n$/,
      ],
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
        stderr: () => {},
      });
      assertEquals([code, writes.length], [0, 1]);
      assertMatch(writes[0], pattern);
    }
  });
});

Deno.test("suggest lists what a link's name adds to that of the file, for every graph with data", async () => {
  await withDirectory(async (directory) => {
    const statsfile = `${directory}/stats.json`;
    await Deno.writeTextFile(
      statsfile,
      statsJson(`5, "mailer.queue-length": 3, "storage_server.disk_used": 1`),
    );
    const graphs = `${directory}/graphs.json`;
    await Deno.writeTextFile(
      graphs,
      `{"graphs": {"mail": {"title": "Mail", "statistics": "mailer.*"}}}`,
    );
    const cases: [string, Record<string, string>, string[]][] = [
      ["tahoe_", {}, [
        "storage_allocated",
        "disktotal",
        "diskused",
        "diskusage",
        "doomsday",
      ]],
      ["tahoe_storage_get", { select: "*_diskused, tahoe_storage_*" }, [
        "storage_allocated",
        "diskused",
      ]],
      ["gatherer_", { graphs }, [
        "nodes",
        "stat_mailer_queue_length",
        "stat_storage_server_disk_used",
      ]],
    ];
    for (const [name, env, expected] of cases) {
      const { code, writes } = await run(name, ["suggest"], {
        statsfile,
        ...env,
      });
      assertEquals([code, writes.length], [0, 1]);
      const suffixes = writes[0].trimEnd().split("\n");
      assertEquals(suffixes, expected);
      for (const suffix of suffixes) assertMatch(suffix, /^[-\w.:]+$/);
    }
  });
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

Deno.test("values carry their time, in fetch and, where Munin takes it, after config", async () => {
  await withDirectory(async (directory) => {
    const statsfile = `${directory}/stats.json`;
    await Deno.writeTextFile(statsfile, statsJson("5"));
    const env = { statsfile, timestamps: "yes" };
    const value = "n_abcd.value 1700000000:5\n";
    assertEquals((await run(graph, [], env)).writes, [value]);
    const [config] = (await run(graph, ["config"], env)).writes;
    assertEquals(config.includes(".value"), false);
    const dirty = { ...env, MUNIN_CAP_DIRTYCONFIG: "1" };
    assertEquals((await run(graph, ["config"], dirty)).writes, [
      config + value,
    ]);
  });
});

Deno.test("an operator's own graph by its name; a broken file costs the built-in graphs nothing", async () => {
  await withDirectory(async (directory) => {
    const statsfile = `${directory}/stats.json`;
    const graphs = `${directory}/graphs.json`;
    await Deno.writeTextFile(statsfile, statsJson("5"));
    await Deno.writeTextFile(
      graphs,
      `{"graphs": {"mine": {"title": "Mine", "statistics": "stats:storage_server.allocated"}},
        "limits": {"${graph}": {"warning": ":7"}}}`,
    );
    const env = { statsfile, graphs, critical: "9" };
    assertEquals((await run("mine", [], env)).writes, ["n_abcd.value 5\n"]);
    const [config] = (await run(graph, ["config"], env)).writes;
    assertEquals(config.split("\n").slice(-3), [
      "n_abcd.warning :7",
      "n_abcd.critical 9",
      "",
    ]);
    await Deno.writeTextFile(graphs, `{"graphs": {"mine": {"titel": "Mine"}}}`);
    assertMatch(
      await failure("mine", [], env),
      /graphs\.json:1:\d+: .*"mine".*"titel"/,
    );
    const said: string[] = [];
    const writes: string[] = [];
    await muninPlugin(graph, ["config"], {
      env: { ...env, warning: "7;8" },
      clock: new FakeClock(),
      stdout: (text) => void writes.push(text),
      stderr: (line) => void said.push(line),
    });
    assertEquals(writes[0].split("\n").slice(-2), ["n_abcd.critical 9", ""]);
    assertEquals(said.length, 2);
    assertMatch(said[0], /graphs\.json:1:/);
    assertMatch(said[1], /^env\.warning "7;8" is no range: /);
  });
});

Deno.test("gatherer: all graphs at once, an overview, and a page for each node that takes no file", async () => {
  await withDirectory(async (directory) => {
    const statsfile = `${directory}/stats.json`;
    await Deno.writeTextFile(statsfile, statsJson("5"));
    const env = { statsfile };
    assertEquals((await run("gatherer", [], env)).writes, [
      `\
multigraph gatherer_nodes
heard.value 1
silent.value 0
multigraph tahoe_storage_allocated
n_abcd.value 5
`,
    ]);
    const [config] = (await run("gatherer", ["config"], env)).writes;
    const [first, second, page, picture] = config.split(/^multigraph /m).slice(
      1,
    );
    assertMatch(first, /^gatherer_nodes\ngraph_title Nodes\n/);
    assertEquals(
      second,
      `tahoe_storage_allocated\n${
        (await run(graph, ["config"], env)).writes[0]
      }`,
    );
    const order = "graph_order n_abcd=tahoe_storage_allocated.n_abcd\n";
    assertMatch(page, /^gatherer_nodes\.n_n_abcd\ngraph_title n\n/);
    assertMatch(
      picture,
      /^gatherer_nodes\.n_n_abcd\.tahoe_storage_allocated\ngraph_title n: Tahoe /,
    );
    for (const borrowed of [page, picture]) {
      assert(borrowed.endsWith(order), borrowed);
      assertEquals(
        /^\w+\.\w+ /m.test(borrowed.split("\n").slice(1).join("\n")),
        false,
      );
    }
    const flat =
      (await run("gatherer", ["config"], { ...env, drilldown: "no" }))
        .writes[0];
    assertEquals(flat, `multigraph ${first}multigraph ${second}`);
    const one = await run("gatherer", ["config"], {
      ...env,
      select: "tahoe_*",
    });
    assertEquals(one.writes, [`multigraph ${second}`]);
  });
});

Deno.test("too many nodes for a page each: none, and a comment that says how to get them", async () => {
  await withDirectory(async (directory) => {
    const statsfile = `${directory}/stats.json`;
    const node = statsJson("5").slice(1, -1);
    const nodes = Array.from(
      { length: 251 },
      (_, index) => node.replace("abcdefgh", `${1000 + index}`.padEnd(8, "x")),
    );
    await Deno.writeTextFile(statsfile, `{${nodes.join(",")}}`);
    for (const [drilldown, pages] of [["auto", 0], ["yes", 251], ["no", 0]]) {
      const [config] = (await run("gatherer", ["config"], {
        statsfile,
        drilldown: `${drilldown}`,
      })).writes;
      assertEquals(
        config.match(/^multigraph gatherer_nodes\.\w+$/gm)?.length ?? 0,
        pages,
      );
      assertEquals(
        /^# no pages for single nodes: they have 502 pictures; "env\.drilldown yes"/m
          .test(config),
        drilldown === "auto",
      );
    }
  });
});

Deno.test("which calls are a plugin's", () => {
  const munin = { get: () => "1" };
  const shell = { get: () => undefined };
  const cases: [string, string[], boolean, boolean][] = [
    // name, arguments, from a shell, under Munin
    ["gatherer", [], false, true],
    ["gatherer", ["config"], true, true],
    ["gatherer", ["autoconf"], true, true],
    ["gatherer", ["serve"], false, false],
    ["gatherer", ["--help"], false, false],
    ["tahoe_storage_consumed", [], true, true],
    ["tahoe_storage_consumed", ["--help"], true, true],
    ["tahoe_", ["suggest"], true, true],
    ["gatherer_", ["autoconf"], true, true],
    ["tahoe_nosuch", [], true, true],
    ["gatherer_stat_x", [], true, true],
    ["gatherer-0.1", ["serve"], false, false],
    ["gatherer_0", ["serve"], false, false],
    ["mine", [], false, true],
    ["mine", ["config"], false, true],
    ["mine", ["dump"], false, false],
  ];
  for (const [name, args, fromShell, underMunin] of cases) {
    const what = `${name} ${args.join(" ")}`;
    assertEquals(isPluginCall(name, args, shell), fromShell, what);
    assertEquals(isPluginCall(name, args, munin), underMunin, what);
  }
});

async function listGraphs(args: string[]): Promise<string[]> {
  const writes: string[] = [];
  const code = await graphsCommand(args, {
    clock: stepping(),
    stdout: (text) => void writes.push(text),
  });
  assertEquals(code, 0);
  return writes.join("").trimEnd().split("\n");
}

Deno.test("gatherer graphs lists all that there are, and how many lines each has", async () => {
  await withDirectory(async (directory) => {
    const statsfile = `${directory}/stats.json`;
    const graphs = `${directory}/graphs.json`;
    await Deno.writeTextFile(statsfile, statsJson(`5, "mailer.queue": 3`));
    await Deno.writeTextFile(
      graphs,
      `{"graphs": {"mail": {"title": "Mail", "statistics": "mailer.*"}}}`,
    );
    const lines = await listGraphs([statsfile, "--graphs", graphs]);
    assertMatch(lines[0], /^GRAPH +LINES +STATISTIC +DRAWN AS$/);
    assertEquals(lines.length, 1 + 1 + 26 + 8 + 2 + 1 + 1);
    const row = (name: string) =>
      lines.find((line) => line.startsWith(`${name} `))?.replace(/ {2,}/g, "|");
    assertEquals(
      row("tahoe_storage_allocated"),
      "tahoe_storage_allocated|1|stats storage_server.allocated|value",
    );
    assertEquals(
      row("tahoe_storage_operations_get"),
      "tahoe_storage_operations_get|none|counters storage_server.get|growth a second",
    );
    assertEquals(row("mail"), "mail|1|mailer.*|as fits each");
    assertEquals(
      row("gatherer_stat_mailer_queue"),
      "gatherer_stat_mailer_queue|1|stats mailer.queue|value",
    );
    assertMatch(
      row("tahoe_server_latency_OP_PERCENTILE")!,
      /\|none\|88 graphs/,
    );
    assertEquals(
      await listGraphs([statsfile, "--graphs", graphs, "--with-data"]),
      [
        "gatherer_nodes",
        "tahoe_storage_allocated",
        "mail",
        "gatherer_stat_mailer_queue",
      ],
    );
    for (const line of lines) assert(line.length <= 140, line);
  });
});

Deno.test("gatherer graphs: what is wrong usage, and a snapshot that cannot be read", async () => {
  const cases: [string[], number][] = [
    [["a", "b"], 2],
    [["--all"], 2],
    [["a", "--basedir", "b"], 2],
    [["/nonexistent"], 1],
    [["--graphs", "/nonexistent"], 1],
  ];
  for (const [args, exitCode] of cases) {
    const error = await assertRejects(() => listGraphs(args), UserError);
    assertEquals(error.exitCode, exitCode, args.join(" "));
  }
});
