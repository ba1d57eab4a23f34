import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import {
  builtScript,
  type Executable,
  run,
  writeFreshStats,
} from "../executable.ts";
import { examplePluginConf, MuninClient, MuninNode } from "./munin_node.ts";
import { requirePeer } from "./peer.ts";
import { tahoeGraphs } from "./tahoe_graphs.ts";

const ignore = !requirePeer("munin-node");

async function nodeWithAllLinks(
  { dir, path }: Executable,
  name: string,
  statsfile: string,
): Promise<MuninNode> {
  return await MuninNode.install({
    dir: `${dir}/${name}`,
    hostName: "test.example",
    links: Object.fromEntries(tahoeGraphs.map(({ name }) => [name, path])),
    pluginConf: await examplePluginConf(statsfile),
  });
}

/** What a plugin says when nobody is in between. */
async function direct(
  munin: MuninNode,
  name: string,
  phase: readonly string[],
  env: Record<string, string>,
): Promise<string> {
  const command = [`${munin.plugins}/${name}`, ...phase];
  const { code, stdout, stderr } = await run(command, {
    clearEnv: true,
    env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", ...env },
    cwd: "/",
  });
  assertEquals({ code, stderr }, { code: 0, stderr: "" });
  return stdout;
}

for (const kind of ["msgpack", "json"] as const) {
  Deno.test({
    name: `munin-node and munin-run hand on what the plugins say, from ${kind}`,
    ignore,
    async fn() {
      await using executable = await builtScript();
      const statsfile = (await writeFreshStats(executable.dir))[kind];
      const munin = await nodeWithAllLinks(executable, kind, statsfile);
      let values = 0;
      await using _running = await munin.start();
      using client = await MuninClient.connect(munin.port);
      assertEquals(await client.line(), "# munin node at test.example");
      assertMatch(
        await client.ask("cap multigraph dirtyconfig"),
        /^cap .*dirtyconfig/,
      );
      assertEquals(
        (await client.ask("list")).split(" ").sort(),
        tahoeGraphs.map(({ name }) => name).sort(),
      );
      for (const { name, title } of tahoeGraphs) {
        const config = await direct(munin, name, ["config"], { statsfile });
        const fetched = await direct(munin, name, [], { statsfile });
        assertStringIncludes(config, `graph_title ${title}\n`);
        // To a client that knows dirtyconfig the values are told at once.
        assertEquals(
          await client.askLines(`config ${name}`),
          config + fetched,
        );
        assertEquals(await client.askLines(`fetch ${name}`), fetched);
        if (fetched !== "") values++;

        for (
          const [args, stdout] of [[[], fetched], [["config"], config]] as const
        ) {
          assertEquals(await munin.run(name, ...args), {
            code: 0,
            stdout,
            stderr: "",
          });
        }
      }
      // The other eleven draw what the captured nodes did not have.
      assertEquals(values, 15);
    },
  });
}

Deno.test({
  name:
    "a plugin that fails costs its own answer, and its reason is in munin-node's log",
  ignore,
  async fn() {
    await using executable = await builtScript();
    const statsfile = `${executable.dir}/stats.msgpack`;
    await writeFreshStats(executable.dir);
    const munin = await nodeWithAllLinks(executable, "munin", statsfile);
    const [{ name }] = tahoeGraphs;
    {
      await using _running = await munin.start();
      using client = await MuninClient.connect(munin.port);
      await client.line();
      await Deno.writeTextFile(statsfile, "no snapshot");
      assertEquals(await client.askLines(`fetch ${name}`), "# Bad exit\n");
      await writeFreshStats(executable.dir);
      assertMatch(await client.askLines(`config ${name}`), /^graph_title /);
    }
    assertStringIncludes(
      await munin.log(),
      `cannot use the snapshot "${statsfile}"`,
    );
    assertEquals((await munin.run(name)).code, 0);
    await Deno.remove(statsfile);
    const outcome = await munin.run(name);
    assertEquals([outcome.code, outcome.stdout], [1, ""]);
    assertMatch(outcome.stderr, /^[^\n]*stats\.msgpack[^\n]*\n$/);
  },
});
