import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { installMunin } from "../../lib/cli/install_munin.ts";
import {
  inOrder,
  isRead,
  parsePluginConf,
  settingsOf,
} from "../../lib/munin_install/plugin_conf.ts";
import {
  builtScript,
  publicTempDir,
  run,
  writeFreshStats,
} from "../executable.ts";
import { MuninNode } from "./munin_node.ts";
import { requirePeer } from "./peer.ts";

const ignore = !requirePeer("munin-node");

const PATH = "/usr/sbin:/usr/bin:/sbin:/bin";
const GRAPHS = [
  "tahoe_storage_operations_get",
  "tahoe_storage_operations_readv",
];
/** An operator's own, which no section with a `*` covers. */
const OWN_GRAPH = "gets";
const graphsFile = JSON.stringify({
  graphs: {
    [OWN_GRAPH]: { title: "Gets", statistics: "counters:storage_server.get" },
  },
});

/** A Munin node without plugins, an executable, and what the plugins need. */
async function setUp(use: AsyncDisposableStack) {
  const executable = use.use(await builtScript());
  const statsfile = (await writeFreshStats(executable.dir)).msgpack;
  const graphs = `${executable.dir}/graphs.json`;
  await Deno.writeTextFile(graphs, graphsFile);
  const dir = `${executable.dir}/munin`;
  const munin = await MuninNode.install({
    dir,
    hostName: "test.example",
    links: {},
    pluginConf: "",
  });
  const confDir = `${dir}/plugin-conf.d`;
  const install = async (...args: string[]) => {
    const code = await installMunin(
      [
        ...["--plugins", munin.plugins, "--plugin-conf", confDir],
        ...["--statsfile", statsfile],
        ...args,
      ],
      {
        stdout: () => {},
        stderr: () => {},
        executable: () => Promise.resolve(executable.path),
        graphs: () =>
          Promise.resolve({
            withData: [...GRAPHS, OWN_GRAPH],
            exists: (name) => name.startsWith("tahoe_"),
          }),
      },
    );
    assertEquals(code, 0);
  };
  return { executable, statsfile, graphs, munin, confDir, install };
}

Deno.test({
  name:
    "munin-run gets from installed links what the plugins say by themselves",
  ignore,
  async fn() {
    await using stack = new AsyncDisposableStack();
    const { statsfile, graphs, munin, install } = await setUp(stack);
    const assertSame = async (name: string, title: string) => {
      for (const args of [["config"], []]) {
        const direct = await run([`${munin.plugins}/${name}`, ...args], {
          clearEnv: true,
          env: { PATH, statsfile, graphs, MUNIN_CAP_MULTIGRAPH: "1" },
          cwd: "/",
        });
        const byMunin = await munin.run(name, ...args);
        // What is counted at the moment of the call bears its time.
        for (const outcome of [direct, byMunin]) {
          outcome.stdout = outcome.stdout.replace(/(?<=^\S+ )\d+:/gm, "");
        }
        assertEquals(byMunin, direct);
        assertEquals([direct.code, direct.stderr], [0, ""]);
        assertStringIncludes(
          direct.stdout,
          args.length > 0 ? `graph_title ${title}\n` : ".value ",
        );
      }
    };
    await install("--graphs", graphs, "--each", "tahoe_*_get", OWN_GRAPH);
    assertEquals(await names(munin.plugins), [OWN_GRAPH, GRAPHS[0]]);
    await assertSame(GRAPHS[0], "Tahoe Storage Server get_bucket Operations");
    await assertSame(OWN_GRAPH, "Gets");

    await install();
    assertEquals(await names(munin.plugins), ["gatherer"]);
    await assertSame("gatherer", "Gets");
    // The link is a plugin to munin-node, and what else it finds there is none.
    await using running = await munin.start();
    running.assertAlive();
    assert(!(await munin.log()).includes("rror"), await munin.log());
  },
});

async function names(dir: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of Deno.readDir(dir)) names.push(name);
  return names.sort();
}

