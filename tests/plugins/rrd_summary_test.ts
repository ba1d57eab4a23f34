import { assertEquals } from "@std/assert";
import { RrdSummaryPlugin } from "../../lib/plugins/rrd_summary.ts";
import type { Summary, SummaryMetric } from "../../lib/tree/summary.ts";
import type { ChildGrid, Cluster } from "../../lib/tree/tree.ts";
import { FakeClock, settle } from "../fake_clock.ts";
import {
  detailOf,
  gmondCluster,
  gmondHost,
  node,
  nodes,
  TIME,
} from "../rrd/clusters.ts";
import { FakeWriter } from "../rrd/fake_writer.ts";

const RRAS = ["RRA:AVERAGE:0.5:1:10"];

async function setUp(
  options: Partial<ConstructorParameters<typeof RrdSummaryPlugin>[0]> = {},
) {
  const writer = new FakeWriter();
  const clock = new FakeClock();
  const plugin = new RrdSummaryPlugin({
    root: "/rrds",
    writer,
    clock,
    rras: RRAS,
    ...options,
  });
  await plugin.start();
  return { writer, clock, plugin };
}

async function rest(): Promise<void> {
  for (let i = 0; i < 20; i++) await settle();
}

function summary(
  metrics: Record<string, Partial<SummaryMetric>>,
): Summary {
  const entries = Object.entries(metrics).map(([name, metric]) =>
    [name, {
      sum: 0,
      num: 1,
      slope: "both",
      detail: detailOf("float"),
      ...metric,
    }] as const
  );
  return { up: 1, down: 0, metrics: new Map(entries) };
}

function cluster(
  name: string,
  metrics: Record<string, Partial<SummaryMetric>>,
  options: Parameters<typeof gmondCluster>[2] = {},
): Cluster {
  const host = gmondHost("h", []);
  return { ...gmondCluster(name, [host], options), summary: summary(metrics) };
}

function grid(
  name: string,
  metrics: Record<string, Partial<SummaryMetric>>,
  failure?: string,
  localtime = TIME,
): ChildGrid {
  return {
    name,
    authority: "",
    localtime,
    source: { name, answeredAt: 0, interval: 20, failure },
    summary: summary(metrics),
  };
}

Deno.test("summaries of clusters and of grids below ours are stored as they come", async () => {
  const { writer, plugin } = await setUp();
  plugin.notify(cluster("my cluster", {
    load_one: { sum: 2.1, num: 4 },
    mem_total: { sum: 123456789012, num: 4 },
    ctr: { sum: 308, num: 2, slope: "positive" },
    drv: { sum: 308.5, num: 2, slope: "derivative" },
  }));
  plugin.notifyGrid(grid("../below", { load_one: { sum: 7, num: 9 } }));
  await rest();
  const dir = "/rrds/my cluster/__SummaryInfo__";
  const below = "/rrds/%2E%2E%2Fbelow/__SummaryInfo__";
  assertEquals(Object.fromEntries(writer.files), {
    [`${dir}/load_one.rrd`]: [`${TIME}:2.1:4`],
    [`${dir}/mem_total.rrd`]: [`${TIME}:123456789012:4`],
    [`${dir}/ctr.rrd`]: [`${TIME}:308:2`],
    [`${dir}/drv.rrd`]: [`${TIME}:308:2`],
    [`${below}/load_one.rrd`]: [`${TIME}:7:9`],
  });
  const shapes = writer.log.filter((line) => line.startsWith("create"))
    .map((line) => line.split(" ").slice(-4).join(" "));
  assertEquals(shapes, [
    `10 DS:sum:GAUGE:80:U:U DS:num:GAUGE:80:U:U ${RRAS}`,
    `10 DS:sum:GAUGE:80:U:U DS:num:GAUGE:80:U:U ${RRAS}`,
    `10 DS:sum:COUNTER:80:U:U DS:num:GAUGE:80:U:U ${RRAS}`,
    `10 DS:sum:DERIVE:80:U:U DS:num:GAUGE:80:U:U ${RRAS}`,
    `20 DS:sum:GAUGE:160:U:U DS:num:GAUGE:160:U:U ${RRAS}`,
  ]);
  await plugin.stop();
});

