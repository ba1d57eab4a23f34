import { fstatSync } from "node:fs";
import { priorityOf } from "./level.ts";
import type { LogLine } from "./line.ts";

/**
 * Whether stderr leads to systemd's journal: `JOURNAL_STREAM` has the device and inode of the
 * stream that the service was given, and stderr is still that one. Source: systemd.exec(5).
 *
 * @param stream The variable's value.
 * @param descriptor Whose device and inode are compared; 2 is stderr.
 */
export function isJournal(
  stream = Deno.env.get("JOURNAL_STREAM"),
  descriptor = 2,
): boolean {
  try {
    const { dev, ino } = fstatSync(descriptor);
    return stream === `${dev}:${ino}`;
  } catch {
    // Closed, or a system that has no such thing.
    return false;
  }
}

/** A line of text for the journal: its priority instead of time and level. Source: sd-daemon(3). */
export function journalText(line: LogLine): string {
  return withPriority(line, line.text);
}

/** A line in any form, with the journal's priority before it. */
export function withPriority({ level }: LogLine, text: string): string {
  return `<${priorityOf(level)}>${text}`;
}
