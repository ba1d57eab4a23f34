import { setImmediate } from "node:timers/promises";
import { getLogger } from "@logtape/logtape";
import type { Clock } from "../clock.ts";
import { UserError } from "../errors.ts";
import { SegmentEncoder } from "../spool/encoder.ts";
import { MAX_FRAME_BYTES, MAX_TIME } from "../spool/format.ts";
import { SegmentStore } from "../spool/store.ts";
import { oneLine } from "../text.ts";
import type { Host } from "../tree/host.ts";
import type { Observation } from "../tree/metric.ts";
import type { Cluster } from "../tree/tree.ts";
import type { Plugin } from "./plugin.ts";

const logger = getLogger(["gatherer", "spool"]);

/** Figures that are encoded in one go: some 5 ms of work, then others have their turn. */
const BATCH = 5_000;

const MAX_BYTES = 512 * 1024 * 1024;
const MAX_AGE_MS = 7 * 24 * 3600_000;

/** How a {@linkcode SpoolPlugin} is set up. */
export interface SpoolOptions {
  /** The spool's own directory; it is made if need be. */
  readonly directory: string;
  readonly clock: Clock;
  /** The files' permissions: 0o644 for Munin's `nobody`, or 0o600. */
  readonly mode: number;
  /** Bytes that the spool takes at most (default 512 MiB). */
  readonly maxBytes?: number;
  /** Milliseconds for which figures are kept (default seven days). */
  readonly maxAgeMs?: number;
  /** Asked before a file is made; what it throws keeps it from being made. */
  readonly guard?: () => Promise<void>;
}

/** What the plugin has done, for the gatherer's own statistics. */
export interface SpoolCounts {
  /** Rounds that were written. */
  frames: number;
  bytes: number;
  /** Observations that were made but are not in the spool, as their sequence numbers show. */
  missed: number;
}

/**
 * Keeps the past: each transaction appends the figures of the nodes that reported since the one
 * before, so that who asks seldom gets all of them. What was read from the snapshot at the start
 * is not taken for a report. `openPortion` reads it.
 */
export class SpoolPlugin implements Plugin {
  readonly id = "spool";
  readonly counts: SpoolCounts = { frames: 0, bytes: 0, missed: 0 };
  readonly #clock: Clock;
  readonly #store: SegmentStore;
  #encoder = new SegmentEncoder();
  /** By cluster and key: the last observation that was written. */
  readonly #written = new Map<string, Map<string, Observation>>();
  /** Nodes about which there has been a complaint. */
  readonly #excessive = new Set<string>();

  constructor(options: SpoolOptions) {
    const {
      directory,
      clock,
      mode,
      maxBytes = MAX_BYTES,
      maxAgeMs = MAX_AGE_MS,
      guard,
    } = options;
    this.#clock = clock;
    this.#store = new SegmentStore({
      directory,
      mode,
      maxBytes,
      maxAgeMs,
      guard,
    });
  }

  /** @throws UserError when the directory cannot be made or read. */
  start(): Promise<void> {
    return this.#store.open();
  }

  stop(): void {
    this.#store.end();
  }

  /** @throws UserError when the round cannot be written. */
  async notify(cluster: Cluster): Promise<void> {
    const time = Math.max(0, Math.round(this.#clock.now()));
    if (this.#store.endIfDue(time)) this.#encoder = new SegmentEncoder();
    try {
      await this.#writeRound(cluster, time);
    } catch (error) {
      // The encoder goes on from what did not reach the disk: nothing more must come from it.
      this.#store.end();
      throw error;
    }
  }

  async #writeRound(cluster: Cluster, time: number): Promise<void> {
    const encoder = this.#encoder;
    const before = this.#written.get(cluster.name);
    const written = new Map<string, Observation>();
    let missed = 0;
    let figures = 0;
    encoder.begin(time);
    for (const host of cluster.hosts.values()) {
      const { key, observation } = host;
      const last = before?.get(key);
      if (last) written.set(key, last);
      if (!observation || observation === last || !isReport(observation)) {
        continue;
      }
      const leftOut = encoder.add(cluster.name, host, observation);
      if (leftOut > 0) this.#complain(host, leftOut);
      missed += missedBetween(last, observation);
      written.set(key, observation);
      figures += observation.metrics.length;
      if (figures >= BATCH) {
        figures = 0;
        await setImmediate();
      }
    }
    if (encoder.size === 0) return;
    const frame = encoder.finish();
    if (frame.length > MAX_FRAME_BYTES) {
      throw new UserError(
        `a round of ${frame.length} bytes is too large for the spool, which takes ${MAX_FRAME_BYTES} at most; ` +
          "fewer nodes or statistics would fit",
      );
    }
    await this.#store.append(frame, time);
    this.#written.set(cluster.name, written);
    this.counts.frames++;
    this.counts.bytes += frame.length;
    this.counts.missed += missed;
  }

  #complain({ key, nickname }: Host, leftOut: number): void {
    if (this.#excessive.has(key)) return;
    this.#excessive.add(key);
    logger.warn(
      "{nickname} ({tubid}) reports more than the spool keeps of a node: {count} figures are left out",
      { nickname: oneLine(nickname, 100), tubid: key, count: leftOut },
    );
  }
}

/** Whether an observation is one of this program's life, of a time that can be written. */
function isReport({ sequence, receivedAt }: Observation): boolean {
  return sequence > 0 && Math.abs(receivedAt) < MAX_TIME;
}

/** Observations that came between two; a sequence that begins anew is one of another life. */
function missedBetween(
  last: Observation | undefined,
  { sequence }: Observation,
): number {
  const expected = last && sequence > last.sequence ? last.sequence + 1 : 1;
  return sequence - expected;
}
