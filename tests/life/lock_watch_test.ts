import { assertEquals } from "@std/assert";
import { UserError } from "../../lib/errors.ts";
import { AlreadyRunning } from "../../lib/life/lock.ts";
import { LockWatch } from "../../lib/life/lock_watch.ts";
import { captureLog } from "../log_capture.ts";

Deno.test("what is the matter with a base directory is said once, and again when it is the matter again", async () => {
  await using log = await captureLog();
  let found: string | Error | undefined;
  let taken = 0;
  const watch = new LockWatch({
    check: () =>
      found instanceof Error ? Promise.reject(found) : Promise.resolve(found),
  }, () => taken++);
  const gone = new UserError("cannot write base/gatherer.pid: no such file");
  for (
    const next of [
      undefined,
      gone,
      gone,
      gone,
      "it is there again",
      gone,
      undefined,
      gone,
      new UserError("cannot write base/gatherer.pid: permission denied"),
    ]
  ) {
    found = next;
    await watch.look();
  }
  assertEquals(log.lines, [
    `warning ${gone.message}`,
    "warning it is there again",
    `warning ${gone.message}`,
    `warning ${gone.message}`,
    "warning cannot write base/gatherer.pid: permission denied",
  ]);
  assertEquals(taken, 0);
  found = new AlreadyRunning("base", 7);
  await watch.look();
  assertEquals(taken, 1);
});

Deno.test("a look that does not end is not begun again and again", async () => {
  let looks = 0;
  const end = Promise.withResolvers<undefined>();
  const watch = new LockWatch({
    check() {
      looks++;
      return end.promise;
    },
  }, () => {});
  const first = watch.look();
  await watch.look();
  assertEquals(looks, 1);
  end.resolve(undefined);
  await first;
  await watch.look();
  assertEquals(looks, 2);
});
