import { isAbsolute } from "node:path";
import type { Clock, Timer } from "../clock.ts";
import { usageCode, UserError } from "../errors.ts";
import { reasonOf } from "../secret_file.ts";
import {
  type DatagramSender,
  type DatagramTarget,
  openDatagrams,
} from "./datagram.ts";
import type { LogLine } from "./line.ts";
import { type Complain, Losses, type Outlet } from "./outlet.ts";
import { localSyslog, remoteSyslog } from "./syslog_form.ts";

/** Where the local daemon listens. */
const LOCAL_SOCKET = "/dev/log";
/**
 * What that leads to where systemd runs; tried first, for the runtime lets a program use what is in
 * `/dev` only with all permissions.
 */
const JOURNAL_SOCKET = "/run/systemd/journal/dev-log";
/** syslog's port. */
const DEFAULT_PORT = 514;
/** Lines that wait while the daemon cannot take them; then the oldest are dropped. */
const MOST_WAITING = 1000;
/** How long after a failure it is tried again, in milliseconds. */
const RETRY_MS = 5000;
/** How long closing waits for lines to be sent, in milliseconds. */
const CLOSE_MS = 1000;
/** The least time between two complaints. */
const PATIENCE_MS = 60_000;

/**
 * Reads where syslog is: `local` (or `/dev/log`), the absolute path of another socket, or
 * `udp:HOST[:PORT]` with an IPv6 address in brackets.
 *
 * @param where What the person wrote it in.
 * @throws UserError for anything else.
 */
export function parseSyslog(text: string, where: string): DatagramTarget {
  if (text === "local") return { path: LOCAL_SOCKET };
  if (isAbsolute(text)) return { path: text };
  const match = /^udp:(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]+))(?::(\d{1,5}))?$/
    .exec(text);
  const port = Number(match?.[3] ?? DEFAULT_PORT);
  if (!match || port < 1 || port > 65535) {
    throw new UserError(
      `${where}: "${text}" is not a place for syslog; expected local, ` +
        "the path of its socket, or udp:HOST:PORT",
      usageCode(where),
    );
  }
  return { host: match[1] ?? match[2], port };
}

/**
 * Opens the way to syslog.
 * @throws UserError when there is no such socket, the host is not known, or the runtime cannot
 *   send datagrams.
 */
export async function openSyslog(
  target: DatagramTarget,
  clock: Clock,
  complain: Complain,
): Promise<Outlet> {
  if ("path" in target && target.path === LOCAL_SOCKET) {
    if (isSocket(JOURNAL_SOCKET)) target = { path: JOURNAL_SOCKET };
  }
  const where = "path" in target
    ? target.path
    : `udp:${target.host}:${target.port}`;
  if ("path" in target) requireSocket(target.path);
  let sender: DatagramSender;
  try {
    sender = await openDatagrams(target);
  } catch (error) {
    const reason = error instanceof UserError ? error.message : reasonOf(error);
    throw new UserError(`cannot log to syslog at ${where}: ${reason}`);
  }
  const format = "path" in target
    ? (line: LogLine) => localSyslog(line, Deno.pid)
    : (line: LogLine) => remoteSyslog(line, Deno.hostname(), Deno.pid);
  return new Syslog(where, sender, format, clock, complain);
}

function isSocket(path: string): boolean {
  try {
    return Deno.statSync(path).isSocket ?? false;
  } catch {
    return false;
  }
}

function requireSocket(path: string): void {
  let reason = "it is not a socket";
  try {
    if (Deno.statSync(path).isSocket) return;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      reason =
        "there is no such socket on this machine; is a syslog daemon running?";
    } else if (error instanceof Deno.errors.NotCapable) {
      reason = "the runtime does not let a program use sockets in /dev; " +
        "have the daemon listen elsewhere, too, or use udp:127.0.0.1:514";
    } else reason = reasonOf(error);
  }
  throw new UserError(`cannot log to syslog at ${path}: ${reason}`);
}

