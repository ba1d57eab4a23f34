import type { Clock } from "../clock.ts";
import { ALL_GRAPHS, findGraph } from "../munin/catalog.ts";
import { drawFields, withOwnName } from "../munin/draw.ts";
import type { Field } from "../munin/field.ts";
import type { Graph } from "../munin/graph.ts";
import type { GraphsFile } from "../munin/graphs_file.ts";
import { Held, window } from "../munin/held.ts";
import { hostNames } from "../munin/hosts.ts";
import {
  type DrawnGraph,
  drilldownText,
  graphBlock,
  serviceName,
  showAll,
} from "../munin/multigraph.ts";
import { readPast } from "../munin/past.ts";
import { configText, type FieldLimits, valueText } from "../munin/text.ts";
import { Roster } from "../tree/roster.ts";
import type { SnapshotNode } from "../snapshot/codec.ts";
import { openPortion, type Portion } from "../spool/portion.ts";
import type { Earlier } from "../spool/sample.ts";
import type { Observation } from "../tree/metric.ts";
import type { Cluster } from "../tree/tree.ts";
import type { Value } from "../value.ts";
import type { Capabilities, MuninContent } from "./content.ts";

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

/** What is known since the last round. */
interface Moment {
  readonly nodes: readonly SnapshotNode[];
  /** The node of each host's name; without those of {@linkcode hostName}. */
  readonly hosts: ReadonlyMap<string, SnapshotNode>;
  /** What came of it so far, so that a master's many questions are not answered from scratch. */
  graphs: Map<string, readonly Graph[]>;
  earlier: Promise<Earlier> | undefined;
  past: Promise<ReadonlyMap<number, Earlier>> | undefined;
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
  #moment: Moment | undefined;

  constructor(options: GridContentOptions) {
    this.#options = options;
    this.hostName = options.hostName;
    this.#limits = (service) => options.operators.limits.get(service) ?? {};
    if (options.spool !== undefined && !options.nodesAsHosts) {
      this.spoolfetch = (epoch) => this.#spoolfetch(options.spool!, epoch);
    }
  }

  /** Takes what has become of a cluster. */
  update(cluster: Cluster): void {
    this.#roster.update(cluster);
    this.#moment = undefined;
  }

  hosts(): readonly string[] {
    return [this.hostName, ...this.#now().hosts.keys()];
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
    if (!this.#isHost(host)) return undefined;
    if (service === ALL_GRAPHS) return this.#allGraphs(host, what);
    const graph = findGraph(service, this.#options.operators.graphs);
    return graph && this.#oneGraph(host, graph, what);
  }

  async *#oneGraph(
    host: string,
    graph: Graph,
    { config, values }: { config: boolean; values: boolean },
  ): AsyncIterable<string> {
    const held = await this.#held(host, values);
    const fields = drawFields(graph, held);
    if (config) {
      const named = withOwnName(graph, held);
      yield configText(named, fields, this.#limits);
    }
    if (values) yield valueText(fields);
  }

  async *#allGraphs(
    host: string,
    what: { config: boolean; values: boolean },
  ): AsyncIterable<string> {
    const held = await this.#held(host, what.values);
    const options = { ...what, limits: this.#limits };
    const drawn: DrawnGraph[] = [];
    for (const graph of this.#graphs(host)!) {
      const fields = drawFields(graph, held);
      yield graphBlock(graph, fields, options);
      drawn.push({ graph, fields });
    }
    if (what.config && !held.alone) {
      yield drilldownText(drawn, held, this.#options.drilldown);
    }
  }

  async *#spoolfetch(spool: string, epoch: number): AsyncIterable<string> {
    const { clock, drilldown } = this.#options;
    // What all nodes are together is taken before the portion: it must not be ahead of it.
    const { nodes } = this.#now();
    const graphs = this.#graphs(this.hostName)!;
    const { portionValues = PORTION_VALUES } = this.#options;
    const portion = await openPortion(spool, {
      from: epoch,
      maxSamples: Math.ceil(portionValues / Math.max(1, graphs.length)),
    });
    const held = new Held(nodes, {
      now: clock.now() / 1000,
      dated: true,
      earlier: portion,
      portion,
      past: await this.#past(),
    });
    const drawn: DrawnGraph[] = [];
    const options = { config: true, values: true, limits: this.#limits };
    for (const graph of graphs) {
      const fields = announced(drawFields(graph, held), portion);
      yield graphBlock(graph, fields, options);
      drawn.push({ graph, fields });
    }
    yield drilldownText(drawn, held, drilldown);
  }

  #isHost(host: string): boolean {
    return host === this.hostName || this.#now().hosts.has(host);
  }

  /** The graphs that are shown of a host. */
  #graphs(host: string): readonly Graph[] | undefined {
    if (!this.#isHost(host)) return undefined;
    const moment = this.#now();
    let graphs = moment.graphs.get(host);
    if (!graphs) {
      const { operators, selects } = this.#options;
      graphs = showAll(this.#hold(host, {}), operators.graphs, selects);
      moment.graphs.set(host, graphs);
    }
    return graphs;
  }

  async #held(host: string, values: boolean): Promise<Held> {
    if (!values) return this.#hold(host, {});
    return this.#hold(host, {
      earlier: await this.#earlier(),
      past: await this.#past(),
    });
  }

  #hold(
    host: string,
    more: { earlier?: Earlier; past?: ReadonlyMap<number, Earlier> },
  ): Held {
    const { nodes, hosts } = this.#now();
    const node = hosts.get(host);
    const now = this.#options.clock.now() / 1000;
    return node
      ? new Held([node], { now, dated: true, alone: true, ...more })
      : new Held(nodes, { now, dated: true, ...more });
  }

  #now(): Moment {
    if (this.#moment) return this.#moment;
    const nodes: SnapshotNode[] = [];
    for (const { host } of this.#roster.entries()) {
      const { key, nickname, observation } = host;
      if (!observation) continue;
      let node = this.#nodes.get(observation);
      if (node?.nickname !== nickname) {
        node = { key, nickname, ...figuresOf(observation) };
        this.#nodes.set(observation, node);
      }
      nodes.push(node);
    }
    const names = this.#options.nodesAsHosts
      ? hostNames(nodes, this.hostName)
      : [];
    return this.#moment = {
      nodes,
      hosts: new Map(names.map((name, index) => [name, nodes[index]])),
      graphs: new Map(),
      earlier: undefined,
      past: undefined,
    };
  }

  /** The figures before the present ones; read once a round. */
  #earlier(): Promise<Earlier> | undefined {
    const { spool, clock } = this.#options;
    if (spool === undefined) return undefined;
    const from = Math.floor(clock.now() / 1000 - window);
    return this.#now().earlier ??= openPortion(spool, { from });
  }

  #past(): Promise<ReadonlyMap<number, Earlier>> | undefined {
    const { spool, clock } = this.#options;
    if (spool === undefined) return undefined;
    return this.#now().past ??= readPast(spool, clock.now() / 1000);
  }
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
