import { assert, assertEquals, assertThrows } from "@std/assert";
import { loadConfig, optionsHelp } from "../../lib/cli/serve_options.ts";
import { settings } from "../../lib/config/settings.ts";
import { UserError } from "../../lib/errors.ts";
import { noGraphs } from "../../lib/munin/graphs_file.ts";

/** Loads a configuration in a directory of its own, where files are put first. */
async function load(
  args: readonly string[],
  files: Record<string, string> = {},
): Promise<ReturnType<typeof loadConfig>> {
  const directory = await Deno.makeTempDir();
  try {
    for (const [name, text] of Object.entries(files)) {
      await Deno.writeTextFile(`${directory}/${name}`, text);
    }
    const config = loadConfig(
      "serve",
      args.map((arg) => arg.replaceAll("DIR", directory)),
    );
    return JSON.parse(
      JSON.stringify(config).replaceAll(directory, "DIR"),
      // Plain data, but for the maps of a graphs file.
      (key, value) => key === "limits" ? new Map() : value,
    );
  } catch (error) {
    if (error instanceof UserError) {
      error.message = error.message.replaceAll(directory, "DIR");
    }
    throw error;
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

const log = {
  level: "info",
  format: "text",
  stderr: true,
  maxBytes: 10 * 1024 ** 2,
  keep: 5,
  journal: "auto",
};

Deno.test("serve has a default for everything", async () => {
  assertEquals(await load(["--basedir=DIR"]), {
    gatherer: {
      basedir: "DIR",
      intervalMs: 60_000,
      timeoutMs: 20_000,
      private: false,
    },
    log,
    complaints: [],
    // deno-lint-ignore no-explicit-any
  } as any);
  assertEquals(loadConfig("serve", []).gatherer.basedir, "gatherer");
});

Deno.test("every option reaches the configuration", async () => {
  assertEquals(
    await load([
      "--basedir=/b",
      "--port=tcp:3456",
      "--hostname=h.example",
      "--location=tcp:a:1,b:2",
      "--interval=5",
      "--timeout=2",
      "--private",
      "--spool=2G",
      "--munin=4949",
      "--munin-nodes=[::1]:4950",
      "--munin-allow=10.0.0.0/8 ::1",
      "--munin-name=A.Example",
      "--munin-select=a_* b",
      "--munin-drilldown=no",
      "--statistics=a=http://a:1/statistics?t=json https://b:2/x",
      "--http=8080",
      "--http-allow=::1",
      "--otlp",
      "--log-level=warning",
      "--log-format=json",
      "--log-file=/l",
      "--log-size=0",
      "--log-keep=2",
      "--log-syslog=/dev/log",
      "--log-journal=yes",
    ]),
    {
      gatherer: {
        basedir: "/b",
        port: 3456,
        hostname: "h.example",
        location: ["tcp:a:1", "b:2"],
        intervalMs: 5000,
        timeoutMs: 2000,
        private: true,
        spoolBytes: 2 * 1024 ** 3,
        munin: {
          all: { host: "127.0.0.1", port: 4949 },
          nodes: { host: "::1", port: 4950 },
          hostName: "a.example",
          allow: "10.0.0.0/8 ::1",
          operators: noGraphs,
          select: "a_* b",
          drilldown: "no",
        },
        statistics: [
          { name: "a", url: "http://a:1/statistics?t=json" },
          { name: "b:2", url: "https://b:2/x" },
        ],
        http: { host: "127.0.0.1", port: 8080, allow: "::1", otlp: true },
      },
      log: {
        level: "warning",
        format: "json",
        stderr: true,
        file: "/l",
        maxBytes: 0,
        keep: 2,
        syslog: "/dev/log",
        journal: "yes",
      },
      complaints: [],
      // deno-lint-ignore no-explicit-any
    } as any,
  );
});

Deno.test("what cannot be is wrong usage, and the option is named", async () => {
  for (
    const args of [
      ["--port=http"],
      ["--hostname=a b"],
      ["--hostname=pb://x"],
      ["--location=nowhere"],
      ["--interval=0"],
      ["--interval=0.9"],
      ["--interval=1e3"],
      ["--interval=60s"],
      ["--interval=86401"],
      ["--spool=much"],
      ["--spool=-1"],
      ["--munin=here"],
      ["--munin=1.2.3.4"],
      ["--munin=:::4949"],
      ["--munin=99999"],
      ["--munin-allow=10.0.0.5/8", "--munin=4949"],
      ["--munin-name=a_b", "--munin=4949"],
      ["--munin-select=[b-a]", "--munin=4949"],
      ["--munin-drilldown=maybe", "--munin=4949"],
      ["--munin-name=h"],
      ["--graphs=file"],
      ["--statistics=a=b"],
      ["--statistics=ftp://a"],
      ["--statistics=http://a/x http://a/y"],
      ["--http=x"],
      ["--http-allow=x", "--http=1"],
      ["--otlp"],
      ["--log-syslog=foo"],
      ["--munin-nodes=[::]:4949", "--munin=4949"],
      ["--http=8080", "--port=tcp:8080"],
      ["--log-level=loud"],
      ["--log-format=xml"],
      ["--log-keep=many"],
      ["--debug=x"],
      ["--debug=5", "--log-level=info"],
    ]
  ) {
    const error = assertThrows(() => loadConfig("serve", args), UserError);
    assertEquals(error.exitCode, 2, args[0]);
    assert(error.message.startsWith(args[0].split("=")[0]), error.message);
  }
  for (const args of [["surplus"], ["--nosuch=1"]]) {
    assertEquals(
      assertThrows(() => loadConfig("serve", args), UserError).exitCode,
      2,
    );
  }
  await Promise.resolve();
});

Deno.test("where Munin is answered", () => {
  const cases: [string, { host: string; port: number }][] = [
    ["4949", { host: "127.0.0.1", port: 4949 }],
    ["0", { host: "127.0.0.1", port: 0 }],
    ["10.1.2.3:4949", { host: "10.1.2.3", port: 4949 }],
    ["[::]:4949", { host: "::", port: 4949 }],
    ["[::1]:4950", { host: "::1", port: 4950 }],
    ["localhost:4949", { host: "localhost", port: 4949 }],
  ];
  for (const [text, address] of cases) {
    const all = loadConfig("serve", [`--munin=${text}`]).gatherer.munin;
    assertEquals([all?.all, all?.nodes], [address, undefined], text);
    const nodes = loadConfig("serve", [`--munin-nodes=${text}`]).gatherer.munin;
    assertEquals(nodes?.nodes, address, text);
  }
});

Deno.test("two may have one port at different addresses", () => {
  const { munin, http } = loadConfig("serve", [
    "--munin=[::1]:4949",
    "--munin-nodes=127.0.0.1:4949",
    "--http=192.0.2.1:4949",
  ]).gatherer;
  assertEquals(
    [munin?.all?.port, munin?.nodes?.port, http?.port],
    [4949, 4949, 4949],
  );
});

Deno.test("-d is gmetad's level", () => {
  for (
    const [args, level] of [
      [["-d", "5"], "debug"],
      [["-d0"], "fatal"],
      [["--debug=3"], "warning"],
      [["--debug", "2"], "error"],
    ] as const
  ) assertEquals(loadConfig("serve", args).log.level, level);
});

Deno.test("the file in the base directory says what no option does", async () => {
  const files = {
    "gatherer.toml": 'interval = 10\nspool = "1G"\n[log]\nfile = "log"\n',
  };
  const config = await load(["--basedir=DIR", "--interval=5"], files);
  assertEquals(config.file, "DIR/gatherer.toml");
  assertEquals(config.gatherer.intervalMs, 5000);
  assertEquals(config.gatherer.spoolBytes, 1024 ** 3);
  assertEquals(config.log.file, "DIR/log");
});

Deno.test("a file that is named says where the base directory is", async () => {
  const files = { "my.toml": 'basedir = "base"\n' };
  const config = await load(["--config=DIR/my.toml"], files);
  assertEquals(config.file, "DIR/my.toml");
  assertEquals(config.gatherer.basedir, "DIR/base");
  const other = await load(["--config=DIR/my.toml", "--basedir=/x"], files);
  assertEquals(other.gatherer.basedir, "/x");
});

Deno.test("what is wrong in a file is named with file and line, and is no wrong usage", async () => {
  for (
    const [text, message] of [
      [
        "interval = 0",
        '1: interval: "0" is not a number of seconds from 1 to 86400',
      ],
      [
        "\n[munin]\nlisten = 'x'",
        '3: munin.listen: "x" is not where to listen; expected PORT or ADDR:PORT, such as 4949, 0.0.0.0:4949 or [::]:4949',
      ],
      [
        "[munin]\nname = 'h'",
        "2: munin.name is of no use without munin.listen or munin.nodes",
      ],
      [
        "[log]\nlevel = 'loud'",
        '2: log.level: "loud" is not a log level; expected fatal, critical, error, warning, info, debug or 0 to 5',
      ],
      [
        "basedir = 'x'",
        "1: basedir: this file was found in the base directory DIR; leave basedir out, or name the file with --config",
      ],
      [
        "[foolscap]\nport = 'x'",
        '2: foolscap.port: "x" is not a port; expected tcp:PORT, such as tcp:3456',
      ],
    ]
  ) {
    let error: unknown;
    try {
      await load(["--basedir=DIR"], { "gatherer.toml": text });
    } catch (thrown) {
      error = thrown;
    }
    assert(error instanceof UserError);
    assertEquals(error.message, `DIR/gatherer.toml:${message}`);
    assertEquals(error.exitCode, 1);
  }
});

Deno.test("a broken graphs file costs its own graphs, and is told of", async () => {
  const { gatherer, complaints } = await load(
    ["--basedir=DIR", "--munin=4949", "--graphs=DIR/g.json"],
    { "g.json": "{" },
  );
  assertEquals(gatherer.munin?.operators, noGraphs);
  assertEquals(complaints.length, 1);
  assert(
    complaints[0].startsWith('"DIR/g.json"') ||
      complaints[0].includes("DIR/g.json:1"),
    complaints[0],
  );
});

Deno.test("the help names every option, within 100 columns", () => {
  const help = optionsHelp();
  for (const { option } of settings) {
    assert(help.includes(`--${option}`), option);
  }
  for (const line of help.split("\n")) assert(line.length <= 100, line);
});
