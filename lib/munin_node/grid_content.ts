import { setImmediate } from "node:timers/promises";
import { getLogger } from "@logtape/logtape";
import type { Clock } from "../clock.ts";
import { UserError } from "../errors.ts";
import { ALL_GRAPHS, findGraph } from "../munin/catalog.ts";
import { drawFields, withOwnName } from "../munin/draw.ts";
import type { Field } from "../munin/field.ts";
import { smash } from "../munin/fields.ts";
import type { Graph } from "../munin/graph.ts";
import type { GraphsFile } from "../munin/graphs_file.ts";
import { Held } from "../munin/held.ts";
import { hostNames } from "../munin/hosts.ts";
import {
  type DrawnGraph,
  drilldownText,
  graphBlock,
  NOTHING,
  serviceName,
  showAll,
} from "../munin/multigraph.ts";
import { readPast } from "../munin/past.ts";
import { dated, heartbeat, inPortion, pastFrom } from "../munin/sampling.ts";
import { StatIndex } from "../munin/stat_index.ts";
import { configText, type FieldLimits, valueText } from "../munin/text.ts";
import { limitsByService } from "../munin/thresholds.ts";
import type { SnapshotNode } from "../snapshot/codec.ts";
import { openPortion, type Portion } from "../spool/portion.ts";
import { type Earlier, noEarlier } from "../spool/sample.ts";
import { incarnationOf } from "../tree/incarnation.ts";
import type { Observation } from "../tree/metric.ts";
import { Roster } from "../tree/roster.ts";
import type { Cluster } from "../tree/tree.ts";
import type { Value } from "../value.ts";
import type { Capabilities, MuninContent } from "./content.ts";

const logger = getLogger(["gatherer", "munin-node"]);

/** How {@linkcode GridContent} is set up. */
export interface GridContentOptions {
  /** The name under which Munin knows all nodes together. */
  readonly hostName: string;
  /**
   * Whether each node is a host of its own, too. Then there is no `spoolfetch`: a master does not
   * say of which host it asks, and would take one host's figures for another's.
   */
  readonly nodesAsHosts: boolean;
  /** The directory of the spool; `undefined`: there is none. */
  readonly spool: string | undefined;
  /** An operator's own graphs and limits. */
  readonly operators: GraphsFile;
  /** Whether a graph is shown among all. */
  readonly selects: (name: string) => boolean;
  readonly drilldown: "yes" | "no" | "auto";
  readonly clock: Clock;
  /** Values that an answer to `spoolfetch` has at most, about (default 300,000). */
  readonly portionValues?: number;
}

/** A master reads an answer into its memory, and takes some ten seconds for so many. */
const PORTION_VALUES = 300_000;

/** Bytes of the spool that are held at most for the last minutes: some rounds of 20,000 nodes. */
const WINDOW_BYTES = 256 * 1024 * 1024;

/** Nodes that are dealt with in one go; then others have their turn. */
const BATCH = 200;

/** What is known since a round. */
interface Moment {
  readonly nodes: readonly SnapshotNode[];
  readonly index: StatIndex;
  /** The node of each host's name; without those of {@linkcode GridContent.hostName}. */
  readonly hosts: ReadonlyMap<string, SnapshotNode>;
  /** The graphs that are shown, by host; of others than the first once they were asked for. */
  readonly graphs: Map<string, readonly Graph[]>;
  /** What was read of the past, so that a master's many questions do not read it again. */
  earlier?: Promise<Earlier>;
  past?: Promise<ReadonlyMap<number, Earlier>>;
}

/**
 * What is gathered, as Munin's protocol serves it: the same graphs, names and values as from the
 * plugin, without a process. It knows what plugins are told.
 */
