/** A graph of Tahoe-LAFS's plugin `tahoe_stats`, as a capture of its table has it. */
export interface TahoeGraph {
  readonly name: string;
  readonly category: "counters" | "stats";
  readonly stat: string;
  readonly title: string;
  readonly field: Readonly<Record<string, string>>;
}

/** The 26 graphs of the plugin, in its order. */
export const tahoeGraphs: readonly TahoeGraph[] = JSON.parse(
  await Deno.readTextFile(
    new URL("../testdata/tahoe-graphs.json", import.meta.url),
  ),
);
