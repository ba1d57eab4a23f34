import { Figures } from "./figure.ts";
import type { Sample } from "./sample.ts";

/** The nodes of a portion, numbered. */
export interface Nodes {
  readonly keys: readonly string[];
  readonly numbers: ReadonlyMap<string, number>;
}

/**
 * One statistic's figures by node. They are held as columns of numbers; a node's list is made each
 * time it is asked for: a hundred thousand samples as objects cost more than all the reading.
 */
export class Series implements ReadonlyMap<string, readonly Sample[]> {
  readonly #nodes: Nodes;
  /** Where each node's samples begin in {@linkcode #order}, and where the last one's end. */
  readonly #starts: Uint32Array;
  readonly #order: Uint32Array;
  readonly #times: Float64Array;
  readonly #incarnations: readonly string[];
  readonly #figures: Figures;
  readonly size: number;

  constructor(nodes: Nodes, samples: SampleColumns) {
    this.#nodes = nodes;
    const { count, owners } = samples;
    const starts = new Uint32Array(nodes.keys.length + 1);
    for (let i = 0; i < count; i++) starts[owners[i] + 1]++;
    let size = 0;
    for (let node = 0; node < nodes.keys.length; node++) {
      if (starts[node + 1] > 0) size++;
      starts[node + 1] += starts[node];
    }
    const next = starts.slice();
    const order = new Uint32Array(count);
    for (let i = 0; i < count; i++) order[next[owners[i]]++] = i;
    this.size = size;
    this.#starts = starts;
    this.#order = order;
    this.#times = samples.times;
    this.#incarnations = samples.incarnations;
    this.#figures = samples.figures;
  }

  get(key: string): Sample[] | undefined {
    const node = this.#nodes.numbers.get(key);
    return node === undefined ? undefined : this.#samples(node);
  }

  has(key: string): boolean {
    const node = this.#nodes.numbers.get(key);
    return node !== undefined && this.#starts[node] < this.#starts[node + 1];
  }

  *entries(): Generator<[string, Sample[]], undefined> {
    for (const [node, key] of this.#nodes.keys.entries()) {
      const samples = this.#samples(node);
      if (samples) yield [key, samples];
    }
    return undefined;
  }

  *keys(): Generator<string, undefined> {
    for (const [key] of this.entries()) yield key;
    return undefined;
  }

  *values(): Generator<Sample[], undefined> {
    for (const [, samples] of this.entries()) yield samples;
    return undefined;
  }

  [Symbol.iterator](): Generator<[string, Sample[]], undefined> {
    return this.entries();
  }

  forEach(
    fn: (
      samples: Sample[],
      key: string,
      map: ReadonlyMap<string, readonly Sample[]>,
    ) => void,
  ): void {
    for (const [key, samples] of this.entries()) fn(samples, key, this);
  }

  #samples(node: number): Sample[] | undefined {
    const start = this.#starts[node];
    const end = this.#starts[node + 1];
    if (start === end) return undefined;
    const samples: Sample[] = [];
    for (let i = start; i < end; i++) {
      const at = this.#order[i];
      const time = this.#times[at] / 1000;
      // The clock was put back: the figures that came after that are the ones to go by.
      while (samples.length > 0 && samples[samples.length - 1].time >= time) {
        samples.pop();
      }
      const value = this.#figures.get(at) ?? null;
      const incarnation = this.#incarnations[at];
      samples.push(
        incarnation === "" ? { time, value } : { time, value, incarnation },
      );
    }
    return samples;
  }
}

/** Samples of one statistic in the order in which they were written. */
export class SampleColumns {
  count = 0;
  /** The number of each sample's node. */
  readonly owners: Uint32Array;
  /** Milliseconds since the epoch. */
  readonly times: Float64Array;
  /** Empty where it is not known. */
  readonly incarnations: string[];
  readonly figures: Figures;

  /** @param size How many samples there may be. */
  constructor(size: number) {
    this.owners = new Uint32Array(size);
    this.times = new Float64Array(size);
    this.incarnations = new Array(size);
    this.figures = new Figures(size);
  }

  /** Adds a sample with the figure that `figures` has at `id`. */
  add(
    owner: number,
    incarnation: string,
    time: number,
    figures: Figures,
    id: number,
  ): void {
    const at = this.count++;
    this.owners[at] = owner;
    this.incarnations[at] = incarnation;
    this.times[at] = time;
    this.figures.copy(at, figures, id);
  }
}
