/**
 * RRDs, as the real rrdtool and rrdcached write them for us, compared with those of the real
 * gmetad.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { type Clock, systemClock } from "../../lib/clock.ts";
import { RrdPlugin } from "../../lib/plugins/rrd.ts";
import { RrdSummaryPlugin } from "../../lib/plugins/rrd_summary.ts";
import { parseAddress } from "../../lib/rrd/address.ts";
import { RrdcachedWriter } from "../../lib/rrd/rrdcached.ts";
import { RrdtoolWriter } from "../../lib/rrd/rrdtool.ts";
import type { RrdCounts } from "../../lib/rrd/store.ts";
import type { RrdWriter } from "../../lib/rrd/writer.ts";
import type { Cluster } from "../../lib/tree/tree.ts";
import { captureLog } from "../log_capture.ts";
import { gmondCluster, gmondHost, gmondMetric, TIME } from "../rrd/clusters.ts";
import { requirePeer } from "./peer.ts";
import {
  fetchValues,
  info,
  lastUpdate,
  madeAs,
  Rrdcached,
} from "./rrd_tools.ts";

const noRrdtool = !requirePeer("rrdtool");
const noRrdcached = noRrdtool || !requirePeer("rrdcached");

/** The machine's timers, and a time that stands still; waits of seconds are a tenth. */
const clock: Clock = {
  now: () => TIME * 1000,
  monotonic: () => 0,
  setTimer: (fn, ms, options) =>
    systemClock.setTimer(fn, ms > 500 ? ms / 10 : ms, options),
};

async function tempDir(): Promise<{ path: string } & AsyncDisposable> {
  const path = await Deno.makeTempDir({ prefix: "gatherer-rrd-" });
  return {
    path,
    [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }),
  };
}

/** Waits until everything has been dealt with. */
async function written(plugin: { counts: RrdCounts }): Promise<void> {
  while (plugin.counts.queued > 0) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** A cluster of hosts with one metric each. */
function manyHosts(count: number, time: number): Cluster {
  return gmondCluster(
    "my cluster",
    Array.from(
      { length: count },
      (_, i) => gmondHost(`host ${i}`, [gmondMetric("x", `${i}.5`)]),
    ),
    { time, interval: 10 },
  );
}

const samples = {
  load_one: gmondMetric("load_one", "0.45"),
  ctr_total: gmondMetric("ctr_total", "308", {
    type: "uint32",
    slope: "positive",
  }),
  drv_rate: gmondMetric("drv_rate", "308", {
    type: "int32",
    slope: "derivative",
  }),
  neg_gauge: gmondMetric("neg_gauge", "-17", {
    type: "int32",
    slope: "negative",
  }),
  zero_const: gmondMetric("zero_const", "42", {
    type: "uint16",
    slope: "zero",
  }),
};

/** What the real gmetad's RRDs are, by path. */
async function gmetadsInfo(): Promise<Map<string, Map<string, string>>> {
  const text = await Deno.readTextFile(
    new URL("../testdata/ganglia/rrd-info-c.txt", import.meta.url),
  );
  return new Map(
    text.split(/^### /m).slice(1).map((part) => {
      const [path, ...lines] = part.split("\n");
      const pairs = lines.filter((line) => line.includes(" = "))
        .map((line) => line.split(" = ") as [string, string]);
      return [path, new Map(pairs)];
    }),
  );
}

