/**
 * What a plugin of your own is made of: the interface, and what it is told. `docs/plugins.md` is
 * the guide. This file imports nothing, so that it may be copied.
 *
 * @module
 */

/**
 * A file in `plugins_dir` exports a function of this type, named `getPlugin`.
 * @param id The file's name without extension, in small letters.
 */
export type GetPlugin = (
  id: string,
) => GathererPlugin | Promise<GathererPlugin>;

/**
 * What `getPlugin` gives. Calls come one after another and never overlap; each must be over within
 * 10 s. A plugin that throws or is late is switched off.
 */
export interface GathererPlugin {
  /**
   * Called once, before `start`.
   * @param entries The lines of the section of gmetad.conf that has this plugin's id, in order;
   *   empty if there is none.
   */
  parseConfig?(entries: readonly ConfigEntry[]): void | Promise<void>;
  /** Called once, when all plugins have been loaded. */
  start?(): void | Promise<void>;
  /**
   * A cluster was read, or could not be read.
   * @param cluster A copy. It may be changed: plugins that come later see the changes, nobody else
   *   does.
   */
  notify(cluster: PluginCluster): void | Promise<void>;
  /** The same for a grid below this one, of which only the summary is known. */
  notifyGrid?(grid: PluginGrid): void | Promise<void>;
  /** Called once, at the end. */
  stop?(): void | Promise<void>;
}

/** A line of a plugin's section. */
export interface ConfigEntry {
  readonly directive: string;
  /** The rest of the line as it stands there, quotes and all. */
  readonly text: string;
}

/** Hosts that belong together. Texts that nobody said are empty. */
export interface PluginCluster {
  kind: "cluster";
  name: string;
  owner: string;
  latlong: string;
  url: string;
  /** The cluster's clock when it was asked, in seconds since the epoch. */
  localtime: number;
  /** `null` where each host is a source of its own. */
  source: PluginSource | null;
  /** `null` while there is none. */
  summary: PluginSummary | null;
  hosts: PluginHost[];
}

/** A grid below this one. */
export interface PluginGrid {
  kind: "grid";
  name: string;
  /** Where more of it is to be had: a URL. */
  authority: string;
  /** Its clock when it was asked, in seconds since the epoch. */
  localtime: number;
  source: PluginSource | null;
  summary: PluginSummary | null;
}

/** Where a cluster or grid is read from. */
export interface PluginSource {
  /** The name of the `data_source`. */
  name: string;
  /** Seconds from one poll to the next. */
  interval: number;
  /** Seconds since its last good answer. */
  age: number;
  /** Why the last poll failed; `null` if it did not. */
  failure: string | null;
}

/** All hosts together. */
export interface PluginSummary {
  /** Hosts that are up. */
  up: number;
  /** Hosts that are down. */
  down: number;
  metrics: PluginSummaryMetric[];
}

/** One numeric metric of all hosts together. */
export interface PluginSummaryMetric extends PluginMetricKind {
  name: string;
  sum: number;
  /** How many hosts have it. */
  num: number;
}

/** One machine or program. */
export interface PluginHost {
  /** What it is called; not always unique. */
  name: string;
  /** Unique among all hosts. */
  key: string;
  up: boolean;
  /** Seconds since it was heard of. */
  age: number;
  /** When its metrics were received, in seconds since the epoch; `null`: it has none yet. */
  time: number | null;
  /** When it was heard of last, in seconds since the epoch, on its cluster's clock. */
  reported: number;
  /** Seconds within which it is to be heard of again. */
  tmax: number;
  /** Seconds after which it is to be forgotten; 0: never. */
  dmax: number;
  ip: string;
  location: string;
  tags: string;
  /** When its gmond was started, in seconds since the epoch; 0: not known. */
  gmondStarted: number;
  metrics: PluginMetric[];
}

/** One figure of a host. */
export interface PluginMetric extends PluginMetricKind {
  name: string;
  /** `null`: not known, or no number. Integers beyond 2^53 are rounded; `text` is exact. */
  value: number | null;
  /** The value as its source wrote it. */
  text: string;
  /** Seconds for which the value was known already when it was received. */
  tn: number;
}

/** What metrics that are alike have in common. */
export interface PluginMetricKind {
  /** `positive`: a counter; or `zero`, `negative`, `both`, `derivative`, `unspecified`. */
  slope: string;
  /** `string`, `int8` to `uint32`, `float`, `double`, `timestamp`; or what the source says. */
  type: string;
  units: string;
  /** Seconds within which a new value is to be expected. */
  tmax: number;
  /** Seconds after which it is to be forgotten; 0: never. */
  dmax: number;
  /** The kind of program that measured it: `gmond`. */
  source: string;
  /** EXTRA_ELEMENTs, such as GROUP and TITLE. Shared with others: put a new list in its place. */
  extra: readonly PluginExtra[];
}

/** An EXTRA_ELEMENT. */
export interface PluginExtra {
  readonly name: string;
  readonly value: string;
}
