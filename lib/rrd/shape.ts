import { UserError } from "../errors.ts";
import type { Slope } from "../tree/metric.ts";

/** What an RRD holds: written into the file when it is made, never changed afterwards. */
export interface RrdShape {
  /** Seconds from one value to the next. */
  readonly step: number;
  /** How `DS:sum` takes its values. */
  readonly type: DataSourceType;
  /** Data sources and archives, as `rrdtool create` takes them. */
  readonly definitions: readonly string[];
}

/** How an RRD takes the values it is given, in rrdtool's words. */
export type DataSourceType = typeof TYPES[number];

const TYPES = ["GAUGE", "COUNTER", "DERIVE"] as const;

/** Which metric an RRD is for. */
export interface ShapeOptions {
  readonly slope: Slope;
  /** Whether the metric's counter begins anew when its program does, so that it may fall. */
  readonly restarts: boolean;
  /** Whether it is a sum over hosts, with the number of hosts beside it. */
  readonly summary: boolean;
  readonly step: number;
}

/** The archives that the C gmetad makes when it is not told otherwise. */
export const DEFAULT_ARCHIVES: readonly string[] = [
  "RRA:AVERAGE:0.5:1:5856",
  "RRA:AVERAGE:0.5:4:20160",
  "RRA:AVERAGE:0.5:40:52704",
];

/** After so many steps without a value it is not known: gmetad's. */
const HEARTBEAT_STEPS = 8;

/** Seconds without a value after which it is not known. */
export function heartbeat(step: number): number {
  return HEARTBEAT_STEPS * step;
}

/** Makes shapes as gmetad does, one object for all files that are alike. */
export class Shapes {
  readonly #archives: readonly string[];
  readonly #shapes = new Map<number, RrdShape>();

  /**
   * @param archives Archives as `rrdtool create` takes them.
   * @throws UserError when one is none.
   */
  constructor(archives: readonly string[] = DEFAULT_ARCHIVES) {
    for (const archive of archives) checkArchive(archive);
    this.#archives = archives;
  }

  /**
   * The shape of a metric's file: `COUNTER` for the slope `positive`, `DERIVE` for `derivative`,
   * else `GAUGE`; without limits, but that a counter that restarts is a `DERIVE` of 0 or more,
   * since a `COUNTER` takes a fall for an overflow. The number of hosts is a `GAUGE` always: its
   * growth would say nothing.
   */
  of({ slope, restarts, summary, step }: ShapeOptions): RrdShape {
    const type = typeOf(slope, restarts);
    const onlyGrows = slope === "positive" && restarts;
    // Asked for each value: a number is found sooner than a text.
    const key = 16 * step + 4 * TYPES.indexOf(type) + 2 * Number(onlyGrows) +
      Number(summary);
    let shape = this.#shapes.get(key);
    if (!shape) {
      const least = onlyGrows ? "0" : "U";
      const beat = heartbeat(step);
      const definitions = [
        `DS:sum:${type}:${beat}:${least}:U`,
        ...(summary ? [`DS:num:GAUGE:${beat}:U:U`] : []),
        ...this.#archives,
      ];
      shape = { step, type, definitions };
      this.#shapes.set(key, shape);
    }
    return shape;
  }
}

/** A usable step from an interval in seconds: whole seconds, one at least. */
export function stepOf(interval: number): number {
  return Math.max(1, Math.round(interval));
}

function typeOf(slope: Slope, restarts: boolean): DataSourceType {
  if (slope === "positive") return restarts ? "DERIVE" : "COUNTER";
  return slope === "derivative" ? "DERIVE" : "GAUGE";
}

/** What else is wrong with it is for rrdtool to say; here it must be one word on a line. */
function checkArchive(archive: string): void {
  if (/^RRA:[A-Z]+(:[\w.+-]+)+$/.test(archive)) return;
  throw new UserError(
    `no archive of an RRD: ${JSON.stringify(archive)}; ` +
      'write them as "RRA:AVERAGE:0.5:1:5856"',
  );
}
