import type { Clock } from "../clock.ts";
import type { Tub } from "../foolscap/tub.ts";
import type { Plugin } from "../plugins/plugin.ts";
import type { PolledNode, Poller } from "../sources/poller.ts";
import { statusOfHost } from "../ganglia/host_state.ts";
import type { NodeState, StateLimits } from "../tree/state.ts";
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
  /** Those that run now. */
  plugins(): readonly Plugin[];
  readonly tree: Tree;
  limits(): StateLimits;
}): { readonly node: PolledNode } & Disposable {
  const { tub, clock, poller, tree, limits } = parts;
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
      ...countStates(tree, limits(), clock),
      "gatherer.connections": tub.connectionCount,
    }),
  });
  const counters = (): [string, number][] => [
    ["gatherer.rounds", poller.counts.rounds],
    ["gatherer.polls", poller.counts.polls],
    ["gatherer.poll_failures", poller.counts.failures],
    ["gatherer.attaches", poller.counts.attaches],
    ["gatherer.detaches", poller.counts.detaches],
    ...parts.plugins().flatMap(countsOf),
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

function countsOf({ id, counts = {} }: Plugin): [string, number][] {
  const prefix = `gatherer.${id.replaceAll("-", "_")}`;
  const found: [string, number][] = [];
  const collect = (name: string, counts: object) => {
    for (const [what, value] of Object.entries(counts)) {
      if (typeof value === "number") found.push([`${name}_${what}`, value]);
      else if (typeof value === "object" && value !== null) {
        collect(`${name}_${what}`, value);
      }
    }
  };
  collect(prefix, counts);
  return found;
}

/** How many nodes are in each state: `gatherer.nodes_attached`, `gatherer.nodes_late` and so on. */
function countStates(
  tree: Tree,
  limits: StateLimits,
  clock: Clock,
): Record<string, number> {
  const counts: Record<NodeState, number> = {
    attached: 0,
    late: 0,
    silent: 0,
    gone: 0,
    retired: 0,
  };
  const instant = { monotonic: clock.monotonic(), now: clock.now() };
  for (const cluster of tree.grid.clusters.values()) {
    for (const host of cluster.hosts.values()) {
      counts[statusOfHost(host, cluster, limits, instant).state]++;
    }
  }
  return Object.fromEntries(
    Object.entries(counts).map((
      [state, count],
    ) => [`gatherer.nodes_${state}`, count]),
  );
}
