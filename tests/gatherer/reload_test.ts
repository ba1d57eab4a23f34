import { assert, assertEquals, assertRejects } from "@std/assert";
import { systemClock } from "../../lib/clock.ts";
import { UserError } from "../../lib/errors.ts";
import { parseGmetadConf } from "../../lib/ganglia/conf/parse.ts";
import {
  type Gatherer,
  type LoadedOptions,
  startGatherer,
} from "../../lib/gatherer/gatherer.ts";
import type { GathererOptions } from "../../lib/gatherer/options.ts";
import { noGraphs } from "../../lib/munin/graphs_file.ts";
import { connect, StatsProvider } from "../../mod.ts";
import { captureLog } from "../log_capture.ts";
import { ask } from "../munin_node/node_client.ts";

/** A gatherer whose configuration a test changes. */
class World implements AsyncDisposable {
  readonly log: Awaited<ReturnType<typeof captureLog>>;
  readonly gatherer: Gatherer;
  /** What the next reload finds. */
  next: GathererOptions | UserError;
  /** What is around the gatherer. */
  adopt: LoadedOptions["adopt"];

  static async start(change: Partial<GathererOptions> = {}): Promise<World> {
    const log = await captureLog();
    const options: GathererOptions = {
      basedir: await Deno.makeTempDir(),
      host: "127.0.0.1",
      hostname: "127.0.0.1",
      intervalMs: 6000,
      ...change,
    };
    const world: { current?: World } = {};
    const gatherer = await startGatherer({
      ...options,
      clock: systemClock,
      load() {
        const { next, adopt } = world.current!;
        if (next instanceof UserError) throw next;
        return { options: next, file: "gatherer.toml", adopt };
      },
    });
    return world.current = new World(log, gatherer, options);
  }

  private constructor(
    log: World["log"],
    gatherer: Gatherer,
    readonly options: GathererOptions,
  ) {
    this.log = log;
    this.gatherer = gatherer;
    this.next = options;
  }

  async reload(change: Partial<GathererOptions>): Promise<string[]> {
    this.next = { ...this.options, ...change };
    return (await this.gatherer.reload()).lines();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.gatherer.stop();
    await this.log[Symbol.asyncDispose]();
    await Deno.remove(this.options.basedir, { recursive: true });
  }
}

const munin = (port: number, allow = "127.0.0.1") => ({
  all: { host: "127.0.0.1", port },
  allow,
  hostName: "grid.example",
  select: "",
  drilldown: "auto" as const,
  operators: noGraphs,
});

/** A port that nobody uses. */
function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

Deno.test("a reload starts, changes and stops what it must; nodes stay attached", async () => {
  await using world = await World.start();
  const { gatherer } = world;
  const stats = new StatsProvider();
  stats.count("mailer.sent", 7);
  const reported = new Promise<void>((resolve) => {
    const end = gatherer.tree.onCommit(({ hosts }) => {
      const nicknames = [...hosts.values()].map(({ nickname }) => nickname);
      if (!nicknames.includes("mailer")) return;
      end();
      resolve();
    });
  });
  await using _attachment = connect(stats, {
    furl: gatherer.furl!,
    nickname: "mailer",
    identityFile: `${world.options.basedir}/mailer.pem`,
  });
  await reported;
  const attaches = () =>
    world.log.lines.filter((line) => line.includes("attached from 127."));
  const port = freePort();
  assertEquals(await world.reload({ munin: munin(port) }), [
    "start   munin",
    "keep    spool",
  ]);
  assertEquals(gatherer.munin.all, { host: "127.0.0.1", port });
  const list = await ask(port, "list");
  assert(list.includes("gatherer"), list);

  assertEquals(
    await world.reload({ munin: munin(port, "127.0.0.1 10.0.0.0/8") }),
    ["change  munin", "keep    spool"],
  );
  assert((await ask(port, "list")).includes("gatherer"));
  assertEquals(await world.reload({ spoolBytes: 0, intervalMs: 5000 }), [
    "stop    spool",
    "stop    munin",
    "set     the interval to 5 s",
  ]);
  await assertRejects(() => ask(port, "list"));
  assertEquals(gatherer.status().intervalSeconds, 5);
  assertEquals(gatherer.status().configuration.file, "gatherer.toml");
  assertEquals(await world.reload({ private: true, spoolBytes: 0 }), [
    "set     the interval to 6 s",
    "later   private: it has changed, and takes effect with a restart",
  ]);
  assertEquals(attaches().length, 1);
  assertEquals(
    [...gatherer.tree.cluster("foolscap").hosts.values()].map(({ life }) =>
      life.attachedAt !== undefined
    ),
    [true, true],
  );
});

