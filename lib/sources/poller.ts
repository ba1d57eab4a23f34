import { getLogger } from "@logtape/logtape";
import type { Clock, Timer } from "../clock.ts";
import { messageOf } from "../errors.ts";
import { oneLine } from "../text.ts";
import type { Metric } from "../tree/metric.ts";
import type { Tree } from "../tree/tree.ts";
import type { Value } from "../value.ts";

const logger = getLogger(["gatherer", "nodes"]);

/** What a node reports when it is polled. */
export interface Report {
  readonly counters: Iterable<readonly [name: string, value: Value]>;
  readonly stats: Iterable<readonly [name: string, value: Value]>;
}

/** A node that can be polled, however it is reached. */
export interface PolledNode {
  /** Its tubid. */
  readonly key: string;
  readonly nickname: string;
  /** New with each process of the node; empty if unknown. */
  readonly incarnation: string;
  /** Where it is, for the log. */
  readonly address: string;
  /**
   * Asks the node for its figures.
   * @throws Whatever went wrong; its message goes into the log.
   */
  poll(timeoutMs: number): Promise<Report>;
}

/** How a {@linkcode Poller} is set up. */
export interface PollerOptions {
  readonly tree: Tree;
  /** The cluster that the nodes belong to. */
  readonly cluster: string;
  readonly clock: Clock;
  /** Milliseconds from one round to the next. */
  readonly intervalMs: number;
  /** Milliseconds after which an unanswered poll is given up; the node stays. */
  readonly timeoutMs: number;
}

/** What a {@linkcode Poller} has done, for the gatherer's own statistics. */
export interface PollerCounts {
  rounds: number;
  polls: number;
  failures: number;
  attaches: number;
  detaches: number;
}

/** Polls under way that have been waiting for less than {@linkcode SLOT_MS}. */
const SLOTS = 128;
/**
 * How long a poll counts against {@linkcode SLOTS}. Answers take milliseconds: who has not
 * answered by then only waits, and must not keep others from being asked.
 */
const SLOT_MS = 1000;
/** How soon after a node's first figures a round is closed for them. */
const EARLY_MS = 1000;

interface Entry {
  readonly node: PolledNode;
  sequence: number;
  /** The poll under way. */
  polling: Promise<void> | undefined;
  failing: boolean;
  /** Whether any figures have come since the node attached. */
  answered: boolean;
}

/**
 * Polls the nodes that are attached: each at once when it attaches, then all of them every
 * interval, and puts what they report into the tree. A round is closed (committed) when those that
 * were well have answered; figures of a node that has just attached do not wait for the next
 * round but close one early, at most six times an interval.
 */
export class Poller {
  readonly counts: PollerCounts = {
    rounds: 0,
    polls: 0,
    failures: 0,
    attaches: 0,
    detaches: 0,
  };
  readonly #options: PollerOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #waiting: (() => void)[] = [];
  #busy = 0;
  #timer: Timer | undefined;
  #early: Timer | undefined;
  #committedAt = -Infinity;
  /** Whether figures have come since the last round was closed. */
  #fresh = false;
  #stopped = false;

  constructor(options: PollerOptions) {
    this.#options = options;
  }

  /** How many nodes are attached. */
  get size(): number {
    return this.#entries.size;
  }

