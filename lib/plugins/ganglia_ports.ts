import { getLogger } from "@logtape/logtape";
import { formatAddress } from "../address.ts";
import type { Clock } from "../clock.ts";
import type { Instant } from "../ganglia/host_state.ts";
import type { Grids } from "../ganglia/output/answer.ts";
import { HostNamer } from "../ganglia/output/host_names.ts";
import { HostPrinter } from "../ganglia/output/host_printer.ts";
import { ClientLog } from "../net/client_log.ts";
import { defaultPortLimits, type PortLimits } from "../ganglia/ports/limits.ts";
import { Listener } from "../net/listener.ts";
import { replyToQuery, replyWithAll } from "../ganglia/ports/replies.ts";
import {
  type Reply,
  Session,
  type SessionCounts,
} from "../ganglia/ports/session.ts";
import { type Done, type Sent, statusJson } from "../ganglia/ports/status.ts";
import { Tally } from "../ganglia/ports/tally.ts";
import { gridSummary, summarize } from "../ganglia/summary.ts";
import type { Access } from "../net/access.ts";
import type { Summary } from "../tree/summary.ts";
import type { ChildGrid, Cluster } from "../tree/tree.ts";
import type { Plugin } from "./plugin.ts";

const logger = getLogger(["gatherer", "ganglia-ports"]);

/** How a {@linkcode GangliaPortsPlugin} is set up. */
export interface GangliaPortsOptions {
  /** NAME of the outermost GRID. */
  readonly gridName: string;
  /** A URL: where more of the grid is to be had. */
  readonly authority: string;
  /** The port that sends everything, and the one that takes queries; 0: any that is free. */
  readonly xmlPort: number;
  readonly interactivePort: number;
  /** The address to listen on; left out: every one. */
  readonly host?: string;
  /** Who may ask. */
  readonly trusted: Access;
  readonly clock: Clock;
  /** This program's version. */
  readonly version: string;
  /** If given, the grid's summary has no other metrics: gmetad.conf's `summarized_metrics`. */
  readonly summarizedMetrics?: ReadonlySet<string>;
  /** What others have sent on, for `/status`. */
  readonly sent?: () => Sent;
  readonly limits?: Partial<PortLimits>;
}

/** What a port has done. */
export interface GangliaPortCounts extends Readonly<SessionCounts> {
  /** Connections that were let in. */
  readonly connections: number;
  /** Connections that were not, by the rules or because too many were open. */
  readonly refused: number;
}

/** A port: what listens there, and what it has done. */
interface Port {
  readonly listener: Listener;
  readonly counts: SessionCounts;
}

/**
 * Answers on gmetad's two ports: one sends all that is known as XML, the other takes a query
 * first. Every answer is of one moment: what is being sent stays as it was when it was asked for.
 */
export class GangliaPortsPlugin implements Plugin {
  readonly id = "ganglia-ports";
  readonly wantsSummary = true;
  readonly #options: GangliaPortsOptions;
  readonly #limits: PortLimits;
  readonly #namer = new HostNamer();
  readonly #printer = new HostPrinter();
  readonly #tally: Tally;
  #grids: Grids;
  #log: ClientLog | undefined;
  #ports: { readonly xml: Port; readonly interactive: Port } | undefined;

  constructor(options: GangliaPortsOptions) {
    this.#options = options;
    this.#limits = { ...defaultPortLimits, ...options.limits };
    this.#tally = new Tally(this.#now());
    this.#grids = this.#withSummary(new Map(), new Map());
  }

