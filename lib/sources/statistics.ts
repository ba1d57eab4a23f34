import { getLogger } from "@logtape/logtape";
import type { Clock } from "../clock.ts";
import { messageOf } from "../errors.ts";
import { type FetchLimits, fetchPage } from "../tahoe_statistics/fetch.ts";
import { readPage, type StatisticsPage } from "../tahoe_statistics/page.ts";
import {
  isOtherProcess,
  type Moment,
  type Sighting,
  uptimeOf,
} from "../tahoe_statistics/process.ts";
import { placeOf, type StatisticsTarget } from "../tahoe_statistics/target.ts";
import { oneLine } from "../text.ts";
import { beginningOf, isRestart } from "../tree/incarnation.ts";
import type { Metric, Observation } from "../tree/metric.ts";
import { onAnswer, onAttach, onFailure, pollLimits } from "../tree/state.ts";
import type { Tree } from "../tree/tree.ts";
import { Rhythm } from "./rhythm.ts";
import type { Source, SourceStatus } from "./source.ts";

const logger = getLogger(["gatherer", "statistics"]);

/** The cluster of the nodes whose statistics pages are polled. */
export const STATISTICS_CLUSTER = "statistics";

/** The key of such a node. */
export function statisticsKey(name: string): string {
  return `${STATISTICS_CLUSTER}/${name}`;
}

/** How a {@linkcode StatisticsSource} is set up. */
export interface StatisticsSourceOptions extends StatisticsTarget {
  readonly tree: Tree;
  readonly clock: Clock;
  /** Milliseconds from one poll to the next. */
  readonly intervalMs: number;
  /** Milliseconds after which a poll is given up. */
  readonly timeoutMs: number;
  /** Told when a poll is over, whatever came of it. */
  readonly onPoll?: () => void;
  readonly limits?: Partial<FetchLimits>;
  /** Certificates (PEM) that are trusted for https besides the runtime's. */
  readonly ca?: string;
  /** From 0 to 1, for the spread of polls. */
  readonly random?: () => number;
}

/**
 * Polls the statistics page of one Tahoe-LAFS node, which is a host of the cluster "statistics".
 * One poll is under way at a time. A node that fails to answer keeps its last figures; its state
 * follows from its age, as everybody's. While it is retired it is not polled.
 */
export class StatisticsSource implements Source {
  readonly #options: StatisticsSourceOptions;
  readonly #key: string;
  readonly #place: string;
  /** What incarnations begin with: of another URL, nothing can be compared. */
  readonly #prefix: string;
  readonly #abort = new AbortController();
  readonly #rhythm: Rhythm;
  /** The last answer of this life, and the observation that was made of it. */
  #last: { observation: Observation; sighting: Sighting } | undefined;
  /** What the log has said last. */
  #told: "nothing" | "answers" | "fails" = "nothing";
  #toldDropped = false;
  #status: SourceStatus;

