import { assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  isPresentAge,
  type NodeLife,
  type NodeState,
  onAnswer,
  onAttach,
  onDetach,
  onFailure,
  pollLimits,
  statusOf,
} from "../../lib/tree/state.ts";

const limits = pollLimits(60_000, 20_000);
const unborn: NodeLife = {
  attachedAt: undefined,
  answeredAt: undefined,
  failure: undefined,
  detachReason: undefined,
  retireReason: undefined,
};
const well: NodeLife = { ...unborn, attachedAt: 1000, answeredAt: 5000 };

const cases: [
  name: string,
  life: Partial<NodeLife>,
  now: number,
  state: NodeState,
  reason: string,
  since: number | undefined,
  isPresent: boolean,
][] = [
  ["answers", {}, 5000, "attached", "answers", 1000, true],
  [
    "has just attached",
    { answeredAt: undefined },
    1000,
    "attached",
    "answers",
    1000,
    false,
  ],
  ["as old as may be", {}, 85_000, "attached", "answers", 1000, true],
  ["a moment older", {}, 85_001, "late", "no answer for 80 s", 85_000, true],
  [
    "failed its last poll",
    { failure: "no answer to get_stats within 20 s", failedAt: 24_000 },
    25_000,
    "late",
    "no answer to get_stats within 20 s",
    24_000,
    true,
  ],
  [
    "had been late when polls began to fail",
    { failure: "x", failedAt: 90_000 },
    95_000,
    "late",
    "x",
    85_000,
    true,
  ],
  [
    "failed, nobody knows since when",
    { failure: "x" },
    25_000,
    "late",
    "x",
    undefined,
    true,
  ],
  ["nearly silent", {}, 304_999, "late", "no answer for 300 s", 85_000, true],
  ["silent", {}, 305_000, "silent", "no answer for 300 s", 305_000, false],
  [
    "failed for long",
    { failure: "x", failedAt: 60_000 },
    400_000,
    "silent",
    "x",
    305_000,
    false,
  ],
  [
    "answered again after it was late",
    { wellSince: 4000, failedAt: 2000 },
    6000,
    "attached",
    "answers",
    4000,
    true,
  ],
  [
    "answered in an earlier connection only",
    { attachedAt: 900_000, answeredAt: 5000 },
    900_001,
    "attached",
    "answers",
    900_000,
    false,
  ],
  [
    "never answered",
    { answeredAt: undefined },
    81_001,
    "late",
    "no answer for 80 s",
    81_000,
    false,
  ],
  [
    "gone, with figures that still count",
    {
      attachedAt: undefined,
      detachReason: "connection lost",
      detachedAt: 6000,
    },
    304_999,
    "gone",
    "connection lost",
    6000,
    true,
  ],
  [
    "gone for longer",
    {
      attachedAt: undefined,
      detachReason: "connection lost",
      detachedAt: 6000,
    },
    305_000,
    "gone",
    "connection lost",
    6000,
    false,
  ],
  [
    "never attached",
    { attachedAt: undefined, answeredAt: undefined },
    6000,
    "gone",
    "not attached",
    undefined,
    false,
  ],
  [
    "retired, whatever else",
    { retireReason: "sold", failure: "x" },
    6000,
    "retired",
    "sold",
    undefined,
    false,
  ],
];

Deno.test("statusOf() decides from facts, limits and time alone", () => {
  for (const [name, life, now, state, reason, since, isPresent] of cases) {
    assertEquals(
      statusOf({ ...well, ...life }, limits, now),
      { state, reason, since, isPresent },
      name,
    );
  }
});

Deno.test("with limits that cross, silent comes before late", () => {
  const crossed = { lateMs: 500_000, silentMs: 300_000 };
  const f = (now: number) => statusOf(well, crossed, now).state;
  assertEquals([304_999, 305_000, 600_000].map(f), [
    "attached",
    "silent",
    "silent",
  ]);
});

