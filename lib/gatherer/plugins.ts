import { setImmediate } from "node:timers/promises";
import { getLogger } from "@logtape/logtape";
import { messageOf } from "../errors.ts";
import type { Plugin } from "../plugins/plugin.ts";
import type { Summary } from "../tree/summary.ts";
import type { Cluster, Tree } from "../tree/tree.ts";

const logger = getLogger(["gatherer", "plugins"]);

/** Makes a cluster's summary, in steps: others have their turn in between. */
export type Summarize = (cluster: Cluster) => Generator<void, Summary>;

interface Runner {
  readonly plugin: Plugin;
  /** What it has yet to be told, the newest of each cluster and grid. */
  readonly waiting: Map<string, () => void | Promise<void>>;
  running: Promise<void> | undefined;
  failing: boolean;
}

/** Tells plugins of what happens in a tree, each at its own pace. */
export class Plugins {
  readonly #runners: Runner[];
  readonly #tree: Tree;
  readonly #unsubscribe: (() => void)[] = [];
  readonly #summarize: Summarize | undefined;

  /** @param summarize Makes the summary that plugins find in a cluster, in steps. */
  constructor(
    tree: Tree,
    plugins: readonly Plugin[],
    summarize?: Summarize,
  ) {
    this.#tree = tree;
    this.#summarize = summarize;
    this.#runners = plugins.map((plugin) => ({
      plugin,
      waiting: new Map(),
      running: undefined,
      failing: false,
    }));
  }

  /**
   * Starts every plugin, then listens to the tree.
   * @throws What a plugin's `start` throws; those that were started are stopped again.
   */
  async start(): Promise<void> {
    const started: Plugin[] = [];
    try {
      for (const { plugin } of this.#runners) {
        await plugin.start?.();
        started.push(plugin);
      }
    } catch (error) {
      for (const plugin of started.reverse()) await stopPlugin(plugin);
      throw error;
    }
    this.#unsubscribe.push(
      this.#tree.onCommit((cluster) => {
        const moment = { ...cluster, hosts: new Map(cluster.hosts) };
        const summarize = this.#summarize;
        // Once, for all who are told, and not at all if something newer has come by then.
        let whole: Promise<Cluster> | undefined;
        this.#tell(
          `cluster ${cluster.name}`,
          summarize
            ? async (plugin) =>
              await plugin.notify(
                await (whole ??= summarized(moment, summarize)),
              )
            : (plugin) => plugin.notify(moment),
        );
      }),
      this.#tree.onGrid((grid) =>
        this.#tell(`grid ${grid.name}`, (plugin) => plugin.notifyGrid?.(grid))
      ),
    );
  }

  #tell(what: string, tell: (plugin: Plugin) => void | Promise<void>): void {
    for (const runner of this.#runners) {
      runner.waiting.set(what, () => tell(runner.plugin));
      runner.running ??= this.#run(runner).finally(() => {
        runner.running = undefined;
      });
    }
  }

  /** Waits until every plugin has dealt with all it was told. */
  async flush(): Promise<void> {
    await Promise.all(this.#runners.map((runner) => runner.running));
  }

  /** Lets every plugin finish what it has begun, then stops it. */
  async stop(): Promise<void> {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    for (const { plugin } of this.#runners) plugin.stopping?.();
    await this.flush();
    for (const { plugin } of this.#runners.toReversed()) {
      await stopPlugin(plugin);
    }
  }

  async #run(runner: Runner): Promise<void> {
    const { plugin, waiting } = runner;
    while (waiting.size > 0) {
      const [what, tell] = waiting.entries().next().value!;
      waiting.delete(what);
      try {
        await tell();
        if (runner.failing) {
          logger.info("the plugin {id} works again", { id: plugin.id });
        }
        runner.failing = false;
      } catch (error) {
        // Said once: a disk that is full stays full for many rounds.
        if (!runner.failing) {
          logger.error("the plugin {id} failed: {reason}", {
            id: plugin.id,
            reason: messageOf(error),
          });
        }
        runner.failing = true;
      }
    }
  }
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
async function stopPlugin(plugin: Plugin): Promise<void> {
  try {
    await plugin.stop?.();
  } catch (error) {
    logger.error("the plugin {id} did not stop well: {reason}", {
      id: plugin.id,
      reason: messageOf(error),
    });
  }
}
