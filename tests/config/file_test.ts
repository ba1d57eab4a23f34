import { assertEquals, assertThrows } from "@std/assert";
import { loadConfigFile, parseConfigFile } from "../../lib/config/file.ts";
import { settings } from "../../lib/config/settings.ts";
import { UserError } from "../../lib/errors.ts";

Deno.test("a configuration file gives settings, each with its place", () => {
  const given = parseConfigFile(
    `
interval = 30
spool = 0
private = true

[foolscap]
port = 3456
location = ["tcp:a:1", "tcp:b:2"]

[munin]
listen = "[::]:4949"
allow = "127.0.0.1 10.0.0.0/8"
graphs = "graphs.json"

[log]
file = "/var/log/gatherer.log"
`,
    "/etc/gatherer/gatherer.toml",
  );
  const at = (line: number, key: string, text: string) => [
    key,
    { text, where: `/etc/gatherer/gatherer.toml:${line}: ${key}` },
  ];
  assertEquals([...given], [
    at(2, "interval", "30"),
    at(3, "spool", "0"),
    at(4, "private", "true"),
    at(7, "foolscap.port", "3456"),
    at(8, "foolscap.location", "tcp:a:1,tcp:b:2"),
    at(11, "munin.listen", "[::]:4949"),
    at(12, "munin.allow", "127.0.0.1 10.0.0.0/8"),
    at(13, "munin.graphs", "/etc/gatherer/graphs.json"),
    at(16, "log.file", "/var/log/gatherer.log"),
  ]);
});

Deno.test("keys are found however they are written", () => {
  for (
    const text of [
      'munin.listen = "4949"',
      "munin = { listen = 4949 }",
      "[munin]\nlisten = 4949",
      " [ munin ] # here\n  listen=4949",
    ]
  ) {
    assertEquals(parseConfigFile(text, "f").get("munin.listen")?.text, "4949");
  }
});

const mistakes: [what: string, text: string, message: string][] = [
  [
    "no TOML",
    "interval = 60\nspool = 5 12",
    "f:2:11: each key-value decl",
  ],
  ["twice", "interval = 1\ninterval = 2", "f:2:1: "],
  [
    "a setting that does not exist",
    "[munin]\nlistne = 1",
    "f:2: munin.listne is not a setting; did you mean munin.listen?",
  ],
  [
    "a name like none of its table",
    "[munin]\ncolour = 1",
    "f:2: munin.colour is not a setting; see docs/configuration.md",
  ],
  [
    "one that has another name",
    "hostname = 'h'",
    "f:1: hostname is not a setting; did you mean foolscap.hostname?",
  ],
  [
    "an option's name",
    "munin = 4949",
    "f:1: munin is not a setting; did you mean munin.listen?",
  ],
  [
    "nothing like any",
    "[x]\nzzzzzzzzzzzzzzzzz = 1",
    "f:2: x.zzzzzzzzzzzzzzzzz is not a setting; see docs/configuration.md",
  ],
  [
    "seconds as text",
    'interval = "60"',
    'f:1: interval: expected a number of seconds, such as 60, found "60"',
  ],
  [
    "a switch",
    "private = 1",
    "f:1: private: expected true or false, found 1",
  ],
  [
    "a list with something else in it",
    '[munin]\nallow = ["a", 1]',
    'f:2: munin.allow: expected texts, such as ["one", "another"], found ["a",1]',
  ],
  ["an empty path", 'basedir = ""', "f:1: basedir: expected a path in quotes"],
  [
    "a date",
    "interval = 2026-01-01",
    "f:1: interval: expected a number of seconds, such as 60, found a date",
  ],
];

for (const [what, text, message] of mistakes) {
  Deno.test(`a configuration file with ${what} is refused`, () => {
    const error = assertThrows(() => parseConfigFile(text, "f"), UserError);
    assertEquals(error.message.slice(0, message.length), message);
    assertEquals(error.exitCode, 1);
    assertEquals(error.message.includes("\n"), false);
  });
}

Deno.test("a file that cannot be read is named, with the reason", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const path = `${directory}/gatherer.toml`;
    assertEquals(
      assertThrows(() => loadConfigFile(path), UserError).message,
      `cannot read "${path}": no such file or directory`,
    );
    await Deno.writeFile(path, new Uint8Array([0x61, 0xff]));
    assertEquals(
      assertThrows(() => loadConfigFile(path), UserError).message,
      `cannot use "${path}": it is not UTF-8 text`,
    );
    await Deno.truncate(path, 2 * 1024 * 1024);
    assertEquals(
      assertThrows(() => loadConfigFile(path), UserError).message,
      `cannot use "${path}": it has more than 1048576 bytes`,
    );
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("no two settings have one name", () => {
  for (const what of ["key", "option"] as const) {
    const names = settings.map((setting) => setting[what]);
    assertEquals(new Set(names).size, names.length);
  }
});

Deno.test("the example has every setting, each with a value that it can have", async () => {
  const path = new URL("../../docs/examples/gatherer.toml", import.meta.url);
  const text = await Deno.readTextFile(path);
  assertEquals(parseConfigFile(text, "f").size, 0);
  const live = text.replaceAll(/^# (\w+ = )/gm, "$1");
  const given = parseConfigFile(live, "f");
  assertEquals([...given.keys()], settings.map(({ key }) => key));
});

Deno.test("docs/configuration.md has a row for every setting", async () => {
  const url = new URL("../../docs/configuration.md", import.meta.url);
  const text = await Deno.readTextFile(url);
  for (const { key, option } of settings) {
    assertEquals(text.includes(`| \`${key}\` | \`--${option}\``), true, key);
  }
});
