import { assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { getLogger } from "@logtape/logtape";
import { StartedLog } from "../../lib/cli/started_log.ts";
import { systemClock } from "../../lib/clock.ts";
import { UserError } from "../../lib/errors.ts";
import { DEFAULT_LOG_SETTINGS } from "../../lib/log/settings.ts";

Deno.test("settings that are taken back are those that were followed last, not such as could not be", async () => {
  const directory = await Deno.makeTempDir();
  const logger = getLogger(["gatherer"]);
  const settings = (name: string) => ({
    ...DEFAULT_LOG_SETTINGS,
    stderr: false,
    file: join(directory, name),
  });
  const read = (name: string) =>
    Deno.readTextFileSync(join(directory, name)).split("\n").slice(0, -1)
      .map((line) => line.slice(25));
  const log = await StartedLog.open(settings("one"), directory, systemClock);
  logger.info("first");
  await assertRejects(
    () => log.adopt(settings("missing/two")),
    UserError,
    "there is no directory",
  );
  logger.info("second");
  const takeBack = await log.adopt(settings("three"));
  logger.info("third");
  await takeBack();
  logger.info("fourth");
  await log.adopt(settings("four"));
  logger.info("fifth");
  await log.close();
  assertEquals(read("one"), [
    "info    first",
    "info    second",
    "info    fourth",
  ]);
  assertEquals(read("three"), ["info    third"]);
  assertEquals(read("four"), ["info    fifth"]);
  await Deno.remove(directory, { recursive: true });
});
