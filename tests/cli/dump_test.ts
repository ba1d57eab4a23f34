import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { dump, dumpHelp } from "../../lib/cli/dump.ts";
import { UserError } from "../../lib/errors.ts";
import {
  decodeSnapshot,
  encodeNode,
  encodeSnapshot,
  type SnapshotNode,
} from "../../lib/snapshot/codec.ts";
import { readJson } from "../../lib/snapshot/json.ts";
import { FakeClock } from "../fake_clock.ts";
import { node } from "../snapshot/nodes.ts";

const NOW = 1_700_000_000;
const capture = fromFileUrl(
  new URL("../testdata/tahoe/gatherer-stats-3-busy.json", import.meta.url),
);

/** Runs `gatherer dump`; gives what it printed. */
async function run(
  args: string[],
  color = false,
): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  const code = await dump(args, {
    stdout(text) {
      parts.push(
        typeof text === "string"
          ? new TextEncoder().encode(text)
          : text.slice(),
      );
    },
    clock: new FakeClock(NOW * 1000),
    color,
  });
  assertEquals(code, 0);
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

async function runText(args: string[], color = false): Promise<string> {
  return new TextDecoder().decode(await run(args, color));
}

/** Runs a test with a base directory that holds a snapshot of these nodes. */
async function withSnapshot(
  nodes: SnapshotNode[],
  fn: (directory: string, path: string) => Promise<void>,
): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    const path = join(directory, "stats.msgpack");
    await Deno.writeFile(path, encodeSnapshot(nodes.map(encodeNode)));
    await fn(directory, path);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

const fleet = [
  node(
    "m32izoh3ur3puwxgqaitnygpof7bwlnd",
    {
      counters: { "storage_server.get": 1234n, "storage_server.write": -5n },
      stats: {
        "load_monitor.avg_load": 0.25,
        "storage_server.disk_avail": 80588887552n,
        "storage_server.latencies.get.mean": null,
      },
    },
    NOW - 12,
    "storage-1",
  ),
  node(
    "hvfys5kpzh2at6owh5hiozb4uroyu7zb",
    {
      stats: { "node.uptime": 1234567.5, tiny: 1.5e-7, odd: NaN, whole: 5 },
    },
    NOW - 301,
    "helper",
  ),
  node("xtmigqiknezuhnoflv435mfvk6dzt5bz", {}, NaN, ""),
];

Deno.test("dump prints a table for people, and marks what is stale in words", () =>
  withSnapshot(fleet, async (_, path) => {
    assertEquals(
      await runText([path]),
      `\
storage-1  m32izoh3  12 s ago  fresh
  counters
    storage_server.get                          1,234
    storage_server.write                           -5
  stats
    load_monitor.avg_load                           0.25
    storage_server.disk_avail          80,588,887,552
    storage_server.latencies.get.mean       not known

helper  hvfys5kp  5 min 1 s ago  STALE
  stats
    node.uptime  1,234,567.5
    tiny                 1.5e-07
    odd                nan
    whole                5.0

(no nickname)  xtmigqik  at a time not known  STALE
  no values

3 nodes, 2 stale (older than 300 s); 9 values
`,
    );
  }));

