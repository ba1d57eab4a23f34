import { setImmediate } from "node:timers/promises";
import type { Clock } from "../clock.ts";
import type { Plugin } from "./plugin.ts";
import { Roster } from "../tree/roster.ts";
import { encodeNode, snapshotParts } from "../snapshot/codec.ts";
import { writeSnapshot } from "../snapshot/file.ts";
import type { Host } from "../tree/host.ts";
import { countersBegan, incarnationOf } from "../tree/incarnation.ts";
import type { Metric, Observation } from "../tree/metric.ts";
import type { Cluster } from "../tree/tree.ts";
import type { Value } from "../value.ts";

/** Figures that are encoded in one go: some 2 ms of work, then others have their turn. */
const BATCH = 2000;

/** What the plugin has done, for the gatherer's own statistics. */
export interface SnapshotCounts {
  writes: number;
  bytes: number;
}

/** How often the file is written. */
export interface SnapshotPace {
  readonly clock: Clock;
  /** The cluster whose transactions are the rounds: each is written. */
  readonly cluster: string;
  /** Milliseconds from one round to the next. Without rounds it is written as often. */
  readonly intervalMs: number;
}

/**
 * Keeps the snapshot: each round writes the latest figures of every node to `path`, once,
 * atomically. A node is encoded when its figures have changed, not at every write.
 */
export class SnapshotPlugin implements Plugin {
  readonly id = "snapshot";
  readonly counts: SnapshotCounts = { writes: 0, bytes: 0 };
  readonly #path: string;
  readonly #mode: number;
  readonly #pace:
    | SnapshotPace
    | undefined;
  readonly #guard: (() => Promise<void>) | undefined;
  readonly #roster = new Roster();
  /** What nodes' figures are in the file, with the nickname that is in there. */
  readonly #encoded = new WeakMap<
    Observation,
    { nickname: string; bytes: Uint8Array }
  >();

  /** When the file was written last, on the monotonic clock, in milliseconds. */
  #writtenAt = -Infinity;
  /** Whether something has come since. */
  #isBehind = false;

  /**
   * @param mode The file's permissions: 0o644 for Munin's `nobody`, or 0o600.
   * @param pace If given, what comes at other times than the rounds is written only so often.
   * @param guard Asked before each write; what it throws keeps all from being touched.
   */
  constructor(
    path: string,
    mode: number,
    pace?: SnapshotPace,
    guard?: () => Promise<void>,
  ) {
    this.#guard = guard;
    this.#path = path;
    this.#mode = mode;
    this.#pace = pace;
  }

  async notify(cluster: Cluster): Promise<void> {
    const known = this.#roster.size;
    this.#roster.update(cluster);
    this.#isBehind = true;
    const now = this.#pace?.clock.monotonic() ?? 0;
    if (this.#isEarly(cluster, this.#roster.size > known, now)) return;
    this.#writtenAt = now;
    try {
      await this.#write();
    } catch (error) {
      // What comes next is not early then.
      this.#writtenAt = -Infinity;
      throw error;
    }
  }

  /** Whether what has come waits for what comes next. Somebody may be waiting for a new node. */
  #isEarly(cluster: Cluster, isNew: boolean, now: number): boolean {
    if (!this.#pace || cluster.name === this.#pace.cluster) return false;
    const { intervalMs } = this.#pace;
    return now - this.#writtenAt < (isNew ? intervalMs / 6 : intervalMs);
  }

  async stop(): Promise<void> {
    if (this.#isBehind) await this.#write();
  }

  async #write(): Promise<void> {
    const parts = snapshotParts(await this.#encode());
    await writeSnapshot(this.#path, parts, {
      mode: this.#mode,
      guard: this.#guard,
    });
    this.counts.writes++;
    for (const part of parts) this.counts.bytes += part.length;
    this.#isBehind = false;
  }

  async #encode(): Promise<Uint8Array[]> {
    const all: Uint8Array[] = [];
    let figures = 0;
    for (const { host } of this.#roster.entries()) {
      const { nickname, observation } = host;
      if (!observation) continue;
      let entry = this.#encoded.get(observation);
      if (entry?.nickname !== nickname) {
        entry = { nickname, bytes: encodeHost(host, observation) };
        this.#encoded.set(observation, entry);
        figures += observation.metrics.length;
        if (figures >= BATCH) {
          figures = 0;
          await setImmediate();
        }
      }
      all.push(entry.bytes);
    }
    return all;
  }
}

function encodeHost(host: Host, observation: Observation): Uint8Array {
  const { metrics } = observation;
  return encodeNode({
    key: host.key,
    timestamp: observation.receivedAt / 1000,
    nickname: host.nickname,
    incarnation: incarnationOf(host),
    began: (countersBegan(host) ?? NaN) / 1000,
    counters: figures(metrics.filter((metric) => metric.slope === "positive")),
    stats: figures(metrics.filter((metric) => metric.slope !== "positive")),
  });
}

function figures(metrics: readonly Metric[]): [string, Value][] {
  return metrics.map(({ name, value }) => [name, value]);
}
