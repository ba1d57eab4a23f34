import { setImmediate } from "node:timers/promises";
import { getLogger } from "@logtape/logtape";
import { type Clock, sleep, type Timer } from "../clock.ts";
import { messageOf } from "../errors.ts";
import { isDead } from "../ganglia/host_state.ts";
import { HostNamer } from "../ganglia/output/host_names.ts";
import { CarbonNames, type CarbonNaming } from "../rrd/carbon_lines.ts";
import {
  type CarbonAddress,
  type CarbonSender,
  CarbonTcp,
  CarbonUdp,
} from "../rrd/carbon_sender.ts";
import { Delays } from "../rrd/delays.ts";
import { type Job, JobQueue } from "../rrd/job_queue.ts";
import {
  bytesOf,
  HOST_BATCH,
  isStored,
  type LiveHost,
  liveHosts,
} from "../rrd/live.ts";
import { numberText } from "../rrd/number_text.ts";
import { oneLine } from "../text.ts";
import type { Cluster } from "../tree/tree.ts";
import type { Plugin } from "./plugin.ts";

const logger = getLogger(["gatherer", "carbon"]);

/** Lines that wait at most: three polls of 5,000 hosts with 30 metrics. */
const MAX_COUNT = 500_000;
const MAX_BYTES = 96 * 1024 * 1024;
/** Lines that are sent at a time. */
const BATCH = 1000;
/** Longest wait for a carbon that is down, in milliseconds. */
const MAX_DELAY_MS = 60_000;
/** How long what waits may still be sent when the program ends, in milliseconds. */
const DRAIN_MS = 2500;
/** After so many successes it works again. */
const SURE = 3;

/** Where and how metrics are sent to carbon; the settings are gmetad's. */
export interface CarbonOptions extends CarbonAddress, CarbonNaming {
  readonly protocol: "tcp" | "udp";
  readonly clock: Clock;
  /** Lines that wait at most (default 500,000). */
  readonly maxCount?: number;
  /** Bytes that these take at most, roughly (default 96 MiB). */
  readonly maxBytes?: number;
  /** Numbers from [0, 1), for the delays. */
  readonly random?: () => number;
}

/** What the plugin has done, for the gatherer's own statistics. */
export interface CarbonCounts {
  /** Lines that were sent. */
  readonly lines: number;
  /** Attempts to send that failed. */
  readonly failures: number;
  /** Lines that were dropped because carbon does not keep up. */
  readonly dropped: number;
  /** Lines that wait, at most. */
  readonly queued: number;
}

/**
 * Sends each numeric metric of each host that is up to carbon, a line `NAME VALUE TIME` each, as
 * the C gmetad does. What it is told is only put into a queue.
 */
export class CarbonPlugin implements Plugin {
  readonly id = "carbon";
  readonly #clock: Clock;
  readonly #where: string;
  readonly #names: CarbonNames;
  readonly #namer = new HostNamer();
  readonly #sender: CarbonSender;
  readonly #queue: JobQueue<CarbonJob>;
  readonly #delays: Delays;
  readonly #stopping = new AbortController();
  /** By cluster and key: the time of the figures that were sent last. */
  readonly #sent = new Map<string, Map<string, number>>();
  /** Taken from the queue, but not sent. */
  #inHand: string[] = [];
  #isDown = false;
  /** Since the last failure. */
  #successes = 0;
  #drain: Timer | undefined;
  #isRunning = false;
  #running: Promise<void> | undefined;
  #lines = 0;
  #failures = 0;
  #dropped = 0;

