import type { HostDetail } from "../../tree/host.ts";
import type { Metric } from "../../tree/metric.ts";
import type { Summary } from "../../tree/summary.ts";
import type { ClusterDetail } from "../../tree/tree.ts";

/** What was read from one document. */
export interface GangliaDocument {
  /** Clusters that are to be our own, in order. */
  readonly clusters: readonly ReadCluster[];
  /** Grids of other gmetads, whole ones only. */
  readonly grids: readonly ReadGrid[];
  /** What could not be read, the first of it. */
  readonly damages: readonly Damage[];
  /** How many places could not be read. */
  readonly damageCount: number;
  /** Why the document is not whole: it ends too early, or was given up; `undefined` if it is. */
  readonly cut: string | undefined;
  /** Bytes of it, decompressed, as far as it was read. */
  readonly bytes: number;
  /** Metrics of a type that Ganglia does not have: they are left out, as by the C gmetad. */
  readonly unknownTypes: number;
}

/** A cluster as it was sent. */
export interface ReadCluster {
  readonly name: string;
  readonly detail: ClusterDetail;
  readonly hosts: readonly ReadHost[];
}

/** A host as it was sent. */
export interface ReadHost {
  readonly name: string;
  readonly detail: HostDetail;
  /**
   * Without those that are past their DMAX; `undefined` for a host that is down, whose metrics the
   * C gmetad does not read either: those of before stay.
   */
  readonly metrics: Metric[] | undefined;
}

/** A grid as it was sent: what its clusters and the grids in it are together. */
export interface ReadGrid {
  readonly name: string;
  readonly authority: string;
  /** Its clock, in seconds since the epoch. */
  readonly localtime: number;
  readonly summary: Summary;
}

/** A place that could not be read. */
export interface Damage {
  /** Where the element that is lost begins, in bytes of the decompressed document. */
  readonly offset: number;
  /** Where it was noticed. */
  readonly at: number;
  /** What is wrong, in words. */
  readonly what: string;
  /** What was lost by it. */
  readonly cost: "host" | "metric" | "cluster" | "summary" | "bytes";
  /** The cluster that it is in, where that is known. */
  readonly cluster?: string;
  /** The host that it is or is in, where that is known. */
  readonly host?: string;
}

/**
 * A document that is none of Ganglia's: something else answers on that port, or the bytes are
 * garbage from the first on.
 */
export class NotGangliaError extends Error {
  override name = "NotGangliaError";
}
