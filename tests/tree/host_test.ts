import { assertEquals } from "@std/assert";
import { type NodeLife, statusOf } from "../../lib/tree/host.ts";

const limits = { lateMs: 80_000, silentMs: 300_000 };
const well: NodeLife = {
  attachedAt: 1000,
  answeredAt: 5000,
  failure: undefined,
  detachReason: undefined,
  retireReason: undefined,
};

const cases: [
  name: string,
  life: Partial<NodeLife>,
  now: number,
  state: string,
  reason: string,
][] = [
  ["answers", {}, 5000, "attached", "answers"],
  ["has just attached", { answeredAt: undefined }, 1000, "attached", "answers"],
  ["is as old as an attached node may be", {}, 85_000, "attached", "answers"],
  ["is a moment older", {}, 85_001, "late", "no answer for 80 s"],
  [
    "failed its last poll",
    { failure: "no answer to get_stats within 20 s" },
    25_000,
    "late",
    "no answer to get_stats within 20 s",
  ],
  ["is on the verge of silence", {}, 305_000, "late", "no answer for 300 s"],
  ["is silent", {}, 305_001, "silent", "no answer for 300 s"],
  ["failed for long", { failure: "x" }, 400_000, "silent", "x"],
  [
    "answered in an earlier connection only",
    { attachedAt: 900_000, answeredAt: 5000 },
    900_001,
    "attached",
    "answers",
  ],
  [
    "is gone",
    { attachedAt: undefined, detachReason: "connection lost" },
    6000,
    "gone",
    "connection lost",
  ],
  [
    "was never attached",
    { attachedAt: undefined, answeredAt: undefined },
    6000,
    "gone",
    "not attached",
  ],
  [
    "is retired, whatever else",
    { retireReason: "sold", failure: "x" },
    6000,
    "retired",
    "sold",
  ],
];

Deno.test("statusOf() decides from facts, limits and time alone", () => {
  for (const [name, life, now, state, reason] of cases) {
    assertEquals(
      statusOf({ ...well, ...life }, limits, now),
      { state, reason } as never,
      name,
    );
  }
});
