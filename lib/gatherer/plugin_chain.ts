import type { Clock } from "../clock.ts";
import type { ConfigEntry } from "../plugins/author.ts";
import type { Plugin } from "../plugins/plugin.ts";
import type { ChildGrid, Cluster } from "../tree/tree.ts";
import { clusterPieces, type CopyPiece, gridPieces } from "./plugin_copy.ts";
import type { PluginWorker } from "./plugin_worker.ts";

/** What plugins have for finishing their work, and then for their `stop`, in milliseconds. */
const STOP_MS = 2000;

/** A plugin in its thread, and how to get it there. */
export interface ChainLink {
  /** Starts the thread. */
  readonly spawn: () => PluginWorker;
  readonly entries: readonly ConfigEntry[];
}

/**
 * The plugins of others, in order. They are told one after another: the first gets a copy, each
 * later one the copy as the one before has left it. One that fails is switched off; what it has
 * changed is lost, and the next gets the copy from the last that did not fail.
 */
export class PluginChain implements Plugin {
  readonly id = "plugins_dir";
  readonly wantsSummary = true;
  readonly #links: readonly ChainLink[];
  readonly #clock: Clock;
  #workers: readonly PluginWorker[] = [];
  /** When everything under way must be over, on the monotonic clock. */
  #deadline = Infinity;

  constructor(links: readonly ChainLink[], clock: Clock) {
    this.#links = links;
    this.#clock = clock;
  }

  /** Those that were switched off, and why. */
  get troubles(): string[] {
    return this.#workers.flatMap(({ file, trouble }) =>
      trouble === undefined ? [] : [`${file} is switched off: ${trouble}`]
    );
  }

  /** Loads all of them, one after another, then starts them. Those that fail are left out. */
  async start(): Promise<void> {
    const workers: PluginWorker[] = [];
    this.#workers = workers;
    for (const { spawn, entries } of this.#links) {
      const worker = spawn();
      workers.push(worker);
      await worker.load(entries);
    }
    for (const worker of workers) {
      if (worker.has("start")) await worker.call({ do: "start" });
    }
  }

  async notify(cluster: Cluster): Promise<void> {
    await this.#tell("notify", () => clusterPieces(cluster, this.#instant()));
  }

  async notifyGrid(grid: ChildGrid): Promise<void> {
    await this.#tell("notifyGrid", () => gridPieces(grid, this.#instant()));
  }

  stopping(): void {
    this.#hurry();
  }

  async stop(): Promise<void> {
    this.#hurry();
    await Promise.all(this.#workers.map(async (worker) => {
      if (worker.has("stop")) await worker.call({ do: "stop" });
      worker.end();
    }));
  }

  async #tell(
    method: "notify" | "notifyGrid",
    pieces: () => Iterable<CopyPiece>,
  ): Promise<void> {
    /** Those that have the copy, the last of them last. */
    const holders: PluginWorker[] = [];
    for (const worker of this.#workers) {
      if (this.#clock.monotonic() >= this.#deadline) break;
      if (worker.isOff || !worker.has(method)) continue;
      if (!await handOn(holders, worker)) await worker.send(pieces());
      if (await worker.call({ do: method })) holders.push(worker);
    }
    for (const worker of holders) worker.forget();
  }

  #hurry(): void {
    this.#deadline = this.#clock.monotonic() + STOP_MS;
    for (const worker of this.#workers) worker.hurry(this.#deadline);
  }

  #instant() {
    return { monotonic: this.#clock.monotonic(), now: this.#clock.now() };
  }
}

/** @returns Whether one of those that have the copy could hand it on. */
async function handOn(
  holders: PluginWorker[],
  to: PluginWorker,
): Promise<boolean> {
  for (let holder; (holder = holders.at(-1)); holders.pop()) {
    if (await holder.handOn(to)) return true;
  }
  return false;
}
