import type { SnapshotNode } from "../snapshot/codec.ts";
import type { StatGroup } from "../snapshot/scan.ts";
import { type Earlier, noEarlier, type Sample } from "../spool/sample.ts";
import type { Value } from "../value.ts";
import { fieldNames, longestField, smash } from "./fields.ts";
import type { GraphType } from "./graph.ts";
import { formatValue } from "./numbers.ts";

/** A figure is taken for the present one for this long, in seconds; the original plugin's figure. */
export const validity = 300;

/**
 * How far back figures are handed on with their own time, in seconds: two of Munin's intervals, so
 * that one fetch that comes late, or not at all, loses nothing. What Munin has already, it skips.
 */
export const window = 600;

/** How figures are to be handed on. */
export interface HeldOptions {
  /** The present, in seconds since the epoch. */
  readonly now: number;
  /**
   * Whether values carry their own time (`epoch:value`). Otherwise only the present ones are
   * handed on, plain, as the original plugin did.
   */
  readonly dated: boolean;
  /** The figures before the present ones; only of use when `dated`. */
  readonly earlier?: Earlier;
  /** Figures from just before so many seconds ago; nothing where that is not known. */
  readonly past?: ReadonlyMap<number, Earlier>;
  /** Whether there is one node only, on a page of its own: then lines are not told apart by it. */
  readonly alone?: boolean;
  /**
   * Whether this is a portion of a spool: then all of its figures are handed on, however old, and
   * no others, the present ones included; else what lies between would never be asked for.
   */
  readonly portion?: { readonly end: number; readonly complete: boolean };
}

/** What is held of the nodes at one moment, as graphs need it. */
export class Held {
  /** Every node, in order of arrival: names rest on it. */
  readonly nodes: readonly SnapshotNode[];
  readonly now: number;
  readonly dated: boolean;
  readonly alone: boolean;
  readonly earlier: Earlier;
  /**
   * The time to give to figures of all nodes together; `undefined` in the middle of the past, of
   * which they are not known.
   */
  readonly moment: number | undefined;
  readonly #portion: HeldOptions["portion"];
  readonly #past: ReadonlyMap<number, Earlier>;
  readonly #statNames: {
    [Group in StatGroup]?: ReadonlyMap<string, readonly string[]>;
  } = {};
  readonly #names = new Map<number, readonly string[]>();

  constructor(nodes: readonly SnapshotNode[], options: HeldOptions) {
    this.nodes = nodes;
    this.now = options.now;
    this.dated = options.dated;
    this.alone = options.alone ?? false;
    this.earlier = options.dated ? options.earlier ?? noEarlier : noEarlier;
    this.#past = options.past ?? new Map();
    this.#portion = options.portion;
    this.moment = !options.portion
      ? Math.floor(options.now)
      : options.portion.complete
      ? Math.floor(options.portion.end)
      : undefined;
  }

  /** Every node's field name in a service, in the order of the nodes. */
  names(service: string): readonly string[] {
    if (this.alone) return this.nodes.map(() => "value");
    const longest = longestField(service);
    let names = this.#names.get(longest);
    if (!names) {
      names = fieldNames(this.nodes, longest);
      this.#names.set(longest, names);
    }
    return names;
  }

  /**
   * The names of the statistics that some node has a figure of, sorted, by how they look when all
   * but letters and digits is `_`.
   */
  statNames(group: StatGroup): ReadonlyMap<string, readonly string[]> {
    return this.#statNames[group] ??= collectNames(this.nodes, group);
  }

  /** Figures from just before `span` seconds ago. */
  past(span: number): Earlier {
    return this.#past.get(span) ?? noEarlier;
  }

  /** Whether a figure of that time is a present one; one of no time or NaN is not. */
  isFresh(time: number): boolean {
    return this.now - time <= validity;
  }

  /**
   * All figures of one statistic of one node that are to be handed on, with growing times in
   * different seconds.
   *
   * @param earlier What is known from before the latest.
   */
  samples(
    latest: Sample | undefined,
    earlier: readonly Sample[] | undefined,
  ): readonly Sample[] {
    if (!this.dated) {
      return latest && this.isFresh(latest.time) ? [latest] : [];
    }
    const samples: Sample[] = [];
    let last = -Infinity;
    const take = (sample: Sample) => {
      if (!this.#portion && !(this.now - sample.time <= window)) return;
      // A clock that was ahead for a while must not stop a series until its time has come.
      const time = Math.floor(Math.min(sample.time, this.now));
      if (time < last) return;
      if (time === last) samples.pop();
      samples.push({ time, value: sample.value });
      last = time;
    };
    earlier?.forEach(take);
    if (latest && !this.#portion) take(latest);
    return samples;
  }

  /** What stands after `.value` for each sample that Munin can take. */
  print(
    samples: readonly Sample[],
    type: GraphType,
    format: (value: Value, type: GraphType) => string | undefined = formatValue,
  ): string[] {
    const texts: string[] = [];
    for (const { time, value } of samples) {
      const text = format(value, type);
      if (text === undefined) continue;
      texts.push(this.dated ? `${time}:${text}` : text);
    }
    return texts;
  }
}

/** A figure of all nodes together, of the present. */
export function presently(held: Held, value: Value): Sample[] {
  return held.moment === undefined ? [] : [{ time: held.moment, value }];
}

function collectNames(
  nodes: readonly SnapshotNode[],
  group: StatGroup,
): Map<string, string[]> {
  const names = new Set<string>();
  for (const node of nodes) {
    for (const [name, value] of node[group]) {
      if (value !== null) names.add(name);
    }
  }
  const bySmashed = new Map<string, string[]>();
  for (const name of [...names].sort()) {
    const smashed = smash(name);
    const alike = bySmashed.get(smashed);
    if (alike) alike.push(name);
    else bySmashed.set(smashed, [name]);
  }
  return bySmashed;
}
