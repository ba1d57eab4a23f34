import { assertEquals, assertThrows } from "@std/assert";
import { UserError } from "../../lib/errors.ts";
import { RrdPlugin } from "../../lib/plugins/rrd.ts";
import { FakeClock, settle } from "../fake_clock.ts";
import { captureLog } from "../log_capture.ts";
import {
  detailOf,
  gmondCluster,
  gmondHost,
  gmondMetric,
  node,
  nodes,
  TIME,
} from "../rrd/clusters.ts";
import { FakeWriter } from "../rrd/fake_writer.ts";

const RRAS = ["RRA:AVERAGE:0.5:1:10"];

function setUp(
  options: Partial<ConstructorParameters<typeof RrdPlugin>[0]> = {},
) {
  const writer = new FakeWriter();
  const clock = new FakeClock();
  const plugin = new RrdPlugin({
    root: "/rrds",
    writer,
    clock,
    rras: RRAS,
    ...options,
  });
  return { writer, clock, plugin };
}

/** Lets everything happen that does not wait for the clock. */
async function rest(): Promise<void> {
  for (let i = 0; i < 20; i++) await settle();
}

function contents(writer: FakeWriter): Record<string, string[]> {
  return Object.fromEntries(writer.files);
}

Deno.test("each numeric metric of each host that is up has a file, as gmetad's", async () => {
  const { writer, plugin } = setUp();
  plugin.notify(gmondCluster("beta cluster", [
    gmondHost("Node-A.example.test", [
      gmondMetric("load_one", "0.45"),
      gmondMetric("ctr_total", "308", { type: "uint32", slope: "positive" }),
      gmondMetric("drv_rate", "308", { type: "int32", slope: "derivative" }),
      gmondMetric("neg_gauge", "-17", { type: "int32", slope: "negative" }),
      gmondMetric("zero_const", "42", { type: "uint16", slope: "zero" }),
      gmondMetric("os_name", "Linux", { type: "string", slope: "zero" }),
      gmondMetric("boottime", "1795240000", {
        type: "timestamp",
        slope: "zero",
      }),
      gmondMetric("gone", "1", { detail: detailOf("float", 60), tn: 61 }),
      gmondMetric("nearly", "1", { detail: detailOf("float", 60), tn: 60 }),
      { ...gmondMetric("bad", "1"), value: NaN, text: "nan" },
      { ...gmondMetric("odd", "1"), value: null, text: "0x10" },
      gmondMetric("disk/../../../x", "1.0"),
    ]),
    gmondHost("down.example.test", [gmondMetric("load_one", "9")], { tn: 80 }),
    gmondHost("late.example.test", [gmondMetric("load_one", "8")], { tn: 79 }),
    gmondHost("..", [gmondMetric("..", "7")], { tn: 59, tmax: 0 }),
    gmondHost("old", [gmondMetric("x", "7")], { tn: 60, tmax: 0 }),
  ]));
  await rest();
  const host = "/rrds/beta cluster/Node-A.example.test";
  assertEquals(contents(writer), {
    [`${host}/load_one.rrd`]: [`${TIME}:0.45`],
    [`${host}/ctr_total.rrd`]: [`${TIME}:308`],
    [`${host}/drv_rate.rrd`]: [`${TIME}:308`],
    [`${host}/neg_gauge.rrd`]: [`${TIME}:-17`],
    [`${host}/zero_const.rrd`]: [`${TIME}:42`],
    [`${host}/nearly.rrd`]: [`${TIME}:1`],
    [`${host}/disk%2F..%2F..%2F..%2Fx.rrd`]: [`${TIME}:1.0`],
    "/rrds/beta cluster/late.example.test/load_one.rrd": [`${TIME}:8`],
    "/rrds/beta cluster/%2E%2E/%2E%2E.rrd": [`${TIME}:7`],
  });
  const created = writer.log.filter((line) => line.startsWith("create"));
  assertEquals(created.slice(0, 4), [
    `create ${host}/load_one.rrd ${TIME - 1} 10 DS:sum:GAUGE:80:U:U ${RRAS}`,
    `create ${host}/ctr_total.rrd ${TIME - 1} 10 DS:sum:COUNTER:80:U:U ${RRAS}`,
    `create ${host}/drv_rate.rrd ${TIME - 1} 10 DS:sum:DERIVE:80:U:U ${RRAS}`,
    `create ${host}/neg_gauge.rrd ${TIME - 1} 10 DS:sum:GAUGE:80:U:U ${RRAS}`,
  ]);
  assertEquals(plugin.counts.updates, 9);
  assertEquals(plugin.counts.creates, 9);
});

Deno.test("a poll is written once; a source that is down is not written", async () => {
  const { writer, clock, plugin } = setUp();
  const poll = (time: number, failure?: string) =>
    plugin.notify(gmondCluster(
      "alpha",
      [gmondHost("h", [gmondMetric("load_one", "1")])],
      { time, failure, answeredAt: clock.monotonic() },
    ));
  poll(TIME);
  poll(TIME);
  await clock.advance(10_000);
  poll(TIME + 10, "refused");
  await clock.advance(10_000);
  // The first after an outage counts.
  poll(TIME + 20);
  await rest();
  assertEquals(writer.files.get("/rrds/alpha/h/load_one.rrd"), [
    `${TIME}:1`,
    `${TIME + 20}:1`,
  ]);
});

