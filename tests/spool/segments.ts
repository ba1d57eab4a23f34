import { segmentName } from "../../lib/spool/format.ts";
import type { Portion } from "../../lib/spool/portion.ts";
import type { Sample } from "../../lib/spool/sample.ts";
import { encodeRounds, join, type PlannedRound } from "./rounds.ts";

/** A directory of a test's own. */
export async function tempDirectory(): Promise<
  { path: string } & AsyncDisposable
> {
  const path = await Deno.makeTempDir();
  return {
    path,
    [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }),
  };
}

/** Writes segments of the numbers 1, 2, 3 … and gives their paths. */
export function writeSegments(
  directory: string,
  segments: readonly (readonly PlannedRound[])[],
): string[] {
  return segments.map((rounds, i) => {
    const path = pathOf(directory, i + 1, rounds[0]);
    Deno.writeFileSync(path, join(encodeRounds(rounds)));
    return path;
  });
}

/** The path of a segment that begins with a round. */
export function pathOf(
  directory: string,
  number: number,
  { time }: PlannedRound,
): string {
  const { name } = segmentName(number, Math.floor(time / 1000));
  return `${directory}/${name}`;
}

/** Every statistic of a portion as an object. */
export function seriesOf(
  portion: Portion,
  group: "counters" | "stats",
  stat: string,
): Record<string, Sample[]> {
  return Object.fromEntries(
    [...portion.series(group, stat)].map(([key, list]) => [key, [...list]]),
  );
}

/** What rounds of a sound clock have of a statistic from a time on, in seconds. */
export function expectedSeries(
  rounds: readonly PlannedRound[],
  group: "counters" | "stats",
  stat: string,
  from = -Infinity,
  end = Infinity,
): Record<string, Sample[]> {
  const series: Record<string, Sample[]> = {};
  for (const { reports } of rounds) {
    for (const report of reports) {
      const time = report.receivedAt / 1000;
      if (!Object.hasOwn(report[group], stat)) continue;
      if (Math.floor(time) < from || time > end) continue;
      (series[report.key] ??= []).push({
        time,
        value: report[group][stat],
        ...(report.incarnation === ""
          ? {}
          : { incarnation: report.incarnation }),
      });
    }
  }
  return series;
}