  constructor(options: CarbonOptions) {
    const { clock, server, port, protocol, random } = options;
    this.#clock = clock;
    this.#where = `carbon on ${server}, port ${port}`;
    this.#names = new CarbonNames(options);
    this.#sender = protocol === "tcp"
      ? new CarbonTcp(options, clock)
      : new CarbonUdp(options);
    this.#queue = new JobQueue({
      name: "sending to carbon",
      maxCount: options.maxCount ?? MAX_COUNT,
      maxBytes: options.maxBytes ?? MAX_BYTES,
    });
    this.#delays = new Delays(MAX_DELAY_MS, random);
  }

  /** What it has done. */
  get counts(): CarbonCounts {
    return {
      lines: this.#lines,
      failures: this.#failures,
      dropped: this.#queue.dropped + this.#dropped,
      queued: this.#queue.count + this.#inHand.length,
    };
  }

  async notify(cluster: Cluster): Promise<void> {
    if (isDead(cluster)) return;
    const { name, detail } = cluster;
    const instant = {
      monotonic: this.#clock.monotonic(),
      now: this.#clock.now(),
    };
    const before = this.#sent.get(name);
    const sent = new Map<string, number>();
    for (const live of liveHosts(cluster, instant, this.#namer)) {
      const time = detail?.localtime || live.receivedAt;
      sent.set(live.key, time);
      if (sent.size % HOST_BATCH === 0) await setImmediate();
      if (before?.get(live.key) === time) continue;
      const nameOf = this.#names.ofHost(name, live.name);
      this.#queue.push(new CarbonJob(live, time, nameOf));
    }
    if (cluster.hosts.size > 0) this.#sent.set(name, sent);
    else {
      this.#sent.delete(name);
      this.#namer.forget(name);
    }
    if (this.#isRunning || this.#queue.count === 0) return;
    this.#isRunning = true;
    this.#running = this.#run();
  }

  stopping(): void {
    if (this.#stopping.signal.aborted) return;
    this.#stopping.abort(new Error("stopped"));
    this.#drain = this.#clock.setTimer(() => this.#sender.close(), DRAIN_MS);
  }

  /** Sends what waits, as far as that is possible in a few seconds, and closes the connection. */
  async stop(): Promise<void> {
    this.stopping();
    await this.#running;
    this.#drain?.cancel();
    this.#sender.close();
  }

  /** Sends until nothing waits. Never rejects. */
  async #run(): Promise<void> {
    while (this.#takeInHand()) {
      const lines = this.#inHand.slice(0, BATCH);
      try {
        await this.#sender.send(lines);
        this.#inHand = this.#inHand.slice(lines.length);
        this.#lines += lines.length;
        this.#worked();
      } catch (error) {
        await this.#failed(error);
      }
    }
    this.#isRunning = false;
  }

  #takeInHand(): boolean {
    while (this.#inHand.length < BATCH) {
      const job = this.#queue.shift();
      if (!job) break;
      for (const line of job.lines()) this.#inHand.push(line);
    }
    return this.#inHand.length > 0;
  }

  #worked(): void {
    if (!this.#isDown) return;
    // One that takes a connection and breaks it does not work.
    if (++this.#successes < SURE) return;
    this.#delays.reset();
    this.#isDown = false;
    logger.info("{where} takes metrics again", { where: this.#where });
  }

  async #failed(error: unknown): Promise<void> {
    this.#failures++;
    const { signal } = this.#stopping;
    const details = {
      where: this.#where,
      reason: oneLine(messageOf(error), 500),
    };
    if (signal.aborted) {
      const count = this.#dropAll();
      logger.warn(
        "{where}: {reason}; {count} values are not sent at the end",
        { ...details, count },
      );
      return;
    }
    if (!this.#isDown) {
      logger.warn("{where}: {reason}; what is not sent waits", details);
    }
    this.#isDown = true;
    this.#successes = 0;
    await sleep(this.#clock, this.#delays.next(), signal).catch(() => {});
  }

  #dropAll(): number {
    const before = this.counts.dropped;
    this.#dropped += this.#inHand.length;
    this.#inHand = [];
    this.#queue.clear();
    return this.counts.dropped - before;
  }
}

/** The metrics of a host. */
class CarbonJob implements Job {
  readonly count: number;
  readonly bytes: number;
  readonly #host: LiveHost;
  readonly #time: number;
  readonly #nameOf: (metric: string) => string;

  constructor(
    host: LiveHost,
    time: number,
    nameOf: (metric: string) => string,
  ) {
    this.#host = host;
    this.#time = time;
    this.#nameOf = nameOf;
    this.count = host.metrics.length;
    this.bytes = bytesOf(host.metrics);
  }

  lines(): string[] {
    const lines: string[] = [];
    for (const metric of this.#host.metrics) {
      if (!isStored(metric)) continue;
      const text = numberText(metric, "GAUGE");
      if (text === undefined) continue;
      lines.push(`${this.#nameOf(metric.name)} ${text} ${this.#time}\n`);
    }
    return lines;
  }
}
