import { assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { getLogger } from "@logtape/logtape";
import { StartedLog } from "../../lib/cli/started_log.ts";
import { systemClock } from "../../lib/clock.ts";
import { makePlan, planLines } from "../../lib/gatherer/plan.ts";
import { UserError } from "../../lib/errors.ts";
import {
  DEFAULT_LOG_SETTINGS,
  type LogSettings,
} from "../../lib/log/settings.ts";

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
  const adopt = async (name: string) =>
    await (await log.reloaded(settings(name))).adopt!();
  logger.info("first");
  await assertRejects(
    () => adopt("missing/two"),
    UserError,
    "there is no directory",
  );
  logger.info("second");
  const takeBack = await adopt("three");
  logger.info("third");
  await takeBack();
  logger.info("fourth");
  await adopt("four");
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

Deno.test("what changes of the log is in the plan of a reload", async () => {
  const settings = { ...DEFAULT_LOG_SETTINGS, stderr: false };
  const log = await StartedLog.open(settings, "/", systemClock);
  const lines = async (change: Partial<LogSettings>) => {
    const { around } = await log.reloaded({ ...settings, ...change });
    return planLines(makePlan([], [], around));
  };
  assertEquals(await lines({}), ["nothing has changed"]);
  assertEquals(
    await lines({
      level: "debug",
      format: "json",
      file: "/var/log/x",
      maxBytes: 0,
      keep: 3,
      syslog: "udp:loghost",
      journal: "yes",
    }),
    [
      "set     the log level to debug",
      "set     the form of log lines to json",
      "set     the log file to /var/log/x",
      "set     the size of a log file to any",
      "set     the log files that are kept to 3",
      "set     the syslog to udp:loghost",
      "set     whether stderr is the journal to yes",
    ],
  );
  await log.close();
});
