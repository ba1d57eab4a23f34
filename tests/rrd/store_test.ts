import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { DEFAULT_ARCHIVES, Shapes } from "../../lib/rrd/shape.ts";
import { type RrdJob, RrdStore } from "../../lib/rrd/store.ts";
import type { RrdUpdate } from "../../lib/rrd/writer.ts";
import { FakeClock, settle } from "../fake_clock.ts";
import { captureLog } from "../log_capture.ts";
import { FakeWriter } from "./fake_writer.ts";

const shape = new Shapes().of({
  slope: "both",
  restarts: false,
  summary: false,
  step: 15,
});
const DEFINITIONS = `15 DS:sum:GAUGE:120:U:U ${DEFAULT_ARCHIVES.join(" ")}`;

function update(path: string, time: number, values = "1"): RrdUpdate {
  return { path, time, values, shape };
}

function job(...updates: RrdUpdate[]): RrdJob {
  return {
    count: updates.length,
    bytes: 100 * updates.length,
    updates: () => updates,
  };
}

interface Setup {
  maxCount?: number;
  maxBytes?: number;
}

function setUp(options: Setup = {}) {
  const writer = new FakeWriter();
  const clock = new FakeClock();
  const store = new RrdStore({
    writer,
    clock,
    name: "writing",
    random: () => 0.5,
    ...options,
  });
  return { writer, clock, store };
}

/** Lets everything happen that does not wait for the clock. */
async function rest(): Promise<void> {
  for (let i = 0; i < 50; i++) await settle();
}

Deno.test("a file that is missing is made, one that is there is not looked at", async () => {
  const { writer, store } = setUp();
  writer.files.set("/old", ["90:5"]);
  store.add(job(update("/new", 100), update("/old", 100, "2")));
  store.add(job(update("/new", 115), update("/old", 115, "3")));
  await rest();
  assertEquals(writer.log, [
    "update /new 100:1",
    "update /old 100:2",
    `create /new 99 ${DEFINITIONS}`,
    "update /new 100:1",
    "update /new 115:1",
    "update /old 115:3",
  ]);
  assertEquals(store.counts, {
    updates: 4,
    creates: 1,
    failures: 0,
    dropped: 0,
    queued: 0,
  });
  await store.stop();
});

Deno.test("many values of a missing file are written in order, and it is made once", async () => {
  const { writer, store } = setUp();
  let open = () => {};
  writer.gate = new Promise((resolve) => open = resolve);
  for (let time = 100; time < 160; time += 10) {
    store.add(job(update("/a", time)));
  }
  open();
  await rest();
  assertEquals(writer.files.get("/a"), [
    "100:1",
    "110:1",
    "120:1",
    "130:1",
    "140:1",
    "150:1",
  ]);
  assertEquals(store.counts.creates, 1);
  assertEquals(store.counts.failures, 0);
});

Deno.test("what fails costs itself only, and is said once, with those like it", async () => {
  await using log = await captureLog();
  const { writer, clock, store } = setUp();
  for (const path of ["/a", "/b", "/c"]) {
    writer.unwritable.set(path, `${path}: not a simple unsigned integer: '7'`);
  }
  writer.unmakeable.set("/d", "Cannot create temporary file");
  for (let time = 100; time < 200; time += 15) {
    store.add(job(
      update("/a", time),
      update("/b", time),
      update("/good", time),
      update("/c", time),
      update("/d", time),
    ));
    await rest();
  }
  assertEquals(writer.files.get("/good")?.length, 7);
  assertEquals(store.counts, {
    updates: 7,
    creates: 1,
    failures: 28,
    dropped: 0,
    queued: 0,
  });
  assertEquals(log.lines, []);
  await clock.advance(5000);
  const said = [
    "warning cannot write /a: not a simple unsigned integer: '7'; and 2 like it",
    "warning cannot write /d: Cannot create temporary file",
  ];
  assertEquals(log.lines, said);
  await clock.advance(60_000);
  assertEquals(log.lines, said);
  writer.unwritable.clear();
  writer.unmakeable.clear();
  store.add(job(...["/a", "/b", "/c", "/d"].map((path) => update(path, 300))));
  await rest();
  said.push("info all RRDs can be written again");
  assertEquals(log.lines, said);
  await store.stop();
  assertEquals(log.lines, said);
});

Deno.test("a file that was made, but is not there, is a failure and no endless work", async () => {
  await using log = await captureLog();
  const { writer, store } = setUp();
  const files = writer.files;
  files.set = () => files;
  store.add(job(update("/a", 100), update("/b", 100)));
  await rest();
  assertEquals(writer.log.length, 6);
  assertEquals(store.counts.failures, 2);
  await store.stop();
  assertEquals(log.lines, [
    "warning cannot write /a: it was made, but is not there: is the disk full?; and 1 like it",
  ]);
});

