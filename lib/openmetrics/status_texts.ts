/**
 * What the gatherer says of itself, beside the figures that it has as a node of its own.
 *
 * @module
 */
import type { Doing, GathererStatus } from "../status.ts";
import { seconds } from "./numbers.ts";
import { type Labels, type Row, rowTexts } from "./rows.ts";
import type { FamilyHead, Format } from "./text.ts";

/** How the gatherer is; of its nodes a survey tells. */
export type OwnStatus = Omit<GathererStatus, "nodes">;

type Sample = Row[1];

/** Whether the gatherer does what it is there for. */
export function isReady({ state }: Pick<OwnStatus, "state">): boolean {
  return state === "ready" || state === "reloading";
}

/** Families of how the gatherer, its sources and its plugins are. */
export function* statusTexts(
  status: OwnStatus,
  format: Format,
): Generator<string> {
  for (const [head, rows] of families(status)) {
    const created = head.type === "counter" ? status.startedAt : undefined;
    yield* rowTexts(head, format, rows, created);
  }
}

function families(status: OwnStatus): [FamilyHead, Row[]][] {
  const sources = status.sources.map((source) =>
    [[["source", source.name], ["kind", source.kind]], source] as const
  );
  const plugins = status.plugins.map((plugin) =>
    [[["plugin", plugin.id]], plugin] as const
  );
  return [
    [
      {
        name: "gatherer_build",
        type: "info",
        help: "The version of the gatherer.",
      },
      [[[["version", status.version]], 1n]],
    ],
    [
      gauge(
        "gatherer_start_time_seconds",
        "When the gatherer was started.",
        "seconds",
      ),
      [["", seconds(status.startedAt)]],
    ],
    [
      gauge("gatherer_ready", "Whether the gatherer is ready."),
      [["", isReady(status) ? 1n : 0n]],
    ],
    [
      gauge(
        "gatherer_degraded_reasons",
        "Reasons why not all is well with the gatherer; the page /readyz names them.",
      ),
      [["", BigInt(status.degraded.length)]],
    ],
    [
      gauge(
        "gatherer_interval_seconds",
        "From one round of polls to the next.",
        "seconds",
      ),
      [["", status.intervalSeconds]],
    ],
    [
      gauge(
        "gatherer_last_round_timestamp_seconds",
        "When the last round of polls was over.",
        "seconds",
      ),
      [["", timeOf(status.lastRound)]],
    ],
    [
      counter("gatherer_rounds", "Rounds of polls."),
      [["", BigInt(status.rounds)]],
    ],
    ...doings("source", sources),
    [
      counter("gatherer_source_polls", "How often a source was asked."),
      sources.map(([labels, { polls }]): Row => [labels, BigInt(polls)]),
    ],
    [
      counter("gatherer_source_failures", "How often a source failed."),
      sources.map(([labels, { failures }]): Row => [labels, BigInt(failures)]),
    ],
    ...doings("plugin", plugins),
    [
      counter(
        "gatherer_plugin_calls",
        "How often a plugin was told of something.",
      ),
      plugins.map(([labels, { calls }]): Row => [labels, BigInt(calls)]),
    ],
  ];
}

/** What sources and plugins have in common. */
function doings(
  what: "source" | "plugin",
  all: readonly (readonly [Labels, Doing])[],
): [FamilyHead, Row[]][] {
  return [
    [
      gauge(
        `gatherer_${what}_failing`,
        `Whether what a ${what} did last went wrong.`,
      ),
      all.map(([labels, { failing }]) => [labels, failing ? 1n : 0n]),
    ],
    [
      gauge(
        `gatherer_${what}_last_success_timestamp_seconds`,
        `When a ${what} did something last that went well.`,
        "seconds",
      ),
      all.map(([labels, { lastSuccess }]) => [labels, timeOf(lastSuccess)]),
    ],
    [
      counter(
        `gatherer_${what}_used_seconds`,
        `Time that a ${what} has taken in all.`,
        "seconds",
      ),
      all.map(([labels, { usedMs }]) => [labels, seconds(usedMs)]),
    ],
  ];
}

function gauge(name: string, help: string, unit?: string): FamilyHead {
  return { name, type: "gauge", help, unit };
}

function counter(name: string, help: string, unit?: string): FamilyHead {
  return { name, type: "counter", help, unit };
}

function timeOf(milliseconds: number | null): Sample {
  return milliseconds === null ? undefined : seconds(milliseconds);
}
