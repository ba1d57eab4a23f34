import type { Place } from "./remarks.ts";

/** Where gmond answers unless a `data_source` says otherwise. */
export const GMOND_PORT = 8649;

/** What is true of carbon unless it is said otherwise. */
export const CARBON_DEFAULTS = {
  port: 2003,
  protocol: "tcp",
  timeoutMs: 500,
} as const;

/** What a gmetad.conf says. `docs/gmetad-conf.md` is the reference of the file. */
export interface GmetadConf {
  /** The file, as it was named. */
  readonly path: string;
  /** In the order of the file. No two have the same name. */
  readonly dataSources: readonly DataSource[];
  /** The name of the grid. Default: `unspecified`. */
  readonly gridname: string;
  /** The address of this grid's web pages; left out: to be made of this machine's name. */
  readonly authority?: string;
  /**
   * Who may ask besides this machine: addresses, networks such as `10.0.0.0/8`, and names of
   * machines, as they are written.
   */
  readonly trustedHosts: readonly string[];
  /** Whether anyone may ask. */
  readonly allTrusted: boolean;
  /** Where the whole tree is sent. 0: any port that is free. */
  readonly xmlPort: number;
  /** Where queries are answered. 0: any port that is free. */
  readonly interactivePort: number;
  /** Whether a source that is a gmetad stays a grid of its own. */
  readonly scalable: boolean;
  /** Whether names of hosts keep their capital letters in directories and in what carbon gets. */
  readonly caseSensitiveHostnames: boolean;
  /** How the names of metrics begin that have no RRD of their summary. */
  readonly unsummarizedMetrics: readonly string[];
  /** Whether metrics of sFlow's virtual machines have no RRD of their summary. */
  readonly unsummarizedSflowVmMetrics: boolean;
  /** The only metrics that have an RRD of the grid's summary; empty: all. */
  readonly summarizedMetrics: readonly string[];
  /** The directory of the RRDs; left out: the default of the program. */
  readonly rrdRootdir?: string;
  /** The archives of a new RRD, as rrdtool takes them; left out: the default of the program. */
  readonly rras?: readonly string[];
  readonly writeRrds: boolean;
  /** `unix:PATH`, `/PATH`, `HOST`, `HOST:PORT` or `[ADDRESS]:PORT`. */
  readonly rrdcachedAddress?: string;
  /** Left out: nothing is sent to carbon. */
  readonly carbon?: CarbonConf;
  /** The directory of third-party plugins. */
  readonly pluginsDir?: string;
  /** A file that is logged to as well. */
  readonly logfile?: string;
  readonly debugLevel?: number;
  /** Whether the user is to be changed when started as root. */
  readonly setuid: boolean;
  /** Whether it goes into the background when it is called as gmetad. */
  readonly daemonize: boolean;
  /** The user to change to; left out: the default of the program. */
  readonly setuidUsername?: string;
  /** The lines of each section `id { … }`, which its plugin interprets. Ids are in small letters. */
  readonly sections: ReadonlyMap<string, readonly SectionLine[]>;
  /** One line each, with file and line: what is not done, or not as the file may have meant it. */
  readonly warnings: readonly string[];
}

/** A gmond or gmetad to be polled. */
export interface DataSource {
  readonly name: string;
  readonly intervalSeconds: number;
  /** In order of preference. May be empty: then nothing is polled. */
  readonly hosts: readonly HostPort[];
  readonly place: Place;
}

/** Where a service is. */
export interface HostPort {
  /** A name or an address; an IPv6 address has no brackets. */
  readonly host: string;
  readonly port: number;
}

/** Where and how metrics are sent to carbon. */
export interface CarbonConf {
  /** A name or an address; an IPv6 address has no brackets. */
  readonly server: string;
  readonly port: number;
  readonly protocol: "tcp" | "udp";
  readonly timeoutMs: number;
  readonly graphitePrefix?: string;
  /**
   * How names are made, after the prefix: `%s` is the cluster, `%h` the host, `%m` the metric. Left
   * out: `%s.%h.%m`.
   */
  readonly graphitePath?: string;
}

/** A line of a section. */
export interface SectionLine {
  readonly directive: string;
  /** The rest of the line as it is, without the blanks around it; quotes are kept. */
  readonly text: string;
  readonly place: Place;
}

/** A {@linkcode GmetadConf} while its file is read. */
export type ConfDraft =
  & { -readonly [K in keyof Omit<GmetadConf, Drafted>]: GmetadConf[K] }
  & {
    /** By their names. */
    dataSources: Map<string, DataSource>;
    trustedHosts: string[];
    unsummarizedMetrics: string[];
    summarizedMetrics: string[];
    sections: Map<string, readonly SectionLine[]>;
    carbon: { -readonly [K in keyof CarbonConf]?: CarbonConf[K] };
  };

type Drafted =
  | "dataSources"
  | "trustedHosts"
  | "unsummarizedMetrics"
  | "summarizedMetrics"
  | "sections"
  | "carbon"
  | "warnings";

/**
 * A configuration that nothing has been said about. Source of the defaults: gmetad 3.7.2, its
 * documentation and what it does without a directive.
 */
export function newDraft(path: string): ConfDraft {
  return {
    path,
    dataSources: new Map(),
    gridname: "unspecified",
    trustedHosts: [],
    allTrusted: false,
    xmlPort: 8651,
    interactivePort: 8652,
    scalable: true,
    caseSensitiveHostnames: true,
    unsummarizedMetrics: [],
    unsummarizedSflowVmMetrics: false,
    summarizedMetrics: [],
    writeRrds: true,
    setuid: true,
    daemonize: true,
    sections: new Map(),
    carbon: {},
  };
}

/** A draft as what it was made for. */
export function finishDraft(
  { carbon: { server, ...carbon }, dataSources, ...draft }: ConfDraft,
  warnings: readonly string[],
): GmetadConf {
  return {
    ...draft,
    dataSources: [...dataSources.values()],
    ...(server === undefined ? {} : {
      carbon: {
        server,
        ...CARBON_DEFAULTS,
        ...carbon,
      },
    }),
    warnings,
  };
}