  /** Takes a node in and polls it at once. One of the same key is replaced. */
  attach(node: PolledNode): void {
    if (this.#stopped) return;
    const { clock, cluster, tree } = this.#options;
    const { key, nickname, address } = node;
    const old = this.#entries.get(key);
    const entry: Entry = {
      node,
      sequence: old?.sequence ??
        tree.host(cluster, key)?.observation?.sequence ?? 0,
      polling: undefined,
      failing: false,
      answered: false,
    };
    this.#entries.set(key, entry);
    this.counts.attaches++;
    logger.info("{nickname} ({tubid}) attached from {address}", {
      nickname: oneLine(nickname, 100),
      tubid: key,
      address,
    });
    tree.update(cluster, key, {
      nickname,
      life: {
        attachedAt: clock.monotonic(),
        failure: undefined,
        detachReason: undefined,
      },
    });
    void this.#poll(entry);
  }

  /** Lets a node go, unless another has taken its place. Its last figures stay in the tree. */
  detach(node: PolledNode, reason: string): void {
    const { cluster, tree } = this.#options;
    if (this.#entries.get(node.key)?.node !== node) return;
    this.#entries.delete(node.key);
    this.counts.detaches++;
    tree.update(cluster, node.key, {
      life: { attachedAt: undefined, detachReason: reason },
    });
    if (this.#stopped) return;
    logger.info("{nickname} ({tubid}) detached: {reason}", {
      nickname: oneLine(node.nickname, 100),
      tubid: node.key,
      reason,
    });
  }

  /** Starts the rounds; resolves when the first is closed. */
  start(): Promise<void> {
    return this.#round();
  }

  /**
   * Stops polling; what is under way is left to end by itself. Figures that have come since the
   * last round close one more.
   */
  stop(): void {
    if (this.#fresh) this.#commit();
    this.#stopped = true;
    this.#timer?.cancel();
    this.#early?.cancel();
  }

  async #round(): Promise<void> {
    const { clock, intervalMs, timeoutMs } = this.#options;
    const due = clock.monotonic() + intervalMs;
    // Those that did not answer last time come last, and nobody waits for them.
    const entries = [...this.#entries.values()];
    const well = entries.filter((entry) => !entry.failing);
    const polls = well.map((entry) => this.#poll(entry));
    for (const entry of entries) if (entry.failing) void this.#poll(entry);
    await this.#within(Promise.all(polls), Math.min(timeoutMs, intervalMs));
    this.#commit();
    if (this.#stopped) return;
    const wait = Math.max(0, due - clock.monotonic());
    this.#timer = clock.setTimer(() => void this.#round(), wait);
  }

  /** Waits for a promise that does not reject, but no longer than `ms`. */
  #within(promise: Promise<unknown>, ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#options.clock.setTimer(resolve, ms);
      promise.then(() => {
        timer.cancel();
        resolve();
      });
    });
  }

  #commit(): void {
    this.#early?.cancel();
    this.#early = undefined;
    if (this.#stopped) return;
    this.#fresh = false;
    this.#committedAt = this.#options.clock.monotonic();
    this.counts.rounds++;
    this.#options.tree.commit(this.#options.cluster);
  }

  #commitSoon(): void {
    if (this.#early || this.#stopped) return;
    const { clock, intervalMs } = this.#options;
    const earliest = this.#committedAt + intervalMs / 6;
    const wait = Math.max(
      Math.min(EARLY_MS, intervalMs / 6),
      earliest - clock.monotonic(),
    );
    this.#early = clock.setTimer(() => this.#commit(), wait);
  }

  /** Polls a node, unless a poll of it is under way. Never rejects. */
  #poll(entry: Entry): Promise<void> {
    entry.polling ??= this.#pollNow(entry).finally(() => {
      entry.polling = undefined;
    });
    return entry.polling;
  }

  async #pollNow(entry: Entry): Promise<void> {
    const { clock, timeoutMs } = this.#options;
    if (this.#busy >= SLOTS) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    if (!this.#isCurrent(entry)) return this.#waiting.shift()?.();
    this.#busy++;
    let held = true;
    const free = () => {
      if (!held) return;
      held = false;
      this.#busy--;
      this.#waiting.shift()?.();
    };
    const slot = clock.setTimer(free, SLOT_MS, { keepAlive: false });
    this.counts.polls++;
    const measuredAt = clock.now();
    try {
      const report = await entry.node.poll(timeoutMs);
      if (this.#isCurrent(entry)) this.#answered(entry, report, measuredAt);
    } catch (error) {
      if (this.#isCurrent(entry)) this.#failed(entry, messageOf(error));
    } finally {
      slot.cancel();
      free();
    }
  }

  #isCurrent(entry: Entry): boolean {
    return !this.#stopped && this.#entries.get(entry.node.key) === entry;
  }

  #answered(entry: Entry, report: Report, measuredAt: number): void {
    const { clock, cluster, tree } = this.#options;
    const { node } = entry;
    const metrics: Metric[] = [];
    for (const [name, value] of report.counters) {
      metrics.push({ name, value, slope: "positive" });
    }
    for (const [name, value] of report.stats) {
      metrics.push({ name, value, slope: "both" });
    }
    tree.update(cluster, node.key, {
      observation: {
        incarnation: node.incarnation,
        sequence: ++entry.sequence,
        measuredAt,
        receivedAt: clock.now(),
        metrics,
      },
      life: { answeredAt: clock.monotonic(), failure: undefined },
    });
    this.#fresh = true;
    if (entry.failing) {
      entry.failing = false;
      logger.info("{nickname} ({tubid}) answers again", {
        nickname: oneLine(node.nickname, 100),
        tubid: node.key,
      });
    }
    if (!entry.answered) {
      entry.answered = true;
      this.#commitSoon();
    }
  }

  #failed(entry: Entry, reason: string): void {
    const { cluster, tree } = this.#options;
    const { node } = entry;
    this.counts.failures++;
    tree.update(cluster, node.key, { life: { failure: reason } });
    if (entry.failing) return;
    entry.failing = true;
    logger.warn("{nickname} ({tubid}) does not answer: {reason}", {
      nickname: oneLine(node.nickname, 100),
      tubid: node.key,
      reason,
    });
  }
}
