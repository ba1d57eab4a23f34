import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  gmetadArguments,
  gmetadHelp,
  type GmetadOptions,
  readGmetadOptions,
  staysInForeground,
} from "../../lib/cli/gmetad.ts";
import { basedirOf } from "../../lib/cli/gmetad_run.ts";
import { UserError } from "../../lib/errors.ts";

const defaults: GmetadOptions = {
  action: "run",
  conf: "/etc/ganglia/gmetad.conf",
  foreground: false,
};

Deno.test("the options of the C and of the Python gmetad", () => {
  const table: readonly [args: string[], options: Partial<GmetadOptions>][] = [
    [[], {}],
    // As Debian's unit calls it.
    [
      ["-c", "/etc/g.conf", "--pid-file=/var/lock/subsys/gmetad"],
      { conf: "/etc/g.conf", pidFile: "/var/lock/subsys/gmetad" },
    ],
    [["--conf=a=b"], { conf: "a=b" }],
    [["-c/x.conf"], { conf: "/x.conf" }],
    [["-d", "2"], { debugLevel: 2 }],
    [["-d0"], { debugLevel: 0 }],
    [["--debug", "-1"], { debugLevel: -1 }],
    [["--debug=5", "-f"], { debugLevel: 5, foreground: true }],
    [["-fd", "5"], { debugLevel: 5, foreground: true }],
    [["-fd5", "-x0"], { debugLevel: 5, foreground: true, xmlPort: 0 }],
    [["--pid_file", "p", "--logfile", "l"], { pidFile: "p", logfile: "l" }],
    [["-p", "p", "-l", "-"], { pidFile: "p", logfile: "-" }],
    [
      ["-i", "1", "--xml_port=65535"],
      { interactivePort: 1, xmlPort: 65535 },
    ],
    [
      ["--interactive-port", "2", "--xml-port", "3"],
      { interactivePort: 2, xmlPort: 3 },
    ],
    [["--deb", "1", "--fore", "--c", "x"], {
      debugLevel: 1,
      foreground: true,
      conf: "x",
    }],
    [["-h"], { action: "help" }],
    [["-V"], { action: "version" }],
    [["--version"], { action: "version" }],
    [["--version", "--help"], { action: "help" }],
  ];
  for (const [args, options] of table) {
    assertEquals(
      readGmetadOptions(args),
      { ...defaults, ...options },
      args.join(" "),
    );
  }
});

Deno.test("a command line that cannot be", () => {
  const table: readonly [args: string[], message: string][] = [
    [["-z"], "unknown option -z"],
    [["-fz"], "unknown option -z"],
    [["--nosuch"], "unknown option --nosuch"],
    [["--confx=1"], "unknown option --confx"],
    [["--=1"], "unknown option --"],
    [["--a\nb"], "unknown option --a b"],
    [["-c"], "-c needs a value"],
    [["--conf="], "--conf needs a value"],
    [["-f", "--foreground"], "--foreground is given more than once"],
    [["-d1", "--debug=2"], "--debug is given more than once"],
    [["--foreground=yes"], "--foreground takes no value"],
    [["-d", "high"], '--debug: "high" is not a level such as 0 or 5'],
    [["-x", "65536"], '--xml_port: "65536" is not a port from 0 to 65535'],
    [
      ["-i", "0x10"],
      '--interactive_port: "0x10" is not a port from 0 to 65535',
    ],
    [["gmetad.conf"], 'unexpected argument "gmetad.conf"'],
    [["-"], 'unexpected argument "-"'],
    [["--"], 'unexpected argument "--"'],
  ];
  for (const [args, message] of table) {
    const error = assertThrows(() => readGmetadOptions(args), UserError);
    assertEquals(error.message, `${message}; see gmetad --help`);
    assertEquals(error.exitCode, 2);
  }
});

Deno.test("property: no command line makes anything but options or a UserError", () => {
  const argument = fc.oneof(
    fc.string({ unit: "binary", maxLength: 5 }),
    fc.constantFrom(
      ..."-c -d 1 -fh -V --conf=x --debug= --p --i --x 8651 - --".split(" "),
    ),
  );
  fc.assert(fc.property(fc.array(argument, { maxLength: 5 }), (args) => {
    try {
      readGmetadOptions(args);
      return true;
    } catch (error) {
      return error instanceof UserError &&
        !/[\p{Cc}\u2028\u2029]/u.test(error.message);
    }
  }));
});

Deno.test("it stays in the foreground when it is told to, and when it says everything", () => {
  const stays = (args: string[], debugLevel?: number, daemonize = true) =>
    staysInForeground(readGmetadOptions(args), { debugLevel, daemonize });
  assertEquals(stays([]), false);
  assertEquals(stays(["-f"]), true);
  assertEquals(stays(["-d", "5"]), true);
  assertEquals(stays(["-d", "4"]), false);
  assertEquals(stays([], 5), true);
  assertEquals(stays(["-d", "0"], 5), false);
  assertEquals(stays([], 0, false), true);
});

Deno.test("options make the command line that they were read from", () => {
  const args = [
    "--conf=a=b",
    "--debug=-1",
    "--pid-file=p",
    "--logfile=l",
    "--xml_port=1",
    "--interactive_port=2",
    "--foreground",
  ];
  assertEquals(gmetadArguments(readGmetadOptions(args)), args);
  assertEquals(gmetadArguments(readGmetadOptions([])), [
    "--conf=/etc/ganglia/gmetad.conf",
  ]);
});

Deno.test("the base directory is beside the RRDs, wherever these are", () => {
  const of = (path: string, rrdRootdir?: string) =>
    basedirOf({ path, rrdRootdir });
  assertEquals(of("/etc/gmetad.conf"), "/var/lib/ganglia/gatherer");
  assertEquals(of("/etc/gmetad.conf", "/srv/rrds/"), "/srv/gatherer");
  // As the RRDs, from where the file is.
  assertEquals(of("/etc/g/gmetad.conf", "rrds"), "/etc/g/gatherer");
});

Deno.test("the help has every option", () => {
  for (const option of ["-c, --conf", "-d, --debug", "-f, --foreground"]) {
    assertStringIncludes(gmetadHelp, option);
  }
  for (const option of ["-p, --pid-file", "-l, --logfile", "-V, --version"]) {
    assertStringIncludes(gmetadHelp, option);
  }
  for (const option of ["-x, --xml_port", "-i, --interactive_port", "-h"]) {
    assertStringIncludes(gmetadHelp, option);
  }
});
