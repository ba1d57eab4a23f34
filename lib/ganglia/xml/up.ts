import type { HostDetail } from "../../tree/host.ts";

/**
 * Whether a host was up when its cluster was asked. Source of the rule: the C gmetad 3.7.2,
 * `startElement_HOST`: its age is less than 4 × TMAX, or, where there is no TMAX, it was heard of
 * within 60 s of the cluster's time.
 * @param localtime The cluster's clock, in seconds since the epoch.
 */
export function wasUp(
  { tn, tmax, reported }: HostDetail,
  localtime: number,
): boolean {
  return tmax > 0 ? tn < 4 * tmax : Math.abs(localtime - reported) < 60;
}