Deno.test("a configuration that cannot be used, or made true, changes nothing", async () => {
  const port = freePort();
  await using world = await World.start({ munin: munin(port) });
  world.next = new UserError("gatherer.toml:3: munin.listen: no port");
  await assertRejects(
    () => world.gatherer.reload(),
    UserError,
    "gatherer.toml:3",
  );
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await assertRejects(
    () => world.reload({ munin: munin(taken.addr.port), spoolBytes: 0 }),
    UserError,
    `${taken.addr.port}`,
  );
  const { state, plugins, configuration } = world.gatherer.status();
  assertEquals(state, "ready");
  assertEquals(plugins.map(({ id }) => id).sort(), [
    "munin",
    "snapshot",
    "spool",
  ]);
  assertEquals(configuration.file, null);
  assert((await ask(port, "list")).includes("gatherer"));
});

Deno.test("a stop in the middle of a reload leaves nothing running", async () => {
  await using world = await World.start();
  const { gatherer } = world;
  const adopting = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  world.adopt = async () => {
    adopting.resolve();
    await goOn.promise;
    return () => Promise.resolve();
  };
  const port = freePort();
  const reloaded = world.reload({ munin: munin(port) });
  await adopting.promise;
  const later = gatherer.reload();
  const stopped = gatherer.stop();
  const { promise: aWhile, resolve } = Promise.withResolvers<void>();
  systemClock.setTimer(resolve, 300);
  await Promise.race([stopped, aWhile]);
  goOn.resolve();
  await reloaded;
  await assertRejects(() => later, UserError, "is being stopped");
  await stopped;
  await assertRejects(() => ask(port, "list"));
  assertEquals(gatherer.status().state, "stopping");
  assertEquals(world.log.lines.at(-1), "info stopped");
});

Deno.test("why a reload failed is told, also when what is around cannot be as before", async () => {
  await using world = await World.start();
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  world.adopt = () =>
    Promise.resolve(() => Promise.reject(new UserError("no log file")));
  await assertRejects(
    () => world.reload({ munin: munin(taken.addr.port) }),
    UserError,
    `port ${taken.addr.port} is in use`,
  );
  assertEquals(
    world.log.lines.at(-1),
    "error what is around the gatherer stays changed: no log file",
  );
  assertEquals(world.gatherer.status().state, "ready");
});

Deno.test("a source that is taken out takes its clusters along; one that changes keeps them", async () => {
  using gmond = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const xml = new TextEncoder().encode(
    `<GANGLIA_XML VERSION="3.7.2" SOURCE="gmond"><CLUSTER NAME="web" LOCALTIME="1" OWNER="" LATLONG="" URL=""><HOST NAME="h" IP="192.0.2.1" TAGS="" REPORTED="1" TN="1" TMAX="20" DMAX="0" LOCATION="" GMOND_STARTED="1"><METRIC NAME="m" VAL="1" TYPE="float" UNITS="" TN="1" TMAX="60" DMAX="0" SLOPE="both"/></HOST></CLUSTER></GANGLIA_XML>\n`,
  );
  const serving = (async () => {
    for await (const connection of gmond) {
      await connection.write(xml).catch(() => {});
      connection.close();
    }
  })();
  const { port } = gmond.addr;
  const ganglia = (...lines: string[]) => ({
    host: "127.0.0.1",
    conf: parseGmetadConf(
      [...lines, "write_rrds off", "xml_port 0", "interactive_port 0"].join(
        "\n",
      ),
      "gmetad.conf",
      { env: () => undefined },
    ),
  });
  {
    await using world = await World.start({ foolscap: false, spoolBytes: 0 });
    const { tree } = world.gatherer;
    const committed = (hosts: number) =>
      new Promise<void>((resolve) => {
        const end = tree.onCommit((cluster) => {
          if (cluster.name !== "web" || cluster.hosts.size !== hosts) return;
          end();
          resolve();
        });
      });
    const read = committed(1);
    const started = await world.reload({
      ganglia: ganglia(`data_source "web" 15 127.0.0.1:${port}`),
    });
    assertEquals(started.at(-1), "start   source web");
    await read;
    const changed = await world.reload({
      ganglia: ganglia(
        "# another line",
        `data_source "web" 30 127.0.0.1:${port}`,
      ),
    });
    assertEquals(changed[0], "change  source web");
    assertEquals(
      changed.slice(1).every((line) => line.startsWith("keep ")),
      true,
    );
    assertEquals(tree.cluster("web").hosts.size, 1);
    const gone = committed(0);
    const stopped = await world.reload({ ganglia: ganglia() });
    assertEquals(stopped[0], "stop    source web");
    await gone;
    assertEquals(tree.grid.clusters.has("web"), false);
  }
  gmond.close();
  await serving;
});
