import { resolve } from "@std/path";
import { systemClock } from "../clock.ts";
import { UserError } from "../errors.ts";
import type { GathererStatus, NodeReport } from "../status.ts";
import { askGatherer } from "../life/control_client.ts";
import { findRunning, type Running } from "../life/lock.ts";
import { readOptions } from "./options.ts";
import { listOf } from "./reload.ts";
import { basedirOf } from "./serve_options.ts";
import { statusText } from "./status_text.ts";
import { wantsColor, writeStderr, writeStdout } from "./terminal.ts";

/** What `gatherer status --help` says. */
export const statusHelp = `\
Usage: gatherer status [--basedir DIR | --config FILE] [--all | --json]

Shows how the gatherer on a base directory is: its state and since when, its last round, its sources
and plugins with their last success, last error and the time they have used, and the nodes that are
not well.

Options:
  --basedir DIR  its base directory                            (default: ./gatherer)
  --config FILE  its configuration, if the base directory is named there
  --all          every node, not only those that are not well
  --json         all of it as JSON; times in milliseconds since 1970
  --help         this text

Exit code: 0 it is ready and all is well; 1 it runs, but is not ready, or something is not well;
3 none is running; 4 one is running and does not answer; 2 wrong usage, or it cannot be told (no
such base directory, no permission).

Examples:
  gatherer status --basedir /var/lib/gatherer
  gatherer status --json | jq '.nodes[] | select(.state == "silent") | .nickname'
`;

/** What `gatherer status` ends with. 3 and 4 are as the Linux Standard Base has them. */
const EXIT = {
  well: 0,
  notWell: 1,
  unknown: 2,
  notRunning: 3,
  noAnswer: 4,
} as const;

const STATUS_MS = 10_000;

/**
 * Runs `gatherer status`.
 * @returns The exit code.
 */
export async function status(args: readonly string[]): Promise<number> {
  const { values, flags } = readOptions("status", args, {
    value: ["basedir", "config"],
    flag: ["all", "json"],
  });
  if (flags.all && flags.json) {
    throw new UserError("--json has every node: leave --all out", 2);
  }
  const basedir = resolve(basedirOf(values));
  using running = await findRunningOrSay(basedir);
  if (running === null) return EXIT.unknown;
  if (!running) {
    writeStderr(`gatherer: none is running on ${basedir}`);
    return EXIT.notRunning;
  }
  let found: GathererStatus;
  try {
    found = await askStatus(basedir);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    writeStderr(
      `gatherer: process ${running.pid ?? "of unknown number"} has ` +
        `${basedir}, and is starting, stopping or stuck: ${error.message}`,
    );
    return EXIT.noAnswer;
  }
  await writeStdout(
    flags.json ? `${JSON.stringify(found, null, 2)}\n` : statusText(found, {
      now: systemClock.now(),
      all: flags.all,
      color: wantsColor(),
    }),
  );
  return found.state === "ready" && found.degraded.length === 0
    ? EXIT.well
    : EXIT.notWell;
}

/** `null`: it cannot be told, which has been said. */
async function findRunningOrSay(
  basedir: string,
): Promise<Running | undefined | null> {
  try {
    return await findRunning(basedir);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    writeStderr(`gatherer: ${error.message}`);
    return null;
  }
}

/**
 * Asks a gatherer how it is.
 * @throws UserError when it does not say.
 */
async function askStatus(basedir: string): Promise<GathererStatus> {
  const lines = await askGatherer(
    basedir,
    { command: "status" },
    systemClock,
    STATUS_MS,
  );
  const status = lines[0]?.status;
  if (typeof status !== "object" || status === null) {
    throw new UserError(
      `the gatherer on ${basedir} gives no status: is it of another version?`,
    );
  }
  return {
    ...status as GathererStatus,
    // As it is to be found from here.
    basedir,
    nodes: listOf(lines, "nodes") as NodeReport[],
  };
}
