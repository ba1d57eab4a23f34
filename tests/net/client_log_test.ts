import { getLogger } from "@logtape/logtape";
import { assertEquals } from "@std/assert";
import type { Clock } from "../../lib/clock.ts";
import { ClientLog } from "../../lib/net/client_log.ts";
import { defaultLimits } from "../../lib/munin_node/limits.ts";
import { FakeClock } from "../fake_clock.ts";
import { captureLog } from "../log_capture.ts";

function clientLog(clock: Clock): ClientLog {
  const { logMs, loggedAtOnce } = defaultLimits;
  const logger = getLogger(["gatherer", "test"]);
  return new ClientLog({
    who: "Munin client",
    logger,
    clock,
    logMs,
    loggedAtOnce,
  });
}

Deno.test("the same of one address is logged once a minute, with how many more", async () => {
  await using log = await captureLog();
  const clock = new FakeClock();
  const clients = clientLog(clock);
  for (let i = 0; i < 5; i++) clients.warn("192.0.2.1", "refused: x");
  clients.warn("192.0.2.1", "cut off: y");
  clients.warn("192.0.2.2", "refused: x");
  const first = [
    "warning Munin client 192.0.2.1: refused: x",
    "warning Munin client 192.0.2.1: cut off: y",
    "warning Munin client 192.0.2.2: refused: x",
  ];
  assertEquals(log.lines, first);
  await clock.advance(59_999);
  clients.warn("192.0.2.1", "refused: x");
  assertEquals(log.lines, first);
  await clock.advance(1);
  const more = "warning Munin client 192.0.2.1: refused: x, and 5 more";
  assertEquals(log.lines, [...first, more]);
  // Quiet for a minute: then it is news again.
  await clock.advance(60_000);
  assertEquals([log.lines.length, clock.pending], [4, 0]);
  clients.warn("192.0.2.1", "refused: x");
  assertEquals(log.lines.length, 5);
  assertEquals(log.lines[4], first[0]);
  clients.close();
  assertEquals(clock.pending, 0);
});

Deno.test("what was counted is said at the end", async () => {
  await using log = await captureLog();
  const clock = new FakeClock();
  const clients = clientLog(clock);
  for (let i = 0; i < 3; i++) clients.warn("::1", "refused: x");
  clients.close();
  assertEquals(log.lines, [
    "warning Munin client ::1: refused: x",
    "warning Munin client ::1: refused: x, and 2 more",
  ]);
  assertEquals(clock.pending, 0);
});

Deno.test("many addresses at once are logged as one, and memory is bounded", async () => {
  await using log = await captureLog();
  const clock = new FakeClock();
  const clients = clientLog(clock);
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < 10_000; i++) clients.warn(`2001:db8::${i}`, "refused");
  }
  const { loggedAtOnce } = defaultLimits;
  assertEquals(clock.pending, loggedAtOnce + 1);
  assertEquals(log.lines.length, loggedAtOnce + 1);
  assertEquals(
    log.lines.at(-1),
    "warning other Munin clients: refused or cut off",
  );
  await clock.advance(60_000);
  assertEquals(
    log.lines.at(-1),
    `warning other Munin clients: refused or cut off, and ${
      2 * (10_000 - loggedAtOnce) - 1
    } more`,
  );
  await clock.advance(60_000);
  assertEquals(clock.pending, 0);
});

Deno.test("what a client's text holds cannot forge a line", async () => {
  await using log = await captureLog();
  const clients = clientLog(new FakeClock());
  clients.warn("::1", "a\nb\u001b[2J");
  clients.close();
  assertEquals(log.lines, ["warning Munin client ::1: a b [2J"]);
});
