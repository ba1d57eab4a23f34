/**
 * A gatherer and some nodes, for tests of what becomes of their figures in Munin: real connections
 * and files, but the gatherer's time is the test's, so that it is known to the second when each
 * figure was received.
 *
 * @module
 */
import { type Gatherer, startGatherer } from "../../lib/gatherer/gatherer.ts";
import { decodeSnapshot } from "../../lib/snapshot/codec.ts";
import { openPortion } from "../../lib/spool/portion.ts";
import { connect, StatsProvider } from "../../mod.ts";
import { FakeClock } from "../fake_clock.ts";
import { type TahoeGraph, tahoeGraphs } from "./tahoe_graphs.ts";

/** Seconds from one poll to the next. */
const interval = 60;

/** What the gatherer calls itself in Munin. */
const hostName = "gatherer.example";

/** A node: its name, in the forms that Munin has of it before the tubid, and what it reports. */
interface NodeKind {
  readonly nickname: string;
  readonly field: string;
  readonly host: string;
  readonly reports: RegExp;
}

const storage = /^(storage_server|load_monitor)\./;
const nodes: readonly NodeKind[] = [
  {
    nickname: "storage 1",
    field: "storage_1_",
    host: "storage-1-",
    reports: storage,
  },
  {
    nickname: "2nd storage",
    field: "_2nd_storage_",
    host: "2nd-storage-",
    reports: storage,
  },
  {
    nickname: "helper",
    field: "helper_",
    host: "helper-",
    reports: /^chk_upload_helper\./,
  },
  {
    nickname: "gateway",
    field: "gateway_",
    host: "gateway-",
    reports: /^(uploader|mutable)\./,
  },
];

/** A statistic of a node, drawn by a graph. */
export class Series {
  readonly graph: TahoeGraph;
  readonly node: NodeKind;
  readonly #rank: number;

  constructor(graph: TahoeGraph, node: NodeKind) {
    this.graph = graph;
    this.node = node;
    this.#rank = 1 + tahoeGraphs.indexOf(graph) + 100 * nodes.indexOf(node);
  }

  /** Whether Munin keeps the growth per second, not the figure. */
  get isRate(): boolean {
    return this.graph.field.type === "DERIVE";
  }

  /** What the node reports in a poll, from 0 on. */
  figure(poll: number): bigint {
    if (this.graph.category === "stats") {
      return BigInt(1000 * this.#rank + poll * poll);
    }
    // Beyond what a double tells apart.
    let total = this.isRate ? 2n ** 60n : 0n;
    for (let one = 1; one <= poll; one++) {
      total += BigInt(interval * this.rate(one));
    }
    return total;
  }

  /** How much a counter grows in a second before a poll. */
  rate(poll: number): number {
    return this.#rank + poll % 7;
  }
}

const series = nodes.flatMap((node) =>
  tahoeGraphs.filter(({ stat }) => node.reports.test(stat))
    .map((graph) => new Series(graph, node))
);

/** A gatherer with four nodes that report what the 26 graphs of Tahoe-LAFS's plugin draw. */
export class Grid implements AsyncDisposable {
  /** All statistics, node by node, in the order of the graphs. */
  readonly series: readonly Series[] = series;
  readonly gatherer: Gatherer;
  /** The gatherer's snapshot. */
  readonly statsfile: string;
  readonly #basedir: string;
  readonly #clock: FakeClock;
  /** When the first poll was, in seconds since the epoch. */
  readonly #first: number;
  readonly #providers = new Map<NodeKind, StatsProvider>();
  /** The tubids. */
  readonly #keys = new Map<NodeKind, string>();
  readonly #running: AsyncDisposableStack;
  #poll = 0;

  private constructor(
    basedir: string,
    clock: FakeClock,
    gatherer: Gatherer,
    running: AsyncDisposableStack,
  ) {
    this.gatherer = gatherer;
    this.statsfile = `${basedir}/stats.msgpack`;
    this.#basedir = basedir;
    this.#clock = clock;
    this.#first = this.#now();
    this.#running = running;
  }

