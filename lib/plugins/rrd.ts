import { setImmediate } from "node:timers/promises";
import type { Clock } from "../clock.ts";
import { isDead } from "../ganglia/host_state.ts";
import { HostNamer } from "../ganglia/output/host_names.ts";
import { FileNames, type FileRules, HostJob } from "../rrd/jobs.ts";
import { HOST_BATCH, liveHosts } from "../rrd/live.ts";
import { RrdRoot } from "../rrd/root.ts";
import { Shapes, stepOf } from "../rrd/shape.ts";
import { SourceClock } from "../rrd/source_clock.ts";
import { type RrdCounts, RrdStore } from "../rrd/store.ts";
import type { RrdWriter } from "../rrd/writer.ts";
import { incarnationOf, isRestart } from "../tree/incarnation.ts";
import type { Metric } from "../tree/metric.ts";
import type { Cluster } from "../tree/tree.ts";
import type { Plugin } from "./plugin.ts";

/** How RRDs are stored. */
export interface RrdOptions {
  /** The directory that they are in: gmetad's `rrd_rootdir`. */
  readonly root: string;
  /** Writes them; the plugin's own, which it closes. */
  readonly writer: RrdWriter;
  readonly clock: Clock;
  /** Archives of new files, `RRA:AVERAGE:0.5:1:5856` and so on (default: the C gmetad's). */
  readonly rras?: readonly string[];
  /** Seconds from one value to the next where the source does not say (default 15). */
  readonly step?: number;
  /** Whether hosts' directories keep capital letters (default true, as in gmetad). */
  readonly caseSensitiveHostnames?: boolean;
  /**
   * Whether new files of all counters are a `DERIVE` of 0 or more, which passes over a restart,
   * and not gmetad's `COUNTER`, which takes it for an overflow (default false).
   */
  readonly countersRestart?: boolean;
  /** Values that wait for the disk at most (default 500,000). */
  readonly maxCount?: number;
  /** Bytes that these take at most, roughly (default 96 MiB). */
  readonly maxBytes?: number;
}

/**
 * Stores each metric of each host that is up in an RRD of its own, where and how gmetad does. What
 * it is told is only put into a queue, so that collecting never waits for the disk.
 */
export class RrdPlugin implements Plugin {
  readonly id = "rrd";
  readonly #root: RrdRoot;
  readonly #isLocal: boolean;
  readonly #rules: FileRules;
  readonly #step: number;
  readonly #clock: Clock;
  readonly #sourceClock: SourceClock;
  readonly #store: RrdStore;
  readonly #namer = new HostNamer();
  /** By cluster and key: where a host's files are, and the time of its last values. */
  readonly #hosts = new Map<string, Map<string, HostFiles>>();
  /** By cluster and key: what nodes reported last. */
  readonly #reported = new Map<string, Map<string, Reported>>();

  /** @throws UserError when the root or an archive is none. */
  constructor(options: RrdOptions) {
    this.#root = new RrdRoot(options.root, options.caseSensitiveHostnames);
    this.#isLocal = options.writer.isLocal;
    this.#rules = {
      shapes: new Shapes(options.rras),
      names: new FileNames(),
      allRestart: options.countersRestart ?? false,
    };
    this.#step = stepOf(options.step ?? 15);
    this.#clock = options.clock;
    this.#sourceClock = new SourceClock(options.clock);
    this.#store = new RrdStore({ ...options, name: "writing RRDs" });
  }

  /** What it has done. */
  get counts(): RrdCounts {
    return this.#store.counts;
  }

  async start(): Promise<void> {
    if (this.#isLocal) await this.#root.make();
  }

  async notify(cluster: Cluster): Promise<void> {
    if (isDead(cluster)) return;
    const { name, source, detail } = cluster;
    const id = `cluster ${name}`;
    const step = source ? stepOf(source.interval) : this.#step;
    let time: number | undefined;
    if (source) {
      time = this.#sourceClock.tell({
        id,
        localtime: detail?.localtime,
        step,
      });
      if (time === undefined) return;
    }
    const former = this.#formerOf(cluster);
    const before = this.#hosts.get(name);
    const hosts = new Map<string, HostFiles>();
    const instant = {
      monotonic: this.#clock.monotonic(),
      now: this.#clock.now(),
    };
    for (const live of liveHosts(cluster, instant, this.#namer)) {
      let files = before?.get(live.key);
      if (files?.name !== live.name) {
        const directory = this.#root.ofHost(name, live.name);
        files = { name: live.name, directory, time: undefined };
      }
      hosts.set(live.key, files);
      if (hosts.size % HOST_BATCH === 0) await setImmediate();
      // A node's figures stay in the tree until there are new ones.
      const hostTime = time ?? live.receivedAt;
      if (files.time === hostTime) continue;
      const metrics = former.get(live.key);
      const lastTime = files.time;
      files.time = hostTime;
      this.#store.add(
        new HostJob(
          { directory: files.directory, time: hostTime, step },
          live.metrics,
          this.#rules,
          metrics && { metrics, time: lastTime },
        ),
      );
    }
    if (cluster.hosts.size > 0) this.#hosts.set(name, hosts);
    else {
      this.#hosts.delete(name);
      this.#reported.delete(name);
      this.#sourceClock.forget(id);
      this.#namer.forget(name);
    }
  }

  /** What nodes that were restarted had reported last before that, by key. */
  #formerOf({ name, hosts }: Cluster): Map<string, readonly Metric[]> {
    const before = this.#reported.get(name);
    const former = new Map<string, readonly Metric[]>();
    const reported = new Map<string, Reported>();
    for (const host of hosts.values()) {
      const incarnation = incarnationOf(host);
      const last = before?.get(host.key);
      if (incarnation === "") {
        if (last) reported.set(host.key, last);
        continue;
      }
      if (last && isRestart(last.incarnation, incarnation)) {
        former.set(host.key, last.metrics);
      }
      const { metrics } = host.observation!;
      reported.set(host.key, { incarnation, metrics });
    }
    this.#reported.set(name, reported);
    return former;
  }

  stopping(): void {
    this.#store.stopping();
  }

  stop(): Promise<void> {
    return this.#store.stop();
  }
}

interface Reported {
  readonly incarnation: string;
  readonly metrics: readonly Metric[];
}

interface HostFiles {
  readonly name: string;
  readonly directory: string;
  time: number | undefined;
}
