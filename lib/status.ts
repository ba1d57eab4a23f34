/**
 * What a running gatherer says of itself: `gatherer status` shows it, `--json` as it is here.
 * All times are in milliseconds since the epoch unless a name says otherwise.
 *
 * @module
 */
import type { Doing, SourceStatus } from "./sources/source.ts";
import type { NodeState } from "./tree/host.ts";

export type { Doing, SourceStatus };

/** Where a gatherer is in its life. */
export type LifeState = "starting" | "ready" | "reloading" | "stopping";

/** How a gatherer is. */
export interface GathererStatus {
  readonly state: LifeState;
  /** When it came into this state. */
  readonly since: number;
  readonly version: string;
  readonly pid: number;
  readonly basedir: string;
  readonly startedAt: number;
  /** When the last round was closed; `null`: none was. */
  readonly lastRound: number | null;
  readonly rounds: number;
  readonly intervalSeconds: number;
  /** Why not all is well, in words; empty: all is. */
  readonly degraded: readonly string[];
  readonly listening: readonly ListeningStatus[];
  readonly configuration: ConfigurationStatus;
  readonly sources: readonly SourceStatus[];
  readonly plugins: readonly PluginStatus[];
  readonly nodes: readonly NodeReport[];
}

/** Something that others can reach. */
export interface ListeningStatus {
  readonly what: string;
  /** `HOST:PORT`. */
  readonly address: string;
}

/** What a gatherer runs by. */
export interface ConfigurationStatus {
  /** The file; `null`: there are only options of the command line. */
  readonly file: string | null;
  readonly loadedAt: number;
}

/** How a plugin is. */
export interface PluginStatus extends Doing {
  readonly id: string;
  /** How often it has been told of something. */
  readonly calls: number;
  /** What is not well with it although it works; left out: nothing. */
  readonly troubles?: readonly string[];
}

/** How a node is. */
export interface NodeReport extends Doing {
  readonly cluster: string;
  readonly key: string;
  readonly nickname: string;
  readonly state: NodeState;
  readonly reason: string;
  /** When it came into this state; `null`: not known. */
  readonly since: number | null;
}