Deno.test("a hundred thousand files that fail are a few lines, and not remembered all", async () => {
  await using log = await captureLog();
  const { writer, clock, store } = setUp();
  for (let round = 0; round < 2; round++) {
    const updates = Array.from(
      { length: 20_000 },
      (_, index) => update(`/${index}`, 100),
    );
    for (const { path } of updates) writer.unwritable.set(path, "I/O error 5");
    store.add(job(...updates));
    await rest();
  }
  await clock.advance(5000);
  assertEquals(store.counts.failures, 40_000);
  assertEquals(log.lines, [
    "warning more than 10000 RRDs cannot be written; further ones are only counted",
    "warning cannot write /0: I/O error 5; and 9999 like it",
  ]);
  await store.stop();
});

Deno.test("failures of many kinds are ten lines and a number", async () => {
  await using log = await captureLog();
  const { writer, store } = setUp();
  const letters = "abcdefghijklmno";
  for (const letter of letters) {
    writer.unwritable.set(`/${letter}`, `reason ${letter}\nWARNING forged`);
  }
  store.add(job(...[...letters].map((letter) => update(`/${letter}`, 1))));
  await rest();
  await store.stop();
  assertEquals(log.lines.length, 11);
  assertEquals(
    log.lines[0],
    "warning cannot write /a: reason a WARNING forged",
  );
  assertEquals(
    log.lines[10],
    "warning cannot write 5 RRDs more, for other reasons",
  );
});

Deno.test("what a lost writer did not answer is written again, and what it had written is no failure", async () => {
  await using log = await captureLog();
  const { writer, clock, store } = setUp();
  const paths = ["/a", "/b", "/c", "/d"];
  for (const path of paths) writer.files.set(path, []);
  writer.troubles.push({ lost: "killed", after: 3, told: 1 });
  store.add(job(...paths.map((path) => update(path, 100))));
  await rest();
  assertEquals(store.counts.queued, 3);
  await clock.advance(999);
  assertEquals(writer.log.length, 3);
  await clock.advance(1);
  await rest();
  for (const path of paths) assertEquals(writer.files.get(path), ["100:1"]);
  assertEquals(store.counts, {
    updates: 4,
    creates: 0,
    failures: 0,
    dropped: 0,
    queued: 0,
  });
  assertEquals(log.lines, [
    "warning the writer: killed; what is not written waits",
    "info the writer works again",
  ]);
  // Only what may have been written may be there already.
  store.add(job(update("/a", 100)));
  await rest();
  assertEquals(store.counts.failures, 1);
});

Deno.test("a writer that is down is tried again, at growing intervals, and nothing is lost", async () => {
  await using log = await captureLog();
  const { writer, clock, store } = setUp();
  for (let i = 0; i < 8; i++) writer.troubles.push({ down: "refused" });
  store.add(job(update("/a", 100)));
  const attempts: number[] = [];
  const began = clock.monotonic();
  while (store.counts.updates === 0) {
    const left = writer.troubles.length;
    await clock.advance(100);
    await rest();
    if (writer.troubles.length < left) attempts.push(clock.monotonic() - began);
  }
  const waits = attempts.slice(1).map((at, i) => at - attempts[i]);
  assertEquals(waits, [900, 2800, 7400, 20_000, 54_600, 60_000, 60_000]);
  assertEquals(writer.files.get("/a"), ["100:1"]);
  assertEquals(log.lines, [
    "warning the writer: refused; what is not written waits",
    "info the writer works again",
  ]);
});

Deno.test("a value that ends the writer is found, and given up", async () => {
  await using log = await captureLog();
  const { writer, clock, store } = setUp();
  writer.deadly.add("/bad");
  const updates: RrdUpdate[] = [];
  for (let i = 0; i < 3000; i++) {
    const path = i === 1700 ? "/bad" : `/${i}`;
    writer.files.set(path, []);
    updates.push(update(path, 100));
  }
  store.add(job(...updates));
  for (let i = 0; i < 100 && store.counts.queued > 0; i++) {
    await clock.advance(1000);
    await rest();
  }
  assertEquals(store.counts.updates, 2999);
  assertEquals(store.counts.failures, 1);
  assertEquals(writer.log.filter((line) => line.includes("/bad")).length, 4);
  await store.stop();
  assertEquals(log.lines, [
    "warning the writer: killed; what is not written waits",
    "warning cannot write /bad: it ends the writer: killed",
    "info the writer works again",
  ]);
});

