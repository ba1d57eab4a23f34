import type { Host } from "../../tree/host.ts";
import { withHeld } from "../../tree/metric.ts";
import type { Summary } from "../../tree/summary.ts";
import type { ChildGrid, Cluster } from "../../tree/tree.ts";
import type { Instant } from "../host_state.ts";
import { childSummary } from "../summary.ts";
import type { ByteWriter } from "./byte_writer.ts";
import {
  addChildGrid,
  addSummary,
  closeCluster,
  closeDocument,
  openCluster,
  openDocument,
} from "./document.ts";
import type { HostNames } from "./host_names.ts";
import { type HostPrinter, isExpired, isKnown } from "./host_printer.ts";
import type { Component, Query } from "./query.ts";

/** A cluster at one moment, and what its hosts are called. */
export interface ShownCluster extends Cluster {
  readonly summary: Summary;
  readonly names: HostNames;
}

/** All that answers are made of, as it is at one moment. */
export interface Grids {
  readonly name: string;
  readonly authority: string;
  readonly clusters: ReadonlyMap<string, ShownCluster>;
  readonly grids: ReadonlyMap<string, ChildGrid>;
  /** Of all of them together. */
  readonly summary: Summary;
}

/** Writes the next part of an answer, at most a host or a summary. */
export type Piece = (out: ByteWriter) => void;

/** Names that are tried before others have their turn: a pattern may take 3 ms for each. */
const BATCH = 4;
/** Writes nothing: whoever sends the pieces may pause at each. */
const PAUSE: Piece = () => {};

/** Whether a metric of that name is wanted. */
type Wanted = (name: string) => boolean;

const NO_METRIC: Wanted = () => false;

/**
 * The pieces of an answer, made while they are sent. As with C, it is a whole document whatever
 * is asked for, with the tags around what was found.
 */
export function answer(
  grids: Grids,
  query: Query,
  instant: Instant,
  printer: HostPrinter,
): Generator<Piece, void> {
  return new Answer(grids, query, instant, printer).pieces();
}

class Answer {
  readonly #grids: Grids;
  readonly #query: Query;
  readonly #instant: Instant;
  /** In seconds since the epoch. */
  readonly #now: number;
  readonly #printer: HostPrinter;
  /** What patterns have said of the names of metrics, which recur in every host. */
  readonly #judged = new Map<Component, Map<string, boolean>>();

  constructor(
    grids: Grids,
    query: Query,
    instant: Instant,
    printer: HostPrinter,
  ) {
    this.#grids = grids;
    this.#query = query;
    this.#instant = instant;
    this.#now = Math.floor(instant.now / 1000);
    this.#printer = printer;
  }

  *pieces(): Generator<Piece, void> {
    const { name, authority } = this.#grids;
    yield (out) => openDocument(out, name, authority, this.#now);
    yield* this.#grid(this.#pathInGrid());
    yield closeDocument;
  }

  /** The path without the grid's name, which may be left out. */
  #pathInGrid(): readonly Component[] {
    const { path } = this.#query;
    if (path.length === 0 || !path[0].names.includes(this.#grids.name)) {
      return path;
    }
    const source = this.#named(path[0], this.#grids.clusters) ??
      this.#named(path[0], this.#grids.grids);
    if (!source) return path.slice(1);
    // Both a grid and a cluster are called "unspecified" unless somebody names them. The cluster
    // is meant, unless what follows only makes sense below the grid.
    const isHost = path.length > 1 && "names" in source &&
      this.#named(path[1], source.names.byName) !== undefined;
    const isGrid = path.length > 1 && this.#namesSource(path[1]) && !isHost;
    return isGrid ? path.slice(1) : path;
  }

  #namesSource(component: Component): boolean {
    const { clusters, grids } = this.#grids;
    return this.#named(component, clusters) !== undefined ||
      this.#named(component, grids) !== undefined;
  }

