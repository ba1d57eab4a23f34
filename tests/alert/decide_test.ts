import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  type AlertEvent,
  type AlertState,
  type Criteria,
  decide,
  GONE_MS,
  QUIET,
} from "../../lib/alert/decide.ts";
import type { Facts } from "../../lib/alert/evaluate.ts";
import { readCondition } from "../../lib/alert/rule.ts";

/** A value; `undefined`: not known; `gone`: not reported. */
type Seen = number | undefined | "gone";

function criteria(
  { raise = "value > 8", clear, forMs = 0, repeatMs = 0 }: {
    raise?: string;
    clear?: string;
    forMs?: number;
    repeatMs?: number;
  } = {},
): Criteria {
  return {
    raise: readCondition(raise, "metric"),
    ...(clear ? { clear: readCondition(clear, "metric") } : {}),
    forMs,
    repeatMs,
  };
}

function factsOf(seen: Seen): Facts | undefined {
  if (seen === "gone") return undefined;
  return { word: () => seen, metric: () => undefined };
}

/** What is said while a thing is seen so, with the time of each. */
function play(
  rule: Criteria,
  seen: readonly (readonly [at: number, seen: Seen])[],
): [at: number, event: AlertEvent][] {
  let state: AlertState = QUIET;
  const said: [number, AlertEvent][] = [];
  for (const [at, value] of seen) {
    const decision = decide(rule, factsOf(value), state, at);
    state = decision.state;
    for (const event of decision.events) said.push([at, event]);
  }
  return said;
}

Deno.test("an alert is raised and cleared as its rule says", async (t) => {
  const cases: [
    name: string,
    rule: Parameters<typeof criteria>[0],
    seen: [number, Seen][],
    said: [number, AlertEvent][],
  ][] = [
    ["at once", {}, [[0, 8], [1, 9], [2, 10], [3, 8], [4, 9]], [
      [1, "raise"],
      [3, "clear"],
      [4, "raise"],
    ]],
    [
      "with hysteresis",
      { clear: "value < 6" },
      [[0, 9], [1, 7], [2, 9], [3, 6], [4, 5], [5, 7]],
      [[0, "raise"], [4, "clear"]],
    ],
    [
      "after a time without a break",
      { forMs: 10 },
      [[0, 9], [9, 9], [10, 9], [11, 1]],
      [[10, "raise"], [11, "clear"]],
    ],
    [
      "a break begins the time anew",
      { forMs: 10 },
      [[0, 9], [5, 1], [6, 9], [15, 9], [16, 9]],
      [[16, "raise"]],
    ],
    [
      "so does what is not known",
      { forMs: 10 },
      [[0, 9], [5, undefined], [6, 9], [15, 9], [16, 9]],
      [[16, "raise"]],
    ],
    [
      "so does absence",
      { forMs: 10 },
      [[0, 9], [5, "gone"], [6, 9], [15, 9], [16, 9]],
      [[16, "raise"]],
    ],
    [
      "what is not known neither raises nor clears",
      {},
      [[0, undefined], [1, 9], [2, undefined], [3, 9], [4, undefined], [5, 1]],
      [[1, "raise"], [5, "clear"]],
    ],
    [
      "again, as long as it lasts",
      { repeatMs: 10 },
      [[0, 9], [9, 9], [10, 9], [19, undefined], [25, 9], [34, 9], [35, 1], [
        50,
        1,
      ]],
      [[0, "raise"], [10, "repeat"], [25, "repeat"], [35, "clear"]],
    ],
    [
      "conditions that both hold do not flap",
      { clear: "value > 0" },
      [[0, 9], [1, 9], [2, 9], [3, 5]],
      [[0, "raise"], [3, "clear"]],
    ],
    [
      "what goes and comes back is the same alert",
      {},
      [
        [0, 9],
        [1, "gone"],
        [GONE_MS, "gone"],
        [GONE_MS + 1, 9],
        [
          GONE_MS + 2,
          "gone",
        ],
        [2 * GONE_MS + 1, "gone"],
        [2 * GONE_MS + 2, "gone"],
      ],
      [[0, "raise"], [2 * GONE_MS + 2, "gone"]],
    ],
    [
      "what is gone is not said again meanwhile",
      { repeatMs: 10 },
      [[0, 9], [10, "gone"], [20, "gone"]],
      [[0, "raise"]],
    ],
  ];
  for (const [name, rule, seen, said] of cases) {
    await t.step(name, () => assertEquals(play(criteria(rule), seen), said));
  }
});

const history = fc.array(
  fc.tuple(
    fc.integer({ min: 1, max: 30 }),
    fc.oneof(
      { weight: 5, arbitrary: fc.integer({ min: 0, max: 12 }) },
      { weight: 1, arbitrary: fc.constant(undefined) },
      { weight: 1, arbitrary: fc.constant("gone" as const) },
    ),
  ),
  { maxLength: 100 },
).map((steps) => {
  let at = 0;
  return steps.map(([ms, seen]): [number, Seen] => [at += ms, seen]);
});

Deno.test("an episode has exactly one raise and at most one clear, repeats only in between", () => {
  fc.assert(fc.property(
    history,
    fc.integer({ min: 0, max: 60 }),
    fc.integer({ min: 0, max: 60 }),
    fc.boolean(),
    (seen, forMs, repeatMs, hysteresis) => {
      const rule = criteria({
        clear: hysteresis ? "value < 4" : undefined,
        forMs,
        repeatMs,
      });
      let isRaised = false;
      let last = 0;
      for (const [at, event] of play(rule, seen)) {
        assertEquals(event === "raise", !isRaised);
        if (event === "repeat") assert(repeatMs > 0 && at - last >= repeatMs);
        last = at;
        isRaised = event === "raise" || event === "repeat";
      }
    },
  ));
});

Deno.test("it is raised only when the condition was seen to hold all the time, and cleared only by what was seen", () => {
  fc.assert(fc.property(
    history,
    fc.integer({ min: 0, max: 60 }),
    (seen, forMs) => {
      const rule = criteria({ clear: "value < 4", forMs });
      const at = new Map(seen);
      for (const [when, event] of play(rule, seen)) {
        const value = at.get(when);
        if (event === "clear") assert(typeof value === "number" && value < 4);
        if (event !== "raise") continue;
        const run = seen.filter(([time]) => time <= when).reverse();
        const end = run.findIndex(([, value]) =>
          typeof value !== "number" || value <= 8
        );
        const held = end < 0 ? run : run.slice(0, end);
        assert(when - held.at(-1)![0] >= forMs);
      }
    },
  ));
});

Deno.test("within the hysteresis nothing happens", () => {
  fc.assert(fc.property(
    fc.array(fc.integer({ min: 4, max: 8 })),
    fc.boolean(),
    (values, isRaised) => {
      const rule = criteria({ clear: "value < 4" });
      const first: [number, Seen][] = isRaised ? [[0, 9]] : [];
      const seen = values.map((value, i): [number, Seen] => [i + 1, value]);
      assertEquals(
        play(rule, [...first, ...seen]),
        isRaised ? [[0, "raise"]] : [],
      );
    },
  ));
});

Deno.test("a decision depends on its arguments alone", () => {
  const rule = criteria({ forMs: 5 });
  const state: AlertState = Object.freeze({ phase: "pending", since: 3 });
  const first = decide(rule, factsOf(9), state, 8);
  assertEquals(first, {
    state: { phase: "raised", since: 3, toldAt: 8 },
    events: ["raise"],
  });
  assertEquals(decide(rule, factsOf(9), state, 8), first);
});
