/**
 * What is asked for and answered over HTTP: pages with statistics, metrics that programs send, and
 * the pages of our own.
 *
 * @module
 */
import type { Clock } from "../clock.ts";
import { HttpPlugin, type HttpPluginOptions } from "../web/http.ts";
import { OtlpSource } from "../sources/otlp.ts";
import type { Source } from "../sources/source.ts";
import { StatisticsSource } from "../sources/statistics.ts";
import type { Tree } from "../tree/tree.ts";
import { type GathererOptions, TIMEOUT_MS } from "./options.ts";
import type { Part } from "./parts.ts";

/** What the gatherer around it brings along. */
export interface HttpSurroundings {
  readonly tree: Tree;
  readonly clock: Clock;
  /** Told when a round of a source is over. */
  readonly onRound: () => void;
  /** The sources that run now. */
  readonly sources: () => readonly Source[];
  readonly status: HttpPluginOptions["status"];
  readonly lives: HttpPluginOptions["lives"];
}

/** The name of the part that answers over HTTP. */
export const HTTP = "http";

/** The sources and plugins that have to do with HTTP. */
export function httpParts(
  { http, statistics = [], intervalMs, timeoutMs = TIMEOUT_MS }:
    GathererOptions,
  { tree, clock, onRound, sources, status, lives }: HttpSurroundings,
): Part[] {
  const pace = { intervalMs, timeoutMs };
  const parts: Part[] = statistics.map((page) => ({
    name: `statistics ${page.name}`,
    kind: "source",
    settings: { page, pace },
    build: () => ({
      source: new StatisticsSource({
        ...page,
        ...pace,
        tree,
        clock,
        onPoll: onRound,
      }),
    }),
  }));
  if (!http) return parts;
  const { host, port, allow, otlp } = http;
  if (otlp) {
    parts.push({
      name: "otlp",
      kind: "source",
      settings: pace,
      build: () => ({
        source: new OtlpSource({ ...pace, tree, clock, onRound }),
      }),
    });
  }
  parts.push({
    name: HTTP,
    kind: "view",
    settings: http,
    claims: port === 0 ? [] : [`port ${port}`],
    build: () => ({
      plugin: new HttpPlugin({
        host,
        port,
        allow,
        clock,
        status,
        lives,
        routes: otlp ? otlpRoutes(sources) : undefined,
      }),
    }),
  });
  return parts;
}

/** They lead to the source that runs when somebody asks. */
function otlpRoutes(
  sources: HttpSurroundings["sources"],
): HttpPluginOptions["routes"] {
  const names = ["POST /v1/metrics", "POST /v1/traces", "POST /v1/logs"];
  return new Map(names.map((name) => [
    name,
    async (request, from) => {
      const source = sources().find((source) => source instanceof OtlpSource);
      const handler = source?.routes.get(name);
      return await handler?.(request, from) ??
        new Response("not ready yet\n", {
          status: 503,
          headers: { "retry-after": "5" },
        });
    },
  ]));
}