  /**
   * Starts the gatherer and the nodes. When it returns, all have been polled once.
   *
   * @param basedir Where the gatherer keeps its files.
   * @param first When that was, in whole seconds since the epoch.
   */
  static async start(basedir: string, first: number): Promise<Grid> {
    const clock = new FakeClock(first * 1000);
    const anyPort = { host: "127.0.0.1", port: 0 };
    await using running = new AsyncDisposableStack();
    const gatherer = running.use(
      await startGatherer({
        basedir,
        clock,
        host: "127.0.0.1",
        hostname: "127.0.0.1",
        intervalMs: interval * 1000,
        munin: {
          all: anyPort,
          nodes: anyPort,
          hostName,
          allow: "127.0.0.1",
          operators: { graphs: [], limits: new Map() },
          select: "",
          drilldown: "auto",
        },
      }),
    );
    const grid = new Grid(basedir, clock, gatherer, running.move());
    try {
      for (const node of nodes) await grid.#attach(node);
    } catch (error) {
      await grid[Symbol.asyncDispose]();
      throw error;
    }
    return grid;
  }

  /** A series' field in the graphs of all nodes. */
  field({ node }: Series): string {
    return node.field + this.#keys.get(node)!.slice(0, 4);
  }

  /** The name of a series' node where each is a host of its own. */
  host({ node }: Series): string {
    return `${node.host}${this.#keys.get(node)!.slice(0, 4)}.${hostName}`;
  }

  /**
   * What Munin is to keep of a series for the 300 seconds before a time, if they are all after the
   * first poll: the mean of the seconds, each of which has what was reported next.
   */
  mean(series: Series, end: number): number {
    let sum = 0;
    for (let second = end - 299; second <= end; second++) {
      const poll = Math.ceil((second - this.#first) / interval);
      sum += series.isRate ? series.rate(poll) : Number(series.figure(poll));
    }
    return sum / 300;
  }

  /** Lets time pass up to a time in seconds since the epoch; nodes are polled when they are due. */
  async advanceTo(at: number): Promise<void> {
    while (true) {
      const next = this.#first + (this.#poll + 1) * interval;
      if (next > at) break;
      this.#poll++;
      for (const [node, provider] of this.#providers) {
        this.#count(node, provider);
      }
      await this.#clock.advance((next - this.#now()) * 1000);
      await this.#written();
    }
    await this.#clock.advance((at - this.#now()) * 1000);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#running.disposeAsync();
  }

  /** Attaches a node, and waits for its first figures. */
  async #attach(node: NodeKind): Promise<void> {
    const { nickname } = node;
    const provider = new StatsProvider();
    this.#count(node, provider);
    provider.registerProducer({ getStats: () => this.#stats(node) });
    this.#running.use(connect(provider, {
      furl: this.gatherer.furl!,
      nickname,
      identityFile: `${this.#basedir}/${nickname}.pem`,
      loadMonitor: false,
    }));
    const hosts = this.gatherer.tree.cluster("foolscap").hosts;
    while (true) {
      const host = [...hosts.values()].find((host) =>
        host.nickname === nickname
      );
      if (host?.observation) {
        this.#keys.set(node, host.key);
        this.#providers.set(node, provider);
        return;
      }
      await soon();
    }
  }

  /** Counts what a node's counters are to grow up to the next poll. */
  #count(node: NodeKind, provider: StatsProvider): void {
    for (const one of series) {
      if (one.node !== node || one.graph.category !== "counters") continue;
      const before = this.#poll === 0 ? 0n : one.figure(this.#poll - 1);
      provider.count(one.graph.stat, one.figure(this.#poll) - before);
    }
  }

  #stats(node: NodeKind): Record<string, bigint> {
    return Object.fromEntries(
      series.filter((one) =>
        one.node === node && one.graph.category === "stats"
      ).map((one) => [one.graph.stat, one.figure(this.#poll)]),
    );
  }

  /** Waits until this moment's figures of all nodes are in the spool and in the snapshot. */
  async #written(): Promise<void> {
    const now = this.#now();
    const everyone = nodes.length + 1;
    while (true) {
      const written = decodeSnapshot(await Deno.readFile(this.statsfile))
        .filter(({ timestamp }) => timestamp === now).length;
      const { end } = await openPortion(`${this.#basedir}/spool`, {
        from: now,
      });
      if (written === everyone && end === now) return;
      await soon();
    }
  }

  #now(): number {
    return this.#clock.now() / 1000;
  }
}

/** What is waited for here is done by others, in real time, and says nothing. */
function soon(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 2));
}
