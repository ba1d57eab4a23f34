import type { SnapshotNode } from "../snapshot/codec.ts";
import { type Earlier, noEarlier, type Sample } from "../spool/sample.ts";
import { isPresentAge } from "../tree/state.ts";
import type { Value } from "../value.ts";
import { fieldNames, longestField } from "./fields.ts";
import type { GraphType } from "./graph.ts";
import { plainLabel, tellApart } from "./labels.ts";
import { formatValue } from "./numbers.ts";
import {
  newestOf,
  pick,
  type PickedSample,
  type Sampling,
} from "./sampling.ts";
import { StatIndex } from "./stat_index.ts";

/** What Munin and RRD call a value that is not known. */
const UNKNOWN = "U";

/** What else is known besides the nodes. */
export interface HeldOptions {
  /** Figures from just before so many seconds ago; nothing where that is not known. */
  readonly past?: ReadonlyMap<number, Earlier>;
  /** Whether there is one node only, on a page of its own: then lines are not told apart by it. */
  readonly alone?: boolean;
  /** Which statistics there are, if that is known already. */
  readonly index?: StatIndex;
}

/** What follows from the nodes alone, however often they are looked at. */
interface Derived {
  readonly names: Map<number, readonly string[]>;
  labels?: readonly string[];
  index?: StatIndex;
}

const derived = new WeakMap<readonly SnapshotNode[], Derived>();

/** What is held of the nodes at one moment, as graphs need it. */
export class Held {
  /** Every node, in order of arrival: names rest on it. */
  readonly nodes: readonly SnapshotNode[];
  readonly alone: boolean;
  readonly sampling: Sampling;
  readonly #past: ReadonlyMap<number, Earlier>;
  readonly #derived: Derived;
  #index: StatIndex | undefined;

  constructor(
    nodes: readonly SnapshotNode[],
    sampling: Sampling,
    options: HeldOptions = {},
  ) {
    this.nodes = nodes;
    this.sampling = sampling;
    this.alone = options.alone ?? false;
    this.#past = options.past ?? new Map();
    this.#index = options.index;
    let known = derived.get(nodes);
    if (!known) derived.set(nodes, known = { names: new Map() });
    this.#derived = known;
  }

  get now(): number {
    return this.sampling.now;
  }

  get earlier(): Earlier {
    return this.sampling.earlier;
  }

  /**
   * Every node's field name in a service, in the order of the nodes.
   * @param spare Characters that are wanted for something behind the name.
   */
  names(service: string, spare = 0): readonly string[] {
    if (this.alone) return this.nodes.map(() => "value");
    const longest = longestField(service) - spare;
    let names = this.#derived.names.get(longest);
    if (!names) {
      names = fieldNames(this.nodes, longest);
      this.#derived.names.set(longest, names);
    }
    return names;
  }

  /** Every node's nickname as a label, where it is clear and no other has it; else its name. */
  labels(names: readonly string[]): readonly string[] {
    const labels = this.#derived.labels ??= tellApart(
      this.nodes.map(({ nickname }) => plainLabel(nickname)),
    );
    return labels.map((label, index) => label === "" ? names[index] : label);
  }

  /** Which statistics there are. */
  get index(): StatIndex {
    return this.#index ??= this.#derived.index ??= new StatIndex(this.nodes);
  }

  /** Figures from just before `span` seconds ago. */
  past(span: number): Earlier {
    return this.#past.get(span) ?? noEarlier;
  }

  /** Whether a figure of that time is a present one; one of no time or NaN is not. */
  isFresh(time: number): boolean {
    return isPresentAge(this.now - time);
  }

  /** The times at which all nodes together are told of. */
  rounds(): readonly number[] {
    return this.sampling.rounds(newestOf(this.nodes)).map((time) =>
      Math.min(time, this.now)
    );
  }

  /**
   * The figures of one statistic of one node that are handed on.
   * @param value The node's latest.
   */
  samples(
    node: SnapshotNode,
    value: Value | undefined,
    earlier: readonly Sample[] | undefined,
  ): readonly PickedSample[] {
    const latest = value === undefined ? undefined : sampleOf(node, value);
    return pick(this.sampling, latest, earlier, this.earlier.before(node.key));
  }

  /**
   * What stands after `.value` for each sample that Munin can take. Where a node was restarted
   * between two of them, a `U` keeps RRD from taking their difference for progress.
   */
  print(
    samples: readonly PickedSample[],
    type: GraphType,
    format: (value: Value, type: GraphType) => string | undefined = formatValue,
  ): string[] {
    const texts: string[] = [];
    let last = -Infinity;
    let restartAfter: number | undefined;
    for (const sample of samples) {
      const { time, value } = sample;
      restartAfter ??= sample.restartAfter;
      let text = format(value, type);
      if (text === undefined) continue;
      const second = Math.floor(time);
      if (restartAfter !== undefined && type === "DERIVE") {
        const hasRoom = second - 1 > Math.max(Math.floor(restartAfter), last);
        if (hasRoom) texts.push(this.sampling.write(second - 1, UNKNOWN));
        else text = UNKNOWN;
      }
      restartAfter = undefined;
      texts.push(this.sampling.write(time, text));
      last = second;
    }
    return texts;
  }
}

/** A node's latest figure of a statistic. */
export function sampleOf(
  { timestamp, incarnation }: SnapshotNode,
  value: Value,
): Sample {
  return { time: timestamp, value, incarnation };
}