  #named<T>(
    { names }: Component,
    children: ReadonlyMap<string, T>,
  ): T | undefined {
    for (const name of names) {
      const child = children.get(name);
      if (child !== undefined) return child;
    }
  }

  *#grid(path: readonly Component[]): Generator<Piece, void> {
    const { clusters, grids } = this.#grids;
    if (path.length === 0) {
      if (this.#query.summary) {
        yield (out) => addSummary(out, this.#grids.summary);
      }
      return yield* this.#sources(clusters.values(), grids.values(), path);
    }
    const [first, ...rest] = path;
    const someClusters = yield* this.#select(first, clusters);
    const someGrids = yield* this.#select(first, grids);
    if (someClusters.length + someGrids.length > 0) {
      return yield* this.#sources(someClusters, someGrids, rest);
    }
    if (!this.#query.lenient) return;
    for (const cluster of clusters.values()) {
      if (yield* this.#isWithin(first, cluster)) {
        return yield* this.#sources(clusters.values(), grids.values(), path);
      }
    }
    yield* this.#grid([]);
  }

  *#sources(
    clusters: Iterable<ShownCluster>,
    grids: Iterable<ChildGrid>,
    path: readonly Component[],
  ): Generator<Piece, void> {
    for (const cluster of clusters) {
      yield (out) => openCluster(out, cluster, this.#now);
      yield* this.#cluster(cluster, path);
      yield closeCluster;
    }
    for (const grid of grids) {
      yield (out) => addChildGrid(out, grid, childSummary(grid));
    }
  }

  *#cluster(
    cluster: ShownCluster,
    path: readonly Component[],
  ): Generator<Piece, void> {
    const { hosts, names, summary } = cluster;
    if (path.length === 0 && this.#query.summary) {
      return yield (out) => addSummary(out, summary);
    }
    if (path.length === 0) {
      return yield* this.#hosts(cluster, hosts.values(), path);
    }
    const [first, ...rest] = path;
    const keys = yield* this.#select(first, names.byName);
    if (keys.length > 0) {
      const some = keys.map((key) => hosts.get(key)!);
      yield* this.#hosts(cluster, some, rest);
    } else if (this.#query.lenient) {
      if (yield* this.#isWithin(first, cluster)) {
        yield* this.#hosts(cluster, hosts.values(), path);
      } else yield* this.#cluster(cluster, []);
    }
  }

  *#hosts(
    cluster: ShownCluster,
    hosts: Iterable<Host>,
    path: readonly Component[],
  ): Generator<Piece, void> {
    const instant = this.#instant;
    for (const host of hosts) {
      if (!isKnown(host) || isExpired(host, cluster, instant)) continue;
      const name = cluster.names.byKey.get(host.key)!;
      const wanted = yield* this.#wanted(host, path);
      yield (out) =>
        this.#printer.print(out, name, host, cluster, instant, wanted);
    }
  }

  /** Which metrics of a host are wanted; `undefined`: all. */
  *#wanted(
    host: Host,
    path: readonly Component[],
  ): Generator<Piece, Wanted | undefined> {
    const rest = this.#query.summary ? NO_METRIC : undefined;
    if (path.length === 0) return rest;
    // As in both daemons, a metric is the end: what comes after it in the path says nothing.
    const wanted = yield* this.#metricTest(host, path[0]);
    if (wanted) return wanted;
    return this.#query.lenient ? rest : NO_METRIC;
  }

  /** Which metrics a component stands for; `undefined`: none. */
  *#metricTest(
    { observation }: Host,
    component: Component,
  ): Generator<Piece, Wanted | undefined> {
    const metrics = observation ? withHeld(observation) : [];
    for (const wanted of component.names) {
      if (metrics.some(({ name }) => name === wanted)) {
        return (name) => name === wanted;
      }
    }
    if (component.any) return () => true;
    const { pattern } = component;
    if (!pattern) return undefined;
    let judged = this.#judged.get(component);
    if (!judged) this.#judged.set(component, judged = new Map());
    let anyFits = false;
    let tried = 0;
    // All of them, so that nothing is left to be judged while the host is printed.
    for (const { name } of metrics) {
      let fits = judged.get(name);
      if (fits === undefined) {
        judged.set(name, fits = pattern(name));
        if (++tried % BATCH === 0) yield PAUSE;
      }
      anyFits ||= fits;
    }
    return anyFits ? (name) => judged.get(name) === true : undefined;
  }

  /** Whether a component that is no host of a cluster stands for a host or metric in it. */
  *#isWithin(
    component: Component,
    { hosts, names }: ShownCluster,
  ): Generator<Piece, boolean> {
    const named = yield* this.#select(component, names.byName);
    if (named.length > 0) return true;
    let tried = 0;
    for (const host of hosts.values()) {
      if (yield* this.#metricTest(host, component)) return true;
      if (++tried % BATCH === 0) yield PAUSE;
    }
    return false;
  }

  /** The children that a component stands for. */
  *#select<T>(
    component: Component,
    children: ReadonlyMap<string, T>,
  ): Generator<Piece, T[]> {
    const named = this.#named(component, children);
    if (named !== undefined) return [named];
    if (component.any) return [...children.values()];
    const selected: T[] = [];
    if (!component.pattern) return selected;
    let tried = 0;
    for (const [name, child] of children) {
      if (component.pattern(name)) selected.push(child);
      if (++tried % BATCH === 0) yield PAUSE;
    }
    return selected;
  }
}
