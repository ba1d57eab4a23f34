import { openPortion } from "../spool/portion.ts";
import type { Earlier } from "../spool/sample.ts";
import { growthSpans } from "./growth.ts";
import { validity } from "./held.ts";

/**
 * Figures from just before each of the spans that growth is measured over, as far as the spool
 * reaches.
 *
 * @param spool The spool's directory.
 * @param now Seconds since the epoch.
 */
export async function readPast(
  spool: string,
  now: number,
): Promise<ReadonlyMap<number, Earlier>> {
  const past = new Map<number, Earlier>();
  for (const span of growthSpans) {
    const from = Math.floor(now - span - validity);
    // The least that there is: the first figures from then on.
    past.set(span, await openPortion(spool, { from, maxBytes: 1 }));
  }
  return past;
}
