import { setImmediate } from "node:timers/promises";
import { getLogger } from "@logtape/logtape";
import type { Clock } from "../clock.ts";
import { messageOf } from "../errors.ts";
import type { Plugin } from "../plugins/plugin.ts";
import type { Summary } from "../tree/summary.ts";
import {
  type ChildGrid,
  type Cluster,
  momentOf,
  type Tree,
} from "../tree/tree.ts";
import type { PluginStatus } from "../status.ts";

const logger = getLogger(["gatherer", "plugins"]);

/** Makes a cluster's summary, in steps: others have their turn in between. */
export type Summarize = (cluster: Cluster) => Generator<void, Summary>;

type Tell = (plugin: Plugin) => void | Promise<void>;

interface Runner {
  readonly plugin: Plugin;
  /** What it has yet to be told, the newest of each cluster and grid. */
  readonly waiting: Map<string, Tell>;
  running: Promise<void> | undefined;
  failing: boolean;
  status: Omit<PluginStatus, "id" | "failing">;
}

/** Tells plugins of what happens in a tree, each at its own pace. */
export class Plugins {
  readonly #runners = new Map<Plugin, Runner>();
  readonly #tree: Tree;
  readonly #clock: Clock;
  readonly #summarize: Summarize;
  readonly #unsubscribe: readonly (() => void)[];
  /** Clusters about which plugins have been told anything yet. */
  readonly #committed = new Set<string>();

  /** @param summarize Makes the summary that some plugins want with a cluster, in steps. */
  constructor(tree: Tree, clock: Clock, summarize: Summarize) {
    this.#tree = tree;
    this.#clock = clock;
    this.#summarize = summarize;
    this.#unsubscribe = [
      tree.onCommit((cluster) => {
        this.#committed.add(cluster.name);
        const { name, tell } = this.#ofCluster(cluster);
        for (const runner of this.#runners.values()) {
          this.#tell(runner, name, tell);
        }
      }),
      tree.onGrid((grid) => {
        const { name, tell } = ofGrid(grid);
        for (const runner of this.#runners.values()) {
          this.#tell(runner, name, tell);
        }
      }),
      tree.onGridGone((name) => {
        for (const runner of this.#runners.values()) {
          // In the place of what is yet to be told of it.
          this.#tell(
            runner,
            `grid ${name}`,
            (plugin) => plugin.forgetGrid?.(name),
          );
        }
      }),
    ];
  }

  /** Those that were added, in that order. */
  get plugins(): readonly Plugin[] {
    return [...this.#runners.keys()];
  }

  /** How each of them is. */
  get status(): PluginStatus[] {
    return [...this.#runners.values()].map(({ plugin, failing, status }) => ({
      id: plugin.id,
      failing,
      ...status,
      ...(plugin.troubles?.length ? { troubles: plugin.troubles } : {}),
    }));
  }

  /**
   * Starts a plugin, tells it of all that the others were told of, and from then on of what
   * happens.
   * @throws What its `start` throws.
   */
  async add(plugin: Plugin): Promise<void> {
    await plugin.start?.();
    const runner: Runner = {
      plugin,
      waiting: new Map(),
      running: undefined,
      failing: false,
      status: { calls: 0, lastSuccess: null, lastError: null, usedMs: 0 },
    };
    this.#runners.set(plugin, runner);
    const { clusters, grids } = this.#tree.grid;
    for (const cluster of clusters.values()) {
      if (!this.#committed.has(cluster.name)) continue;
      const { name, tell } = this.#ofCluster(cluster);
      this.#tell(runner, name, tell);
    }
    for (const grid of grids.values()) {
      const { name, tell } = ofGrid(grid);
      this.#tell(runner, name, tell);
    }
  }

  /** Lets a plugin finish what it has begun, then stops it. */
  async remove(plugin: Plugin): Promise<void> {
    const runner = this.#runners.get(plugin);
    if (!runner) return;
    plugin.stopping?.();
    await this.#end(runner);
  }

  /** Waits until every plugin has dealt with all it was told. */
  async flush(): Promise<void> {
    await Promise.all(
      [...this.#runners.values()].map(({ running }) => running),
    );
  }

  /** Lets every plugin finish what it has begun, then stops it: the last that was added first. */
  async stop(): Promise<void> {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    const runners = [...this.#runners.values()];
    for (const { plugin } of runners) plugin.stopping?.();
    await this.flush();
    for (const runner of runners.toReversed()) await this.#end(runner);
  }

  async #end(runner: Runner): Promise<void> {
    this.#runners.delete(runner.plugin);
    await runner.running;
    await stopPlugin(runner);
  }

  /** A moment of a cluster, and how a plugin is told of it. */
  #ofCluster(cluster: Cluster): { name: string; tell: Tell } {
    const moment = momentOf(cluster);
    const summarize = this.#summarize;
    // Once, for all who are told, and not at all if something newer has come by then.
    let whole: Promise<Cluster> | undefined;
    return {
      name: `cluster ${cluster.name}`,
      async tell(plugin) {
        const told = plugin.wantsSummary
          ? await (whole ??= summarized(moment, summarize))
          : moment;
        await plugin.notify(told);
      },
    };
  }

  #tell(runner: Runner, what: string, tell: Tell): void {
    runner.waiting.set(what, tell);
    runner.running ??= this.#run(runner);
  }

  async #run(runner: Runner): Promise<void> {
    const { plugin, waiting } = runner;
    while (waiting.size > 0) {
      const [what, tell] = waiting.entries().next().value!;
      waiting.delete(what);
      const began = this.#clock.monotonic();
      let reason: string | undefined;
      try {
        await tell(plugin);
      } catch (error) {
        reason = messageOf(error);
      }
      const at = this.#clock.now();
      const { calls, lastSuccess, lastError, usedMs } = runner.status;
      runner.status = {
        calls: calls + 1,
        lastSuccess: reason === undefined ? at : lastSuccess,
        lastError: reason === undefined ? lastError : { at, reason },
        usedMs: usedMs + this.#clock.monotonic() - began,
      };
      // Said once: a disk that is full stays full for many rounds.
      if (reason !== undefined && !runner.failing) {
        logger.error("the plugin {id} failed: {reason}", {
          id: plugin.id,
          reason,
        });
      } else if (reason === undefined && runner.failing) {
        logger.info("the plugin {id} works again", { id: plugin.id });
      }
      runner.failing = reason !== undefined;
    }
    // At once: who tells next must not take this for still going on.
    runner.running = undefined;
  }
}

function ofGrid(grid: ChildGrid): { name: string; tell: Tell } {
  return {
    name: `grid ${grid.name}`,
    tell: (plugin) => plugin.notifyGrid?.(grid),
  };
}

/** The cluster with its summary. */
async function summarized(
  cluster: Cluster,
  summarize: Summarize,
): Promise<Cluster> {
  const steps = summarize(cluster);
  while (true) {
    const step = steps.next();
    if (step.done) return { ...cluster, summary: step.value };
    await setImmediate();
  }
}

/** What goes wrong here keeps nobody else from stopping. */
async function stopPlugin({ plugin, failing }: Runner): Promise<void> {
  try {
    await plugin.stop?.();
  } catch (error) {
    // Of one that fails anyway it has been said.
    if (failing) return;
    logger.error("the plugin {id} did not stop well: {reason}", {
      id: plugin.id,
      reason: messageOf(error),
    });
  }
}
