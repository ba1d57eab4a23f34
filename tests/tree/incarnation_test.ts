import { assertEquals } from "@std/assert";
import {
  beginningOf,
  countersBegan,
  incarnationOf,
  isRestart,
} from "../../lib/tree/incarnation.ts";
import type { Metric, Observation } from "../../lib/tree/metric.ts";
import type { Value } from "../../lib/value.ts";
import { gmondHost, plainHost } from "../ganglia/captures.ts";

Deno.test("only two incarnations that are known and differ are a restart", () => {
  const cases: [string | undefined, string | undefined, boolean][] = [
    ["a", "b", true],
    ["a", "a", false],
    ["", "b", false],
    ["a", "", false],
    [undefined, "b", false],
    ["a", undefined, false],
    ["", "", false],
    [undefined, undefined, false],
  ];
  for (const [before, after, expected] of cases) {
    assertEquals(isRestart(before, after), expected, `${before} ${after}`);
  }
});

Deno.test("a gmond's own restart says nothing of the counters that it hands on", () => {
  const node = plainHost("n", "k", []);
  const began = { ...node.observation!, incarnation: "i", began: 5 };
  const host = { ...node, observation: began };
  assertEquals([incarnationOf(host), countersBegan(host)], ["i", 5]);
  const { detail } = gmondHost("h", []);
  const ofGmond = { ...host, detail };
  assertEquals([incarnationOf(ofGmond), countersBegan(ofGmond)], [
    "",
    undefined,
  ]);
  const silent = { ...node, observation: undefined };
  assertEquals([incarnationOf(silent), countersBegan(silent)], ["", undefined]);
});

Deno.test("when an incarnation began: as before, by its uptime, or when it was first heard of", () => {
  const f = (
    uptime: Value | undefined,
    before: Partial<Observation> | undefined,
    expected: number | undefined,
    change: Partial<Observation & { slope: Metric["slope"] }> = {},
  ) => {
    const { slope = "both", ...rest } = change;
    const metrics: Metric[] = uptime === undefined
      ? []
      : [{ name: "node.uptime", value: uptime, slope }];
    const next = {
      incarnation: "i",
      sequence: 2,
      measuredAt: 100_000,
      receivedAt: 100_500,
      metrics,
      ...rest,
    };
    const last = before && { ...next, metrics: [], ...before };
    assertEquals(beginningOf(next, last), expected);
  };
  f(20, undefined, 80_000);
  f(20n, undefined, 80_000);
  f(undefined, undefined, 100_500);
  f(20, { began: 70_000 }, 70_000);
  f(20, { began: undefined }, 80_000);
  f(20, { began: 70_000, incarnation: "former" }, 80_000);
  f(undefined, { began: 70_000, incarnation: "former" }, 100_500);
  f(20, undefined, undefined, { incarnation: "" });
  f(20, { began: 70_000 }, undefined, { incarnation: "" });
  // No uptime at all, or one that cannot be.
  for (const uptime of [null, NaN, -1, Infinity, 101, 2n ** 70n]) {
    f(uptime, undefined, 100_500);
  }
  f(20, undefined, 100_500, { slope: "positive" });
});
