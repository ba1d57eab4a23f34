import { resolve } from "@std/path";
import { oneLine } from "../text.ts";
import { readOptions } from "./options.ts";
import { askRunning, listOf } from "./reload.ts";
import { basedirOf } from "./serve_options.ts";
import { writeStdout } from "./terminal.ts";
import { UserError } from "../errors.ts";

/** What `gatherer retire --help` says. */
export const retireHelp = `\
Usage: gatherer retire NODE [--undo] [--basedir DIR | --config FILE]

Takes a node out that will not come back: it is no longer shown as missing, and Munin, gmetad's
ports and alerts leave it out. The gatherer must be running. A node that is heard of again, though
it is retired, stays retired until --undo brings it back.

  NODE  its nickname, its key as "gatherer status" shows it, or a pattern of these: "web-*"

Options:
  --undo         bring it back
  --basedir DIR  the gatherer's base directory                 (default: ./gatherer)
  --config FILE  its configuration, if the base directory is named there
  --help         this text

Prints a line for each node that it has taken out or brought back. Exit code: 0 done; 1 there is no
such node, or no gatherer runs; 2 wrong usage.

Examples:
  gatherer retire old-server --basedir /var/lib/gatherer
  gatherer retire "test-*" --undo
`;

const RETIRE_MS = 30_000;

/**
 * Runs `gatherer retire`.
 * @returns The exit code.
 * @throws UserError when no node is meant.
 */
export async function retire(args: readonly string[]): Promise<number> {
  const { values, flags, positional: [pattern] } = readOptions("retire", args, {
    value: ["basedir", "config"],
    flag: ["undo"],
    positional: 1,
  });
  if (pattern === undefined || pattern === "") {
    throw new UserError("which node? see gatherer retire --help", 2);
  }
  const { undo } = flags;
  const lines = await askRunning(
    resolve(basedirOf(values)),
    { command: "retire", pattern, undo },
    RETIRE_MS,
  );
  const text = listOf(lines, "retired").map((node) => {
    const { key, nickname } = node as { key: string; nickname: string };
    return `${undo ? "brought back" : "retired"} ${oneLine(nickname)} (${
      oneLine(key)
    })\n`;
  });
  await writeStdout(text.join(""));
  return 0;
}
