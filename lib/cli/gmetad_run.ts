import { dirname, join } from "node:path";
import { getLogger } from "@logtape/logtape";
import { DEFAULT_RRD_ROOTDIR } from "../gatherer/ganglia.ts";
import type { GmetadConf } from "../ganglia/conf/conf.ts";
import { loadGmetadConf } from "../ganglia/conf/load.ts";
import {
  gmetadHelp,
  type GmetadOptions,
  readGmetadOptions,
  unhonoured,
} from "./gmetad.ts";
import { loggingOf, logToStderr } from "./logging.ts";
import { runGatherer } from "./serve.ts";
import { writeStdout } from "./terminal.ts";
import { VERSION } from "./version.ts";

const logger = getLogger(["gatherer"]);

/** Milliseconds from one round of the gatherer's own figures to the next. */
const INTERVAL_MS = 60_000;

/**
 * What the executable does when it is called as `gmetad`: what `serve --conf` does, with gmetad's
 * options, and without nodes that attach.
 *
 * @returns The exit code.
 * @throws UserError for wrong usage (exit code 2), and when it cannot be started.
 */
export async function gmetad(args: readonly string[]): Promise<number> {
  const options = readGmetadOptions(args);
  switch (options.action) {
    case "help":
      await writeStdout(gmetadHelp);
      return 0;
    case "version":
      await writeStdout(`gmetad (gatherer ${VERSION})\n`);
      return 0;
  }
  const conf = withOptions(loadGmetadConf(options.conf), options);
  await logToStderr(loggingOf(conf));
  for (const line of unhonoured(options, conf.debugLevel)) logger.warn(line);
  return await runGatherer({
    basedir: basedirOf(conf),
    intervalMs: INTERVAL_MS,
    foolscap: false,
    // The past is Munin's, and kept in RRDs here.
    spoolBytes: 0,
    ganglia: { conf, version: VERSION },
  });
}

/** Options of the command line win over the file. */
function withOptions(
  conf: GmetadConf,
  { xmlPort, interactivePort, logfile, debugLevel }: GmetadOptions,
): GmetadConf {
  return {
    ...conf,
    xmlPort: xmlPort ?? conf.xmlPort,
    interactivePort: interactivePort ?? conf.interactivePort,
    logfile: logfile ?? conf.logfile,
    debugLevel: debugLevel ?? conf.debugLevel,
  };
}

/** Beside the RRDs, where gmetad's user may write. */
function basedirOf({ rrdRootdir = DEFAULT_RRD_ROOTDIR }: GmetadConf): string {
  return join(dirname(rrdRootdir), "gatherer");
}
