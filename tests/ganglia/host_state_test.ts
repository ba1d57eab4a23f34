import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { isPresent, isUp, statusOfHost } from "../../lib/ganglia/host_state.ts";
import { wasUp } from "../../lib/ganglia/xml/up.ts";
import type { HostDetail } from "../../lib/tree/host.ts";
import {
  type NodeLife,
  type NodeState,
  pollLimits,
} from "../../lib/tree/state.ts";
import { clusterOf, gmondHost, plainHost, source } from "./captures.ts";

const limits = pollLimits(60_000, 20_000);

/** A host that a gmond tells of, received at 0. */
function hostOf(detail: Partial<HostDetail>, life: Partial<NodeLife> = {}) {
  const host = gmondHost("h", [], { tmax: 20, ...detail });
  const { tn } = host.detail!;
  const told = { attachedAt: -1e6, answeredAt: -tn * 1000, ...life };
  return { ...host, life: { ...host.life, ...told } };
}

const cases: [
  name: string,
  detail: Partial<HostDetail>,
  life: Partial<NodeLife>,
  failure: string | undefined,
  seconds: number,
  state: NodeState,
  reason: string,
  since: number | undefined,
  up: boolean,
][] = [
  ["well", { tn: 5 }, {}, undefined, 10, "attached", "answers", -1e6, true],
  [
    "as old as may be",
    { tn: 5 },
    {},
    undefined,
    50,
    "attached",
    "answers",
    -1e6,
    true,
  ],
  [
    "late",
    { tn: 5 },
    {},
    undefined,
    51,
    "late",
    "no answer for 56 s",
    50_000,
    true,
  ],
  [
    "nearly silent",
    { tn: 5 },
    {},
    undefined,
    74.9,
    "late",
    "no answer for 80 s",
    50_000,
    true,
  ],
  [
    "silent",
    { tn: 5 },
    {},
    undefined,
    75,
    "silent",
    "no answer for 80 s",
    75_000,
    false,
  ],
  [
    "its source fails",
    { tn: 5 },
    {},
    "refused",
    10,
    "late",
    "its source test fails: refused",
    undefined,
    false,
  ],
  [
    "its source fails for long",
    { tn: 5 },
    {},
    "refused",
    90,
    "silent",
    "its source test fails: refused",
    75_000,
    false,
  ],
  [
    "not sent any more",
    { tn: 5 },
    { attachedAt: undefined, detachReason: "not sent" },
    undefined,
    10,
    "late",
    "not sent",
    undefined,
    true,
  ],
  [
    "and silent by now",
    { tn: 5 },
    { attachedAt: undefined, detachReason: "not sent" },
    undefined,
    75,
    "gone",
    "not sent",
    75_000,
    false,
  ],
  [
    "without TMAX",
    { tn: 500, tmax: 0, reported: 990 },
    {},
    undefined,
    5,
    "attached",
    "answers",
    -1e6,
    true,
  ],
  [
    "without TMAX, old",
    { tn: 0, tmax: 0, reported: 990 },
    {},
    undefined,
    50,
    "silent",
    "no answer for 60 s",
    50_000,
    false,
  ],
  [
    "retired",
    { tn: 5 },
    { retireReason: "sold" },
    undefined,
    10,
    "retired",
    "sold",
    undefined,
    true,
  ],
];

Deno.test("hosts of gmonds have their state from the same machine, by TMAX and source", () => {
  for (
    const [name, detail, life, failure, seconds, state, reason, since, up]
      of cases
  ) {
    const cluster = clusterOf("c", [], {
      source: source({ failure }),
      detail: { owner: "", latlong: "", url: "", localtime: 1000 },
    });
    const instant = { monotonic: seconds * 1000, now: 0 };
    const host = hostOf(detail, life);
    const status = statusOfHost(host, cluster, limits, instant);
    assertEquals(
      [status.state, status.reason, status.since],
      [state, reason, since],
      name,
    );
    assertEquals(isUp(host, cluster, instant), up, name);
  }
});

const anyDetail = fc.record({
  tn: fc.nat(200),
  tmax: fc.constantFrom(0, 1, 20, 75),
  reported: fc.integer({ min: 800, max: 1200 }),
});

Deno.test("up, present and the state never disagree", () => {
  fc.assert(
    fc.property(
      anyDetail,
      fc.integer({ min: 0, max: 400_000 }),
      fc.boolean(),
      fc.option(fc.constant("refused"), { nil: undefined }),
      (detail, monotonic, isMissing, failure) => {
        const cluster = clusterOf("c", [], {
          source: source({ failure }),
          detail: { owner: "", latlong: "", url: "", localtime: 1000 },
        });
        const instant = { monotonic, now: 0 };
        const host = hostOf(
          detail,
          isMissing ? { attachedAt: undefined, detachReason: "x" } : {},
        );
        const status = statusOfHost(host, cluster, limits, instant);
        const present = isPresent(host, cluster, instant);
        assertEquals(status.isPresent, present);
        assertEquals(
          status.state === "attached" || status.state === "late",
          present,
        );
        assertEquals(
          isUp(host, cluster, instant),
          present && failure === undefined,
        );
        if (monotonic === 0) {
          assertEquals(present, wasUp(host.detail!, 1000));
        }
      },
    ),
    { numRuns: 1000 },
  );
});

Deno.test("a node that attaches by itself is up as long as its figures are present ones", () => {
  fc.assert(
    fc.property(
      fc.nat(400_000),
      fc.boolean(),
      (monotonic, isGone) => {
        const plain = plainHost("n", "k", [], 1000);
        const change = isGone ? { attachedAt: undefined } : { attachedAt: 500 };
        const host = { ...plain, life: { ...plain.life, ...change } };
        const cluster = clusterOf("foolscap", [host]);
        const instant = { monotonic: 1000 + monotonic, now: 0 };
        const { isPresent, state } = statusOfHost(
          host,
          cluster,
          limits,
          instant,
        );
        assertEquals(isUp(host, cluster, instant), isPresent);
        assertEquals(isPresent, monotonic < 300_000);
        if (!isGone) assertEquals(state === "silent", !isPresent);
      },
    ),
  );
});
