import type { SourceState } from "../../tree/tree.ts";
import type { Grids, ShownCluster } from "../output/answer.ts";
import { type Instant, secondsBetween } from "../host_state.ts";
import { childSummary } from "../summary.ts";
import type { Done, SourceStatus, Status } from "./status.ts";

/** Counts what comes in, for `/status`, as far as the ports are told of it. */
export class Tally {
  readonly #begun: Instant;
  #received = 0;
  #summarized = 0;
  #summarizedAt = 0;
  #ok: Done = {};
  #failed: Done = {};

  constructor(begun: Instant) {
    this.#begun = begun;
  }

  /** A cluster has come, in the place of another. */
  cluster(
    { hosts, source, summary }: ShownCluster,
    before: ShownCluster | undefined,
    now: number,
  ): void {
    for (const { observation } of hosts.values()) {
      this.#received += observation?.metrics.length ?? 0;
    }
    this.#summarized += summary.metrics.size;
    this.#summarizedAt = now;
    if (source) this.source(source, before?.source, now);
  }

  /** A source is as it is now, and was as it was before. */
  source(
    { failure, answeredAt }: SourceState,
    before: SourceState | undefined,
    now: number,
  ): void {
    if (failure !== undefined) this.#failed = once(this.#failed, now);
    else if (answeredAt !== before?.answeredAt) this.#ok = once(this.#ok, now);
  }

  /** What `/status` says of it. */
  status(
    grids: Grids,
    { now, monotonic }: Instant,
  ): Pick<
    Status,
    | "now"
    | "begun"
    | "uptimeMs"
    | "received"
    | "summarized"
    | "polls"
    | "sources"
  > {
    return {
      now,
      begun: this.#begun.now,
      uptimeMs: monotonic - this.#begun.monotonic,
      received: this.#received,
      summarized: {
        cluster: this.#summarized,
        root: grids.summary.metrics.size,
        lastTime: this.#summarizedAt,
      },
      polls: { ok: this.#ok, failed: this.#failed },
      sources: sourcesOf(grids, monotonic),
    };
  }
}

function once({ num = 0 }: Done, now: number): Done {
  return { num: num + 1, lastTime: now };
}

function sourcesOf(
  { clusters, grids }: Grids,
  monotonic: number,
): SourceStatus[] {
  const delivered = [
    ...clusters.values(),
    ...[...grids.values()].map((grid) => ({
      ...grid,
      summary: childSummary(grid),
    })),
  ];
  return delivered.flatMap(({ name, source, summary }) =>
    source
      ? [{
        name: source.name,
        delivers: name,
        age: secondsBetween(source.answeredAt, monotonic),
        interval: source.interval,
        hosts_up: summary.up,
        hosts_down: summary.down,
        failure: source.failure ?? null,
      }]
      : []
  );
}
