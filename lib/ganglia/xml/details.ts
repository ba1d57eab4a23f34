import type { MetricDetail } from "../../tree/metric.ts";

/** Characters of details, and of names, that are kept; a cluster has a few thousand. */
const MOST = 4 * 1024 * 1024;
const LONGEST = 4096;

/**
 * Gives metrics that are alike one detail object, in this document and in later ones, and names
 * that are alike one string. When there are too many it begins anew: what is equal may then be
 * there twice.
 */
export class DetailPool {
  readonly #details = new Pool<MetricDetail>();
  readonly #names = new Pool<string>();

  /** The one object that equals `detail`. */
  intern(detail: MetricDetail): MetricDetail {
    const { type, units, tmax, dmax, source, extra } = detail;
    // Lengths, so that no text can look like the border between two.
    let key = `${tmax} ${dmax} ${type.length} ${units.length} ${source.length}`;
    key += ` ${type}${units}${source}`;
    for (const [name, value] of extra) {
      key += ` ${name.length} ${value.length} ${name}${value}`;
    }
    return this.#details.keep(key, detail);
  }

  /** The one string that equals `name`. */
  name(name: string): string {
    return this.#names.keep(name, name);
  }
}

class Pool<T> {
  readonly #kept = new Map<string, T>();
  #size = 0;

  keep(key: string, thing: T): T {
    const known = this.#kept.get(key);
    if (known !== undefined) return known;
    if (key.length > LONGEST) return thing;
    this.#size += key.length;
    if (this.#size > MOST) {
      this.#kept.clear();
      this.#size = key.length;
    }
    this.#kept.set(key, thing);
    return thing;
  }
}
