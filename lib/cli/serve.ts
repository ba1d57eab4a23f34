import { getLogger } from "@logtape/logtape";
import { systemClock } from "../clock.ts";
import { UserError } from "../errors.ts";
import { parseLocation, parsePort } from "../gatherer/basedir.ts";
import { type GathererOptions, startGatherer } from "../gatherer/gatherer.ts";
import { DEFAULT_ACCESS } from "../munin_node/access.ts";
import { MUNIN_OPTIONS, readMuninOptions } from "./serve_munin.ts";
import { loadGmetadConf } from "../ganglia/conf/load.ts";
import { VERSION } from "./version.ts";
import { loggingOf, logToStderr } from "./logging.ts";
import { readOptions, readSeconds } from "./options.ts";
import { writeStderr, writeStdout } from "./terminal.ts";

const logger = getLogger(["gatherer"]);

/** How long stopping may take. */
const STOP_MS = 5000;

/** What `gatherer serve --help` says. */
export const serveHelp = `\
Usage: gatherer serve [options]

Runs a gatherer until it is told to stop (Ctrl-C, SIGTERM). Nodes attach with its FURL, are polled
once an interval, and the latest figures of all of them are kept in the snapshot, which Munin's
plugins and "gatherer dump" read.

Once it is ready it prints its FURL on a line of its own. The FURL is also in the base directory,
as stats_gatherer.furl; it carries a secret: whoever has it may attach.

Options:
  --basedir DIR       where key, FURL and snapshot are kept       (default: ./gatherer)
  --port tcp:PORT     where to listen                   (default: the port of the last start,
                      at first any that is free)
  --hostname HOST     the name or address of this machine, for the FURL
  --location HINTS    location hints for the FURL, wins over --hostname: tcp:HOST:PORT,…
                      (default: those of the last start, at first every address of this machine)
  --interval SECONDS  from one round of polls to the next         (default: 60)
  --timeout SECONDS   after which an unanswered poll is given up  (default: 20)
  --private           base directory 0700 and snapshot 0600: then Munin's plugins need a "user"
  --spool SIZE        how much of the past is kept, for at most 7 days: 512M, 2G; 0: nothing
                                                                  (default: 512M)
  --conf FILE         a gmetad.conf: what its data sources report is gathered, too, and answered on
                      gmetad's ports; "gatherer check FILE" explains it
  --help              this text

Options for Munin, which is answered without munin-node and plugins:
  --munin [ADDR:]PORT        where to listen; Munin's masters expect 4949. ADDR is an address of
                             this machine (default: 127.0.0.1), [::] all of them
  --munin-nodes [ADDR:]PORT  where each node is a Munin host of its own; list them with
                             echo nodes | nc ADDR PORT
  --munin-allow RULES        who may ask: addresses and networks, "!" in front keeps one out, the
                             first that matches decides (default: ${DEFAULT_ACCESS})
  --munin-name HOST          the Munin host of all nodes (default: this machine's name)
  --munin-select GLOBS       only graphs of these names, such as "tahoe_* mailer_*"
  --munin-drilldown WHEN     yes, no, auto: a page for each node, too        (default: auto)
  --graphs FILE              a file with graphs of your own

Examples:
  gatherer serve --basedir /var/lib/gatherer --hostname stats.example.org --port tcp:3456
  gatherer serve --munin [::]:4949 --munin-allow "127.0.0.1 192.0.2.0/24"
  gatherer serve --conf /etc/ganglia/gmetad.conf
  gatherer serve --interval 10
`;

/**
 * Reads the options of `serve`.
 * @param complain Told of what is wrong but does not keep the gatherer from its work.
 * @throws UserError (exit code 2) naming what is wrong.
 */
export function readServeOptions(
  args: readonly string[],
  complain: (line: string) => void,
): Omit<GathererOptions, "clock"> {
  const { values, flags } = readOptions("serve", args, {
    value: [
      "basedir",
      "port",
      "hostname",
      "location",
      "interval",
      "timeout",
      "spool",
      "conf",
      ...MUNIN_OPTIONS,
    ],
    flag: ["private"],
  });
  const { hostname } = values;
  if (
    hostname !== undefined &&
    !/^[A-Za-z0-9.-]+$|^[0-9A-Fa-f:.]+$/.test(hostname)
  ) {
    throw new UserError(
      `--hostname: "${hostname}" is neither a name nor an address`,
      2,
    );
  }
  return {
    basedir: values.basedir ?? "gatherer",
    port: values.port === undefined
      ? undefined
      : parsePort(values.port, "--port"),
    hostname,
    location: values.location === undefined
      ? undefined
      : parseLocation(values.location, "--location"),
    intervalMs: readSeconds("interval", values.interval ?? "60", 1),
    timeoutMs: readSeconds("timeout", values.timeout ?? "20", 1),
    private: flags.private,
    spoolBytes: values.spool === undefined
      ? undefined
      : readBytes(values.spool),
    munin: readMuninOptions(values, complain),
    ganglia: values.conf === undefined
      ? undefined
      : { conf: loadGmetadConf(values.conf), version: VERSION },
  };
}

/** A size such as 512M; units of 1024. */
function readBytes(text: string): number {
  const match = /^(\d{1,12})([KMGT]?)$/i.exec(text);
  if (!match) {
    throw new UserError(
      `--spool: "${text}" is not a size; expected bytes or such as 512M or 2G`,
      2,
    );
  }
  const power = " KMGT".indexOf(match[2].toUpperCase() || " ");
  return Number(match[1]) * 1024 ** power;
}

/**
 * Runs `gatherer serve` until a signal ends it.
 * @returns The exit code.
 */
export async function serve(args: readonly string[]): Promise<number> {
  const complaints: string[] = [];
  const options = readServeOptions(args, (line) => complaints.push(line));
  await logToStderr(options.ganglia && loggingOf(options.ganglia.conf));
  for (const line of complaints) logger.warn(line);
  return await runGatherer(options);
}

/**
 * Runs a gatherer until a signal ends it.
 * @returns The exit code.
 * @throws UserError when it cannot be started.
 */
export async function runGatherer(
  options: Omit<GathererOptions, "clock">,
): Promise<number> {
  const stopped = untilSignal();
  const gatherer = await startGatherer({ ...options, clock: systemClock });
  if (gatherer.furl !== undefined) await writeStdout(`${gatherer.furl}\n`);
  const signal = await stopped;
  const overdue = systemClock.setTimer(
    () => {
      writeStderr(
        `gatherer: not everything could be closed within ${
          STOP_MS / 1000
        } s of ${signal}`,
      );
      Deno.exit(1);
    },
    STOP_MS,
    { keepAlive: false },
  );
  await gatherer.stop();
  overdue.cancel();
  return 0;
}

/** Resolves at the first SIGINT or SIGTERM. A second one ends the process at once. */
export function untilSignal(): Promise<Deno.Signal> {
  return new Promise((resolve) => {
    const signals: Deno.Signal[] = Deno.build.os === "windows"
      ? ["SIGINT"]
      : ["SIGINT", "SIGTERM"];
    for (const signal of signals) {
      const handler = () => {
        Deno.removeSignalListener(signal, handler);
        resolve(signal);
      };
      Deno.addSignalListener(signal, handler);
    }
  });
}
