import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { FloodFolder } from "../../lib/log/flood.ts";
import type { LogLine } from "../../lib/log/line.ts";
import { FakeClock } from "../fake_clock.ts";
import { line } from "./records.ts";

function setUp() {
  const clock = new FakeClock();
  const out: LogLine[] = [];
  const folder = new FloodFolder(clock, (line) => out.push(line));
  const texts = () => out.splice(0).map(({ text }) => text);
  return { clock, folder, out, texts };
}

Deno.test("five of a kind pass in a minute, the rest is one line", async () => {
  const { clock, folder, texts } = setUp();
  for (let i = 1; i <= 220; i++) folder.take(line(`node ${i} left`), "left");
  assertEquals(texts(), [1, 2, 3, 4, 5].map((i) => `node ${i} left`));
  await clock.advance(59_999);
  assertEquals(texts(), []);
  await clock.advance(1);
  assertEquals(texts(), ["node 220 left … and 214 like it"]);
  assertEquals(clock.pending, 0);
});

Deno.test("the line that stands for others says in its own field for how many", () => {
  const { folder, out } = setUp();
  for (let i = 1; i <= 8; i++) folder.take(line(`${i}`), "x");
  folder.flush();
  assertEquals(out.map(({ folded }) => folded), [
    undefined,
    undefined,
    undefined,
    undefined,
    undefined,
    2,
  ]);
});

Deno.test("a sixth alone is the line itself", () => {
  const { folder, texts } = setUp();
  for (let i = 1; i <= 6; i++) folder.take(line(`${i}`), "x");
  folder.flush();
  assertEquals(texts(), ["1", "2", "3", "4", "5", "6"]);
});

Deno.test("a minute later a kind begins anew, also when no timer has fired", async () => {
  const { clock, folder, texts } = setUp();
  for (let round = 0; round < 3; round++) {
    for (let i = 1; i <= 7; i++) folder.take(line(`${i}`), "x");
    assertEquals(texts(), ["1", "2", "3", "4", "5"]);
    await clock.advance(60_000);
    assertEquals(texts(), ["7 … and 1 like it"]);
  }
  // Timers may be late: the next line finds the minute over.
  const late = { now: () => 0, ms: 0, monotonic: () => late.ms };
  const out: string[] = [];
  const busy = new FloodFolder(
    { ...late, setTimer: () => ({ cancel() {} }) },
    ({ text }) => out.push(text),
  );
  for (let i = 1; i <= 7; i++) busy.take(line(`${i}`), "x");
  late.ms = 60_000;
  busy.take(line("8"), "x");
  assertEquals(out.slice(5), ["7 … and 1 like it", "8"]);
});

Deno.test("what is of another template, category or level is another kind", () => {
  const { folder, texts } = setUp();
  for (let i = 1; i <= 5; i++) {
    folder.take(line("a"), "a");
    folder.take(line("b"), "b");
    folder.take(line("c", "error"), "a");
    folder.take({ ...line("d"), category: "gatherer.rrd" }, "a");
  }
  assertEquals(texts().length, 20);
});

Deno.test("kinds end in the order of their beginnings, each when its own minute is over", async () => {
  const { clock, folder, texts } = setUp();
  const seven = (kind: string) => {
    for (let i = 1; i <= 7; i++) folder.take(line(`${kind}${i}`), kind);
    texts();
  };
  seven("a");
  await clock.advance(20_000);
  seven("b");
  await clock.advance(40_000);
  assertEquals(texts(), ["a7 … and 1 like it"]);
  seven("a");
  await clock.advance(20_000);
  assertEquals(texts(), ["b7 … and 1 like it"]);
  await clock.advance(40_000);
  assertEquals(texts(), ["a7 … and 1 like it"]);
  assertEquals(clock.pending, 0);
});

Deno.test("beyond 1,000 kinds, those of a level are counted together, but no errors", () => {
  const { folder, texts } = setUp();
  for (let i = 0; i < 1000; i++) folder.take(line("known"), `${i}`);
  texts();
  for (let i = 1; i <= 10; i++) {
    folder.take(line(`info ${i}`), `new ${i}`);
    folder.take(line(`error ${i}`, "error"), `new ${i}`);
    folder.take(line(`fatal ${i}`, "fatal"), `new ${i}`);
  }
  const told = texts();
  for (const level of ["error", "fatal"]) {
    assertEquals(
      told.filter((text) => text.startsWith(level)),
      Array.from({ length: 10 }, (_, i) => `${level} ${i + 1}`),
    );
  }
  assertEquals(told.filter((text) => text.startsWith("info")), [
    "info 1",
    "info 2",
    "info 3",
    "info 4",
    "info 5",
  ]);
  folder.flush();
  assertEquals(texts(), ["info 10 … and 4 others"]);
});

Deno.test("very long templates take no memory, and errors with them are not mixed up", () => {
  const { folder, texts } = setUp();
  const long = "x".repeat(1001);
  for (let i = 0; i < 10; i++) folder.take(line("e", "error"), `${long}${i}`);
  assertEquals(texts().length, 10);
  for (let i = 0; i < 10; i++) folder.take(line("w"), `${long}${i}`);
  assertEquals(texts().length, 5);
});

Deno.test("every line is either passed on or counted", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.record({
          kind: fc.nat(1200).map(String),
          level: fc.constantFrom("info" as const, "error" as const),
          times: fc.nat(8),
          then: fc.constantFrom(0, 0, 1, 30_000, 59_999, 60_000, 61_000),
        }),
        { maxLength: 60 },
      ),
      async (steps) => {
        const { clock, folder, out } = setUp();
        let given = 0;
        for (const { kind, level, times, then } of steps) {
          for (let i = 0; i < times; i++) {
            folder.take(line("x", level), kind);
            given++;
          }
          await clock.advance(then);
        }
        folder.flush();
        assertEquals(
          out.reduce((sum, { folded = 0 }) => sum + 1 + folded, 0),
          given,
        );
        assertEquals(clock.pending, 0);
      },
    ),
  );
});