Deno.test("dump colours what it also says in words", () =>
  withSnapshot(fleet, async (_, path) => {
    const text = await runText([path], true);
    const lines = text.split("\n");
    assertEquals(
      lines[0],
      "\x1b[1mstorage-1\x1b[0m  m32izoh3  12 s ago  fresh",
    );
    assertEquals(
      lines[9],
      "\x1b[1mhelper\x1b[0m  hvfys5kp  5 min 1 s ago  \x1b[1;33mSTALE\x1b[0m",
    );
    assertStringIncludes(lines[7], ".mean  \x1b[2m     not known\x1b[0m");
    // deno-lint-ignore no-control-regex
    assertEquals(text.replaceAll(/\x1b\[[\d;]*m/g, ""), await runText([path]));
  }));

Deno.test("dump tells ages as people do, and knows no more than Munin what is stale", async () => {
  const f = (age: number, expected: string) =>
    withSnapshot([node("k", {}, NOW - age, "n")], async (_, path) => {
      assertEquals((await runText([path])).split("\n")[0], `n  k  ${expected}`);
    });
  await f(0, "0 s ago  fresh");
  await f(0.4, "0 s ago  fresh");
  await f(59.6, "1 min 0 s ago  fresh");
  await f(300, "5 min 0 s ago  fresh");
  await f(300.1, "5 min 0 s ago  STALE");
  await f(3600, "1 h 0 min ago  STALE");
  await f(90_061, "1 d 1 h ago  STALE");
  await f(-0.4, "0 s ago  fresh");
  await f(-90, "1 min 30 s in the future  fresh");
});

Deno.test("dump lets no peer steer the terminal or spoil the table", () =>
  withSnapshot([
    node(
      "\x1b[2Jkey",
      {
        stats: { "a\nb\x9b": 1n, ["n".repeat(100)]: 2n },
      },
      NOW,
      "x\x1b]0;evil\x07\u202e\u2028é😀",
    ),
  ], async (_, path) => {
    assertEquals(
      await runText([path]),
      `\
x\\u{1b}]0;evil\\u{7}\\u{202e}\\u{2028}é😀  \\u{1b}[2Jkey  0 s ago  fresh
  stats
    a\\u{a}b\\u{9b}${" ".repeat(56 - 13)}  1
    ${"n".repeat(100)}  2

1 node, none stale (older than 300 s); 2 values
`,
    );
  }));

Deno.test("dump prints a big snapshot in pieces, each node once", () =>
  withSnapshot(
    Array.from(
      { length: 3000 },
      (_, i) => node(`k${i}`, { stats: { x: 1n } }, NOW, `n${i}`),
    ),
    async (_, path) => {
      const lines = (await runText([path])).split("\n");
      assertEquals(
        lines.filter((line) => line.endsWith("fresh")).map((line) =>
          line.split(" ")[0]
        ),
        Array.from({ length: 3000 }, (_, i) => `n${i}`),
      );
      assertEquals(
        lines.at(-2),
        "3000 nodes, none stale (older than 300 s); 3000 values",
      );
    },
  ));

Deno.test("dump of an empty snapshot says that it is", () =>
  withSnapshot([], async (_, path) => {
    assertEquals(
      await runText([path]),
      "0 nodes, none stale (older than 300 s); 0 values\n",
    );
    assertEquals(await runText([path, "--format=json"]), "{}\n");
  }));

Deno.test("dump prints the original's stats.json, and the snapshot, from either", async () => {
  const original = Deno.readTextFileSync(capture);
  const nodes = readJson(Deno.readFileSync(capture));
  assertEquals(await runText([capture, "--format", "json"]), `${original}\n`);
  assertEquals(
    decodeSnapshot(await run([capture, "--format", "msgpack"])),
    nodes,
  );
  await withSnapshot(nodes, async (_, path) => {
    assertEquals(await runText(["--format", "json", path]), `${original}\n`);
    assertEquals(
      await run([path, "--format=msgpack"]),
      await Deno.readFile(path),
    );
  });
});

Deno.test("dump filters by node and by statistic, in every format", () =>
  withSnapshot(fleet, async (_, path) => {
    const f = async (args: string[], expected: Record<string, string[]>) => {
      const found = Object.fromEntries(
        decodeSnapshot(await run([path, "--format", "msgpack", ...args])).map((
          one,
        ) => [
          one.nickname,
          [...one.counters.keys(), ...one.stats.keys()],
        ]),
      );
      assertEquals(found, expected, args.join(" "));
      assertEquals(
        readJson(await run([path, "--format", "json", ...args])).map((one) =>
          one.nickname
        ),
        Object.keys(expected),
      );
    };
    const helper = ["node.uptime", "tiny", "odd", "whole"];
    await f(["--node", "helper"], { helper });
    await f(["--node", "h*"], { helper });
    await f(["--node", "hvfys5kpzh2at6owh5hiozb4uroyu7zb"], { helper });
    await f(["--node", "hvfys5kp"], { helper });
    await f(["--node", "*7zb"], { helper });
    await f(["--node", "[hx]???????"], { helper, "": [] });
    await f(["--node", "helper", "--stat", "t*", "--stat", "odd"], {
      helper: ["tiny", "odd"],
    });
    await f(["--node", "helper", "--node", "x*", "--stat", "odd"], {
      helper: ["odd"],
    });
    await f(["--stat", "*.disk_avail"], {
      "storage-1": ["storage_server.disk_avail"],
    });
    await f(["--stat", "*_server.[gw]*"], {
      "storage-1": ["storage_server.get", "storage_server.write"],
    });
    assertEquals(
      await runText([path, "--stat", "*.get"]),
      "storage-1  m32izoh3  12 s ago  fresh\n  counters\n    storage_server.get  1,234\n\n" +
        "1 of 3 nodes, none stale (older than 300 s); 1 value\n",
    );
  }));

Deno.test("dump finds the snapshot of a base directory", () =>
  withSnapshot(fleet, async (directory, path) => {
    const expected = await runText([path]);
    assertEquals(await runText([directory]), expected);
    assertEquals(await runText(["--basedir", directory]), expected);
    assertEquals(await runText([`--basedir=${directory}/`]), expected);
  }));

Deno.test("the help of dump fits a terminal", () => {
  for (const line of dumpHelp.split("\n")) {
    assertEquals(line.length <= 80, true, line);
  }
});

Deno.test("dump fails with code 1 when nothing matches or the file cannot be read", () =>
  withSnapshot(fleet, async (directory, path) => {
    const quoted = JSON.stringify(path);
    const f = async (args: string[], message: string) => {
      const error = await assertRejects(() => run(args), UserError);
      assertEquals([error.message, error.exitCode], [message, 1]);
    };
    await f(
      [path, "--node", "no*", "--node", "none"],
      `no node in ${quoted} matches --node "no*" or "none"; nodes there: 3`,
    );
    await f(
      [path, "--node", "helper", "--stat", "zz*"],
      `no statistic of these nodes in ${quoted} matches --stat "zz*"`,
    );
    await f(
      [path, "--stat", "HELPER"],
      `no statistic in ${quoted} matches --stat "HELPER"`,
    );
    const junk = join(directory, "junk");
    await Deno.writeTextFile(junk, '{"k": ');
    await f(
      [junk],
      `cannot read the snapshot ${
        JSON.stringify(junk)
      }: the file ends in the middle of the object (line 1, column 7)`,
    );
    await Deno.writeTextFile(junk, "junk");
    await f(
      [junk],
      `cannot read the snapshot ${
        JSON.stringify(junk)
      }: the file is neither a snapshot (a MessagePack map) nor a stats.json (a JSON object) (byte 0)`,
    );
    await f(
      [join(junk, "x")],
      `cannot read the snapshot ${
        JSON.stringify(join(junk, "x"))
      }: Not a directory`,
    );
  }));

Deno.test("dump refuses wrong usage with code 2", async () => {
  const f = async (args: string[], message: string) => {
    const error = await assertRejects(() => run(args), UserError);
    assertEquals(
      [error.message, error.exitCode],
      [`${message}; see gatherer dump --help`, 2],
    );
  };
  await f(["--nodes", "x"], "unknown option --nodes, did you mean --node?");
  await f(["-x"], "unknown option -x");
  await f(["a", "b"], 'unexpected argument "b"');
  await f(["a", "--basedir", "b"], "give one snapshot, or one --basedir");
  await f(
    ["--basedir", "a", "--basedir", "b"],
    "--basedir is given more than once",
  );
  await f(
    ["--format", "xml"],
    '--format: "xml" is not one of pretty, json, msgpack',
  );
  await f(["--format"], "--format needs a value");
  await f(["--node"], "--node needs a value");
  await f(["--stat="], "--stat needs a value");
  const error = await assertRejects(
    () => run([capture, "--stat", "[z-a]"]),
    UserError,
  );
  assertEquals(error.exitCode, 2);
});
