import { getLogger } from "@logtape/logtape";
import type { Clock, Timer } from "../clock.ts";
import { messageOf } from "../errors.ts";
import { oneLine } from "../text.ts";
import { beginningOf } from "../tree/incarnation.ts";
import type { Metric } from "../tree/metric.ts";
import {
  onAnswer,
  onAttach,
  onDetach,
  onFailure,
  pollLimits,
  type StateLimits,
} from "../tree/state.ts";
import type { Tree } from "../tree/tree.ts";
import type { Value } from "../value.ts";
import type { Doing, SourceStatus } from "./source.ts";

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

/** The pace of a {@linkcode Poller}. */
export interface PollerPace {
  /** Milliseconds from one round to the next. */
  readonly intervalMs: number;
  /** Milliseconds after which an unanswered poll is given up; the node stays. */
  readonly timeoutMs: number;
}

/** How a {@linkcode Poller} is set up. */
export interface PollerOptions extends PollerPace {
  readonly tree: Tree;
  /** The cluster that the nodes belong to. */
  readonly cluster: string;
  readonly clock: Clock;
}

/** How polls of one node went. */
export type NodeDoing = Pick<Doing, "lastError" | "usedMs">;

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
/** Nodes that have gone of which it is remembered how their polls went. */
const MOST_GONE = 10_000;

interface Entry {
  readonly node: PolledNode;
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
 * round but close one early, at most six times an interval. Nodes that are retired may attach, but
 * are not polled.
 */
export class Poller {
  readonly counts: PollerCounts = {
    rounds: 0,
    polls: 0,
    failures: 0,
    attaches: 0,
    detaches: 0,
  };
  readonly #options: Omit<PollerOptions, keyof PollerPace>;
  #pace: PollerPace;
  readonly #entries = new Map<string, Entry>();
  /** By key, also of some that have gone. */
  readonly #doings = new Map<string, NodeDoing>();
  readonly #roundListeners = new Set<() => void>();
  /** Retired nodes of which it was said that they attached. */
  readonly #toldRetired = new Set<string>();
  readonly #waiting: (() => void)[] = [];
  #busy = 0;
  #timer: Timer | undefined;
  #early: Timer | undefined;
  #committedAt = -Infinity;
  /** When the last round was begun. */
  #roundAt = -Infinity;
  /** When a node answered last, on both clocks. */
  #lastSuccess:
    | { readonly now: number; readonly monotonic: number }
    | undefined;
  #lastError: Doing["lastError"] = null;
  #usedMs = 0;
  /** Whether figures have come since the last round was closed. */
  #fresh = false;
  #stopped = false;

  constructor(options: PollerOptions) {
    this.#options = options;
    this.#pace = options;
  }

