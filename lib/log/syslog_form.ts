import { priorityOf } from "./level.ts";
import type { LogLine } from "./line.ts";

/** syslog's facility `daemon`, times 8. */
const DAEMON = 3 << 3;

/** What we are called in syslog. */
const NAME = "gatherer";

/** Bytes that a local daemon takes whole: rsyslog's default limit is 8 KiB. */
const MOST_LOCAL = 8192;
/** Bytes that every receiver ought to take (RFC 5424, 6.1). */
const MOST_REMOTE = 2048;

const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

const encoder = new TextEncoder();

/**
 * A line for the local daemon's socket, as the C library's syslog(3) writes it: the older format
 * (RFC 3164) in local time and without a host. It is what rsyslog, syslog-ng and journald expect on
 * `/dev/log`; none of them has to understand RFC 5424 there.
 */
export function localSyslog(line: LogLine, pid: number): Uint8Array {
  const time = new Date(line.time);
  const two = (number: number) => String(number).padStart(2, "0");
  const when = `${MONTHS[time.getMonth()]} ${
    String(time.getDate()).padStart(2)
  } ${two(time.getHours())}:${two(time.getMinutes())}:${
    two(time.getSeconds())
  }`;
  return cut(
    `<${priority(line)}>${when} ${NAME}[${pid}]: ${line.text}`,
    MOST_LOCAL,
  );
}

/**
 * A line for a syslog server: RFC 5424, without structured data and without the byte order mark
 * that many receivers would show.
 */
export function remoteSyslog(
  line: LogLine,
  host: string,
  pid: number,
): Uint8Array {
  const time = new Date(line.time).toISOString();
  // The RFC allows visible ASCII characters only.
  const name = host.replace(/[^!-~]/g, "").slice(0, 255) || "-";
  return cut(
    `<${priority(line)}>1 ${time} ${name} ${NAME} ${pid} - - ${line.text}`,
    MOST_REMOTE,
  );
}

function priority({ level }: LogLine): number {
  return DAEMON | priorityOf(level);
}

/** UTF-8, cut before a character that would go beyond the limit. */
function cut(text: string, most: number): Uint8Array {
  const bytes = new Uint8Array(most);
  return bytes.subarray(0, encoder.encodeInto(text, bytes).written);
}
