import { closeSync, fstatSync, openSync } from "node:fs";
import { assertEquals } from "@std/assert";
import { isJournal } from "../../lib/log/journal.ts";

Deno.test("stderr is the journal when the environment has its device and inode", () => {
  const descriptor = openSync("/dev/null", "r");
  const { dev, ino } = fstatSync(descriptor);
  for (
    const [stream, expected] of [
      [`${dev}:${ino}`, true],
      [`${dev}:${ino}0`, false],
      [`${dev + 1}:${ino}`, false],
      [`${ino}`, false],
      ["", false],
      ["x", false],
    ] as const
  ) assertEquals(isJournal(stream, descriptor), expected, stream);
  closeSync(descriptor);
  assertEquals(isJournal(`${dev}:${ino}`, descriptor), false);
});
