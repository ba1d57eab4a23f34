import type { Clock } from "../clock.ts";
import type { Tub } from "../foolscap/tub.ts";
import type { SnapshotPlugin } from "../plugins/snapshot.ts";
import type { PolledNode, Poller } from "../sources/poller.ts";
import { CpuMonitor } from "../stats/cpu_monitor.ts";
import { LoadMonitor } from "../stats/load_monitor.ts";
import { StatsProvider } from "../stats/provider.ts";
import { Uptime } from "../stats/uptime.ts";
import { fromNumber, type Value } from "../value.ts";

/** The gatherer's own nickname. */
const NICKNAME = "gatherer";

/**
 * The gatherer as a node of itself, in-process: it counts and is polled like any other, and what
 * it shows of itself is what it shows of others.
 */
export function makeSelf(parts: {
  readonly tub: Tub;
  readonly clock: Clock;
  readonly poller: Poller;
  readonly snapshot: SnapshotPlugin;
}): { readonly node: PolledNode } & Disposable {
  const { tub, clock, poller, snapshot } = parts;
  const provider = new StatsProvider({ clock });
  const load = new LoadMonitor({ clock });
  const cpu = new CpuMonitor({ clock });
  load.start();
  cpu.start();
  provider.registerProducer(load);
  provider.registerProducer(cpu);
  provider.registerProducer(new Uptime({ clock }));
  provider.registerProducer({
    name: "gatherer",
    getStats: () => ({
      "gatherer.nodes": poller.size,
      "gatherer.connections": tub.connectionCount,
    }),
  });
  const counters = (): [string, number][] => [
    ["gatherer.rounds", poller.counts.rounds],
    ["gatherer.polls", poller.counts.polls],
    ["gatherer.poll_failures", poller.counts.failures],
    ["gatherer.attaches", poller.counts.attaches],
    ["gatherer.detaches", poller.counts.detaches],
    ["gatherer.snapshot_writes", snapshot.counts.writes],
    ["gatherer.snapshot_bytes", snapshot.counts.bytes],
  ];
  return {
    node: {
      key: tub.tubid,
      nickname: NICKNAME,
      incarnation: tub.incarnation,
      address: "this process",
      async poll() {
        const { stats } = await provider.getStats();
        return {
          counters: counters().map((
            [name, count],
          ): [string, Value] => [name, fromNumber(count)]),
          stats: Object.entries(stats).map(([name, value]): [string, Value] => [
            name,
            typeof value === "number" ? fromNumber(value) : value,
          ]),
        };
      },
    },
    [Symbol.dispose]() {
      load.stop();
      cpu.stop();
    },
  };
}
