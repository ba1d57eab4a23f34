/**
 * Hosts that run the same program report the same metrics in the same order. What that is, names
 * and kinds, is kept once for all of them: a layout. So families are found without looking at each
 * metric of each host for its name.
 *
 * @module
 */
import type { Metric } from "../tree/metric.ts";
import { kindOf } from "./kind.ts";
import { type MetricKind, splitName } from "./names.ts";
import { labelsText } from "./text.ts";

/** The metrics of some hosts that are alike, but for their values. */
export interface Layout {
  readonly names: readonly string[];
  readonly kinds: readonly MetricKind[];
  /** What stands behind the host's labels: `,name="value",…`, or nothing. */
  readonly labels: readonly string[];
  /**
   * The name of each metric's family; `undefined`: it is a second of the same name, labels and
   * kind, which is not shown.
   */
  readonly families: readonly (string | undefined)[];
}

/** Layouts by what is to be seen of them at first sight. */
export type Layouts = ReadonlyMap<string, readonly Layout[]>;

/** Layouts that look alike at first sight and are compared with one that is looked for. */
const MOST_ALIKE = 8;

/** Metrics that are looked at in one go. */
const STEP = 1000;

/** Finds the layouts of many hosts, those that are known from before among them. */
export class LayoutFinder {
  readonly #before: Layouts;
  readonly #found = new Map<string, Layout[]>();
  #last: Layout | undefined;

  /** @param before What a finder before this one has found. */
  constructor(before: Layouts) {
    this.#before = before;
  }

  /** What it has found so far. */
  get found(): Layouts {
    return this.#found;
  }

  /** The layout of a host's metrics, in steps: others have their turn in between. */
  *find(metrics: readonly Metric[]): Generator<void, Layout> {
    if (this.#last && isOf(this.#last, metrics)) return this.#last;
    const first = metrics.at(0)?.name;
    const sight = `${metrics.length} ${first} ${metrics.at(-1)?.name}`;
    const alike = this.#found.get(sight);
    let layout = alike?.find((one) => isOf(one, metrics));
    if (!layout) {
      layout = this.#before.get(sight)?.find((one) => isOf(one, metrics)) ??
        (yield* makeLayout(metrics));
      // Who makes many that differ in the middle only is not to be compared with all of them.
      if (!alike) this.#found.set(sight, [layout]);
      else if (alike.length < MOST_ALIKE) alike.push(layout);
    }
    return this.#last = layout;
  }
}

function* makeLayout(metrics: readonly Metric[]): Generator<void, Layout> {
  const seen = new Set<string>();
  const names: string[] = [];
  const kinds: MetricKind[] = [];
  const labels: string[] = [];
  const families: (string | undefined)[] = [];
  for (const metric of metrics) {
    const { name } = metric;
    const kind = kindOf(metric);
    const { family, labels: own } = splitName(name, kind);
    // To readers an empty label is none.
    const text = labelsText(own.filter(([, value]) => value !== ""));
    const id = `${kind} ${family} ${text}`;
    families.push(seen.has(id) ? undefined : family);
    seen.add(id);
    names.push(name);
    kinds.push(kind);
    labels.push(text && `,${text}`);
    if (names.length % STEP === 0) yield;
  }
  return { names, kinds, labels, families };
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