/**
 * Lines to syslog, in order. While they cannot be sent, as when the daemon is restarted, they wait;
 * of too many the oldest are dropped, and counted. What is lost on its way over UDP nobody knows.
 */
export class Syslog implements Outlet {
  readonly #where: string;
  readonly #sender: DatagramSender;
  readonly #format: (line: LogLine) => Uint8Array;
  readonly #clock: Clock;
  readonly #complain: Complain;
  readonly #waiting: LogLine[] = [];
  readonly #losses = new Losses();
  #sending: Promise<void> | undefined;
  #retry: Timer | undefined;
  /** Why sending failed the last time. */
  #failure: string | undefined;
  #complainAgain = -Infinity;
  #isClosed = false;

  /** @param where For people. */
  constructor(
    where: string,
    sender: DatagramSender,
    format: (line: LogLine) => Uint8Array,
    clock: Clock,
    complain: Complain,
  ) {
    this.#where = where;
    this.#sender = sender;
    this.#format = format;
    this.#clock = clock;
    this.#complain = complain;
  }

  get trouble(): string | undefined {
    const reason = this.#failure ?? this.#losses.reason;
    return reason &&
      `lines cannot be sent to syslog at ${this.#where}: ${reason}`;
  }

  write(line: LogLine): void {
    this.#waiting.push(line);
    this.#dropOldest();
    if (this.#retry === undefined) this.#send();
  }

  reopen(): void {}

  async close(): Promise<void> {
    this.#cancelRetry();
    this.#send();
    const { promise: overdue, resolve } = Promise.withResolvers<void>();
    const timer = this.#clock.setTimer(resolve, CLOSE_MS);
    await Promise.race([this.#sending, overdue]);
    timer.cancel();
    this.#isClosed = true;
    this.#cancelRetry();
    const reason = this.#failure ?? "syslog does not take them";
    // What is being sent still counts as waiting.
    if (this.#waiting.length > 0) {
      this.#losses.add(reason, this.#waiting.length);
    }
    if (this.#losses.count > 0) {
      this.#complain(`syslog at ${this.#where}: ${this.#losses.text}`);
    }
    this.#waiting.length = 0;
    this.#sender.close();
  }

  #dropOldest(): void {
    if (this.#waiting.length <= MOST_WAITING) return;
    // The first may be on its way.
    this.#waiting.splice(this.#sending ? 1 : 0, 1);
    this.#losses.add(this.#failure ?? "there were too many at once");
  }

  #cancelRetry(): void {
    this.#retry?.cancel();
    this.#retry = undefined;
  }

  #send(): void {
    if (this.#waiting.length > 0) this.#sending ??= this.#sendAll();
  }

  async #sendAll(): Promise<void> {
    try {
      while (this.#waiting.length > 0) {
        await this.#sendLost();
        await this.#sender.send(this.#format(this.#waiting[0]));
        this.#waiting.shift();
        this.#failure = undefined;
      }
    } catch (error) {
      this.#failed(reasonOf(error));
    } finally {
      // At once: who writes next must not take this for still going on.
      this.#sending = undefined;
    }
  }

  async #sendLost(): Promise<void> {
    const { count } = this.#losses;
    if (count === 0) return;
    await this.#sender.send(this.#format(this.#losses.line(this.#clock.now())));
    // Others may have been lost meanwhile.
    const { count: now, reason = "" } = this.#losses;
    this.#losses.clear();
    if (now > count) this.#losses.add(reason, now - count);
  }

  #failed(reason: string): void {
    if (this.#isClosed) return;
    const isFirst = this.#failure === undefined;
    this.#failure = reason;
    this.#retry = this.#clock.setTimer(
      () => {
        this.#retry = undefined;
        this.#send();
      },
      RETRY_MS,
      { keepAlive: false },
    );
    const now = this.#clock.monotonic();
    if (!isFirst || now < this.#complainAgain) return;
    this.#complainAgain = now + PATIENCE_MS;
    this.#complain(
      `${this.trouble}; up to ${MOST_WAITING} wait, and it is tried again every ${
        RETRY_MS / 1000
      } s`,
    );
  }
}
