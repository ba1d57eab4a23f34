import { systemClock } from "../clock.ts";
import { UserError } from "../errors.ts";
import { configureLogging } from "../log/configure.ts";
import { DEFAULT_LOG_SETTINGS } from "../log/settings.ts";
import { parseStatisticsTarget } from "../tahoe_statistics/target.ts";
import { readTrust } from "../tahoe_statistics/trust.ts";
import { readOptions } from "./options.ts";
import { type ProvideOptions, startProviding } from "./provide_node.ts";
import { run } from "./run.ts";

/** What `gatherer provide --help` says. */
export const provideHelp = `\
Usage: gatherer provide --furl FURL|FILE [options]

Is a node of a gatherer until it is told to stop (Ctrl-C, SIGTERM): it dials out to the gatherer that
the FURL names, and reports when it is polled. It attaches again by itself, for ever.

Without --statistics the node is this machine: load, memory, swap, uptime, processor time, space on
disks and what goes over the network. With it, it stands in for a Tahoe-LAFS node that the gatherer
cannot reach, and reports what that node's statistics page says at that moment; while the page cannot
be had, polls fail with the reason.

Options:
  --furl FURL|FILE           the gatherer's FURL, or a file that holds it: a copy of stats_gatherer.furl.
                             It is a secret: others can see what stands on a command line
  --nickname NAME            what the node is called (default: the machine's name, or the NAME before
                             the URL)
  --statistics [NAME=]URL    the page, such as http://127.0.0.1:3456 or https://host/statistics?t=json
  --ca FILE                  certificates (PEM) that are trusted for https besides the usual ones
  --disk DIR                 a directory whose file system is shown, instead of all disks; may be given
                             several times
  --interface NAME           a network interface that is shown, instead of all that lead out of the
                             machine; may be given several times
  --basedir DIR              where the node's key is kept (default: ./gatherer-provide). Each node needs
                             a directory of its own
  --help                     this text

SIGHUP, or gatherer reload --basedir DIR, makes it read FILE again. gatherer status and gatherer stop
work with its base directory, too.

Examples:
  gatherer provide --furl /etc/gatherer/stats_gatherer.furl --basedir /var/lib/gatherer-provide
  gatherer provide --furl stats_gatherer.furl --statistics storage-1=http://127.0.0.1:3456
`;

/**
 * Runs `gatherer provide` until a signal ends it.
 * @returns The exit code.
 * @throws UserError for wrong usage (exit code 2), and when it cannot be started.
 */
export async function provide(args: readonly string[]): Promise<number> {
  const options = await readProvideOptions(args);
  const { basedir } = options;
  return await run({
    basedir,
    private: true,
    openLog: () => configureLogging(DEFAULT_LOG_SETTINGS, systemClock),
    start: () => startProviding(options),
  });
}

/**
 * Reads the options.
 * @param hostname The machine's name.
 * @throws UserError naming what is wrong.
 */
export async function readProvideOptions(
  args: readonly string[],
  hostname: () => string = () => Deno.hostname(),
): Promise<ProvideOptions> {
  const { values, lists } = readOptions("provide", args, {
    value: ["furl", "nickname", "statistics", "ca", "basedir"],
    repeat: ["disk", "interface"],
  });
  const { furl, statistics, ca } = values;
  const { disk, interface: interfaces } = lists;
  if (furl === undefined) {
    throw new UserError(
      "--furl is missing: the gatherer's FURL, or a file that holds it; see gatherer provide --help",
      2,
    );
  }
  const refuse = (option: string, reason: string) => {
    throw new UserError(`--${option} ${reason}`, 2);
  };
  if (statistics === undefined) {
    if (ca !== undefined) refuse("ca", "is for https, with --statistics");
  } else {
    const reason = "is for a machine: leave out --statistics";
    if (disk.length > 0) refuse("disk", reason);
    if (interfaces.length > 0) refuse("interface", reason);
  }
  const target = statistics === undefined
    ? undefined
    : parseStatisticsTarget(statistics, "--statistics");
  const given = /^[^=]*=https?:/i.test(statistics ?? "")
    ? target?.name
    : undefined;
  return {
    furl,
    nickname: values.nickname ?? given ?? hostname(),
    basedir: values.basedir ?? "gatherer-provide",
    clock: systemClock,
    ...(target
      ? {
        page: {
          url: target.url,
          ...(ca === undefined ? {} : { ca: await readTrust(ca) }),
        },
      }
      : {}),
    ...(disk.length > 0 ? { disks: disk } : {}),
    ...(interfaces.length > 0 ? { interfaces } : {}),
  };
}
