import { getLogger } from "@logtape/logtape";
import { systemClock } from "../clock.ts";
import { UserError } from "../errors.ts";
import { startGatherer } from "../gatherer/gatherer.ts";
import { run } from "./run.ts";
import { loadConfig, optionsHelp } from "./serve_options.ts";
import { StartedLog } from "./started_log.ts";

const logger = getLogger(["gatherer"]);

/** What `gatherer serve --help` says. */
export const serveHelp = `\
Usage: gatherer serve [options]

Runs a gatherer until it is told to stop (Ctrl-C, SIGTERM). Nodes attach with its FURL, are polled
once an interval, and the latest figures of all of them are kept in the snapshot, which Munin's
plugins and "gatherer dump" read.

Once it is ready it prints its FURL on a line of its own. The FURL is also in the base directory,
as stats_gatherer.furl; it carries a secret: whoever has it may attach.

What an option says wins over the configuration file. SIGHUP makes it read its files again.

${optionsHelp()}
Examples:
  gatherer serve --basedir /var/lib/gatherer --hostname stats.example.org --port tcp:3456
  gatherer serve --config /etc/gatherer/gatherer.toml
  gatherer serve --munin [::]:4949 --munin-allow "127.0.0.1 192.0.2.0/24"
  gatherer serve --conf /etc/ganglia/gmetad.conf
`;

/**
 * Runs `gatherer serve` until a signal ends it.
 * @returns The exit code.
 * @throws UserError for wrong usage (exit code 2), and when it cannot be started.
 */
export async function serve(args: readonly string[]): Promise<number> {
  const { gatherer, log, file, complaints } = loadConfig("serve", args);
  let opened: StartedLog | undefined;
  return await run({
    basedir: gatherer.basedir,
    private: gatherer.private,
    args,
    async openLog() {
      opened = await StartedLog.open(log, gatherer.basedir, systemClock);
      for (const line of complaints) logger.warn(line);
      return opened;
    },
    start: () =>
      startGatherer({
        ...gatherer,
        clock: systemClock,
        file,
        async load() {
          const { gatherer, log, file, complaints } = loadConfig("serve", args);
          // What a start can do without is no reason to give up what works.
          if (complaints.length > 0) throw new UserError(complaints[0]);
          return { options: gatherer, file, ...await opened?.reloaded(log) };
        },
      }),
  });
}
