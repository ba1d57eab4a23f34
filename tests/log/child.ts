/**
 * Logs by the settings of its argument, and then what a program might; for tests that look at
 * stderr.
 */
import { getLogger } from "@logtape/logtape";
import { systemClock } from "../../lib/clock.ts";
import { configureLogging } from "../../lib/log/configure.ts";
import {
  DEFAULT_LOG_SETTINGS,
  type LogSettings,
} from "../../lib/log/settings.ts";

const settings: Partial<LogSettings> = JSON.parse(Deno.args[0]);
const log = await configureLogging(
  { ...DEFAULT_LOG_SETTINGS, ...settings },
  systemClock,
);
const logger = getLogger(["gatherer", "nodes"]);
logger.debug("a poll took {ms} ms", { ms: 12 });
logger.info("{nickname} attached", { nickname: "web1\nfatal  forged" });
logger.warn("{nickname} is late", { nickname: "web1" });
logger.error("cannot write");
logger.fatal("giving up");
await log.close();
logger.fatal("nobody hears this");
