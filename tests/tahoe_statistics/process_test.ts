import { assertEquals } from "@std/assert";
import { isOtherProcess } from "../../lib/tahoe_statistics/process.ts";
import { readPage } from "../../lib/tahoe_statistics/page.ts";
import { readCapture } from "./pages.ts";
import type { Value } from "../../lib/value.ts";

interface Seen {
  /** Seconds on the wall clock at which it was asked. */
  at: number;
  /** Seconds that the answer took. */
  took?: number;
  /** Seconds that the other clock is ahead; left out: that clock is not known. */
  ahead?: number;
  uptime?: Value;
  cpu?: Value;
  counters?: Record<string, Value>;
}

function seen(
  { at, took = 0.01, ahead, uptime, cpu, counters = {} }: Seen,
) {
  const stats = new Map<string, Value>();
  if (uptime !== undefined) stats.set("node.uptime", uptime);
  if (cpu !== undefined) stats.set("cpu_monitor.total", cpu);
  const moment = (seconds: number) => ({
    now: 1_700_000_000_000 + seconds * 1000,
    ...(ahead === undefined ? {} : { monotonic: (seconds + ahead) * 1000 }),
  });
  return {
    counters: new Map(Object.entries(counters)),
    stats,
    asked: moment(at),
    received: moment(at + took),
  };
}

const cases: [what: string, before: Seen, after: Seen, other: boolean][] = [
  ["goes on", { at: 0, uptime: 500 }, { at: 60, uptime: 560 }, false],
  [
    "was restarted",
    { at: 0, uptime: 500 },
    { at: 60, uptime: 20.5 },
    true,
  ],
  [
    "was restarted right after the answer",
    { at: 0, uptime: 500 },
    { at: 60, uptime: 60 },
    true,
  ],
  ["had just begun", { at: 0, uptime: 0.2 }, { at: 60, uptime: 60.2 }, false],
  [
    "had just begun, and was restarted",
    { at: 0, uptime: 3 },
    { at: 60, uptime: 58 },
    true,
  ],
  [
    "is slow to answer",
    { at: 0, took: 15, uptime: 500 },
    { at: 60, took: 15, uptime: 572 },
    false,
  ],
  [
    "has overtaken its uptime of before, restarted while nobody asked",
    { at: 0, uptime: 500 },
    { at: 7200, uptime: 7000 },
    true,
  ],
  [
    "has set its clock back by ten minutes",
    { at: 0, uptime: 5000 },
    { at: 60, uptime: 4460 },
    false,
  ],
  [
    "has set its clock forth",
    { at: 0, uptime: 5000 },
    { at: 60, uptime: 90_000 },
    false,
  ],
  [
    "goes on while our wall clock jumps ahead",
    { at: 0, ahead: 0, uptime: 500 },
    { at: 86_460, ahead: -86_400, uptime: 560 },
    false,
  ],
  [
    "goes on while our wall clock jumps back",
    { at: 0, ahead: 0, uptime: 500 },
    { at: -3540, ahead: 3600, uptime: 560 },
    false,
  ],
  [
    "was restarted while this machine slept",
    { at: 0, ahead: 0, uptime: 500 },
    { at: 3600, ahead: -3590, uptime: 400 },
    true,
  ],
  [
    "goes on while this machine slept",
    { at: 0, ahead: 0, uptime: 500 },
    { at: 3600, ahead: -3590, uptime: 4100 },
    false,
  ],
  [
    "tells no uptime any more",
    { at: 0, uptime: 500 },
    { at: 60, uptime: null },
    false,
  ],
  [
    "tells nonsense",
    { at: 0, uptime: 500 },
    { at: 60, uptime: -1 },
    false,
  ],
  [
    "has taken more CPU time",
    { at: 0, cpu: 5.5 },
    { at: 60, cpu: 5.5 },
    false,
  ],
  [
    "has taken less CPU time",
    { at: 0, cpu: 5.5, counters: { a: 1n } },
    { at: 60, cpu: 1.1 },
    true,
  ],
  [
    "has a counter that fell",
    { at: 0, uptime: 500, counters: { a: 2n ** 60n + 1n, b: 1n } },
    { at: 60, uptime: 560, counters: { a: 2n ** 60n, b: 1n } },
    true,
  ],
  [
    "has counters that grew, came and are not known",
    { at: 0, counters: { a: 1n, b: 5, c: 7n } },
    { at: 60, counters: { a: 2n, b: null, d: 0n } },
    false,
  ],
];

for (const [what, before, after, other] of cases) {
  Deno.test(`isOtherProcess(): a node that ${what}: ${other}`, () => {
    assertEquals(isOtherProcess(seen(before), seen(after)), other);
  });
}

Deno.test("isOtherProcess(): the captured pages of a node are of one process", () => {
  const names = [
    "storage-1-0-started",
    "storage-1-1-some-traffic",
    "storage-1-2-minutes-later",
    "storage-1-3-busy",
    "storage-1-4-six-minutes-later",
    "storage-1-5-a-quarter-hour-later",
  ];
  const sightings = names.map((name) => {
    const page = readPage(readCapture(name));
    const at = Number(page.stats.get("node.uptime")) * 1000;
    return { ...page, asked: { now: at - 5 }, received: { now: at + 5 } };
  });
  for (const [i, after] of sightings.entries()) {
    for (const before of sightings.slice(0, i)) {
      assertEquals(isOtherProcess(before, after), false);
    }
  }
});
