import { assertEquals } from "@std/assert";
import { degradedBy } from "../../lib/gatherer/health.ts";
import type { Doing, GathererStatus } from "../../lib/status.ts";

const well: Doing = {
  lastSuccess: 1000,
  lastError: null,
  failing: false,
  usedMs: 0,
};
const status: Omit<GathererStatus, "degraded" | "nodes"> = {
  state: "ready",
  since: 0,
  version: "1",
  pid: 1,
  basedir: "b",
  startedAt: 0,
  lastRound: 100_000,
  rounds: 1,
  intervalSeconds: 60,
  listening: [],
  configuration: { file: null, loadedAt: 0 },
  sources: [{
    ...well,
    kind: "foolscap",
    name: "foolscap",
    host: "",
    polls: 0,
    failures: 0,
  }],
  plugins: [{ ...well, id: "snapshot", calls: 1 }],
};
const tub = { isDeaf: false, doubles: () => [] };
const failing = { failing: true, lastError: { at: 1, reason: "it is down" } };

Deno.test("what is degraded, and why", () => {
  const [foolscap] = status.sources;
  const gmond = { ...foolscap, kind: "gmond" as const, name: "web" };
  const cases: [Partial<typeof status>, number, string[]][] = [
    [{}, 110_000, []],
    [{}, 280_000, []],
    [{}, 281_000, ["no round has been finished for 181 s"]],
    [{ lastRound: null }, 181_000, ["no round has been finished for 181 s"]],
    // Nodes come and go; that none answers shows in each of them.
    [{ sources: [{ ...foolscap, ...failing }] }, 110_000, []],
    // Without nodes that attach there are no rounds.
    [{ sources: [gmond] }, 900_000, []],
    [{ sources: [{ ...gmond, ...failing }] }, 0, ["source web: it is down"]],
    [
      { plugins: [{ ...status.plugins[0], ...failing }] },
      0,
      ["plugin snapshot: it is down"],
    ],
    [
      {
        plugins: [{
          ...status.plugins[0],
          troubles: ["p/x.js is switched off: it hangs"],
        }],
      },
      0,
      ["plugin p/x.js is switched off: it hangs"],
    ],
  ];
  for (const [change, now, reasons] of cases) {
    assertEquals(degradedBy({ ...status, ...change }, tub, now), reasons);
  }
  assertEquals(
    degradedBy(status, {
      isDeaf: true,
      doubles: () => [{ tubid: "t", addresses: ["a:1", "b:2"] }],
    }, 110_000),
    [
      "no connection of a node can be taken",
      "the identity t is in two places at once: a:1, b:2",
    ],
  );
});
