import { getLogger } from "@logtape/logtape";
import { assertEquals } from "@std/assert";
import { AcceptLog } from "../../lib/net/accept_log.ts";
import { FakeClock } from "../fake_clock.ts";
import { captureLog } from "../log_capture.ts";

Deno.test("a port that cannot take connections is one line each way, however often it is tried", async () => {
  await using log = await captureLog();
  const clock = new FakeClock();
  const accepting = new AcceptLog(getLogger(["gatherer"]), clock, "callers");
  accepting.took();
  for (let i = 0; i < 100; i++) {
    accepting.failed("too many open files");
    await clock.advance(1000);
  }
  // At the limit, one that goes makes room for one.
  for (let i = 0; i < 100; i++) {
    accepting.took();
    await clock.advance(5000);
    accepting.failed("too many open files");
  }
  assertEquals(accepting.isFailing, true);
  assertEquals(log.lines, [
    "error cannot take callers: too many open files; those that are there go on",
  ]);
  await clock.advance(3600_000);
  assertEquals(log.lines.length, 1);
  accepting.took();
  accepting.took();
  await clock.advance(9999);
  assertEquals(accepting.isFailing, true);
  await clock.advance(1);
  assertEquals(log.lines.slice(1), ["info takes callers again"]);
  assertEquals([accepting.isFailing, clock.pending], [false, 0]);
});
