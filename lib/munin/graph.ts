import type { StatGroup } from "../snapshot/scan.ts";

/** `DERIVE` draws the growth per second of a counter and wants integers; `GAUGE` draws the value. */
export type GraphType = "GAUGE" | "DERIVE";

/** How Munin draws a line. */
export type Draw =
  | "LINE1"
  | "LINE2"
  | "LINE3"
  | "AREA"
  | "STACK"
  | "AREASTACK";

/** Ranges as Munin writes them (`max`, `min:`, `:max`, `min:max`): outside is worth a word. */
export interface Limits {
  readonly warning?: string;
  readonly critical?: string;
}

/** One Munin graph: what Munin shows around it, and its lines. */
export interface Graph {
  /** The service name under Munin, which is the name of the plugin's link. */
  readonly name: string;
  /** Printed as `graph_title`. */
  readonly title: string;
  /** Printed as `graph_vlabel`. */
  readonly vlabel: string;
  /** Printed as `graph_category`. */
  readonly category: string;
  /** Printed as `graph_info`; HTML. */
  readonly info: string;
  /** Printed as `graph_args`; left out where there are none. */
  readonly args?: string;
  /** The limits of every line, unless the plugin's configuration has others. */
  readonly limits?: Limits;
  readonly lines: Lines;
}

/** What a graph draws. */
export type Lines =
  | NodeLines
  | SumLines
  | PatternLines
  | GrowthLines
  | { readonly kind: "heard" };

/** A line a node: one statistic. */
export interface NodeLines {
  readonly kind: "nodes";
  readonly group: StatGroup;
  /** The statistic's name; or how its name looks when all but letters and digits is `_`. */
  readonly stat: string | { readonly smashed: string };
  readonly type: GraphType;
  readonly draw: Draw;
  /** `field`: the field's name, as in the original's 26 graphs. */
  readonly label: "field" | "nickname";
  /** Whether the statistic is a fraction, and a hundred times as much is drawn, with two decimals. */
  readonly percent?: boolean;
}

/** A line a statistic: its sum over all nodes that were heard from. */
export interface SumLines {
  readonly kind: "sums";
  readonly fields: readonly {
    readonly name: string;
    readonly label: string;
    readonly group: StatGroup;
    readonly stat: string;
    readonly draw: Draw;
    /** Printed where it is given. */
    readonly type?: GraphType;
    readonly min?: number;
  }[];
}

/** What an operator's graphs file asks for: every statistic that a pattern matches. */
export interface PatternLines {
  readonly kind: "pattern";
  readonly statistics: readonly {
    /** Left out: both. */
    readonly group?: StatGroup;
    /** A pattern for {@linkcode globMatcher}. */
    readonly glob: string;
  }[];
  /** A pattern for the nickname or tubid of the nodes; left out: all. */
  readonly nodes?: string;
  /** `node`: a line for each node's statistic; `total`: a line a statistic, the sum over nodes. */
  readonly per: "node" | "total";
  /** The label, with `{node}` and `{stat}` in it; left out: what is needed to tell lines apart. */
  readonly label?: string;
  /** Words for `{stat}`, by the statistic's name. */
  readonly labels: ReadonlyMap<string, string>;
  /** Left out: `DERIVE` for counters, `GAUGE` for the others. */
  readonly type?: GraphType;
  readonly draw: Draw;
  readonly min?: number;
  readonly max?: number;
}

/**
 * How fast a statistic grows, all nodes together, measured over spans of time; or how long what is
 * left will last.
 */
export interface GrowthLines {
  readonly kind: "growth";
  /** `rate`: growth a second; `days`: days until `disk_avail` is used up. */
  readonly show: "rate" | "days";
}
