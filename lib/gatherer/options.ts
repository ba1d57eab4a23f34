import type { GmetadConf } from "../ganglia/conf/conf.ts";
import type { GraphsFile } from "../munin/graphs_file.ts";

/** The cluster of the nodes that attach over Foolscap. */
export const FOOLSCAP_CLUSTER = "foolscap";

/** Milliseconds after which an unanswered poll is given up, unless something else is said. */
export const TIMEOUT_MS = 20_000;

/**
 * What a gatherer is to be: plain data, so that two of them can be compared. What is left out is
 * as on its last start, or a sensible default.
 */
export interface GathererOptions {
  readonly basedir: string;
  /** The TCP port to listen on; 0: any that is free, then kept. */
  readonly port?: number;
  /** The address to listen on (default: every IPv4 address). */
  readonly host?: string;
  /** Names this machine in the FURL. */
  readonly hostname?: string;
  /** Location hints for the FURL; wins over `hostname`. */
  readonly location?: readonly string[];
  /** Milliseconds from one round to the next. */
  readonly intervalMs: number;
  /** Milliseconds after which an unanswered poll is given up (default 20,000). */
  readonly timeoutMs?: number;
  /** Whether the base directory, the snapshot and the spool are for their owner only. */
  readonly private?: boolean;
  /** Bytes that the spool of past figures takes at most; 0: there is none. */
  readonly spoolBytes?: number;
  /** Where and how Munin's masters are answered; left out: nowhere. */
  readonly munin?: MuninServing;
  /** What is gathered of Ganglia's gmonds, and answered as gmetad does; left out: nothing. */
  readonly ganglia?: GangliaOptions;
  /** Pages with statistics that are asked for, each a node; no two have the same name. */
  readonly statistics?: readonly StatisticsPage[];
  /** Where and what is answered over HTTP; left out: nothing. */
  readonly http?: HttpServing;
  /**
   * Whether nodes may attach over Foolscap, the gatherer itself being the first (default: true).
   */
  readonly foolscap?: boolean;
}

/** How Munin's masters are answered. */
export interface MuninServing {
  /** Where all nodes together are one host. */
  readonly all?: ListenAddress;
  /** Where each node is a host of its own. */
  readonly nodes?: ListenAddress;
  /** Who may ask, as `parseAccess` reads it. */
  readonly allow: string;
  /** The name under which Munin knows all nodes together. */
  readonly hostName: string;
  /** The names of the graphs that are shown, as `globsMatcher` reads them; empty: all. */
  readonly select: string;
  readonly drilldown: "yes" | "no" | "auto";
  /** An operator's own graphs and limits. */
  readonly operators: GraphsFile;
}

/** How the part that is Ganglia's is run. */
export interface GangliaOptions {
  readonly conf: GmetadConf;
  /** The address that both ports listen on; left out: every one. */
  readonly host?: string;
}

/** Where to listen. */
export interface ListenAddress {
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
}

/** A node that has its statistics on a page. */
export interface StatisticsPage {
  readonly name: string;
  readonly url: string;
}

/** What is answered over HTTP, and whom. */
export interface HttpServing extends ListenAddress {
  /** Who may ask, as `parseAccess` reads it. */
  readonly allow: string;
  /** Whether programs may send their metrics as OTLP. */
  readonly otlp: boolean;
}
