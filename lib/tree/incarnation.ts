/**
 * Counters begin anew when the program does that counts. A node says which incarnation of its
 * program it is, so that this is known and need not be guessed from a fall: a counter that has
 * overtaken its former value since would never be found out.
 *
 * @module
 */
import type { Host } from "./host.ts";
import type { Metric, Observation } from "./metric.ts";

/** A program's own word for how many seconds it has run: Tahoe-LAFS's, and this library's. */
const UPTIME = "node.uptime";

/**
 * Whether counters began anew between two observations, as their incarnations show. Where one of
 * them is not known (empty or `undefined`), nothing is: then only a fall tells.
 */
export function isRestart(
  before: string | undefined,
  after: string | undefined,
): boolean {
  return !!before && !!after && before !== after;
}

/**
 * The incarnation of the program that counts what a host reports; empty if it is not known. A
 * gmond hands on the counters of others, which go on when it is restarted.
 */
export function incarnationOf(
  { detail, observation }: Pick<Host, "detail" | "observation">,
): string {
  return detail ? "" : observation?.incarnation ?? "";
}

/**
 * When the counters of a host began at nought, in milliseconds since the epoch; `undefined`: not
 * known. Of a node that tells its uptime, that moment; of another, the moment when it was first
 * heard of, which is somewhat later. It stays the same as long as the incarnation does, also over
 * a restart of the gatherer.
 */
export function countersBegan(
  { detail, observation }: Pick<Host, "detail" | "observation">,
): number | undefined {
  return detail ? undefined : observation?.began;
}

/**
 * What {@linkcode Observation.began} is to be.
 * @param next An observation in the making.
 * @param before The host's observation before that.
 */
export function beginningOf(
  next: Omit<Observation, "began">,
  before: Observation | undefined,
): number | undefined {
  const { incarnation, measuredAt, receivedAt } = next;
  if (incarnation === "") return undefined;
  if (before?.incarnation === incarnation && before.began !== undefined) {
    return before.began;
  }
  const uptime = Number(next.metrics.find(isUptime)?.value ?? NaN) * 1000;
  return uptime >= 0 && uptime <= measuredAt ? measuredAt - uptime : receivedAt;
}

function isUptime({ name, slope }: Metric): boolean {
  return name === UPTIME && slope !== "positive";
}
