import { smash } from "./fields.ts";
import type { Limits } from "./graph.ts";
import { parseRange, rangeForms } from "./limits.ts";
import type { FieldLimits } from "./text.ts";

/**
 * Limits from a plugin's configuration (`env.NAME VALUE` in Munin's plugin-conf.d), where NAME is,
 * the first that is there counting:
 *
 * | name | of |
 * |---|---|
 * | `FIELD_warning` | one field |
 * | `GRAPH_warning` | all fields of a graph |
 * | `warning` | all fields, where the plugin is one graph |
 *
 * and the same with `critical`. What comes first in the table wins, and all of them over what the
 * graphs file says.
 *
 * @param options.single Whether the plugin is one graph: limits for all graphs alike make no sense.
 * @param options.file The limits in the graphs file.
 * @param options.complain Told once of each value that is no range; it is then as if not there.
 */
export function thresholds(
  env: Readonly<Record<string, string>>,
  options: {
    single: boolean;
    file?: ReadonlyMap<string, Limits>;
    complain(line: string): void;
  },
): FieldLimits {
  const ranges = new Map<string, string>();
  for (const [name, text] of Object.entries(env)) {
    if (!/(^|_)(warning|critical)$/.test(name)) continue;
    const range = parseRange(text);
    if (range !== undefined) ranges.set(name, range);
    else {
      options.complain(
        `env.${name} ${
          JSON.stringify(text)
        } is no range: expected ${rangeForms}`,
      );
    }
  }
  const file = limitsByService(options.file);
  return (service, field) => {
    const limits: { warning?: string; critical?: string } = {
      ...file.get(smash(service)),
    };
    for (const kind of ["warning", "critical"] as const) {
      const range = ranges.get(`${field}_${kind}`) ??
        ranges.get(`${smash(service)}_${kind}`) ??
        (options.single ? ranges.get(kind) : undefined);
      if (range !== undefined) limits[kind] = range;
    }
    return limits;
  };
}

/** Limits by the name of the graph as Munin writes it. */
export function limitsByService(
  limits: ReadonlyMap<string, Limits> = new Map(),
): ReadonlyMap<string, Limits> {
  return new Map([...limits].map(([name, limit]) => [smash(name), limit]));
}