/** A life as it is told, event by event. */
function live(events: [at: number, event: string][]): NodeLife {
  let life = unborn;
  for (const [at, event] of events) {
    const change = event === "attach"
      ? onAttach(at)
      : event === "answer"
      ? onAnswer(life, limits, at)
      : event === "detach"
      ? onDetach("lost", at)
      : onFailure(life, event, at);
    life = { ...life, ...change };
  }
  return life;
}

Deno.test("a life as it goes: the state, and since when", () => {
  const f = (
    what: string,
    events: [number, string][],
    now: number,
    state: NodeState,
    since: number | undefined,
  ) => {
    const status = statusOf(live(events), limits, now);
    assertEquals([status.state, status.since], [state, since], what);
  };
  const s = 1000;
  f("attaches", [[s, "attach"]], 2 * s, "attached", s);
  f("answers", [[s, "attach"], [2 * s, "answer"]], 60 * s, "attached", s);
  f(
    "goes on answering",
    [[s, "attach"], [2 * s, "answer"], [62 * s, "answer"]],
    70 * s,
    "attached",
    s,
  );
  const failing: [number, string][] = [
    [s, "attach"],
    [2 * s, "answer"],
    [80 * s, "first"],
    [140 * s, "second"],
  ];
  f("fails", failing, 150 * s, "late", 80 * s);
  f("is silent", failing, 303 * s, "silent", 302 * s);
  f(
    "answers again",
    [...failing, [200 * s, "answer"], [260 * s, "answer"]],
    261 * s,
    "attached",
    200 * s,
  );
  f(
    "fails again",
    [...failing, [200 * s, "answer"], [240 * s, "third"]],
    241 * s,
    "late",
    240 * s,
  );
  f(
    "answered late, but no poll failed",
    [[s, "attach"], [2 * s, "answer"], [90 * s, "answer"]],
    91 * s,
    "attached",
    90 * s,
  );
  f("leaves", [...failing, [150 * s, "detach"]], 151 * s, "gone", 150 * s);
  f(
    "comes back",
    [...failing, [150 * s, "detach"], [151 * s, "attach"]],
    152 * s,
    "attached",
    151 * s,
  );
  f(
    "comes back and does not answer",
    [...failing, [150 * s, "detach"], [151 * s, "attach"]],
    232 * s,
    "late",
    231 * s,
  );
});

Deno.test("a state never began in the future, and not before anything that is known", () => {
  const event = fc.tuple(
    fc.integer({ min: 0, max: 400_000 }),
    fc.constantFrom("attach", "answer", "detach", "failure"),
  );
  fc.assert(
    fc.property(
      fc.array(event, { maxLength: 12 }),
      fc.nat(500_000),
      (steps, wait) => {
        let at = 0;
        const events = steps.map(([step, what]): [number, string] => [
          at += step,
          what,
        ]);
        const now = at + wait;
        const { since = now } = statusOf(live(events), limits, now);
        assertEquals(since <= now && since >= 0, true);
      },
    ),
  );
});

Deno.test("between two events a state only gets worse, and its moment does not move", () => {
  const order: NodeState[] = ["attached", "late", "silent"];
  fc.assert(
    fc.property(
      fc.array(fc.nat(500_000), { minLength: 2, maxLength: 20 }),
      fc.option(fc.nat(100_000), { nil: undefined }),
      (times, failedAt) => {
        const failure = failedAt === undefined ? undefined : "x";
        const life = { ...well, failure, failedAt };
        const seen = new Map<NodeState, number | undefined>();
        let worst = 0;
        const from = Math.max(5000, failedAt ?? 0);
        for (const wait of times.sort((a, b) => a - b)) {
          const { state, since } = statusOf(life, limits, from + wait);
          const rank = order.indexOf(state);
          assertEquals(rank >= worst, true);
          worst = rank;
          if (seen.has(state)) assertEquals(seen.get(state), since);
          seen.set(state, since);
        }
      },
    ),
  );
});

Deno.test("who has a time only goes by the same age", () => {
  assertEquals(
    [0, 300, 300.001, -5, NaN, Infinity].map(isPresentAge),
    [true, true, false, true, false, false],
  );
});
