/**
 * Hosts that run the same program report the same metrics in the same order. What that is, names
 * and kinds, is kept once for all of them: a layout. So families are found without looking at each
 * metric of each host for its name.
 *
 * @module
 */
import type { Metric } from "../tree/metric.ts";
import { kindOf } from "./kind.ts";
import { familyName, type MetricKind } from "./names.ts";

/** The metrics of some hosts that are alike, but for their values. */
export interface Layout {
  /** What each metric is; `undefined`: a second of the same name and kind, which is not shown. */
  readonly slots: readonly (Slot | undefined)[];
  readonly names: readonly string[];
  readonly kinds: readonly MetricKind[];
}

/** A metric of a {@linkcode Layout}. */
export interface Slot {
  readonly family: string;
  readonly kind: MetricKind;
}

/** Layouts that look alike at first sight and are compared with one that is looked for. */
const MOST_ALIKE = 8;

/** Metrics that are looked at in one go. */
const STEP = 1000;

/** The layouts of one look at all hosts. Those that the look before had are taken from there. */
export class LayoutBook {
  readonly #before: ReadonlyMap<string, Layout[]>;
  readonly #known = new Map<string, Layout[]>();
  /** The same text for the same name, of however many layouts. */
  readonly #families = new Map<string, string>();
  #last: Layout | undefined;

  /** @param before The book of the look before; it is not changed. */
  constructor(before?: LayoutBook) {
    this.#before = before === undefined ? new Map() : before.#known;
  }

  /** The layout of a host's metrics, in steps: others have their turn in between. */
  *of(metrics: readonly Metric[]): Generator<void, Layout> {
    if (this.#last && isOf(this.#last, metrics)) return this.#last;
    const sight = `${metrics.length} ${metrics[0]?.name} ${
      metrics.at(-1)?.name
    }`;
    const alike = this.#known.get(sight) ?? [];
    let layout = alike.find((one) => isOf(one, metrics));
    if (!layout) {
      layout = this.#before.get(sight)?.find((one) => isOf(one, metrics)) ??
        (yield* this.#make(metrics));
      // Who makes many that differ in the middle only is not to be compared with all of them.
      if (alike.length < MOST_ALIKE) {
        alike.push(layout);
        this.#known.set(sight, alike);
      }
    }
    return this.#last = layout;
  }

  *#make(metrics: readonly Metric[]): Generator<void, Layout> {
    const seen = new Set<string>();
    const names: string[] = [];
    const kinds: MetricKind[] = [];
    const slots: (Slot | undefined)[] = [];
    for (const metric of metrics) {
      const { name } = metric;
      const kind = kindOf(metric);
      const id = `${kind} ${name}`;
      slots.push(seen.has(id) ? undefined : this.#slot(name, kind));
      seen.add(id);
      names.push(name);
      kinds.push(kind);
      if (names.length % STEP === 0) yield;
    }
    return { slots, names, kinds };
  }

  #slot(name: string, kind: MetricKind): Slot {
    return { family: this.#family(name), kind };
  }

  #family(name: string): string {
    let family = this.#families.get(name);
    if (family === undefined) {
      this.#families.set(name, family = familyName(name));
    }
    return family;
  }
}

function isOf(
  { names, kinds }: Layout,
  metrics: readonly Metric[],
): boolean {
  if (names.length !== metrics.length) return false;
  for (let i = 0; i < names.length; i++) {
    const metric = metrics[i];
    if (metric.name !== names[i] || kindOf(metric) !== kinds[i]) return false;
  }
  return true;
}