export class GridContent implements MuninContent {
  readonly hostName: string;
  readonly spoolfetch?: (epoch: number) => AsyncIterable<string>;
  readonly #options: GridContentOptions;
  readonly #limits: FieldLimits;
  readonly #roster = new Roster();
  readonly #nodes = new WeakMap<Observation, SnapshotNode>();
  #moment: Moment = {
    nodes: [],
    index: new StatIndex(),
    hosts: new Map(),
    graphs: new Map(),
  };
  #complaint = "";

  constructor(options: GridContentOptions) {
    this.#options = options;
    this.hostName = options.hostName;
    const limits = limitsByService(options.operators.limits);
    this.#limits = (service) => limits.get(smash(service)) ?? {};
    if (options.spool !== undefined && !options.nodesAsHosts) {
      this.spoolfetch = (epoch) => this.#spoolfetch(options.spool!, epoch);
    }
  }

  /** Takes what has become of a cluster; not to be called again before it has resolved. */
  async update(cluster: Cluster): Promise<void> {
    this.#roster.update(cluster);
    const nodes: SnapshotNode[] = [];
    const index = new StatIndex();
    for (const { host } of this.#roster.entries()) {
      const { key, nickname, observation } = host;
      if (!observation) continue;
      let node = this.#nodes.get(observation);
      if (node?.nickname !== nickname) {
        const incarnation = incarnationOf(host);
        node = { key, nickname, incarnation, ...figuresOf(observation) };
        this.#nodes.set(observation, node);
      }
      nodes.push(node);
      index.add(node);
      if (nodes.length % BATCH === 0) await setImmediate();
    }
    const { operators, selects, nodesAsHosts } = this.#options;
    const held = new Held(nodes, dated(this.#now()), { index });
    const names = nodesAsHosts ? hostNames(nodes, this.hostName) : [];
    this.#moment = {
      nodes,
      index,
      hosts: new Map(names.map((name, place) => [name, nodes[place]])),
      graphs: new Map([
        [this.hostName, showAll(held, operators.graphs, selects)],
      ]),
    };
  }

  hosts(): readonly string[] {
    return [this.hostName, ...this.#moment.hosts.keys()];
  }

  services(host: string): readonly string[] | undefined {
    return this.#graphs(host)?.map(serviceName);
  }

  config(
    host: string,
    service: string,
    { dirtyconfig }: Capabilities,
  ): AsyncIterable<string> | undefined {
    return this.#answer(host, service, { config: true, values: dirtyconfig });
  }

  fetch(host: string, service: string): AsyncIterable<string> | undefined {
    return this.#answer(host, service, { config: false, values: true });
  }

  #answer(
    host: string,
    service: string,
    what: { config: boolean; values: boolean },
  ): AsyncIterable<string> | undefined {
    if (host !== this.hostName && !this.#moment.hosts.has(host)) {
      return undefined;
    }
    if (service === ALL_GRAPHS) return this.#allGraphs(host, what);
    const graph = findGraph(service, this.#options.operators.graphs);
    return graph && this.#oneGraph(host, graph, what);
  }

  async *#oneGraph(
    host: string,
    graph: Graph,
    { config, values }: { config: boolean; values: boolean },
  ): AsyncIterable<string> {
    const held = await this.#held(host);
    const fields = await drawPaced(graph, held);
    if (config) {
      yield configText(withOwnName(graph, held), fields, this.#limits);
    }
    if (values) yield valueText(fields);
  }

  async *#allGraphs(
    host: string,
    what: { config: boolean; values: boolean },
  ): AsyncIterable<string> {
    const graphs = this.#graphs(host) ?? [];
    if (graphs.length === 0) yield NOTHING;
    const held = await this.#held(host);
    const options = { ...what, limits: this.#limits };
    const drawn: DrawnGraph[] = [];
    for (const graph of graphs) {
      const fields = await drawPaced(graph, held);
      yield graphBlock(graph, fields, options);
      drawn.push({ graph, fields });
    }
    if (what.config && !held.alone) {
      yield drilldownText(drawn, held, this.#options.drilldown);
    }
  }

  async *#spoolfetch(spool: string, epoch: number): AsyncIterable<string> {
    const { drilldown, operators, selects } = this.#options;
    const { portionValues = PORTION_VALUES } = this.#options;
    const { nodes, index: presentIndex } = this.#moment;
    const present = this.#graphs(this.hostName) ?? [];
    const portion = await openPortion(spool, {
      from: epoch,
      context: heartbeat,
      maxSamples: Math.ceil(portionValues / Math.max(1, present.length)),
    });
    // What nodes no longer report, and had reported then, is shown as well.
    const index = presentIndex.copy();
    for (const group of ["counters", "stats"] as const) {
      for (const name of portion.names(group)) index.addName(group, name);
    }
    const now = this.#now();
    const past = await this.#readPast(spool, now);
    const held = new Held(nodes, inPortion(now, portion), { index, past });
    const graphs = showAll(held, operators.graphs, selects);
    if (graphs.length === 0) yield NOTHING;
    const drawn: DrawnGraph[] = [];
    const options = { config: true, values: true, limits: this.#limits };
    for (const graph of graphs) {
      const fields = announced(await drawPaced(graph, held), portion);
      yield graphBlock(graph, fields, options);
      drawn.push({ graph, fields });
    }
    yield drilldownText(drawn, held, drilldown);
  }

  /** The graphs that are shown of a host; `undefined`: there is none of that name. */
  #graphs(host: string): readonly Graph[] | undefined {
    const { graphs, hosts } = this.#moment;
    const node = hosts.get(host);
    if (!node || graphs.has(host)) return graphs.get(host);
    const { operators, selects } = this.#options;
    const held = new Held([node], dated(this.#now()), { alone: true });
    const shown = showAll(held, operators.graphs, selects);
    graphs.set(host, shown);
    return shown;
  }

  /** What is held of a host at the moment, with the past. */
  async #held(host: string): Promise<Held> {
    const moment = this.#moment;
    const { spool } = this.#options;
    const now = this.#now();
    if (spool !== undefined) {
      moment.earlier ??= this.#readEarlier(spool, now);
      moment.past ??= this.#readPast(spool, now);
    }
    const sampling = dated(now, await moment.earlier);
    const past = await moment.past;
    const node = moment.hosts.get(host);
    return node
      ? new Held([node], sampling, { past, alone: true })
      : new Held(moment.nodes, sampling, { past, index: moment.index });
  }

  async #readEarlier(spool: string, now: number): Promise<Earlier> {
    const complaints: string[] = [];
    try {
      const portion = await openPortion(spool, {
        from: pastFrom(now),
        context: heartbeat,
        maxBytes: WINDOW_BYTES,
        maxSamples: Infinity,
        complaints,
      });
      return this.#options.nodesAsHosts ? remembering(portion) : portion;
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      complaints.push(error.message);
      return noEarlier;
    } finally {
      this.#complain(complaints);
    }
  }

  async #readPast(
    spool: string,
    now: number,
  ): Promise<ReadonlyMap<number, Earlier>> {
    try {
      return await readPast(spool, now);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      return new Map();
    }
  }

  /** Once, until there is something else to complain about. */
  #complain(complaints: readonly string[]): void {
    const complaint = complaints.join("; ");
    if (complaint !== "" && complaint !== this.#complaint) {
      logger.warn("Munin misses figures of the past: {complaint}", {
        complaint,
      });
    }
    this.#complaint = complaint;
  }

  #now(): number {
    return this.#options.clock.now() / 1000;
  }
}

