/** The same dialogues with a real munin-node. */

import { assertEquals } from "@std/assert";
import { MuninNode } from "../peers/munin_node.ts";
import { requirePeer } from "../peers/peer.ts";
import { ask, startNode } from "./node_client.ts";
import { SampleContent } from "./sample_content.ts";

const dialogues: readonly string[] = [
  "",
  "quit\n",
  "quit \n",
  ".\nversion\n",
  "QUIT\r\nversion\n",
  "cap multigraph dirtyconfig\n",
  "CAP\r\nlist\r\n",
  "list\n",
  "list",
  "list \nnodes\n",
  "LIST  Test.Example \r\n",
  "listtest.example\n",
  "list elsewhere.example\n",
  "cap dirtyconfig\nlist\n",
  "capmultigraph\nlist\n",
  "cap multigraph\ncap\nlist\n",
  "cap multigraph dirtyconfig\r\nlist\r\nconfig all\r\nfetch all\r\n",
  "config all\nfetch all\n",
  "config ALL\nfetch all foo\n",
  "fetch  all\n",
  "fetch\nconfig\n",
  "fetch nosuch\nconfig nosuch\n",
  "NODES\nVersion\n",
  "versionfoo\nnodes foo\n",
  "\n\r\n list\nhelp\n",
  "spoolfetch 1\nGET / HTTP/1.1\r\n",
  "h\u00e9lp\nlist\n",
];

const config = "multigraph all.a\ngraph_title A\na.label a\n";
const values = "multigraph all.a\na.value 1\n";

Deno.test({
  name: "a munin-node and this one give the same answers",
  ignore: !requirePeer("munin-node"),
  async fn() {
    const dir = await Deno.makeTempDir();
    try {
      // Plugins run as a user of their own.
      await Deno.chmod(dir, 0o755);
      await Deno.writeTextFile(
        `${dir}/plugin`,
        `#!/bin/sh
if [ "$1" = config ]; then printf '${config.replaceAll("\n", "\\n")}'
else printf '${values.replaceAll("\n", "\\n")}'; fi
`,
        { mode: 0o755 },
      );
      const peer = await MuninNode.install({
        dir: `${dir}/munin`,
        hostName: "test.example",
        links: { all: `${dir}/plugin` },
        pluginConf: "",
      });
      await using _running = await peer.start();
      const [, version] =
        /version: (.*)\n/.exec(await ask(peer.port, "version\n")) ?? [];
      await using node = await startNode({
        version,
        content: new SampleContent({
          "test.example": {
            all: {
              multigraph: true,
              config: () => [config],
              fetch: () => [values],
            },
          },
        }),
      });
      for (const dialogue of dialogues) {
        assertEquals(
          await ask(node.address.port, dialogue),
          await ask(peer.port, dialogue),
          JSON.stringify(dialogue),
        );
      }
    } finally {
      await Deno.remove(dir, { recursive: true });
    }
  },
});
