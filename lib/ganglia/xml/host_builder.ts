import type { Host, HostDetail } from "../../tree/host.ts";
import type { Metric } from "../../tree/metric.ts";
import type { ReadHost } from "./document.ts";
import type { MetricTemplate } from "./metric_templates.ts";
import { valueOf } from "./numbers.ts";
import { attributeText } from "./text.ts";

/** How far ahead a metric is looked for among those of before, when some have gone. */
const LOOK_AHEAD = 8;
const NONE: readonly Metric[] = [];

/** Collects the metrics of one host; what is as before is the object of before. */
export class HostBuilder {
  readonly name: string;
  /** Metrics of which it was told. */
  count = 0;
  readonly #detail: HostDetail;
  /** `undefined`: it is down, and they are not wanted. */
  readonly #metrics: Metric[] | undefined;
  readonly #before: readonly Metric[];
  /** Where among those of before the next one is to be expected. */
  #next = 0;
  /** Whether each so far was there before, in the same order: then none can be there twice. */
  #inOrder = true;

  constructor(
    name: string,
    detail: HostDetail,
    isUp: boolean,
    before: Host | undefined,
  ) {
    this.name = name;
    this.#detail = detail;
    this.#metrics = isUp ? [] : undefined;
    this.#before = before?.observation?.metrics ?? NONE;
  }

  /**
   * Takes a metric.
   * @param start Where its VAL begins in `bytes`.
   * @param end Where its VAL ends.
   */
  add(
    template: MetricTemplate,
    bytes: Uint8Array,
    start: number,
    end: number,
    tn: number,
  ): void {
    this.count++;
    const metrics = this.#metrics;
    const { name, slope, detail, kind } = template;
    if (metrics === undefined || kind === undefined) return;
    if (detail.dmax > 0 && tn > detail.dmax) return;
    const before = this.#previous(name);
    const text = attributeText(bytes, start, end, before?.text);
    if (
      before !== undefined && before.text === text && before.slope === slope &&
      before.detail === detail
    ) {
      metrics.push(
        before.tn === tn
          ? before
          : { name, value: before.value, slope, text, tn, detail },
      );
    } else {
      const value = valueOf(kind, bytes, start, end);
      metrics.push({ name, value, slope, text, tn, detail });
    }
  }

  /** The host as it was sent. */
  finish(): ReadHost {
    let metrics = this.#metrics;
    if (metrics && !this.#inOrder) {
      const byName = new Map(metrics.map((metric) => [metric.name, metric]));
      if (byName.size < metrics.length) metrics = [...byName.values()];
    }
    return { name: this.name, detail: this.#detail, metrics };
  }

  #previous(name: string): Metric | undefined {
    const most = Math.min(this.#next + LOOK_AHEAD, this.#before.length);
    for (let i = this.#next; i < most; i++) {
      if (this.#before[i].name === name) {
        this.#next = i + 1;
        return this.#before[i];
      }
    }
    this.#inOrder = false;
    return undefined;
  }
}
