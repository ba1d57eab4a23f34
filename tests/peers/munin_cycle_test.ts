import { assert, assertEquals } from "@std/assert";
import { builtScript, publicTempDir } from "../executable.ts";
import { fakeTime } from "./fake_time.ts";
import { Grid, type Series } from "./munin_grid.ts";
import { type MuninHost, MuninMaster, type Row } from "./munin_master.ts";
import { MuninNode } from "./munin_node.ts";
import { requirePeer } from "./peer.ts";
import { tahoeGraphs } from "./tahoe_graphs.ts";

const ignore = !requirePeer("munin") || !requirePeer("munin-node");

/** The step of Munin's round and of its RRD files, in seconds. */
const step = 300;
/** Munin's rounds, of which the master may miss some. */
const rounds = 4;

/** Something that a master can ask for what a gatherer knows. */
interface Served extends AsyncDisposable {
  readonly hosts: readonly MuninHost[];
  /** Where Munin keeps a series. */
  place(series: Series): { host: string; field: string };
  /** Makes it the time, in seconds since the epoch, for programs that are started from now on. */
  setTime?(at: number): Promise<void>;
}

/** All nodes as one host. */
function asOneHost(grid: Grid, port: number) {
  const name = "grid-1";
  return {
    hosts: [{ name, address: "127.0.0.1", port, useNodeName: true }],
    place: (series: Series) => ({ host: name, field: grid.field(series) }),
  };
}