  /** The ages at which its nodes are late and silent; they follow its pace. */
  get limits(): StateLimits {
    return pollLimits(this.#pace.intervalMs, this.#pace.timeoutMs);
  }

  /**
   * How it goes, all nodes together. It is failing when polls did and nobody has answered for as
   * long as makes a node late; the time used is that of its rounds.
   */
  get status(): SourceStatus {
    const { polls, failures } = this.counts;
    const { monotonic = -Infinity } = this.#lastSuccess ?? {};
    const age = this.#options.clock.monotonic() - monotonic;
    return {
      name: "foolscap",
      kind: "foolscap",
      host: "",
      polls,
      failures,
      lastSuccess: this.#lastSuccess?.now ?? null,
      lastError: this.#lastError,
      failing: this.#lastError !== null && age > this.limits.lateMs,
      usedMs: this.#usedMs,
    };
  }

  /** How polls of a node went; the time used is what was spent waiting for its answers. */
  doingOf(key: string): NodeDoing {
    return this.#doings.get(key) ?? { lastError: null, usedMs: 0 };
  }

  /** Changes the pace; the next round begins an interval after the one before. */
  configure(pace: PollerPace): void {
    this.#pace = pace;
    if (this.#timer) this.#schedule();
  }

  /**
   * Asks to be told when a round is over, whatever came of it.
   * @returns A function that ends it.
   */
  onRound(listener: () => void): () => void {
    this.#roundListeners.add(listener);
    return () => void this.#roundListeners.delete(listener);
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
    const entry: Entry = {
      node,
      polling: undefined,
      failing: false,
      answered: false,
    };
    this.#entries.set(key, entry);
    this.counts.attaches++;
    tree.update(cluster, key, { nickname, life: onAttach(clock.monotonic()) });
    if (this.#isRetired(key)) {
      this.#tellRetired(node);
      return;
    }
    this.#toldRetired.delete(key);
    logger.info("{nickname} ({tubid}) attached from {address}", {
      nickname: oneLine(nickname, 100),
      tubid: key,
      address,
    });
    void this.#poll(entry);
  }

  #isRetired(key: string): boolean {
    const { cluster, tree } = this.#options;
    return tree.host(cluster, key)?.life.retireReason !== undefined;
  }

  /** Once: it may come and go as it likes, nobody sees it. */
  #tellRetired({ key, nickname, address }: PolledNode): void {
    if (this.#toldRetired.has(key)) return;
    this.#toldRetired.add(key);
    logger.warn(
      "{nickname} ({tubid}) attached from {address}, but is retired: it is not polled; to bring it back: gatherer retire {tubid} --undo",
      { nickname: oneLine(nickname, 100), tubid: key, address },
    );
  }

  /** Lets a node go, unless another has taken its place. Its last figures stay in the tree. */
  detach(node: PolledNode, reason: string): void {
    const { clock, cluster, tree } = this.#options;
    if (this.#entries.get(node.key)?.node !== node) return;
    this.#entries.delete(node.key);
    this.counts.detaches++;
    tree.update(cluster, node.key, {
      life: onDetach(reason, clock.monotonic()),
    });
    if (this.#stopped || this.#isRetired(node.key)) return;
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
    const { clock } = this.#options;
    const { intervalMs, timeoutMs } = this.#pace;
    const began = this.#roundAt = clock.monotonic();
    const entries = this.#entriesToPoll();
    // Those that did not answer last time come last, and nobody waits for them.
    const well = entries.filter((entry) => !entry.failing);
    const polls = well.map((entry) => this.#poll(entry));
    for (const entry of entries) if (entry.failing) void this.#poll(entry);
    await this.#within(Promise.all(polls), Math.min(timeoutMs, intervalMs));
    this.#commit();
    if (this.#stopped) return;
    this.#usedMs += clock.monotonic() - began;
    for (const listener of this.#roundListeners) listener();
    this.#schedule();
  }

  #schedule(): void {
    const { clock } = this.#options;
    this.#timer?.cancel();
    const due = this.#roundAt + this.#pace.intervalMs;
    this.#timer = clock.setTimer(() => {
      this.#timer = undefined;
      void this.#round();
    }, Math.max(0, due - clock.monotonic()));
  }

  /** All but the retired; those begin anew when they are brought back. */
  #entriesToPoll(): Entry[] {
    return [...this.#entries.values()].filter((entry) => {
      if (!this.#isRetired(entry.node.key)) return true;
      entry.failing = false;
      entry.answered = false;
      return false;
    });
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
    const { clock } = this.#options;
    const { intervalMs } = this.#pace;
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
    const { clock } = this.#options;
    const { timeoutMs } = this.#pace;
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
    const began = clock.monotonic();
    try {
      const report = await entry.node.poll(timeoutMs);
      this.#note(entry.node, clock.monotonic() - began);
      if (this.#isCurrent(entry)) this.#answered(entry, report, measuredAt);
    } catch (error) {
      const reason = messageOf(error);
      this.#note(entry.node, clock.monotonic() - began, reason);
      if (this.#isCurrent(entry)) this.#failed(entry, reason);
    } finally {
      slot.cancel();
      free();
    }
  }

  #isCurrent(entry: Entry): boolean {
    const { key } = entry.node;
    return !this.#stopped && this.#entries.get(key) === entry &&
      !this.#isRetired(key);
  }

  /** Remembers how a poll went. */
  #note({ key, nickname }: PolledNode, usedMs: number, reason?: string): void {
    const { clock } = this.#options;
    const now = clock.now();
    const before = this.doingOf(key);
    const lastError = reason === undefined
      ? before.lastError
      : { at: now, reason };
    this.#doings.set(key, { lastError, usedMs: before.usedMs + usedMs });
    if (reason === undefined) {
      this.#lastSuccess = { now, monotonic: clock.monotonic() };
    } else {
      const name = oneLine(nickname, 100);
      this.#lastError = { at: now, reason: `${name} (${key}): ${reason}` };
    }
    if (this.#doings.size <= this.#entries.size + MOST_GONE) return;
    for (const known of this.#doings.keys()) {
      if (this.#entries.has(known)) continue;
      this.#doings.delete(known);
      break;
    }
  }

  #answered(entry: Entry, report: Report, measuredAt: number): void {
    const { clock, cluster, tree } = this.#options;
    const { key, incarnation } = entry.node;
    const metrics: Metric[] = [];
    for (const [name, value] of report.counters) {
      metrics.push({ name, value, slope: "positive" });
    }
    for (const [name, value] of report.stats) {
      metrics.push({ name, value, slope: "both" });
    }
    const { observation: before, life } = tree.host(cluster, key)!;
    const receivedAt = clock.now();
    const sequence = (before?.sequence ?? 0) + 1;
    const next = { incarnation, sequence, measuredAt, receivedAt, metrics };
    tree.update(cluster, key, {
      observation: { ...next, began: beginningOf(next, before) },
      life: onAnswer(life, this.limits, clock.monotonic()),
    });
    this.#fresh = true;
    if (entry.failing) {
      entry.failing = false;
      logger.info("{nickname} ({tubid}) answers again", {
        nickname: oneLine(entry.node.nickname, 100),
        tubid: key,
      });
    }
    if (!entry.answered) {
      entry.answered = true;
      this.#commitSoon();
    }
  }

  #failed(entry: Entry, reason: string): void {
    const { clock, cluster, tree } = this.#options;
    const { node } = entry;
    this.counts.failures++;
    const { life } = tree.host(cluster, node.key)!;
    tree.update(cluster, node.key, {
      life: onFailure(life, reason, clock.monotonic()),
    });
    if (entry.failing) return;
    entry.failing = true;
    logger.warn("{nickname} ({tubid}) does not answer: {reason}", {
      nickname: oneLine(node.nickname, 100),
      tubid: node.key,
      reason,
    });
  }
}
