import { assertEquals } from "@std/assert";
import {
  isRead,
  parsePluginConf,
  settingsOf,
} from "../../lib/munin_install/plugin_conf.ts";

Deno.test("settings of a plugin: exact before wildcards, longer before shorter, the last file wins", () => {
  const first = `
# a comment
  [tahoe_*]
env.statsfile /a # not part of it
user x

[tahoe_a]
\tenv.statsfile   /b\\#c d
[*]
group everyone
user nobody
[*_a]
timeout 5
`;
  const second = `
[gatherer]
env.statsfile /g
update_rate two words
usr x
env.graphs /never/read
`;
  const third = "env.statsfile /no/section\n[tahoe_a]\nuser y\n";
  const fourth = "[tahoe_*]\nuser z\n[tahoe_*_a]\nuser nobody's\n";
  const conf = parsePluginConf([first, second, third, fourth]);
  const cases: [string, Record<string, string>][] = [
    [
      "tahoe_a",
      {
        "env.statsfile": "/b#c d",
        "user": "z",
        "timeout": "5",
        "group": "everyone",
      },
    ],
    ["tahoe_b", { "env.statsfile": "/a", "user": "z", "group": "everyone" }],
    [
      "gatherer",
      {
        "env.statsfile": "/g",
        "update_rate": "two words",
        "group": "everyone",
        "user": "nobody",
      },
    ],
    ["other", { "group": "everyone", "user": "nobody" }],
  ];
  for (const [plugin, settings] of cases) {
    assertEquals(
      new Map(settingsOf(conf, plugin)),
      new Map(Object.entries(settings)),
      plugin,
    );
  }
});

Deno.test("which files munin-node reads", () => {
  const names = "gatherer gatherer-mine a.b:c .hidden a~ a.bak a#b " +
    "a.dpkg-new a.rpmsave x.pod é";
  assertEquals(
    names.split(" ").filter(isRead),
    ["gatherer", "gatherer-mine", "a.b:c"],
  );
});