Deno.test({
  name: "the files are those that the real gmetad makes",
  ignore: noRrdtool,
  async fn() {
    await using dir = await tempDir();
    const root = `${dir.path}/rrds`;
    const options = { root, clock };
    const hosts = new RrdPlugin({
      ...options,
      writer: new RrdtoolWriter({ clock }),
    });
    const sums = new RrdSummaryPlugin({
      ...options,
      writer: new RrdtoolWriter({ clock }),
    });
    await hosts.start();
    await sums.start();
    for (
      const [name, interval] of [["alpha", 10], ["beta cluster", 15]] as const
    ) {
      const cluster = {
        ...gmondCluster(name, [
          gmondHost("localhost", Object.values(samples)),
          gmondHost("spoof-upper.example.test", [
            gmondMetric("spoof_temp", "12"),
          ]),
        ], { interval }),
        summary: {
          up: 2,
          down: 0,
          metrics: new Map(
            Object.entries(samples).map(([name, { slope, detail }]) =>
              [name, { sum: 308, num: 2, slope, detail }] as const
            ),
          ),
        },
      };
      hosts.notify(cluster);
      sums.notify(cluster);
    }
    // A tenth of the 15 s until the whole grid's.
    while (sums.counts.updates < 15) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    await written(hosts);
    await hosts.stop();
    await written(sums);
    await sums.stop();
    const expected = await gmetadsInfo();
    assertEquals(expected.size > 10, true);
    for (const [path, theirs] of expected) {
      const ours = madeAs(await info(`${root}/${path}`));
      const wanted = madeAs(theirs);
      // Two differences: gmetad 3.7.2 takes the number of hosts for a counter where the metric
      // is one, and the whole grid's counters for gauges.
      if ("ds[num].type" in wanted) wanted["ds[num].type"] = '"GAUGE"';
      if (path === "__SummaryInfo__/ctr_total.rrd") {
        wanted["ds[sum].type"] = '"COUNTER"';
      }
      if (path === "__SummaryInfo__/drv_rate.rrd") {
        wanted["ds[sum].type"] = '"DERIVE"';
      }
      assertEquals([path, ours], [path, wanted]);
    }
    const file = (path: string) => Deno.stat(`${root}/${path}`);
    assertEquals((await file("alpha/localhost/load_one.rrd")).size, 630_760);
    assertEquals(
      (await file("alpha/__SummaryInfo__/load_one.rrd")).size,
      1_260_992,
    );
    assertEquals((await file("alpha/localhost")).mode! & 0o777, 0o755);
    assertEquals(
      (await file("alpha/localhost/load_one.rrd")).mode! & 0o777,
      0o644,
    );
  },
});

/** Ways to write, and what is to be done so that everything is in the files. */
const ways: {
  name: string;
  ignore: boolean;
  open(
    dir: string,
  ): Promise<{ writer: RrdWriter; flush(): Promise<void> } & AsyncDisposable>;
}[] = [
  {
    name: "rrdtool's pipe",
    ignore: noRrdtool,
    open: () =>
      Promise.resolve({
        writer: new RrdtoolWriter({ clock }),
        flush: () => Promise.resolve(),
        [Symbol.asyncDispose]: () => Promise.resolve(),
      }),
  },
  {
    name: "rrdcached's unix socket",
    ignore: noRrdcached,
    open: (dir) => throughDaemon(dir, ({ socket }) => `unix:${socket}`),
  },
  {
    name: "rrdcached's port, by name",
    ignore: noRrdcached,
    open: (dir) => throughDaemon(dir, ({ port }) => `localhost:${port}`),
  },
  {
    name: "an rrdcached that makes directories, in its base directory only",
    ignore: noRrdcached,
    open: (dir) =>
      throughDaemon(
        dir,
        ({ port }) => `127.0.0.1:${port}`,
        ...["-R", "-b", dir, "-B"],
      ),
  },
  {
    name: "an rrdcached that takes updates only",
    ignore: noRrdcached,
    open: (dir) =>
      throughDaemon(dir, ({ socket }) => socket, "-P", "UPDATE,FLUSHALL,QUIT"),
  },
];

async function throughDaemon(
  dir: string,
  addressOf: (daemon: Rrdcached) => string,
  ...options: string[]
) {
  const daemon = await Rrdcached.start(dir, ...options);
  const address = parseAddress(addressOf(daemon));
  const creator = new RrdtoolWriter({ clock });
  return {
    writer: new RrdcachedWriter({ address, clock, creator }),
    flush: () => daemon.end(),
    [Symbol.asyncDispose]: () => daemon[Symbol.asyncDispose](),
  };
}

