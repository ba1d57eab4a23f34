/**
 * Everything as a text that Prometheus reads.
 *
 * @module
 */
import type { Instant } from "../ganglia/host_state.ts";
import type { ChildGrid, Cluster } from "../tree/tree.ts";
import { familyTexts } from "./families.ts";
import { gridTexts } from "./grid_texts.ts";
import type { Layouts } from "./layout.ts";
import { nodeTexts } from "./node_texts.ts";
import { type OwnStatus, statusTexts } from "./status_texts.ts";
import { type Lives, survey } from "./survey.ts";
import type { Format } from "./text.ts";

/** What is exposed: moments that do not change, as of one instant. */
export interface Exposed {
  readonly clusters: readonly Cluster[];
  readonly grids: readonly ChildGrid[];
  readonly status: OwnStatus;
  readonly lives: Lives;
  readonly instant: Instant;
}

/** Makes expositions, and remembers from one to the next what does not change. */
export class Exposition {
  #layouts: Layouts = new Map();

  /**
   * The exposition in pieces, each some tens of kilobytes at most, or empty: between two of them
   * others can have their turn, and no more of it is held than the piece.
   */
  *texts(
    { clusters, grids, status, lives, instant }: Exposed,
    format: Format,
  ): Generator<string> {
    yield* statusTexts(status, format);
    const steps = survey(clusters, lives, instant, this.#layouts);
    let step = steps.next();
    while (!step.done) {
      yield "";
      step = steps.next();
    }
    const { hosts, groups, layouts } = step.value;
    this.#layouts = layouts;
    yield* nodeTexts(hosts, format);
    yield* gridTexts(grids, instant, format);
    yield* familyTexts(groups, format);
    if (format === "openmetrics") yield "# EOF\n";
  }
}