Deno.test("only what was reported this time is written", async () => {
  const { writer, plugin } = setUp();
  const here = gmondHost("here", [gmondMetric("m", "1")]);
  const away = gmondHost("away", [gmondMetric("m", "1")]);
  const told = (time: number, isAway: boolean) =>
    plugin.notify(gmondCluster("alpha", [
      isAway
        ? {
          ...here,
          observation: {
            ...here.observation!,
            metrics: [],
            held: here.observation!.metrics,
          },
        }
        : here,
      isAway
        ? { ...away, life: { ...away.life, detachReason: "not sent" } }
        : away,
    ], { time }));
  await told(TIME, false);
  await told(TIME + 10, true);
  await told(TIME + 20, false);
  await rest();
  const times = [`${TIME}:1`, `${TIME + 20}:1`];
  assertEquals(contents(writer), {
    "/rrds/alpha/here/m.rrd": times,
    "/rrds/alpha/away/m.rrd": times,
  });
});

Deno.test("a source's clock that is far off is not used", async () => {
  await using log = await captureLog();
  const { writer, clock, plugin } = setUp();
  const poll = (time: number) =>
    plugin.notify(gmondCluster(
      "alpha",
      [gmondHost("h", [gmondMetric("load_one", "1")])],
      { time, answeredAt: clock.monotonic() },
    ));
  // The heartbeat is 80 s.
  poll(TIME + 80);
  await clock.advance(100_000);
  poll(TIME + 181);
  await clock.advance(10_000);
  poll(0);
  await clock.advance(10_000);
  poll(TIME + 1);
  await clock.advance(10_000);
  poll(TIME + 131);
  await rest();
  assertEquals(writer.files.get("/rrds/alpha/h/load_one.rrd"), [
    `${TIME + 80}:1`,
    `${TIME + 100}:1`,
    `${TIME + 110}:1`,
    `${TIME + 120}:1`,
    `${TIME + 131}:1`,
  ]);
  assertEquals(log.lines, [
    "warning the clock of cluster alpha is off by 81 s: its figures are stored under our own time",
    "info the clock of cluster alpha is right again",
  ]);
});

Deno.test("nodes have files too, named as in Ganglia's views; counters may begin anew", async () => {
  const { writer, plugin } = setUp({ step: 60 });
  const metrics = (count: bigint) => [
    {
      name: "storage_server.read",
      value: count,
      slope: "positive" as const,
    },
    { name: "load.avg", value: 0.1 + 0.2, slope: "both" as const },
    { name: "nothing", value: null, slope: "both" as const },
  ];
  const one = node("abcdefgh", "Store", metrics(5n));
  const restored = node("ijklmnop", "Store", metrics(6n), { sequence: 0 });
  plugin.notify(nodes([one, restored]));
  // A round in which only the other has reported.
  const other = node("ijklmnop", "Store", metrics(7n), { time: TIME + 1 });
  plugin.notify(nodes([one, other]));
  await rest();
  assertEquals(contents(writer), {
    "/rrds/foolscap/store-abcd.foolscap/storage_server.read.rrd": [`${TIME}:5`],
    "/rrds/foolscap/store-abcd.foolscap/load.avg.rrd": [
      `${TIME}:0.30000000000000004`,
    ],
    "/rrds/foolscap/store-ijkl.foolscap/storage_server.read.rrd": [
      `${TIME + 1}:7`,
    ],
    "/rrds/foolscap/store-ijkl.foolscap/load.avg.rrd": [
      `${TIME + 1}:0.30000000000000004`,
    ],
  });
  assertEquals(
    writer.log.find((line) => /^create .*read/.test(line)),
    "create /rrds/foolscap/store-abcd.foolscap/storage_server.read.rrd " +
      `${TIME - 1} 60 DS:sum:DERIVE:480:0:U ${RRAS}`,
  );
});

