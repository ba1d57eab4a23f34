import type { Tub } from "../foolscap/tub.ts";
import type { GathererStatus } from "../status.ts";

/** Rounds that may be missing before that is worth a word. */
const MISSING_ROUNDS = 3;

/**
 * Why not all is well with a gatherer, in words that stand alone; empty: all is. Nodes that are
 * not well are the business of those who watch nodes. Pure.
 *
 * @param tub Where nodes attach.
 * @param now In milliseconds since the epoch.
 */
export function degradedBy(
  status: Omit<GathererStatus, "degraded" | "nodes">,
  tub: Pick<Tub, "doubles" | "isDeaf">,
  now: number,
): string[] {
  const reasons: string[] = [];
  const { lastRound, intervalSeconds, sources, plugins, startedAt } = status;
  const isPolling = sources.some(({ kind }) => kind === "foolscap");
  const age = Math.round((now - (lastRound ?? startedAt)) / 1000);
  if (isPolling && age > MISSING_ROUNDS * intervalSeconds) {
    reasons.push(`no round has been finished for ${age} s`);
  }
  for (const { kind, name, failing, lastError } of sources) {
    if (kind === "foolscap" || !failing) continue;
    reasons.push(
      `source ${name}: ${lastError?.reason ?? "it does not answer"}`,
    );
  }
  for (const { id, failing, lastError, troubles = [] } of plugins) {
    if (failing) reasons.push(`plugin ${id}: ${lastError?.reason ?? "failed"}`);
    for (const trouble of troubles) reasons.push(`plugin ${trouble}`);
  }
  if (tub.isDeaf) reasons.push("no connection of a node can be taken");
  for (const { tubid, addresses } of tub.doubles()) {
    reasons.push(
      `the identity ${tubid} is in two places at once: ${addresses.join(", ")}`,
    );
  }
  return reasons;
}
