import { assertEquals, assertThrows } from "@std/assert";
import { UserError } from "../../lib/errors.ts";
import { readOptions, readSeconds } from "../../lib/cli/options.ts";
import { readServeOptions } from "../../lib/cli/serve.ts";

const spec = {
  value: ["port", "basedir"],
  repeat: ["node"],
  flag: ["private"],
  positional: 1,
};

Deno.test("readOptions() takes values, lists, flags and arguments", () => {
  assertEquals(
    readOptions(
      "x",
      ["a", "--port=1", "--node", "n1", "--private", "--node", "n2"],
      spec,
    ),
    {
      values: { port: "1" },
      lists: { node: ["n1", "n2"] },
      flags: { private: true },
      positional: ["a"],
    },
  );
  assertEquals(readOptions("x", [], spec), {
    values: {},
    lists: { node: [] },
    flags: { private: false },
    positional: [],
  });
  // Digits stay text: a name may be 007.
  assertEquals(readOptions("x", ["007"], spec).positional, ["007"]);
});

const wrong: [args: string[], message: string][] = [
  [["--prot", "1"], "unknown option --prot"],
  [["--private-dir"], "unknown option --private-dir, did you mean --private?"],
  [["-p"], "unknown option -p, did you mean --port?"],
  [["--port"], "--port needs a value"],
  [["--port="], "--port needs a value"],
  [["--port", "1", "--port", "2"], "--port is given more than once"],
  [["a", "b"], 'unexpected argument "b"'],
];

Deno.test("readOptions() says what is wrong and where to read on, exit code 2", () => {
  for (const [args, message] of wrong) {
    const error = assertThrows(() => readOptions("x", args, spec), UserError);
    assertEquals(
      [error.message, error.exitCode],
      [`${message}; see gatherer x --help`, 2],
    );
  }
});

Deno.test("readSeconds() takes seconds and nothing else", () => {
  assertEquals(readSeconds("interval", "1.5", 1), 1500);
  for (const text of ["", "0", "0.9", "-1", "1e3", "60s", "86401", "NaN"]) {
    const error = assertThrows(
      () => readSeconds("interval", text, 1),
      UserError,
      `--interval: "${text}" is not a number of seconds from 1 to 86400`,
    );
    assertEquals(error.exitCode, 2);
  }
});

Deno.test("serve has a default for everything, and checks what it is given", () => {
  assertEquals(readServeOptions([], () => {}), {
    basedir: "gatherer",
    port: undefined,
    hostname: undefined,
    location: undefined,
    intervalMs: 60_000,
    timeoutMs: 20_000,
    private: false,
    spoolBytes: undefined,
    munin: undefined,
    ganglia: undefined,
  });
  assertEquals(
    readServeOptions([
      "--basedir=/b",
      "--port=tcp:3456",
      "--hostname=h.example",
      "--location=tcp:a:1,b:2",
      "--interval=5",
      "--timeout=2",
      "--private",
      "--spool=2G",
    ], () => {}),
    {
      basedir: "/b",
      port: 3456,
      hostname: "h.example",
      location: ["tcp:a:1", "b:2"],
      intervalMs: 5000,
      timeoutMs: 2000,
      private: true,
      spoolBytes: 2 * 1024 ** 3,
      munin: undefined,
      ganglia: undefined,
    },
  );
  for (
    const args of [
      ["--port=http"],
      ["--hostname=a b"],
      ["--hostname=pb://x"],
      ["--location=nowhere"],
      ["--interval=0"],
      ["--spool=much"],
      ["--spool=-1"],
      ["--munin=here"],
      ["--munin=1.2.3.4"],
      ["--munin=:::4949"],
      ["--munin=99999"],
      ["--munin=4949", "--munin-allow=10.0.0.5/8"],
      ["--munin=4949", "--munin-name=a_b"],
      ["--munin=4949", "--munin-select=[b-a]"],
      ["--munin=4949", "--munin-drilldown=maybe"],
      ["--munin-name=h"],
      ["--graphs=file"],
      ["surplus"],
    ]
  ) {
    assertEquals(
      assertThrows(() => readServeOptions(args, () => {}), UserError).exitCode,
      2,
      args[0],
    );
  }
});

Deno.test("serve: where Munin is answered", () => {
  const cases: [string, { host: string; port: number }][] = [
    ["4949", { host: "127.0.0.1", port: 4949 }],
    ["0", { host: "127.0.0.1", port: 0 }],
    ["10.1.2.3:4949", { host: "10.1.2.3", port: 4949 }],
    ["[::]:4949", { host: "::", port: 4949 }],
    ["[::1]:4950", { host: "::1", port: 4950 }],
    ["localhost:4949", { host: "localhost", port: 4949 }],
  ];
  for (const [text, address] of cases) {
    const { munin } = readServeOptions([`--munin=${text}`], () => {});
    assertEquals([munin?.all, munin?.nodes], [address, undefined], text);
    assertEquals(
      readServeOptions([`--munin-nodes=${text}`], () => {}).munin?.nodes,
      address,
    );
  }
  const { munin } = readServeOptions([
    "--munin=4949",
    "--munin-name=A.Example",
  ], () => {});
  assertEquals(munin?.hostName, "a.example");
  assertEquals(munin?.drilldown, "auto");
  assertEquals(munin?.access.check("127.0.0.1").allowed, true);
  assertEquals(munin?.access.check("192.0.2.1").allowed, false);
});
