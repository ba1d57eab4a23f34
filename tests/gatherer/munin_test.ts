import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { muninPlugin } from "../../lib/cli/munin.ts";
import { type Clock, systemClock } from "../../lib/clock.ts";
import { UserError } from "../../lib/errors.ts";
import { type Gatherer, startGatherer } from "../../lib/gatherer/gatherer.ts";
import { connect, StatsProvider } from "../../mod.ts";
import { captureLog } from "../log_capture.ts";
import { ask } from "../munin_node/node_client.ts";

/** A clock whose wall stands still, so that whoever looks at it sees the same. */
const clock: Clock = { ...systemClock, now: () => 1_700_000_000_500 };

function start(
  basedir: string,
  allow = "127.0.0.1",
  port = 0,
): Promise<Gatherer> {
  const address = { host: "127.0.0.1", port };
  return startGatherer({
    basedir,
    clock,
    host: "127.0.0.1",
    hostname: "127.0.0.1",
    // Only rounds that are closed early, for a newcomer.
    intervalMs: 6000,
    munin: {
      all: address,
      nodes: address,
      hostName: "grid.example",
      allow,
      operators: { graphs: [], limits: new Map() },
      select: "",
      drilldown: "auto",
    },
  });
}

/** Resolves at the first commit in which a node of that name has figures. */
function reported(gatherer: Gatherer, nickname: string): Promise<void> {
  return new Promise((resolve) => {
    const end = gatherer.tree.onCommit(({ hosts }) => {
      const found = [...hosts.values()].some((host) =>
        host.nickname === nickname && host.observation
      );
      if (!found) return;
      end();
      resolve();
    });
  });
}

/** What the plugin says to a master that takes values with config. */
async function plugin(
  basedir: string,
  name: string,
  ...args: string[]
): Promise<string> {
  let text = "";
  await muninPlugin(name, args, {
    env: { statsfile: basedir, MUNIN_CAP_DIRTYCONFIG: "1" },
    clock,
    stdout: (part) => void (text += part),
    stderr: (line) => {
      throw new Error(line);
    },
  });
  return text;
}

Deno.test("the port and the plugin give the same answer for every graph", async () => {
  const basedir = await Deno.makeTempDir();
  try {
    await using gatherer = await start(basedir);
    const stats = new StatsProvider();
    stats.count("storage_server.get", 7);
    stats.registerProducer({
      getStats: () => ({
        "storage_server.disk_used": 5000,
        "mailer.queue-length": 2.5,
        "storage_server.latencies.read.mean": 0.25,
      }),
    });
    await using _node = connect(stats, {
      furl: gatherer.furl!,
      nickname: "storage\n1",
      identityFile: `${basedir}/node.pem`,
    });
    await reported(gatherer, "storage\n1");
    const port = gatherer.munin.all!.port;
    const greeting = "# munin node at grid.example\n";
    while (
      !(await Deno.readTextFile(`${basedir}/stats.msgpack`)).includes("mailer")
    ) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    const listed = (await ask(port, "list\n")).slice(greeting.length).trim()
      .split(" ");
    for (
      const name of [
        "gatherer_nodes",
        "tahoe_storage_operations_get",
        "tahoe_diskused",
        "tahoe_server_latency_read_mean",
        "gatherer_stat_mailer_queue_length",
        "gatherer_counter_gatherer_spool_frames",
        "gatherer_counter_gatherer_munin_commands",
      ]
    ) assert(listed.includes(name), name);
    for (const name of [...listed, "tahoe_server_operations_get", "gatherer"]) {
      for (const command of ["config", "fetch"]) {
        const answer = await ask(
          port,
          `cap multigraph dirtyconfig\n${command} ${name}\n`,
        );
        const args = command === "config" ? ["config"] : [];
        assertEquals(
          answer,
          `${greeting}cap multigraph dirtyconfig spool\n${await plugin(
            basedir,
            name,
            ...args,
          )}.\n`,
          `${command} ${name}`,
        );
      }
    }
    const spooled = await ask(port, "spoolfetch 0\n");
    assertMatch(
      spooled,
      /^storage_1_\w{4}\.value 1700000000:7\n/m,
    );
    const hosts = await ask(gatherer.munin.nodes!.port, "nodes\n");
    assertMatch(
      hosts,
      /\ngrid\.example\ngatherer-\w{4}\.grid\.example\nstorage-1-\w{4}\.grid\.example\n\.\n$/,
    );
  } finally {
    await Deno.remove(basedir, { recursive: true });
  }
});

Deno.test("a port that is in use keeps the gatherer from starting, and nothing is left running", async () => {
  const basedir = await Deno.makeTempDir();
  try {
    using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const error = await assertRejects(
      () => start(basedir, "127.0.0.1", taken.addr.port),
      UserError,
    );
    assertMatch(error.message, /port \d+ is in use, perhaps by a munin-node/);
  } finally {
    await Deno.remove(basedir, { recursive: true });
  }
});

Deno.test("who is not allowed is refused, with the rule in the log", async () => {
  const basedir = await Deno.makeTempDir();
  try {
    await using log = await captureLog();
    await using gatherer = await start(basedir, "!127.0.0.1 0.0.0.0/0");
    assertEquals(await ask(gatherer.munin.all!.port, "list\n"), "");
    assertEquals(
      log.lines.filter((line) => line.includes("refused")),
      ["warning Munin client 127.0.0.1: refused: !127.0.0.1"],
    );
  } finally {
    await Deno.remove(basedir, { recursive: true });
  }
});
