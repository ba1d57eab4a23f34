import type { Instant } from "../ganglia/host_state.ts";
import { SILENT_SECONDS } from "../tree/state.ts";
import type { ChildGrid } from "../tree/tree.ts";
import { type Row, rowTexts } from "./rows.ts";
import type { Format } from "./text.ts";

/**
 * Families of grids below ours, of which only the summaries are known: of those that are present
 * ones. As with nodes, that is for so many seconds after they came.
 */
export function* gridTexts(
  all: readonly ChildGrid[],
  { monotonic }: Pick<Instant, "monotonic">,
  format: Format,
): Generator<string> {
  // One that is asked less often is as old as that with each poll.
  const grids = all.filter(({ source: { answeredAt, interval } }) =>
    monotonic - answeredAt < (SILENT_SECONDS + interval) * 1000
  );
  yield* rowTexts(
    {
      name: "gatherer_grid_hosts",
      type: "gauge",
      help: "Hosts of a grid below this one that are up or down.",
    },
    format,
    grids.flatMap(({ name, summary }): Row[] => [
      [[["grid", name], ["state", "up"]], BigInt(summary.up)],
      [[["grid", name], ["state", "down"]], BigInt(summary.down)],
    ]),
  );
  for (
    const [name, help, key] of [
      ["summed", "A metric of all hosts of a grid below, added up.", "sum"],
      ["summed_hosts", "How many hosts have that metric.", "num"],
    ] as const
  ) {
    yield* rowTexts(
      { name: `gatherer_grid_${name}`, type: "gauge", help },
      format,
      grids.values().flatMap((grid) =>
        grid.summary.metrics.entries().map(([metric, values]): Row => [
          [["grid", grid.name], ["metric", metric]],
          key === "sum" ? values.sum : BigInt(values.num),
        ])
      ),
    );
  }
}