Deno.test("where there is no writer nothing waits, and one is looked for now and then", async () => {
  await using log = await captureLog();
  const { writer, clock, store } = setUp();
  const absent = { down: "rrdtool is not installed", isAbsent: true };
  writer.troubles.push(absent, absent);
  for (let round = 0; round < 41; round++) {
    store.add(job(update("/a", round), update("/b", round)));
    await clock.advance(15_000);
    await rest();
  }
  // After 5 and 10 minutes.
  assertEquals(writer.troubles, []);
  assertEquals(writer.files.get("/a"), ["40:1"]);
  assertEquals(store.counts.dropped, 80);
  assertEquals(store.counts.queued, 0);
  assertEquals(log.lines, [
    "warning the writer: rrdtool is not installed; nothing is stored in RRDs; tried again every 5 minutes",
    "info the writer works again",
  ]);
});

Deno.test("the queue is bounded; the oldest go, and are counted and told of once", async () => {
  await using log = await captureLog();
  const { writer, clock, store } = setUp({ maxCount: 100 });
  writer.troubles.push({ down: "refused" });
  for (let time = 0; time < 500; time++) {
    store.add(job(update("/a", time), update("/b", time)));
  }
  assertEquals(store.counts, {
    updates: 0,
    creates: 0,
    failures: 0,
    // The first was in hand.
    dropped: 1000 - 100 - 2,
    queued: 102,
  });
  await clock.advance(1000);
  await rest();
  assertEquals(writer.files.get("/a")?.length, 51);
  assertEquals(writer.files.get("/a")?.[0], "0:1");
  assertEquals(writer.files.get("/a")?.[1], "450:1");
  assertEquals(log.lines, [
    "warning writing cannot keep up: 102 values wait, the oldest are dropped",
    "warning the writer: refused; what is not written waits",
    "info writing keeps up again; 898 values were dropped",
    "info the writer works again",
  ]);
});

Deno.test("at the end what waits is written", async () => {
  const { writer, store } = setUp();
  for (let time = 0; time < 5000; time++) store.add(job(update("/a", time)));
  await store.stop();
  assertEquals(writer.files.get("/a")?.length, 5000);
  assert(writer.isClosed);
  store.add(job(update("/a", 5000)));
  assertEquals(store.counts.dropped, 1);
});

Deno.test("at the end nobody waits for a writer that does not answer", async () => {
  await using log = await captureLog();
  const { writer, clock, store } = setUp();
  writer.gate = new Promise(() => {});
  store.add(job(update("/a", 100), update("/b", 100)));
  store.add(job(update("/a", 115)));
  await rest();
  const stopped = store.stop();
  await clock.advance(2500);
  await stopped;
  assertEquals(store.counts.dropped, 3);
  assertEquals(log.lines, [
    "warning the writer: closed; 3 values are lost at the end",
  ]);
});

Deno.test("at the end a writer that is down is tried once more", async () => {
  const { writer, clock, store } = setUp();
  writer.troubles.push({ down: "refused" }, { down: "refused" });
  store.add(job(update("/a", 100)));
  await rest();
  await clock.advance(1000);
  await rest();
  await store.stop();
  assertEquals(writer.files.get("/a"), ["100:1"]);
  assertEquals(clock.pending, 0);
});

Deno.test("whatever befalls the writer, each value is written once and in order", async () => {
  const trouble = fc.oneof(
    fc.record({ down: fc.constant("refused") }),
    fc.record({
      lost: fc.constant("lost"),
      after: fc.nat(12),
      told: fc.nat(12),
    }),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(trouble, { maxLength: 8 }),
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 1, max: 10 }),
      async (troubles, files, rounds) => {
        const { writer, clock, store } = setUp();
        let losses = 0;
        for (const trouble of troubles) {
          // Three in succession over the same value are that value's fault.
          losses = "lost" in trouble ? losses + 1 : losses;
          if (losses <= 3) writer.troubles.push(trouble);
        }
        const expected: string[] = [];
        for (let round = 0; round < rounds; round++) {
          const time = 100 + 15 * round;
          expected.push(`${time}:${round}`);
          store.add(job(
            ...Array.from(
              { length: files },
              (_, i) => update(`/${i}`, time, `${round}`),
            ),
          ));
        }
        for (let i = 0; i < 100 && store.counts.queued > 0; i++) {
          await clock.advance(10_000);
          await rest();
        }
        for (let i = 0; i < files; i++) {
          assertEquals(writer.files.get(`/${i}`), expected);
        }
        assertEquals(store.counts.updates, files * rounds);
        assertEquals(store.counts.failures, 0);
        await store.stop();
      },
    ),
    { numRuns: 200 },
  );
});
