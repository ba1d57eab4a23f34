import { getLogger } from "@logtape/logtape";
import { formatAddress } from "../address.ts";
import type { Clock } from "../clock.ts";
import { messageOf } from "../errors.ts";
import type { GangliaDocument } from "../ganglia/xml/document.ts";
import { defaultXmlLimits, type XmlLimits } from "../ganglia/xml/limits.ts";
import { ReaderMemory } from "../ganglia/xml/reader.ts";
import { oneLine } from "../text.ts";
import type { Tree } from "../tree/tree.ts";
import {
  type Connect,
  fetchDocument,
  type Fetched,
  type FetchLimits,
  type HostPort,
} from "./gmond_fetch.ts";
import { SalvageStore } from "./gmond_salvage.ts";
import { Rhythm } from "./rhythm.ts";
import type { Source, SourceStatus } from "./source.ts";
import { GmondStore } from "./gmond_store.ts";

const logger = getLogger(["gatherer", "gmond"]);

/** A data source: hosts that all know the same, of which one is asked. */
export interface GmondSourceDefinition {
  readonly name: string;
  /** Seconds from one poll to the next. */
  readonly intervalSeconds: number;
  readonly hosts: readonly HostPort[];
}

/** What a source may take, in time, bytes and numbers. */
export interface GmondLimits extends FetchLimits {
  readonly xml: Partial<XmlLimits>;
  /** Seconds after which hosts, metrics and clusters without a DMAX are forgotten. */
  readonly forgetSeconds: number;
}

const DEFAULT_LIMITS: GmondLimits = {
  connectMs: 5000,
  idleMs: 10_000,
  pollMs: 60_000,
  xml: {},
  forgetSeconds: 7 * 86_400,
};

/** How a {@linkcode GmondSource} is set up. */
export interface GmondSourceOptions {
  readonly source: GmondSourceDefinition;
  readonly tree: Tree;
  readonly clock: Clock;
  /** Where damaged pieces are kept; `undefined`: nowhere. */
  readonly salvageDirectory: string | undefined;
  /**
   * gmetad.conf's `scalable`: whether the grid of another gmetad is taken as one summary; if not,
   * its clusters are taken as our own.
   */
  readonly scalable: boolean;
  readonly limits?: Partial<GmondLimits>;
  /** From 0 to 1, for the spread of polls. */
  readonly random?: () => number;
  readonly connect?: Connect;
  /** Told when a poll is over, whatever came of it. */
  readonly onPoll?: () => void;
}

/** How a source is doing: `host` is the one that answered last, or will be asked next. */
export interface GmondStatus extends SourceStatus {
  readonly kind: "gmond";
  /** Why the last poll failed; `undefined` if it did not. */
  readonly failure: string | undefined;
  /** Bytes that came over the wire. */
  readonly bytes: number;
  /** Damaged places behind which reading went on. */
  readonly salvaged: number;
  /** Hosts in the last answer. */
  readonly hosts: number;
}

/**
 * Polls one data source: a gmond, or another gmetad. One poll is under way at a time. Each asks the
 * host that was good last; the others follow in order until one gives a whole answer. If none does,
 * the best part of an answer counts.
 */
export class GmondSource implements Source {
  readonly #options: GmondSourceOptions;
  readonly #limits: GmondLimits;
  readonly #memory = new ReaderMemory();
  readonly #store: GmondStore;
  readonly #salvage: SalvageStore | undefined;
  readonly #abort = new AbortController();
  readonly #rhythm: Rhythm;
  /** The next host to be asked, as an index. */
  #next = 0;
  /** What the log has said last. */
  #told = "";
  #toldDamage = false;
  #status: GmondStatus;