Deno.test({
  name:
    "munin-node-configure suggests a link for each graph of an installed tahoe_",
  ignore,
  async fn() {
    await using stack = new AsyncDisposableStack();
    const { executable, statsfile, munin, confDir, install } = await setUp(
      stack,
    );
    await install();
    const libdir = `${executable.dir}/lib`;
    await Deno.mkdir(libdir);
    await Deno.symlink(executable.path, `${libdir}/tahoe_`);
    const { stdout } = await run([`${libdir}/tahoe_`, "suggest"], {
      clearEnv: true,
      env: { PATH, statsfile },
    });
    const suffixes = stdout.trimEnd().split("\n");
    assert(suffixes.includes("storage_operations_get"), stdout);
    const configure = await run([
      ...["munin-node-configure", "--suggest", "--shell", "--libdir", libdir],
      ...["--servicedir", munin.plugins, "--sconfdir", confDir],
    ]);
    assertEquals([configure.code, configure.stderr], [0, ""]);
    assertEquals(
      configure.stdout.trimEnd().split("\n").sort(),
      suffixes.map((suffix) =>
        `ln -s '${libdir}/tahoe_' '${munin.plugins}/tahoe_${suffix}'`
      ).sort(),
    );
  },
});

/** Reads plugin-conf.d as munin-node does, and prints a plugin's settings, a line each, for each. */
const perl = String.raw`
use strict; use warnings;
use Munin::Node::Config;
my ($dir, @plugins) = @ARGV;
my $config = Munin::Node::Config->instance();
$config->parse_config_from_file("/etc/munin/munin-node.conf");
$config->{sconfdir} = $dir;
$config->process_plugin_configuration_files();
$config->apply_wildcards(@plugins);
for my $plugin (@plugins) {
    my $settings = $config->{sconf}{$plugin} || {};
    for my $key (sort keys %$settings) {
        my $value = $settings->{$key};
        if ($key eq "env") {
            print "$plugin env.$_ $value->{$_}\n" for sort keys %$value;
        } else {
            print "$plugin $key $value\n";
        }
    }
}
`;

Deno.test({
  name: "plugin-conf.d is read as munin-node reads it",
  ignore,
  async fn() {
    const dir = await publicTempDir();
    await using stack = new AsyncDisposableStack();
    stack.defer(() => Deno.remove(dir, { recursive: true }));
    const plugins = ["tahoe_a", "tahoe_b_a", "gatherer", "x"];
    const line = fc.constantFrom(
      ...["tahoe_*", "tahoe_b*", "*", "*_a", "tahoe_*_a", "gatherer", "tahoe_a"]
        .map((section) => `[${section}]`),
      ...["env.statsfile /a", "env.statsfile /b # c", "env.statsfile \\#/a\\b"],
      ...["env.graphs  /a b ", "\tuser x", "user y", "timeout 5", "", "# c"],
      ...["user", "env.x=1", "[", "nonsense 1"],
    );
    const file = fc.array(line, { maxLength: 12 });
    const files = fc.dictionary(
      fc.constantFrom("a", "B", "gatherer", ".hidden", "c.bak", "d~"),
      file,
      { maxKeys: 3 },
    );
    await fc.assert(
      fc.asyncProperty(files, async (files) => {
        const texts = new Map(
          Object.entries(files).map((
            [name, lines],
          ) => [name, `${lines.join("\n")}\n`]),
        );
        const conf = `${dir}/conf`;
        await Deno.mkdir(conf);
        for (const [name, text] of texts) {
          await Deno.writeTextFile(`${conf}/${name}`, text);
        }
        const { stdout } = await run(["perl", "-e", perl, conf, ...plugins]);
        await Deno.remove(conf, { recursive: true });
        const read = parsePluginConf(
          inOrder(new Map([...texts].filter(([name]) => isRead(name)))),
        );
        const ours = plugins.flatMap((plugin) =>
          [...settingsOf(read, plugin)].map(([key, value]) =>
            `${plugin} ${key} ${value}`
          )
        );
        assertEquals(
          ours.sort(),
          stdout.split("\n").filter((line) => line !== "").sort(),
        );
      }),
      { numRuns: 40 },
    );
  },
});