  constructor(options: StatisticsSourceOptions) {
    const url = new URL(options.url);
    this.#options = options;
    this.#key = statisticsKey(options.name);
    this.#place = placeOf(url);
    this.#prefix = `${hashOf(this.#place + url.pathname + url.search)}-`;
    const { clock, intervalMs, random } = options;
    const poll = () => this.#poll();
    this.#rhythm = new Rhythm({ clock, intervalMs, random, poll });
    this.#status = {
      name: options.name,
      kind: "statistics",
      host: this.#place,
      polls: 0,
      failures: 0,
      lastSuccess: null,
      lastError: null,
      failing: false,
      usedMs: 0,
    };
  }

  /** How it is doing. */
  get status(): SourceStatus {
    return this.#status;
  }

  /** Starts polling; resolves when the first poll is over, whatever came of it. */
  start(): Promise<void> {
    if (!this.#rhythm.isStarted) {
      const { clock, name, tree } = this.#options;
      tree.update(STATISTICS_CLUSTER, this.#key, {
        nickname: name,
        life: onAttach(clock.monotonic()),
      });
    }
    return this.#rhythm.start();
  }

  /** Ends polling; resolves when nothing is under way any more. */
  async stop(): Promise<void> {
    this.#abort.abort(new Error("stopped"));
    await this.#rhythm.stop();
  }

  /** Takes its node out of the tree. */
  retract(): void {
    const { tree } = this.#options;
    const cluster = tree.cluster(STATISTICS_CLUSTER);
    const hosts = new Map(cluster.hosts);
    if (!hosts.delete(this.#key)) return;
    tree.replace({ name: cluster.name, hosts });
    tree.commit(STATISTICS_CLUSTER);
  }

  async #poll(): Promise<void> {
    try {
      await this.#turn();
    } catch (error) {
      // Not of the answer's making: whoever was told of it has failed.
      logger.error("{name}: its answer could not be taken: {reason}", {
        name: oneLine(this.#options.name, 100),
        reason: messageOf(error),
      });
    }
  }

  /** A poll, unless nobody wants to know. */
  async #turn(): Promise<void> {
    if (this.#isRetired()) {
      this.#told = "nothing";
      return;
    }
    const { clock } = this.#options;
    const asked = momentOf(clock);
    const answer = await this.#ask();
    if (this.#abort.signal.aborted) return;
    const { polls, usedMs } = this.#status;
    this.#set({
      polls: polls + 1,
      usedMs: usedMs + clock.monotonic() - asked.monotonic,
    });
    if (!this.#isRetired()) {
      if ("page" in answer) this.#take(answer.page, asked);
      else this.#fail(answer.reason);
      this.#options.tree.commit(STATISTICS_CLUSTER);
    }
    this.#options.onPoll?.();
  }

  /** The page, or why there is none. */
  async #ask(): Promise<{ page: StatisticsPage } | { reason: string }> {
    const { url, clock, timeoutMs, limits, ca } = this.#options;
    const { signal } = this.#abort;
    try {
      const options = { clock, timeoutMs, limits, ca, signal };
      return { page: readPage(await fetchPage(url, options)) };
    } catch (error) {
      return { reason: messageOf(error) };
    }
  }

  #isRetired(): boolean {
    const { tree } = this.#options;
    const life = tree.host(STATISTICS_CLUSTER, this.#key)?.life;
    return life?.retireReason !== undefined;
  }

  #take(page: StatisticsPage, asked: Required<Moment>): void {
    const { clock, intervalMs, timeoutMs, tree } = this.#options;
    const { monotonic, now } = momentOf(clock);
    this.#set({ lastSuccess: now, failing: false });
    const { observation: before, life } = tree.host(
      STATISTICS_CLUSTER,
      this.#key,
    )!;
    const sighting = { ...page, asked, received: { monotonic, now } };
    const incarnation = this.#incarnationOf(sighting, before);
    const next = {
      incarnation,
      sequence: (before?.sequence ?? 0) + 1,
      measuredAt: asked.now,
      receivedAt: now,
      metrics: metricsOf(page),
    };
    const observation = { ...next, began: beginningOf(next, before) };
    tree.update(STATISTICS_CLUSTER, this.#key, {
      observation,
      life: onAnswer(life, pollLimits(intervalMs, timeoutMs), monotonic),
    });
    const wasRestarted = this.#last !== undefined &&
      isRestart(before?.incarnation, incarnation);
    this.#last = { observation, sighting };
    this.#tellTaken(page, wasRestarted);
  }

  /**
   * The incarnation of the process that has answered: when it began, as its first answer shows. It
   * is kept for as long as no answer shows another process, also from a snapshot over a restart of
   * this program. Empty, which is not known, of a node that does not tell its uptime.
   */
  #incarnationOf(
    sighting: Sighting,
    before: Observation | undefined,
  ): string {
    if (
      before?.incarnation.startsWith(this.#prefix) &&
      !isOtherProcess(this.#sightingOf(before), sighting)
    ) return before.incarnation;
    const uptime = uptimeOf(sighting);
    if (uptime === undefined && !before?.incarnation) return "";
    let began = Math.round(sighting.asked.now - (uptime ?? 0));
    // By the clocks it may be the same moment: it is another process all the same.
    while (this.#prefix + began === before?.incarnation) began++;
    return this.#prefix + began;
  }

  /** The answer of which an observation was made. */
  #sightingOf(observation: Observation): Sighting {
    if (this.#last?.observation === observation) return this.#last.sighting;
    const figures = (isCounter: boolean) =>
      new Map(
        observation.metrics
          .filter(({ slope }) => (slope === "positive") === isCounter)
          .map(({ name, value }) => [name, value]),
      );
    return {
      counters: figures(true),
      stats: figures(false),
      asked: { now: observation.measuredAt },
      received: { now: observation.receivedAt },
    };
  }

  #fail(reason: string): void {
    const { clock, name, tree } = this.#options;
    this.#set({
      failures: this.#status.failures + 1,
      lastError: { at: clock.now(), reason },
      failing: true,
    });
    const { life } = tree.host(STATISTICS_CLUSTER, this.#key)!;
    tree.update(STATISTICS_CLUSTER, this.#key, {
      life: onFailure(life, reason, clock.monotonic()),
    });
    if (this.#told === "fails") return;
    this.#told = "fails";
    logger.warn("{name} at {place} does not answer: {reason}", {
      name: oneLine(name, 100),
      place: this.#place,
      reason,
    });
  }

  /** Says what has changed since it was said last. */
  #tellTaken({ dropped }: StatisticsPage, wasRestarted: boolean): void {
    const who = {
      name: oneLine(this.#options.name, 100),
      place: this.#place,
    };
    if (this.#told !== "answers") {
      const again = this.#told === "fails" ? " again" : "";
      logger.info(`{name} at {place} answers${again}`, who);
    }
    this.#told = "answers";
    if (wasRestarted) logger.info("{name} at {place} was restarted", who);
    if ((dropped.length > 0) === this.#toldDropped) return;
    this.#toldDropped = dropped.length > 0;
    if (this.#toldDropped) {
      logger.warn(
        "{name} at {place} says what is no figure, and is left out: {what}",
        {
          ...who,
          what: dropped.join(", "),
        },
      );
    } else logger.info("{name} at {place} says nothing but figures again", who);
  }

  #set(change: Partial<SourceStatus>): void {
    this.#status = { ...this.#status, ...change };
  }
}

function momentOf(clock: Clock): Required<Moment> {
  return { now: clock.now(), monotonic: clock.monotonic() };
}

function metricsOf({ counters, stats }: StatisticsPage): Metric[] {
  const metrics: Metric[] = [];
  for (const [name, value] of counters) {
    metrics.push({ name, value, slope: "positive" });
  }
  for (const [name, value] of stats) {
    metrics.push({ name, value, slope: "both" });
  }
  return metrics;
}

/** 8 hex digits of a text (FNV-1a, 32 bits). */
function hashOf(text: string): string {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) {
    hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  }
  return hash.toString(16).padStart(8, "0");
}
