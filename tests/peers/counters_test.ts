/**
 * What real RRDs keep of counters that began anew and have overtaken their former value: nobody
 * could tell that from the values.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { systemClock } from "../../lib/clock.ts";
import { MuninPlugin } from "../../lib/plugins/munin.ts";
import { RrdPlugin } from "../../lib/plugins/rrd.ts";
import { SpoolPlugin } from "../../lib/plugins/spool.ts";
import { RrdtoolWriter } from "../../lib/rrd/rrdtool.ts";
import { type Cluster, Tree } from "../../lib/tree/tree.ts";
import { publicTempDir } from "../executable.ts";
import { FakeClock } from "../fake_clock.ts";
import { MuninMaster, type Row } from "./munin_master.ts";
import { requirePeer } from "./peer.ts";
import { fetchValues } from "./rrd_tools.ts";

const noRrdtool = !requirePeer("rrdtool");
const noMunin = !requirePeer("munin");

/** Two nodes that report the same. Of one it is known which incarnation of it does. */
class Twins {
  readonly tree = new Tree();
  readonly clock: FakeClock;

  constructor(clock: FakeClock) {
    this.clock = clock;
  }

  /** Both report their counter `c`, and `g`, which is none. */
  report(incarnation: string, count: bigint): Cluster {
    for (const key of ["known", "unknown"]) {
      const before = this.tree.host("foolscap", key)?.observation?.sequence;
      const at = this.clock.now();
      this.tree.update("foolscap", key, {
        nickname: key,
        observation: {
          incarnation: key === "known" ? incarnation : "",
          sequence: (before ?? 0) + 1,
          measuredAt: at,
          receivedAt: at,
          metrics: [
            { name: "c", value: count, slope: "positive" },
            { name: "g", value: count, slope: "both" },
          ],
        },
        life: { answeredAt: this.clock.monotonic() },
      });
    }
    return this.tree.cluster("foolscap");
  }
}

/** Seconds: a node that counts 600 a minute, is away for nine minutes, and comes back at 9,000. */
const life: [at: number, incarnation: string, count: bigint][] = [
  [-10, "a", 0n],
  [50, "a", 600n],
  [110, "a", 1200n],
  [170, "a", 1800n],
  [230, "a", 2400n],
  [290, "a", 3000n],
  [830, "b", 9000n],
  [890, "b", 9600n],
  [950, "b", 10_200n],
  [1010, "b", 10_800n],
  [1070, "b", 11_400n],
  [1130, "b", 12_000n],
  [1190, "b", 12_600n],
  [1250, "b", 13_200n],
];

Deno.test({
  name:
    "Munin keeps no rate across a restart that is known, through our own port",
  ignore: noMunin || noRrdtool,
  async fn() {
    await using stack = new AsyncDisposableStack();
    const dir = await publicTempDir();
    stack.defer(() => Deno.remove(dir, { recursive: true }));
    const begin = Math.floor(Date.now() / 300_000) * 300 - 1500;
    const clock = new FakeClock((begin - 10) * 1000);
    const twins = new Twins(clock);
    const spool = new SpoolPlugin({
      directory: `${dir}/spool`,
      clock,
      mode: 0o644,
    });
    await spool.start();
    stack.defer(() => spool.stop());
    const munin = new MuninPlugin({
      host: "127.0.0.1",
      port: 0,
      allow: "127.0.0.1",
      version: "test",
      hostName: "grid.example",
      nodesAsHosts: false,
      spool: `${dir}/spool`,
      operators: { graphs: [], limits: new Map() },
      select: "gatherer_counter_c gatherer_stat_g",
      drilldown: "no",
      clock,
    });
    await munin.start();
    stack.defer(() => munin.stop());
    const host = {
      name: "grid",
      address: "127.0.0.1",
      port: munin.address!.port,
      useNodeName: true,
    };
    const master = stack.use(await MuninMaster.create([host]));
    const visits = [300, 600, 900, 1200];
    for (const [at, incarnation, count] of life) {
      while (visits.length > 0 && visits[0] <= at) {
        const visit = visits.shift()!;
        await clock.advance((begin + visit) * 1000 - clock.now());
        const troubles = await master.update({ at: begin + visit });
        // Said when there is nothing but what the master has already.
        assertEquals(
          troubles.filter((line) => !line.endsWith("Not enough arguments")),
          [],
        );
      }
      await clock.advance((begin + at) * 1000 - clock.now());
      const cluster = twins.report(incarnation, count);
      await spool.notify(cluster);
      await munin.notify(cluster);
    }
    await clock.advance((begin + 1500) * 1000 - clock.now());
    assertEquals(await master.update({ at: begin + 1500 }), []);

    const range = { start: begin, end: begin + 1200 };
    const f = async (field: string) =>
      (await master.rrdFetch("grid", "gatherer_counter_c", field, range))
        .map(([end, rate]: Row) => [end - begin, rate]);
    assertEquals(await f("known_know"), [
      [300, 10],
      [600, null],
      // More than half of it is not known.
      [900, null],
      [1200, 10],
    ]);
    // So it would be: RRD takes 6,000 in 540 s for progress.
    const [before, away, back, after] = await f("unknown_unkn");
    assertEquals([before[0], after], [300, [1200, 10]]);
    for (const [, rate] of [away, back]) assert(rate! > 10.5, `${rate}`);
    // A figure that is no counter is the same for both.
    const g = async (field: string) =>
      await master.rrdFetch("grid", "gatherer_stat_g", field, range);
    assertEquals(await g("known_know"), await g("unknown_unkn"));
  },
});

Deno.test({
  name: "our own RRDs keep no rate across a restart that is known",
  ignore: noRrdtool,
  async fn() {
    const begin = 1_700_000_100;
    const clock = new FakeClock((begin - 10) * 1000);
    const twins = new Twins(clock);
    const root = await Deno.makeTempDir();
    try {
      const plugin = new RrdPlugin({
        root,
        writer: new RrdtoolWriter({ clock: systemClock }),
        clock,
        step: 60,
      });
      await plugin.start();
      const f = async (name: string, metric: string) => {
        const path = `${root}/foolscap/${name}.foolscap/${metric}.rrd`;
        const values = await fetchValues(path, begin, begin + 300);
        return [...values].map(([time, [value]]) => [time - begin, value]);
      };
      const tell = async (at: number, incarnation: string, count: bigint) => {
        await clock.advance((begin + at) * 1000 - clock.now());
        await plugin.notify(twins.report(incarnation, count));
        while (plugin.counts.queued > 0) {
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
      };
      await tell(0, "a", 0n);
      await tell(60, "a", 600n);
      await tell(120, "a", 1200n);
      // Restarted, and beyond where it was.
      await tell(180, "b", 4200n);
      await tell(240, "b", 4800n);
      await tell(300, "b", 5400n);
      const { failures, dropped } = plugin.counts;
      assertEquals({ failures, dropped }, { failures: 0, dropped: 0 });
      await plugin.stop();
      assertEquals(await f("known-know", "c"), [
        [60, 10],
        [120, 10],
        [240, 10],
        [300, 10],
      ]);
      assertEquals(await f("unknown-unkn", "c"), [
        [60, 10],
        [120, 10],
        [180, 50],
        [240, 10],
        [300, 10],
      ]);
      const gauge = await f("known-know", "g");
      assertEquals(gauge.length, 5);
      assertEquals(gauge, await f("unknown-unkn", "g"));
    } finally {
      await Deno.remove(root, { recursive: true });
    }
  },
});
