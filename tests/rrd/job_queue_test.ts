import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { type Job, JobQueue } from "../../lib/rrd/job_queue.ts";

Deno.test("a queue keeps its bounds, its order and its books, whatever comes", () => {
  const action = fc.oneof(
    fc.record({ count: fc.nat(30), bytes: fc.nat(3000) }),
    fc.constant("shift" as const),
    fc.constant("clear" as const),
  );
  fc.assert(
    fc.property(
      fc.array(action, { maxLength: 3000, size: "max" }),
      (actions) => {
        const maxCount = 100;
        const maxBytes = 10_000;
        const queue = new JobQueue<Job>({ name: "it", maxCount, maxBytes });
        let model: Job[] = [];
        let dropped = 0;
        const sum = (jobs: Job[], of: "count" | "bytes") =>
          jobs.reduce((total, job) => total + job[of], 0);
        for (const action of actions) {
          if (action === "shift") assertEquals(queue.shift(), model.shift());
          else if (action === "clear") {
            queue.clear();
            dropped += sum(model, "count");
            model = [];
          } else {
            queue.push(action);
            model.push(action);
            while (
              sum(model, "count") > maxCount || sum(model, "bytes") > maxBytes
            ) dropped += model.shift()!.count;
          }
          assertEquals(queue.count, sum(model, "count"));
          assertEquals(queue.dropped, dropped);
        }
      },
    ),
    { numRuns: 20 },
  );
});

Deno.test("one that is too large by itself is dropped, and the queue goes on", () => {
  const queue = new JobQueue<Job>({ name: "it", maxCount: 10, maxBytes: 10 });
  queue.push({ count: 11, bytes: 1 });
  queue.push({ count: 1, bytes: 11 });
  assertEquals(queue.shift(), undefined);
  assertEquals(queue.dropped, 12);
  queue.push({ count: 10, bytes: 10 });
  assertEquals(queue.shift(), { count: 10, bytes: 10 });
  assertEquals(queue.count, 0);
});

Deno.test("a long queue is taken from in no time", () => {
  const queue = new JobQueue<Job>({ name: "it", maxCount: 1e9, maxBytes: 1e9 });
  const began = performance.now();
  for (let i = 0; i < 200_000; i++) queue.push({ count: 1, bytes: 1 });
  let taken = 0;
  while (queue.shift()) taken++;
  assertEquals(taken, 200_000);
  // Each look at all of it would take minutes.
  assert(performance.now() - began < 5000);
});