Deno.test("every 15 s the whole grid is summed up, of what is not down", async () => {
  const { writer, clock, plugin } = await setUp();
  const root = "/rrds/__SummaryInfo__/load_one.rrd";
  const tell = (name: string, sum: number, num: number, failure?: string) =>
    plugin.notify(cluster(name, { load_one: { sum, num } }, { failure }));
  await clock.advance(15_000);
  assertEquals(writer.log, []);
  tell("alpha", 2.1, 4);
  tell("beta", 0.91, 1);
  plugin.notifyGrid(grid("gamma", { load_one: { sum: 3, num: 2 } }));
  // A cluster and a grid may have one name.
  plugin.notifyGrid(grid("alpha", { load_one: { sum: 10, num: 10 } }));
  await clock.advance(15_000);
  tell("beta", 0.91, 1, "refused");
  await clock.advance(15_000);
  plugin.notifyGrid(grid("gamma", { load_one: { sum: 3, num: 2 } }, "refused"));
  tell("beta", 1.5, 1);
  await clock.advance(15_000);
  plugin.notify({ name: "alpha", hosts: new Map() });
  await clock.advance(15_000);
  await rest();
  assertEquals(writer.files.get(root), [
    `${TIME + 30}:16.01:17`,
    `${TIME + 45}:15.1:16`,
    `${TIME + 60}:13.6:15`,
    `${TIME + 75}:11.5:11`,
  ]);
  assertEquals(
    writer.log.find((line) => line.startsWith(`create ${root}`)),
    `create ${root} ${
      TIME + 29
    } 15 DS:sum:GAUGE:120:U:U DS:num:GAUGE:120:U:U ${RRAS}`,
  );
  await plugin.stop();
  assertEquals(clock.pending, 0);
});

Deno.test("what gmetad is told not to summarize has no RRD", async () => {
  const metrics = Object.fromEntries(
    [
      "load_one",
      "load_five",
      "disk_sda",
      "cpu",
      "vm1.vcpu",
      "app.vm1.vcpu",
      "app.vm1.disk",
      "v",
    ]
      .map((name) => [name, { sum: 1 }]),
  );
  const cases: [
    Partial<ConstructorParameters<typeof RrdSummaryPlugin>[0]>,
    string[],
    string[],
  ][] = [
    [{}, Object.keys(metrics), Object.keys(metrics)],
    [
      { unsummarizedMetrics: ["disk", "load_o"] },
      ["load_five", "cpu", "vm1.vcpu", "app.vm1.vcpu", "app.vm1.disk", "v"],
      ["load_five", "cpu", "vm1.vcpu", "app.vm1.vcpu", "app.vm1.disk", "v"],
    ],
    [
      { unsummarizedSflowVmMetrics: true },
      ["load_one", "load_five", "disk_sda", "cpu", "app.vm1.disk", "v"],
      ["load_one", "load_five", "disk_sda", "cpu", "app.vm1.disk", "v"],
    ],
    [
      {
        summarizedMetrics: ["cpu", "load_one", "x"],
        unsummarizedMetrics: ["c"],
      },
      [
        "load_one",
        "load_five",
        "disk_sda",
        "vm1.vcpu",
        "app.vm1.vcpu",
        "app.vm1.disk",
        "v",
      ],
      ["load_one"],
    ],
  ];
  for (const [options, ofCluster, ofGrid] of cases) {
    const { writer, clock, plugin } = await setUp(options);
    plugin.notify(cluster("alpha", metrics));
    await clock.advance(15_000);
    await rest();
    const names = (dir: string) =>
      [...writer.files.keys()].filter((path) => path.startsWith(`${dir}/__S`))
        .map((path) => path.split("/").at(-1)!.replace(/\.rrd$/, ""));
    assertEquals(names("/rrds/alpha"), ofCluster);
    assertEquals(names("/rrds"), ofGrid);
    await plugin.stop();
  }
});

Deno.test("the summary of nodes is stored under our own time, their counters as ones that restart", async () => {
  const { writer, clock, plugin } = await setUp({ step: 60 });
  const host = node("abcdefgh", "store", []);
  const of = (sum: number): Cluster => ({
    ...nodes([host]),
    summary: summary({
      reads: { sum, num: 1, slope: "positive", detail: undefined },
    }),
  });
  plugin.notify(of(5));
  plugin.notify(of(6));
  await clock.advance(1000);
  plugin.notify(of(7));
  await rest();
  const path = "/rrds/foolscap/__SummaryInfo__/reads.rrd";
  assertEquals(writer.files.get(path), [`${TIME}:5:1`, `${TIME + 1}:7:1`]);
  assertEquals(
    writer.log[1],
    `create ${path} ${
      TIME - 1
    } 60 DS:sum:DERIVE:480:0:U DS:num:GAUGE:480:U:U ${RRAS}`,
  );
  await plugin.stop();
});

Deno.test("the grid's rhythm does not drift", async () => {
  const { writer, clock, plugin } = await setUp();
  plugin.notify(cluster("alpha", { x: { sum: 1 } }));
  await clock.advance(60_000);
  await rest();
  assertEquals(
    writer.files.get("/rrds/__SummaryInfo__/x.rrd"),
    [15, 30, 45, 60].map((seconds) => `${TIME + seconds}:1:1`),
  );
  await plugin.stop();
});
