import { assert, assertEquals } from "@std/assert";
import { encodeNode, encodeSnapshot } from "../../lib/snapshot/codec.ts";
import { builtScript, type Executable } from "../executable.ts";
import { fakeTime } from "./fake_time.ts";
import { MuninMaster, type Row } from "./munin_master.ts";
import { examplePluginConf, MuninNode } from "./munin_node.ts";
import { requirePeer } from "./peer.ts";
import { tahoeGraphs } from "./tahoe_graphs.ts";

const ignore = !requirePeer("munin") || !requirePeer("munin-node");

/** The step of Munin's round and of its RRD files, in seconds. */
const step = 300;
/** How many times the master asks. */
const rounds = 4;

/** Who reports what, and the field that is drawn of it. */
const reporters = [
  {
    key: "a".repeat(32),
    nickname: "storage 1",
    field: "storage_1_aaaa",
    has: /^(storage_server|load_monitor)\./,
  },
  {
    key: "b".repeat(32),
    nickname: "2nd storage",
    field: "_2nd_storage_bbbb",
    has: /^(storage_server|load_monitor)\./,
  },
  {
    key: "c".repeat(32),
    nickname: "helper",
    field: "helper_cccc",
    has: /^chk_upload_helper\./,
  },
  {
    key: "d".repeat(32),
    nickname: "gateway",
    field: "gateway_dddd",
    has: /^(uploader|mutable)\./,
  },
] as const;

/** Every series that Munin is to keep: how its figures come about. */
const series = tahoeGraphs.flatMap((graph, graphIndex) =>
  reporters.flatMap((reporter, index) => {
    if (!reporter.has.test(graph.stat)) return [];
    const isRate = graph.field.type === "DERIVE";
    const rate = 1 + graphIndex + 100 * index;
    return [{
      service: graph.name,
      field: reporter.field,
      key: reporter.key,
      group: graph.category,
      stat: graph.stat,
      /** The figure that is reported at the end of a round, an integer. */
      figure: (round: number) =>
        isRate
          // Large enough that a double would not have all digits.
          ? 2n ** 60n + BigInt(rate * step * round)
          : BigInt(rate * 1000 + 7 * round * round),
      /** What Munin is to keep of the time that ends with a round. */
      kept: (round: number): number =>
        isRate ? rate : rate * 1000 + 7 * round * round,
    }];
  })
);

/** The snapshot at the end of a round, all of it measured at that moment. */
function snapshotOf(round: number, at: number): Uint8Array {
  return encodeSnapshot(reporters.map(({ key, nickname }) => {
    const half = (wanted: string) =>
      series.filter(({ key: owner, group }) =>
        owner === key && group === wanted
      ).map(({ stat, figure }) => [stat, figure(round)] as const);
    return encodeNode({
      key,
      nickname,
      timestamp: at,
      counters: half("counters"),
      stats: half("stats"),
    });
  }));
}

/** Something that a master can ask for gatherer's graphs. */
interface Served extends AsyncDisposable {
  readonly port: number;
  /** Has the figures of a round reported, at a time in seconds since the epoch. */
  report(round: number, at: number): Promise<void>;
}

/** munin-node with links to the executable. */
async function muninNode(
  executable: Executable,
  links: readonly string[],
): Promise<Served> {
  const setTime = await fakeTime(executable);
  const statsfile = `${executable.dir}/stats.msgpack`;
  const report = async (round: number, at: number) => {
    await setTime(at);
    await Deno.writeFile(statsfile, snapshotOf(round, at));
  };
  await report(0, 0);
  const node = await MuninNode.install({
    dir: `${executable.dir}/munin-node`,
    hostName: "gatherer.example",
    links: Object.fromEntries(links.map((name) => [name, executable.path])),
    pluginConf: await examplePluginConf(statsfile),
  });
  const running = await node.start();
  return {
    port: node.port,
    report,
    [Symbol.asyncDispose]: () => running[Symbol.asyncDispose](),
  };
}

const servers: Record<string, (executable: Executable) => Promise<Served>> = {
  "munin-node with 26 links": (executable) =>
    muninNode(executable, tahoeGraphs.map(({ name }) => name)),
};

for (const [name, serve] of Object.entries(servers)) {
  Deno.test({
    name: `what gatherer knows is what Munin keeps and draws: ${name}`,
    ignore,
    async fn() {
      // keep
      await using executable = await builtScript();
      await using served = await serve(executable);
      await using master = await MuninMaster.create([{
        name: "grid-1",
        address: "127.0.0.1",
        port: served.port,
        useNodeName: true,
      }]);
      const end = Math.floor(Date.now() / 1000 / step) * step;
      const start = end - (rounds - 1) * step;
      for (let round = 0; round < rounds; round++) {
        const at = start + round * step;
        await served.report(round, at);
        assertEquals(await master.update({ at }), []);
      }

      assertEquals(
        (await master.rrdFiles()).length,
        series.length,
        "files of figures",
      );
      for (const { service, field, kept } of series) {
        assertEquals(
          await master.rrdFetch("grid-1", service, field, { start, end }),
          Array.from(
            { length: rounds - 1 },
            (_, index): Row => [start + (index + 1) * step, kept(index + 1)],
          ),
          `${service} ${field}`,
        );
      }

      await master.limits();
      await master.html();
      await master.graph();
      const pages = master.htmlDir("grid-1");
      const index = await Deno.readTextFile(`${pages}/index.html`);
      for (const { name, title } of tahoeGraphs) {
        assert(index.includes(`<a href="${name}.html">`), name);
        assert(index.includes(`alt="${title}"`), title);
        const page = await Deno.readTextFile(`${pages}/${name}.html`);
        const fields = [...page.matchAll(/<td class="field">([^<]*)</g)];
        assertEquals(
          fields.map(([, field]) => field),
          series.filter(({ service }) => service === name)
            .map(({ field }) => field),
          name,
        );
        for (const period of ["day", "week", "month", "year"]) {
          await assertPicture(`${pages}/${name}-${period}.png`);
        }
      }
      assertEquals((await master.logs()).match(/RRD ERROR.*/g), null);
    },
  });
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
