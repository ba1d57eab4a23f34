/**
 * Being gmetad.
 *
 * @module
 */
import { basename, dirname, join, resolve } from "node:path";
import { systemClock } from "../clock.ts";
import { levelOfGmetad } from "../config/config.ts";
import { DEFAULT_RRD_ROOTDIR } from "../gatherer/ganglia.ts";
import { startGatherer } from "../gatherer/gatherer.ts";
import type { GathererOptions } from "../gatherer/options.ts";
import type { GmetadConf } from "../ganglia/conf/conf.ts";
import { loadGmetadConf } from "../ganglia/conf/load.ts";
import { commandOfItself } from "../life/itself.ts";
import { findUser, isRoot, type User } from "../life/user.ts";
import { DEFAULT_LOG_SETTINGS, type LogSettings } from "../log/settings.ts";
import { VERSION } from "../version.ts";
import {
  gmetadArguments,
  gmetadHelp,
  type GmetadOptions,
  readGmetadOptions,
  staysInForeground,
} from "./gmetad.ts";
import { run, writePidFile } from "./run.ts";
import { runAs } from "./run_as.ts";
import { makeBaseDir, startInBackground } from "./start.ts";
import { StartedLog } from "./started_log.ts";
import { writeStdout } from "./terminal.ts";

/** Milliseconds from one round of the gatherer's own figures to the next. */
const INTERVAL_MS = 60_000;
/** Whom gmetad becomes where its configuration names nobody. Source: gmetad.conf(5). */
const DEFAULT_USER = "nobody";

/**
 * What the executable does when it is called as `gmetad`: what `serve --conf` does, with gmetad's
 * options, and without nodes that attach. Unless it is to stay in the foreground, it starts itself
 * again in the background and returns when that is ready.
 *
 * As root it starts itself again as the user that the configuration names: that way root's groups
 * go, too, and nothing has been opened or written by root but the pid file. (Ports below 1024 are
 * out of its reach then.)
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
  const conf = loadConf(options);
  const basedir = basedirOf(conf);
  const user = await userToBecome(conf);
  const { pidFile } = options;
  const again = async () => {
    const command = await commandOfItself();
    return [
      ...command,
      // The executable may have this name itself.
      ...basename(command[command.length - 1]) === "gmetad" ? [] : ["gmetad"],
      // What root may write, another user may not.
      ...gmetadArguments({
        ...options,
        foreground: true,
        pidFile: user ? undefined : pidFile,
      }),
    ];
  };
  if (!staysInForeground(options, conf)) {
    return await startInBackground({
      basedir,
      command: await again(),
      user,
      clock: systemClock,
      async onReady(pid) {
        if (user && pidFile !== undefined) await writePidFile(pidFile, pid);
      },
    });
  }
  if (user) {
    await makeBaseDir(basedir, false, user);
    return await runAs(user, await again(), pidFile);
  }
  return await runInForeground(options, conf, basedir);
}

/** Runs it in this process. */
async function runInForeground(
  options: GmetadOptions,
  conf: GmetadConf,
  basedir: string,
): Promise<number> {
  let log: StartedLog | undefined;
  return await run({
    basedir,
    async openLog() {
      return log = await StartedLog.open(
        logSettings(conf),
        basedir,
        systemClock,
      );
    },
    pidFile: options.pidFile,
    start: () =>
      startGatherer({
        ...gathererOptions(conf, basedir),
        clock: systemClock,
        file: options.conf,
        async load() {
          const conf = loadConf(options);
          return {
            options: gathererOptions(conf, basedirOf(conf)),
            file: options.conf,
            ...await log?.reloaded(logSettings(conf)),
          };
        },
      }),
  });
}

function logSettings({ debugLevel = 0, logfile }: GmetadConf): LogSettings {
  return {
    ...DEFAULT_LOG_SETTINGS,
    level: levelOfGmetad(debugLevel),
    file: logfile,
  };
}

function gathererOptions(conf: GmetadConf, basedir: string): GathererOptions {
  return {
    basedir,
    intervalMs: INTERVAL_MS,
    foolscap: false,
    // The past is Munin's, and kept in RRDs here.
    spoolBytes: 0,
    ganglia: { conf },
  };
}

/**
 * The user that root is to become; `undefined`: all stays as it is.
 * @throws UserError when there is no such user.
 */
async function userToBecome(
  { setuid, setuidUsername }: GmetadConf,
): Promise<User | undefined> {
  if (!setuid || !await isRoot()) return undefined;
  const user = await findUser(setuidUsername ?? DEFAULT_USER);
  return user.uid === 0 ? undefined : user;
}

function loadConf(options: GmetadOptions): GmetadConf {
  return withOptions(loadGmetadConf(options.conf), options);
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
export function basedirOf(
  { path, rrdRootdir = DEFAULT_RRD_ROOTDIR }: Pick<
    GmetadConf,
    "path" | "rrdRootdir"
  >,
): string {
  return join(dirname(resolve(dirname(path), rrdRootdir)), "gatherer");
}