/** A graph's fields, drawn without keeping others from their turn. */
async function drawPaced(graph: Graph, held: Held): Promise<Field[]> {
  const fields: Field[] = [];
  for (const field of drawFields(graph, held)) {
    fields.push(field);
    if (fields.length % BATCH === 0) await setImmediate();
  }
  await setImmediate();
  return fields;
}

/** The past, with what was looked up once kept: hosts of one node each ask for the same. */
function remembering(earlier: Earlier): Earlier {
  const known = new Map<string, ReturnType<Earlier["series"]>>();
  const rounds = earlier.rounds;
  let reports: ReturnType<Earlier["reports"]> | undefined;
  return {
    rounds,
    names: (group) => earlier.names(group),
    before: (key) => earlier.before(key),
    reports: () => reports ??= earlier.reports(),
    series: (group, stat) => {
      const id = `${group} ${stat}`;
      let series = known.get(id);
      if (!series) known.set(id, series = earlier.series(group, stat));
      return series;
    },
  };
}

/**
 * The fields to announce with a portion of a spool: as long as more follows, those only that have
 * a figure in it. For a field without one Munin would make an RRD file that begins now, and refuse
 * the figures of the past that come later.
 */
function announced(
  fields: readonly Field[],
  { complete }: Portion,
): readonly Field[] {
  return complete ? fields : fields.filter(({ values }) => values.length > 0);
}

function figuresOf(
  observation: Observation,
): Pick<SnapshotNode, "timestamp" | "counters" | "stats"> {
  const counters = new Map<string, Value>();
  const stats = new Map<string, Value>();
  for (const { name, value, slope } of observation.metrics) {
    (slope === "positive" ? counters : stats).set(name, value);
  }
  return { timestamp: observation.receivedAt / 1000, counters, stats };
}