Deno.test("before the first figures of a node that was restarted its counters are not known", async () => {
  const { writer, plugin } = setUp({ step: 60 });
  const metric = (name: string, value: bigint, slope: "positive" | "both") => ({
    name,
    value,
    slope,
  });
  const at = (
    time: number,
    incarnation: string,
    counts: Record<string, bigint>,
    sequence = 1,
  ) => {
    const metrics = Object.entries(counts).map(([name, value]) =>
      metric(name, value, name.startsWith("g") ? "both" : "positive")
    );
    const host = node("abcdefgh", "n", metrics, {
      time: TIME + time,
      sequence,
    });
    const observation = { ...host.observation!, incarnation };
    return plugin.notify(nodes([{ ...host, observation }]));
  };
  const f = (expected: Record<string, string[]>) => {
    const found: Record<string, string[]> = {};
    for (const [path, values] of writer.files) {
      found[path.slice(path.lastIndexOf("/") + 1, -4)] = values.map((value) =>
        value.replace(String(TIME), "T").replace(
          /^\d+/,
          (time) => `${Number(time) - TIME}`,
        )
      );
    }
    assertEquals(found, expected);
  };
  // What a snapshot says is not stored, but it tells of a restart before this program's.
  await at(-60, "a", { a: 1n, b: 1n, g: 1n }, 0);
  await at(0, "b", { a: 2n, g: 2n });
  await rest();
  f({ a: ["-1:U", "T:2"], b: ["-1:U"], g: ["T:2"] });
  await at(60, "b", { a: 3n, g: 3n });
  await at(120, "c", { a: 9n, b: 5n, g: 9n });
  // Not known which it is, but that does not make it unknown which it was.
  await at(180, "", { a: 10n, b: 6n, g: 10n });
  await at(240, "d", { a: 20n, b: 9n, g: 20n });
  // There is no second between them: the first figure of a counter is given up.
  await at(241, "e", { a: 30n, b: 9n, c: 1n, g: 30n });
  await at(300, "e", { a: 31n, b: 9n, c: 2n, g: 31n });
  await rest();
  f({
    a: [
      "-1:U",
      "T:2",
      "60:3",
      "119:U",
      "120:9",
      "180:10",
      "239:U",
      "240:20",
      "241:U",
      "300:31",
    ],
    b: ["-1:U", "120:5", "180:6", "239:U", "240:9", "241:U", "300:9"],
    c: ["241:1", "300:2"],
    g: ["T:2", "60:3", "120:9", "180:10", "240:20", "241:30", "300:31"],
  });
});

Deno.test("small letters for hosts, and counters that restart, if so wished", async () => {
  const { writer, plugin } = setUp({
    caseSensitiveHostnames: false,
    countersRestart: true,
  });
  plugin.notify(gmondCluster("Alpha", [
    gmondHost("Node-A", [
      gmondMetric("Ctr", "1", { type: "uint32", slope: "positive" }),
      gmondMetric("Drv", "1", { type: "uint32", slope: "derivative" }),
    ]),
  ]));
  await rest();
  const created = writer.log.filter((line) => line.startsWith("create"));
  assertEquals(created, [
    `create /rrds/Alpha/node-a/Ctr.rrd ${
      TIME - 1
    } 10 DS:sum:DERIVE:80:0:U ${RRAS}`,
    `create /rrds/Alpha/node-a/Drv.rrd ${
      TIME - 1
    } 10 DS:sum:DERIVE:80:U:U ${RRAS}`,
  ]);
});

Deno.test("telling it takes no time, however slow the disk is, and what waits is bounded", async () => {
  const { writer, plugin } = setUp({ maxCount: 1000 });
  writer.gate = new Promise(() => {});
  const metrics = Array.from(
    { length: 30 },
    (_, i) => gmondMetric(`metric_${i}`, `${i}`),
  );
  for (let poll = 0; poll < 10; poll++) {
    const hosts = Array.from(
      { length: 10 },
      (_, i) => gmondHost(`host${i}`, metrics),
    );
    plugin.notify(gmondCluster("alpha", hosts, { time: TIME + 8 * poll }));
  }
  await rest();
  const { queued, dropped, updates } = plugin.counts;
  assertEquals(updates, 0);
  assertEquals(queued + dropped, 3000);
  // 1000 in the queue at most, in whole hosts, and those in hand.
  assertEquals(queued, 990 + 30);
});

Deno.test("the root is made at the start, if it is on this machine", async () => {
  await using log = await captureLog();
  const dir = await Deno.makeTempDir();
  const writer = Object.assign(new FakeWriter(), { isLocal: true });
  const plugin = (root: string) => setUp({ root, writer }).plugin;
  await plugin(`${dir}/rrds`).start();
  await plugin(`${dir}/rrds`).start();
  assertEquals((await Deno.stat(`${dir}/rrds`)).isDirectory, true);
  await plugin(`${dir}/no/where`).start();
  assertEquals(log.lines, [
    `info made the directory ${dir}/rrds for RRDs`,
    `warning cannot make the directory ${dir}/no/where for RRDs: no such file or directory; nothing is stored until it is there`,
  ]);
  await setUp({ root: `${dir}/remote` }).plugin.start();
  assertEquals([...Deno.readDirSync(dir)].length, 1);
  await Deno.remove(dir, { recursive: true });
  assertThrows(() => setUp({ rras: ["RRA"] }), UserError);
  assertThrows(() => setUp({ root: "" }), UserError);
});

Deno.test("hosts and clusters that went are forgotten, and may come back", async () => {
  const { writer, plugin, clock } = setUp();
  const host = gmondHost("h", [gmondMetric("x", "1")]);
  plugin.notify(gmondCluster("alpha", [host]));
  plugin.notify({ name: "alpha", hosts: new Map() });
  await clock.advance(10_000);
  plugin.notify(
    gmondCluster("alpha", [host], { time: TIME + 10, answeredAt: 10_000 }),
  );
  await rest();
  assertEquals(writer.files.get("/rrds/alpha/h/x.rrd")?.length, 2);
  await plugin.stop();
  assertEquals(writer.isClosed, true);
});
