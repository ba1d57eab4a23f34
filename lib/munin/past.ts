import { openPortion } from "../spool/portion.ts";
import type { Earlier } from "../spool/sample.ts";
import { SILENT_SECONDS } from "../tree/state.ts";
import { growthSpans, USED } from "./growth.ts";

/**
 * Figures from just before each of the spans that growth is measured over, as far as the spool
 * reaches.
 *
 * @param spool The spool's directory.
 * @param now Seconds since the epoch.
 * @param complaints Takes a line for each segment that is damaged.
 */
export async function readPast(
  spool: string,
  now: number,
  complaints?: string[],
): Promise<ReadonlyMap<number, Earlier>> {
  const past = new Map<number, Earlier>();
  for (const span of growthSpans) {
    past.set(
      span,
      await openPortion(spool, {
        from: Math.floor(now - span - SILENT_SECONDS),
        until: now - span,
        wants: (group, stat) => group === "stats" && stat === USED,
        complaints,
      }),
    );
  }
  return past;
}
