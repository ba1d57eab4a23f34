import { assertEquals } from "@std/assert";
import {
  isEmptyPlan,
  makePlan,
  type OwnSetting,
  type PartSpec,
  planLines,
} from "../../lib/gatherer/plan.ts";

const part = (name: string, settings: unknown): PartSpec => ({
  name,
  settings,
});
const own = (
  name: string,
  settings: unknown,
  takes: OwnSetting["takes"] = "at once",
): OwnSetting => ({ name, settings, takes });

Deno.test("a plan starts what is new, stops what is gone, changes what differs and keeps the rest", () => {
  const before = [part("a", 1), part("b", { x: 1 }), part("c", 1)];
  const after = [part("b", { x: 2 }), part("c", 1), part("d", 1)];
  const plan = makePlan(before, after, {
    before: [own("the interval", "60 s"), own("basedir", "a", "restart")],
    after: [own("the interval", "5 s"), own("basedir", "b", "restart")],
  });
  assertEquals(plan.start, [after[2]]);
  assertEquals(plan.stop, [before[0]]);
  assertEquals(plan.change, [{ before: before[1], after: after[0] }]);
  assertEquals(plan.keep, [before[2]]);
  assertEquals(planLines(plan), [
    "stop    a",
    "change  b",
    "start   d",
    "set     the interval to 5 s",
    "keep    c",
    "later   basedir: it has changed, and takes effect with a restart",
  ]);
});

Deno.test("settings are the same when their content is", () => {
  const same: [unknown, unknown][] = [
    [{ a: 1, b: [1, { c: 2, d: 3 }] }, { b: [1, { d: 3, c: 2 }], a: 1 }],
    [new Map([["a", [1]]]), new Map([["a", [1]]])],
    [new Set(["x"]), new Set(["x"])],
    [{ a: undefined }, {}],
    [5n, 5n],
  ];
  const different: [unknown, unknown][] = [
    [{ a: 1 }, { a: 2 }],
    [[1, 2], [2, 1]],
    [new Map([["a", 1]]), new Map([["a", 2]])],
    [new Map(), new Set()],
    [new Set(["x"]), new Set(["y"])],
    [5n, 5],
    [{ a: undefined }, { a: null }],
    [undefined, null],
  ];
  for (const [pairs, isSame] of [[same, true], [different, false]] as const) {
    for (const [one, other] of pairs) {
      const plan = makePlan([part("p", one)], [part("p", other)]);
      assertEquals(
        [plan.keep.length, plan.change.length],
        isSame ? [1, 0] : [0, 1],
      );
      assertEquals(isEmptyPlan(plan), isSame);
    }
  }
});

Deno.test("a plan that does nothing says so", () => {
  const plan = makePlan([part("a", 1)], [part("a", 1)]);
  assertEquals(planLines(plan), ["nothing has changed", "keep    a"]);
});