  /** Where it listens; `undefined` before it is started. */
  get listening(): {
    readonly xml: Listener["address"];
    readonly interactive: Listener["address"];
  } | undefined {
    return this.#ports && {
      xml: this.#ports.xml.listener.address,
      interactive: this.#ports.interactive.listener.address,
    };
  }

  get addresses(): Readonly<Record<string, string>> {
    const { listening } = this;
    return listening
      ? {
        "gmetad's XML": formatAddress(listening.xml),
        "gmetad's queries": formatAddress(listening.interactive),
      }
      : {};
  }

  /** What each port has done; `undefined` before it is started. */
  get counts(): {
    readonly xml: GangliaPortCounts;
    readonly interactive: GangliaPortCounts;
  } | undefined {
    return this.#ports && {
      xml: countsOf(this.#ports.xml),
      interactive: countsOf(this.#ports.interactive),
    };
  }

  /** @throws UserError when it cannot listen on both ports. */
  async start(): Promise<void> {
    const { clock, xmlPort, interactivePort } = this.#options;
    const { logMs, loggedAtOnce } = this.#limits;
    const who = "Ganglia client";
    this.#log = new ClientLog({ who, logger, clock, logMs, loggedAtOnce });
    const xml = this.#open("Ganglia's XML port", xmlPort, false);
    try {
      const what = "Ganglia's interactive port";
      const interactive = this.#open(what, interactivePort, true);
      this.#ports = { xml, interactive };
    } catch (error) {
      await xml.listener.stop();
      throw error;
    }
    const { listening } = this;
    logger.info(
      "Ganglia is answered on {host}, port {xml} (XML) and {interactive} (queries)",
      {
        host: listening?.xml.host,
        xml: listening?.xml.port,
        interactive: listening?.interactive.port,
      },
    );
  }

  notify(cluster: Cluster): void {
    const { name, hosts, detail, source } = cluster;
    const clusters = new Map(this.#grids.clusters);
    if (hosts.size === 0 && !detail && !source) {
      clusters.delete(name);
      this.#namer.forget(name);
    } else {
      const instant = this.#now();
      const summary = cluster.summary ??
        summarize(cluster, instant);
      const names = this.#namer.names(cluster);
      const shown = { ...cluster, summary, names };
      this.#tally.cluster(shown, clusters.get(name), instant.now);
      clusters.set(name, shown);
    }
    this.#grids = this.#withSummary(clusters, this.#grids.grids);
  }

  notifyGrid(grid: ChildGrid): void {
    const { clusters } = this.#grids;
    const grids = new Map(this.#grids.grids);
    const before = grids.get(grid.name)?.source;
    this.#tally.source(grid.source, before, this.#now().now);
    grids.set(grid.name, grid);
    this.#grids = this.#withSummary(clusters, grids);
  }

  forgetGrid(name: string): void {
    const { clusters } = this.#grids;
    const grids = new Map(this.#grids.grids);
    grids.delete(name);
    this.#grids = this.#withSummary(clusters, grids);
  }

  async stop(): Promise<void> {
    await Promise.all([
      this.#ports?.xml.listener.stop(),
      this.#ports?.interactive.listener.stop(),
    ]);
    this.#log?.close();
  }

  #now(): Instant {
    const { clock } = this.#options;
    return { monotonic: clock.monotonic(), now: clock.now() };
  }

  #open(what: string, port: number, asks: boolean): Port {
    const { host, trusted: access, clock } = this.#options;
    const limits = this.#limits;
    const counts = { answers: 0, bytes: 0, totalMs: 0, aborted: 0 };
    const warn = (address: string, what: string) =>
      this.#log?.warn(address, what);
    const reply = asks
      ? (line: Uint8Array) => this.#reply(line)
      : () => replyWithAll(this.#grids, this.#now(), this.#printer);
    const listener = new Listener({
      what,
      rival: "a gmetad",
      host,
      port,
      access,
      clock,
      limits,
      logger,
      warn,
      serve: (stream, address) =>
        new Session({
          stream,
          clock,
          limits,
          counts,
          warn: (what) => warn(address, what),
          asks,
          reply,
        }),
    });
    return { listener, counts };
  }

  #reply(line: Uint8Array): Reply {
    const { version } = this.#options;
    const grids = this.#grids;
    const at = this.#now();
    const status = () => this.#status(grids, at);
    return replyToQuery(line, grids, at, this.#printer, { version, status });
  }

  #status(grids: Grids, at: Instant): string {
    const { gridName, authority, version, sent } = this.#options;
    return statusJson({
      ...this.#tally.status(grids, at),
      host: URL.parse(authority)?.hostname ?? "",
      gridName,
      version,
      sent: sent?.() ?? {},
      requests: {
        interactive: requestsOf(this.#ports?.interactive),
        xml: requestsOf(this.#ports?.xml),
      },
    });
  }

  /** The summary of everything is made when it is asked for, and once. */
  #withSummary(clusters: Grids["clusters"], grids: Grids["grids"]): Grids {
    const { gridName, authority, summarizedMetrics } = this.#options;
    let summary: Summary | undefined;
    return {
      name: gridName,
      authority,
      clusters,
      grids,
      get summary() {
        return summary ??= gridSummary({ clusters, grids }, summarizedMetrics);
      },
    };
  }
}

function countsOf({ listener, counts }: Port): GangliaPortCounts {
  return { ...counts, ...listener.counts };
}

function requestsOf(port: Port | undefined): Done {
  return {
    num: port?.counts.answers ?? 0,
    totalMillis: port?.counts.totalMs ?? 0,
  };
}
