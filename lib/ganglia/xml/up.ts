import type { HostDetail } from "../../tree/host.ts";

/** Down from so many times TMAX on. */
const TMAX_FACTOR = 4;
/** Without a TMAX, it must have been heard of within so many seconds. */
const WITHOUT_TMAX = 60;

/**
 * The age, in seconds, from which on a host is down. Source of this and of {@linkcode ageWhenRead}:
 * the C gmetad 3.7.2, `startElement_HOST`.
 */
export function downAfter({ tmax }: Pick<HostDetail, "tmax">): number {
  return tmax > 0 ? TMAX_FACTOR * tmax : WITHOUT_TMAX;
}

/**
 * The age of a host when its cluster was asked, in seconds, as it counts for that.
 * @param localtime The cluster's clock, in seconds since the epoch.
 */
export function ageWhenRead(
  { tn, tmax, reported }: Pick<HostDetail, "tn" | "tmax" | "reported">,
  localtime: number,
): number {
  return tmax > 0 ? tn : Math.abs(localtime - reported);
}

/** Whether a host was up when its cluster was asked. */
export function wasUp(detail: HostDetail, localtime: number): boolean {
  return ageWhenRead(detail, localtime) < downAfter(detail);
}