for (const way of ways) {
  Deno.test({
    name: `values come back as they were written: ${way.name}`,
    ignore: way.ignore,
    async fn() {
      await using log = await captureLog();
      await using dir = await tempDir();
      await using opened = await way.open(dir.path);
      const root = `${dir.path}/rrds`;
      const plugin = new RrdPlugin({ root, clock, writer: opened.writer });
      await plugin.start();
      const long = "x".repeat(300);
      const hostNames = [
        "plain.example.test",
        "two words  and\\back\\slashes\\",
        `it's "quoted" 'twice'`,
        "größe €",
        "../../escape",
        "-O",
        "a:b;c|d&e$f`g",
        long,
        "#",
        " ",
      ];
      // A step's value is known at the next one.
      for (let i = 0; i <= 5; i++) {
        const time = TIME + 10 * i - 50;
        plugin.notify(gmondCluster(
          'a cluster/of\'s "names"',
          hostNames.map((name, at) =>
            gmondHost(name, [
              gmondMetric("g", `${10 * at + i}.5`),
              gmondMetric(`c ${long}`, `${1000 * (i + 1) * (at + 1)}`, {
                type: "uint32",
                slope: "positive",
              }),
              gmondMetric("f", `${100 * i}.9`, { slope: "derivative" }),
              gmondMetric("..", `-${i}`, { type: "int32" }),
            ])
          ),
          { time },
        ));
      }
      await written(plugin);
      assertEquals(plugin.counts, {
        updates: 240,
        creates: 40,
        failures: 0,
        dropped: 0,
        queued: 0,
      });
      await plugin.stop();
      await opened.flush();
      assertEquals(log.lines, [`info made the directory ${root} for RRDs`]);

      const cluster = `${root}/a cluster%2Fof's "names"`;
      const directories = [...Deno.readDirSync(cluster)].map(({ name }) =>
        name
      );
      assertEquals(directories.length, hostNames.length);
      assertEquals([...Deno.readDirSync(root)].length, 1);
      for (const [at, name] of hostNames.entries()) {
        const directory = name === "../../escape"
          ? "%2E%2E%2F..%2Fescape"
          : name === long
          ? directories.find((found) => found.startsWith("xxx"))!
          : name;
        const host = `${cluster}/${directory}`;
        const files = [...Deno.readDirSync(host)].map(({ name }) => name);
        const counter = files.find((file) => file.startsWith("c xxx"))!;
        const from = TIME - 60;
        const gauges = await fetchValues(`${host}/g.rrd`, from, TIME - 10);
        assertEquals(
          [...gauges],
          [0, 1, 2, 3, 4].map((
            i,
          ) => [TIME + 10 * i - 40, [10 * at + i + 1 + 0.5]]),
        );
        const rates = await fetchValues(`${host}/${counter}`, from, TIME - 10);
        assertEquals(
          [...rates],
          [0, 1, 2, 3, 4].map((i) => [TIME + 10 * i - 40, [100 * (at + 1)]]),
        );
        const slopes = await fetchValues(`${host}/f.rrd`, from, TIME - 10);
        assertEquals([...slopes.values()].flat(), [10, 10, 10, 10, 10]);
        assertEquals(await lastUpdate(`${host}/%2E%2E.rrd`), `${TIME}:-5`);
      }
    },
  });
}

Deno.test({
  name:
    "an existing tree goes on: nothing in its files is changed but the values",
  ignore: noRrdtool,
  async fn() {
    await using log = await captureLog();
    await using dir = await tempDir();
    const root = `${dir.path}/rrds`;
    const run = async (
      options: Partial<ConstructorParameters<typeof RrdPlugin>[0]>,
      time: number,
      interval: number,
      slope: "both" | "positive",
    ) => {
      const writer = new RrdtoolWriter({ clock });
      const plugin = new RrdPlugin({ root, clock, writer, ...options });
      await plugin.start();
      plugin.notify(gmondCluster("alpha", [
        gmondHost("Host", [gmondMetric("x", "5", { type: "uint32", slope })]),
      ], { time, interval }));
      await written(plugin);
      await plugin.stop();
      return plugin.counts;
    };
    await run({}, TIME - 20, 10, "both");
    const before = madeAs(await info(`${root}/alpha/Host/x.rrd`));
    // The directory may be a link that its owner has made, to another disk.
    await Deno.rename(`${root}/alpha`, `${dir.path}/moved`);
    await Deno.symlink(`${dir.path}/moved`, `${root}/alpha`);
    const counts = await run(
      { rras: ["RRA:MAX:0.5:1:5"] },
      TIME - 10,
      60,
      "positive",
    );
    assertEquals(counts, {
      updates: 1,
      creates: 0,
      failures: 0,
      dropped: 0,
      queued: 0,
    });
    assertEquals(madeAs(await info(`${dir.path}/moved/Host/x.rrd`)), before);
    assertEquals(
      await lastUpdate(`${dir.path}/moved/Host/x.rrd`),
      `${TIME - 10}:5`,
    );
    assertEquals(log.lines.length, 1);
  },
});

