import type { Clock } from "../clock.ts";
import type { Tub } from "../foolscap/tub.ts";
import type { MuninPlugin } from "../plugins/munin.ts";
import type { SnapshotPlugin } from "../plugins/snapshot.ts";
import type { SpoolPlugin } from "../plugins/spool.ts";
import type { PolledNode, Poller } from "../sources/poller.ts";
import { type NodeState, type StateLimits, statusOf } from "../tree/host.ts";
import type { Tree } from "../tree/tree.ts";
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
  /** `undefined`: there is none. */
  readonly spool: SpoolPlugin | undefined;
  /** Where Munin's masters are answered. */
  readonly munin: readonly MuninPlugin[];
  /** More counters, of what only some gatherers do. */
  more(): readonly [name: string, value: number][];
  readonly tree: Tree;
  readonly limits: StateLimits;
}): { readonly node: PolledNode } & Disposable {
  const { tub, clock, poller, snapshot, spool, munin, tree, limits } = parts;
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
      ...countStates(tree, limits, clock.monotonic()),
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
    ...(spool ? countsOfSpool(spool) : []),
    ...(munin.length > 0 ? countsOfMunin(munin) : []),
    ...parts.more(),
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

function countsOfSpool({ counts }: SpoolPlugin): [string, number][] {
  return [
    ["gatherer.spool_frames", counts.frames],
    ["gatherer.spool_bytes", counts.bytes],
    ["gatherer.spool_missed", counts.missed],
  ];
}

/** Of all places where Munin's masters are answered, together. */
function countsOfMunin(
  plugins: readonly MuninPlugin[],
): [string, number][] {
  return (["connections", "refused", "commands", "bytes", "aborted"] as const)
    .map((what) => [
      `gatherer.munin_${what}`,
      plugins.reduce((sum, { counts }) => sum + (counts?.[what] ?? 0), 0),
    ]);
}

/** How many nodes are in each state: `gatherer.nodes_attached`, `gatherer.nodes_late` and so on. */
function countStates(
  tree: Tree,
  limits: StateLimits,
  now: number,
): Record<string, number> {
  const counts: Record<NodeState, number> = {
    attached: 0,
    late: 0,
    silent: 0,
    gone: 0,
    retired: 0,
  };
  for (const { hosts } of tree.grid.clusters.values()) {
    for (const { life } of hosts.values()) {
      counts[statusOf(life, limits, now).state]++;
    }
  }
  return Object.fromEntries(
    Object.entries(counts).map((
      [state, count],
    ) => [`gatherer.nodes_${state}`, count]),
  );
}