  constructor(options: GmondSourceOptions) {
    const { source, tree, clock, random, salvageDirectory } = options;
    this.#options = options;
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    const intervalMs = source.intervalSeconds * 1000;
    const poll = () => this.#turn();
    this.#rhythm = new Rhythm({ clock, intervalMs, random, poll });
    const { clusters, hosts, hostMetrics, metrics } = {
      ...defaultXmlLimits,
      ...this.#limits.xml,
    };
    const { forgetSeconds } = this.#limits;
    this.#store = new GmondStore(tree, source, {
      forgetSeconds,
      clusters,
      hosts,
      hostMetrics,
      metrics,
    });
    this.#salvage = salvageDirectory === undefined
      ? undefined
      : new SalvageStore(salvageDirectory, source.name, clock);
    this.#status = {
      name: source.name,
      kind: "gmond",
      host: this.#hostName(0),
      lastSuccess: null,
      lastError: null,
      failing: false,
      usedMs: 0,
      failure: undefined,
      polls: 0,
      failures: 0,
      bytes: 0,
      salvaged: 0,
      hosts: 0,
    };
  }

  /** How it is doing. */
  get status(): GmondStatus {
    return this.#status;
  }

  /** Starts polling; resolves when the first poll is over, whatever came of it. */
  start(): Promise<void> {
    const { hosts } = this.#options.source;
    return hosts.length === 0 ? Promise.resolve() : this.#rhythm.start();
  }

  /** Takes what this source has brought out of the tree. */
  retract(): void {
    this.#store.retract();
  }

  /** Ends polling; resolves when nothing is under way any more. */
  async stop(): Promise<void> {
    this.#abort.abort(new Error("stopped"));
    await this.#rhythm.stop();
    await this.#salvage?.settled();
  }

  async #turn(): Promise<void> {
    const { clock, onPoll } = this.#options;
    const began = clock.monotonic();
    try {
      await this.#poll();
    } catch (error) {
      // Not of the answer's making: whoever was told of it has failed.
      logger.error("source {name}: its answer could not be taken: {reason}", {
        name: oneLine(this.#status.name, 100),
        reason: messageOf(error),
      });
    }
    this.#set({ usedMs: this.#status.usedMs + clock.monotonic() - began });
    onPoll?.();
  }

  #hostName(index: number): string {
    const { hosts } = this.#options.source;
    if (hosts.length === 0) return "";
    return formatAddress(hosts[index % hosts.length]);
  }

  async #poll(): Promise<void> {
    const { clock, source } = this.#options;
    const { signal } = this.#abort;
    const { pollMs } = this.#limits;
    const abort = new AbortController();
    const onStop = () => abort.abort(signal.reason);
    signal.addEventListener("abort", onStop, { once: true });
    const deadline = clock.setTimer(
      () => abort.abort(new Error(`it took longer than ${pollMs / 1000} s`)),
      pollMs,
    );
    this.#salvage?.beginPoll();
    const problems: string[] = [];
    let last = this.#next;
    let best: { index: number; document: GangliaDocument } | undefined;
    try {
      const count = source.hosts.length;
      for (let i = 0; i < count && !abort.signal.aborted; i++) {
        const index = (this.#next + i) % count;
        const fetched = await this.#fetch(index, abort.signal);
        if (signal.aborted) return;
        const document = usable(fetched);
        const problem = fetched.problem ??
          (document ? undefined : "nothing of its answer could be used");
        if (
          document && (!best || hostCount(document) > hostCount(best.document))
        ) best = { index, document };
        if (problem === undefined) {
          best = { index, document: document! };
          break;
        }
        problems.push(`${this.#hostName(index)}: ${problem}`);
        this.#set({ lastError: { at: clock.now(), reason: problem } });
        last = index;
      }
    } finally {
      deadline.cancel();
      signal.removeEventListener("abort", onStop);
    }
    this.#set({ polls: this.#status.polls + 1 });
    if (best) await this.#take(best.index, best.document, problems);
    else {
      this.#next = (last + 1) % source.hosts.length;
      this.#fail(problems.join("; "));
    }
  }

  async #fetch(index: number, signal: AbortSignal): Promise<Fetched> {
    const { clock, connect = Deno.connect, scalable, source, tree } =
      this.#options;
    const fetched = await fetchDocument(source.hosts[index], {
      clock,
      limits: this.#limits,
      connect,
      signal,
      reader: {
        memory: this.#memory,
        scalable,
        now: Math.floor(clock.now() / 1000),
        limits: this.#limits.xml,
        previous: (cluster) => tree.grid.clusters.get(cluster),
        keep: (bytes, damage) => this.#salvage?.keep(bytes, damage),
      },
    });
    this.#set({
      bytes: this.#status.bytes + fetched.bytes,
      salvaged: this.#status.salvaged + (fetched.document?.damageCount ?? 0),
    });
    return fetched;
  }

  async #take(
    index: number,
    document: GangliaDocument,
    problems: readonly string[],
  ): Promise<void> {
    const { clock } = this.#options;
    this.#next = index;
    const host = this.#hostName(index);
    const hosts = hostCount(document);
    this.#set({
      host,
      hosts,
      lastSuccess: clock.now(),
      failing: false,
      failure: undefined,
    });
    this.#tellTaken(host, document, problems);
    await this.#store.take(document, {
      now: clock.now(),
      monotonic: clock.monotonic(),
    });
  }

  #fail(reason: string): void {
    this.#set({
      host: this.#hostName(this.#next),
      failures: this.#status.failures + 1,
      failing: true,
      failure: reason,
    });
    this.#store.fail(reason);
    if (this.#told !== "failing") {
      logger.warn("source {name} does not answer: {reason}", {
        name: oneLine(this.#status.name, 100),
        reason: oneLine(reason, 500),
      });
    }
    this.#told = "failing";
  }

  /** Says what has changed since it was said last. */
  #tellTaken(
    host: string,
    { damageCount, damages }: GangliaDocument,
    problems: readonly string[],
  ): void {
    const own = problems.find((problem) => problem.startsWith(`${host}: `));
    const name = oneLine(this.#status.name, 100);
    const told = `${own ? "part" : "whole"} ${host}`;
    if (told !== this.#told && own) {
      logger.warn("source {name} gives only a part of its answer: {reason}", {
        name,
        reason: oneLine(own, 500),
      });
    } else if (told !== this.#told) {
      const instead = problems.length > 0
        ? ` (${oneLine(problems.join("; "), 500)})`
        : "";
      logger.info("source {name} answers from {host}{instead}", {
        name,
        host,
        instead,
      });
    }
    this.#told = told;
    if (damageCount > 0 && !this.#toldDamage) {
      const [{ what, cluster, host, offset }] = damages;
      const where = host ?? cluster;
      logger.warn(
        "source {name}: its answer is damaged, first at byte {offset}{where}: {what} (places: {count})",
        {
          name,
          count: damageCount,
          offset,
          where: where === undefined ? "" : ` (${oneLine(where, 100)})`,
          what,
        },
      );
    } else if (damageCount === 0 && this.#toldDamage) {
      logger.info("source {name}: nothing is damaged any more", { name });
    }
    this.#toldDamage = damageCount > 0;
  }

  #set(change: Partial<GmondStatus>): void {
    this.#status = { ...this.#status, ...change };
  }
}

/** The document, if there is anything in it: a cluster that is whole, some hosts, or a grid. */
function usable({ document }: Fetched): GangliaDocument | undefined {
  if (!document) return undefined;
  const { clusters, grids, cut, damageCount } = document;
  const isWhole = cut === undefined && damageCount === 0 && clusters.length > 0;
  return isWhole || grids.length > 0 || hostCount(document) > 0
    ? document
    : undefined;
}

/** Hosts of our own and of grids. */
function hostCount({ clusters, grids }: GangliaDocument): number {
  let count = 0;
  for (const { hosts } of clusters) count += hosts.length;
  for (const { summary } of grids) count += summary.up + summary.down;
  return count;
}