/** munin-node with links to the executable. */
async function muninNode(
  grid: Grid,
  links: readonly string[],
): Promise<Served> {
  await using stack = new AsyncDisposableStack();
  const executable = stack.use(await builtScript());
  const setTime = await fakeTime(executable);
  await setTime(0);
  const node = await MuninNode.install({
    dir: `${executable.dir}/munin-node`,
    hostName: "node.example",
    links: Object.fromEntries(links.map((name) => [name, executable.path])),
    pluginConf: `[*]\nenv.statsfile ${grid.statsfile}\n`,
  });
  stack.use(await node.start());
  const running = stack.move();
  return {
    ...asOneHost(grid, node.port),
    setTime,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** A way from a gatherer to Munin. */
interface Way {
  readonly name: string;
  /** The rounds in which the master asks; those that it misses must not cost anything. */
  readonly asked: readonly number[];
  /** Whether the overview of all nodes leads to a page for each. */
  readonly drilldown: boolean;
  serve(grid: Grid): Promise<Served>;
}

const ways: readonly Way[] = [
  {
    name: "munin-node with 26 links",
    asked: [1, 2, 4],
    drilldown: false,
    serve: (grid) => muninNode(grid, tahoeGraphs.map(({ name }) => name)),
  },
  {
    name: "munin-node with the link gatherer",
    asked: [1, 2, 4],
    drilldown: true,
    serve: (grid) => muninNode(grid, ["gatherer"]),
  },
  {
    name: "our own port",
    asked: [1, 4],
    drilldown: true,
    serve: (grid) =>
      Promise.resolve({
        ...asOneHost(grid, grid.gatherer.munin.all!.port),
        async [Symbol.asyncDispose]() {},
      }),
  },
  {
    name: "our own port, each node a host",
    asked: [1, 2, 4],
    drilldown: false,
    serve: (grid) => {
      const { port } = grid.gatherer.munin.nodes!;
      const names = new Set(grid.series.map((series) => grid.host(series)));
      return Promise.resolve({
        hosts: [...names].map((name) => ({
          name,
          address: "127.0.0.1",
          port,
          useNodeName: false,
        })),
        place: (series) => ({ host: grid.host(series), field: "value" }),
        async [Symbol.asyncDispose]() {},
      });
    },
  },
];

for (const { name, asked, drilldown, serve } of ways) {
  Deno.test({
    name: `what nodes report is what Munin keeps and draws: ${name}`,
    ignore,
    async fn() {
      await using stack = new AsyncDisposableStack();
      const dir = await publicTempDir();
      stack.defer(() => Deno.remove(dir, { recursive: true }));
      const end = Math.floor(Date.now() / 1000 / step) * step;
      const begin = end - rounds * step;
      // Figures come at no round time, and are kept to the second.
      await using grid = await Grid.start(`${dir}/base`, begin + 17);
      await using served = await serve(grid);
      await using master = await MuninMaster.create(served.hosts);
      for (const round of asked) {
        const at = begin + round * step;
        await grid.advanceTo(at);
        await served.setTime?.(at);
        assertEquals(await master.update({ at }), []);
      }

      // The first interval begins before the first poll, the last ends after the last one.
      const whole = { start: begin + step, end: end - step };
      for (const series of grid.series) {
        const { host, field } = served.place(series);
        const { name } = series.graph;
        assertEquals(
          await master.rrdFetch(host, name, field, whole),
          Array.from({ length: rounds - 2 }, (_, index): Row => {
            const end = whole.start + (index + 1) * step;
            return [end, grid.mean(series, end)];
          }),
          `${host} ${name} ${field}`,
        );
      }

      await master.limits();
      await master.html();
      await master.graph();
      for (const { name: host } of served.hosts) {
        await assertPages(
          master.htmlDir(host),
          grid.series.map((series) => ({ series, ...served.place(series) }))
            .filter((place) => place.host === host),
        );
      }
      if (drilldown) await assertDrilldown(master, grid);
      assertEquals((await master.logs()).match(/RRD ERROR.*/g), null);
    },
  });
}

/** A host's pages name its graphs and their fields, and show a picture for each period. */
async function assertPages(
  dir: string,
  places: readonly { series: Series; field: string }[],
): Promise<void> {
  const index = await Deno.readTextFile(`${dir}/index.html`);
  for (const { name, title } of tahoeGraphs) {
    const fields = places.filter(({ series }) => series.graph.name === name)
      .map(({ field }) => field);
    if (fields.length === 0) continue;
    assert(index.includes(`<a href="${name}.html">`), name);
    assert(index.includes(`alt="${title}"`), title);
    const page = await Deno.readTextFile(`${dir}/${name}.html`);
    const listed = [...page.matchAll(/"internal"><span[^>]*>([^<]*)<.*<\/td>/g)]
      .map(([, field]) => field);
    // The gatherer is a node as well, but of none of these statistics except its own load.
    assertEquals(
      listed.filter((field) => !field.startsWith("gatherer_")),
      fields,
      name,
    );
    for (const period of ["day", "week", "month", "year"]) {
      await assertPicture(`${dir}/${name}-${period}.png`);
    }
  }
}

/**
 * The overview leads to a page for each node, whose pictures borrow the series of the graphs of all
 * nodes: they have no files of their own.
 */
async function assertDrilldown(
  master: MuninMaster,
  grid: Grid,
): Promise<void> {
  const dir = `${master.htmlDir("grid-1")}/gatherer_nodes`;
  const index = await Deno.readTextFile(`${dir}/index.html`);
  for (const series of grid.series) {
    const node = `n_${grid.field(series)}`;
    assert(index.includes(`href="${node}/index.html"`), node);
    const page = await Deno.readTextFile(`${dir}/${node}/index.html`);
    const { name } = series.graph;
    assert(page.includes(`href="${name}.html"`), `${node} ${name}`);
    await assertPicture(`${dir}/${node}/${name}-day.png`);
  }
  const ofOverview = (await master.rrdFiles()).filter((name) =>
    name.startsWith("grid-1-gatherer_nodes-")
  );
  assertEquals(ofOverview, [
    "grid-1-gatherer_nodes-heard-g.rrd",
    "grid-1-gatherer_nodes-silent-g.rrd",
  ]);
}

/** A PNG of the size that Munin draws, and not an empty one. */
async function assertPicture(path: string): Promise<void> {
  const bytes = await Deno.readFile(path);
  assertEquals(
    bytes.subarray(0, 8),
    Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10),
    path,
  );
  const view = new DataView(bytes.buffer);
  const [width, height] = [view.getUint32(16), view.getUint32(20)];
  assert(
    width > 450 && width < 550 && height > 240 && height < 500 &&
      bytes.length > 8000,
    `${path}: ${width} × ${height}, ${bytes.length} bytes`,
  );
}