Deno.test({
  name: "rrdtool killed in the middle: nothing is lost",
  ignore: noRrdtool,
  async fn() {
    await using log = await captureLog();
    await using dir = await tempDir();
    const program = `${dir.path}/rrdtool`;
    await Deno.writeTextFile(
      program,
      '#!/bin/sh\necho $$ > $0.pid\nexec rrdtool "$@"\n',
      { mode: 0o755 },
    );
    const kill = async () =>
      Deno.kill(Number(await Deno.readTextFile(`${program}.pid`)), "SIGKILL");
    const writer = new RrdtoolWriter({ clock, program });
    const root = `${dir.path}/rrds`;
    const rras = ["RRA:AVERAGE:0.5:1:10"];
    const plugin = new RrdPlugin({ root, clock, writer, rras });
    await plugin.start();
    plugin.notify(manyHosts(100, TIME - 10));
    plugin.notify(manyHosts(100, TIME));
    for (const after of [1, 60, 130]) {
      while (plugin.counts.updates < after) {
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      await kill();
    }
    await written(plugin);
    assertEquals(plugin.counts.updates, 200);
    assertEquals(plugin.counts.failures, 0);
    await plugin.stop();
    for (let i = 0; i < 100; i++) {
      const path = `${root}/my cluster/host ${i}/x.rrd`;
      assertEquals(await lastUpdate(path), `${TIME}:${i}.5`);
      const values = await fetchValues(path, TIME - 20, TIME - 1);
      assertEquals(values.get(TIME), [i + 0.5]);
    }
    assert(log.lines.every((line) => !line.includes("cannot write")));
  },
});

Deno.test({
  name:
    "rrdcached killed and started again: what it had not acknowledged is not lost",
  ignore: noRrdcached,
  async fn() {
    await using log = await captureLog();
    await using dir = await tempDir();
    await using daemon = await Rrdcached.start(dir.path);
    const writer = new RrdcachedWriter({
      address: parseAddress(`unix:${daemon.socket}`),
      clock,
    });
    const root = `${dir.path}/rrds`;
    const rras = ["RRA:AVERAGE:0.5:1:20"];
    const plugin = new RrdPlugin({ root, clock, writer, rras });
    await plugin.start();
    const COUNT = 60;
    plugin.notify(manyHosts(COUNT, TIME - 70));
    await written(plugin);
    // What it has acknowledged but not yet written, it would lose, journal or not.
    await daemon.end();
    await daemon.start();
    // Killed while it has been given something, and while it is away.
    daemon.signal("SIGSTOP");
    plugin.notify(manyHosts(COUNT, TIME - 60));
    await new Promise((resolve) => setTimeout(resolve, 50));
    await daemon.kill();
    for (let i = 5; i >= 0; i--) plugin.notify(manyHosts(COUNT, TIME - 10 * i));
    assertEquals(plugin.counts.queued, 7 * COUNT);
    await daemon.start();
    await written(plugin);
    const { updates, failures, dropped } = plugin.counts;
    assertEquals({ updates, failures, dropped }, {
      updates: 8 * COUNT,
      failures: 0,
      dropped: 0,
    });
    await plugin.stop();
    await daemon.end();
    for (let i = 0; i < COUNT; i++) {
      const path = `${root}/my cluster/host ${i}/x.rrd`;
      const values = await fetchValues(path, TIME - 80, TIME - 1);
      assertEquals(
        [...values],
        [6, 5, 4, 3, 2, 1, 0].map((before) => [TIME - 10 * before, [i + 0.5]]),
      );
    }
    assertEquals(log.lines.slice(1).map((line) => line.split(" ")[0]), [
      "warning",
      "info",
    ]);
  },
});

Deno.test({
  name:
    "a connection to rrdcached that breaks in the middle, again and again: nothing is lost",
  ignore: noRrdcached,
  async fn() {
    await using dir = await tempDir();
    await using daemon = await Rrdcached.start(dir.path);
    const COUNT = 60;
    const limits = [7, 3000, 5000, 9000, 12_000];
    await using way = new BreakingWay(daemon.port, limits);
    const writer = new RrdcachedWriter({ address: way.address, clock });
    const root = `${dir.path}/rrds`;
    const rras = ["RRA:AVERAGE:0.5:1:20"];
    const plugin = new RrdPlugin({ root, clock, writer, rras });
    await plugin.start();
    for (let i = 3; i >= 0; i--) plugin.notify(manyHosts(COUNT, TIME - 10 * i));
    await written(plugin);
    assertEquals(way.breaks, limits.length);
    const { updates, failures } = plugin.counts;
    assertEquals({ updates, failures }, {
      updates: 4 * COUNT,
      failures: 0,
    });
    await plugin.stop();
    await daemon.end();
    for (let i = 0; i < COUNT; i++) {
      const path = `${root}/my cluster/host ${i}/x.rrd`;
      const values = await fetchValues(path, TIME - 40, TIME - 1);
      assertEquals(
        [...values],
        [2, 1, 0].map((before) => [TIME - 10 * before, [i + 0.5]]),
      );
    }
  },
});

/** A way to a port of this machine that breaks each time so many bytes have gone there. */
class BreakingWay implements AsyncDisposable {
  breaks = 0;
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #port: number;
  readonly #limits: number[];
  readonly #running: Promise<void>;

  /** @param limits How many bytes, for one connection after the other. */
  constructor(port: number, limits: readonly number[]) {
    this.#port = port;
    this.#limits = [...limits];
    this.#running = this.#accept();
  }

  get address() {
    const { port } = this.#listener.addr;
    return { transport: "tcp", hostname: "127.0.0.1", port } as const;
  }

  async #accept(): Promise<void> {
    for await (const connection of this.#listener) {
      await this.#pass(connection, this.#limits.shift() ?? Infinity);
    }
  }

  async #pass(near: Deno.TcpConn, limit: number): Promise<void> {
    const far = await Deno.connect({ hostname: "127.0.0.1", port: this.#port });
    const back = far.readable.pipeTo(near.writable).catch(() => {});
    const there = far.writable.getWriter();
    let left = limit;
    try {
      for await (const chunk of near.readable) {
        await there.write(chunk.subarray(0, left));
        left -= chunk.length;
        if (left <= 0) break;
      }
    } catch {
      // It was closed on the other side.
    }
    if (left <= 0) this.breaks++;
    await there.close().catch(() => {});
    await back;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#running;
  }
}

Deno.test({
  name: "what may not be written costs its own values only",
  ignore: noRrdtool,
  async fn() {
    await using log = await captureLog();
    await using dir = await tempDir();
    await Deno.chmod(dir.path, 0o755);
    // As root one may write everywhere.
    const program = `${dir.path}/as_nobody`;
    const command = Deno.uid() === 0
      ? "setpriv --reuid=65534 --regid=65534 --clear-groups rrdtool"
      : "rrdtool";
    await Deno.writeTextFile(program, `#!/bin/sh\nexec ${command} "$@"\n`, {
      mode: 0o755,
    });
    const root = `${dir.path}/rrds`;
    await Deno.mkdir(`${root}/c/open`, { recursive: true });
    await Deno.mkdir(`${root}/c/shut`);
    await Deno.chmod(`${root}/c/open`, 0o777);
    await Deno.chmod(`${root}/c/shut`, 0o555);
    const writer = new RrdtoolWriter({ clock, program });
    const plugin = new RrdPlugin({ root, clock, writer });
    await plugin.start();
    const metrics = Object.values(samples);
    for (const time of [TIME - 10, TIME]) {
      plugin.notify(gmondCluster("c", [
        gmondHost("shut", metrics),
        gmondHost("open", metrics),
      ], { time }));
    }
    await written(plugin);
    assertEquals(plugin.counts.updates, 10);
    assertEquals(plugin.counts.failures, 10);
    await Deno.chmod(`${root}/c/open/load_one.rrd`, 0o444);
    plugin.notify(gmondCluster("c", [gmondHost("open", metrics)], {
      time: TIME + 10,
    }));
    await written(plugin);
    await plugin.stop();
    assertEquals(plugin.counts.updates, 14);
    assertEquals(log.lines, [
      `warning cannot write ${root}/c/shut/load_one.rrd: Cannot create temporary file; and 4 like it`,
      `warning cannot write ${root}/c/open/load_one.rrd: opening it: Permission denied`,
    ]);
  },
});

Deno.test({
  name: "a full disk: what is there is written, what is not is told of once",
  ignore: noRrdtool || !canMount(),
  async fn() {
    await using log = await captureLog();
    await using dir = await tempDir();
    const root = `${dir.path}/rrds`;
    await Deno.mkdir(root);
    await mount("-t", "tmpfs", "-o", "size=2m", "tmpfs", root);
    try {
      const writer = new RrdtoolWriter({ clock });
      const plugin = new RrdPlugin({ root, clock, writer });
      const metrics = Object.values(samples);
      for (const time of [TIME - 10, TIME]) {
        plugin.notify(gmondCluster("c", [gmondHost("h", metrics)], { time }));
      }
      await written(plugin);
      // Three files of 630,760 bytes fit.
      assertEquals(plugin.counts.updates, 6);
      assertEquals(plugin.counts.failures, 4);
      await mount("-o", "remount,ro", root);
      plugin.notify(
        gmondCluster("c", [gmondHost("h", metrics)], { time: TIME + 10 }),
      );
      await written(plugin);
      assertEquals(plugin.counts.updates, 6);
      assertEquals(plugin.counts.failures, 9);
      await mount("-o", "remount,rw,size=20m", root);
      plugin.notify(
        gmondCluster("c", [gmondHost("h", metrics)], { time: TIME + 20 }),
      );
      await written(plugin);
      await plugin.stop();
      assertEquals(plugin.counts.updates, 11);
      assertEquals(log.lines, [
        `warning cannot write ${root}/c/h/neg_gauge.rrd: it was made, but is not there: is the disk full?; and 1 like it`,
        `warning cannot write ${root}/c/h/load_one.rrd: opening it: Read-only file system; and 2 like it`,
        "info all RRDs can be written again",
      ]);
    } finally {
      await new Deno.Command("umount", { args: [root] }).output();
    }
  },
});

Deno.test({
  name: "with the permission to run rrdtool by name alone it is found in PATH",
  ignore: noRrdtool,
  async fn() {
    await using dir = await tempDir();
    const lib = fromFileUrl(new URL("../../lib", import.meta.url));
    await Deno.writeTextFile(
      `${dir.path}/main.ts`,
      `\
import { RrdtoolWriter } from "${lib}/rrd/rrdtool.ts";
import { systemClock as clock } from "${lib}/clock.ts";
const writer = new RrdtoolWriter({ clock });
const shape = { step: 1, type: "GAUGE", definitions: [] } as const;
try {
  const [answer] = await writer.update([{ path: "/no", time: 1, values: "1", shape }]);
  console.log(answer?.reason);
} catch (error) {
  console.log((error as Error).message);
}
await writer.close();
`,
    );
    const run = async (...permissions: string[]) => {
      const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
        args: [
          "run",
          "--quiet",
          "--no-prompt",
          "--config",
          fromFileUrl(new URL("../../deno.json", import.meta.url)),
          ...permissions,
          `${dir.path}/main.ts`,
        ],
      }).output();
      const text = new TextDecoder();
      return text.decode(stdout).trim() + text.decode(stderr);
    };
    assertEquals(
      await run("--allow-run=rrdtool"),
      "opening it: No such file or directory",
    );
    assertEquals(
      await run(),
      "this program may not run rrdtool; if it was installed just now, a restart helps",
    );
  },
});

/** Whether file systems can be mounted here: by root, and not in every container. */
function canMount(): boolean {
  if (Deno.uid() !== 0) return false;
  return new Deno.Command("unshare", {
    args: ["--mount", "sh", "-c", "mount -t tmpfs tmpfs /mnt"],
    stderr: "null",
  }).outputSync().success;
}

async function mount(...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command("mount", { args })
    .output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}
