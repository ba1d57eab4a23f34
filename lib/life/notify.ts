/**
 * Tells systemd how we are, as sd_notify(3) describes: datagrams of `NAME=VALUE` lines to the
 * socket that `NOTIFY_SOCKET` names.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import { messageOf } from "../errors.ts";
import { oneLine } from "../text.ts";

const logger = getLogger(["gatherer"]);

/** The variables that systemd sets. Children must not have them: they are not the service. */
const VARIABLES = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"] as const;

/** The service manager that runs us. */
export class ServiceManager {
  readonly #address: string;
  #socket: Deno.DatagramConn | undefined;
  #sending: Promise<void> = Promise.resolve();
  #hasFailed = false;

  private constructor(
    address: string,
    /**
     * Milliseconds after which it takes us for hung if it has heard no {@linkcode alive};
     * `undefined`: it never does.
     */
    readonly watchdogMs: number | undefined,
  ) {
    this.#address = address;
  }

  /**
   * The one that the environment names, which is then cleared of it.
   *
   * @returns `undefined` when there is none.
   */
  static fromEnvironment(
    env: Pick<Deno.Env, "get" | "delete"> = Deno.env,
  ): ServiceManager | undefined {
    const [address, usec, pid] = VARIABLES.map((name) => env.get(name));
    for (const name of VARIABLES) env.delete(name);
    if (!address) return undefined;
    // "@" stands for an abstract socket's nought; vsock is for whole virtual machines.
    if (!/^[/@]./.test(address)) {
      logger.warn("NOTIFY_SOCKET: cannot tell {address}", {
        address: oneLine(address),
      });
      return undefined;
    }
    const isOurs = pid === undefined || pid === String(Deno.pid);
    const watchdog = isOurs && /^\d{1,15}$/.test(usec ?? "") ? Number(usec) : 0;
    return new ServiceManager(
      address.replace(/^@/, "\0"),
      watchdog > 0 ? watchdog / 1000 : undefined,
    );
  }

  /**
   * Everything works, after a start or a reload.
   * @param status A line for `systemctl status`.
   */
  ready(status: string): Promise<void> {
    return this.#send("READY=1", `MAINPID=${Deno.pid}`, `STATUS=${status}`);
  }

  /** The configuration is being read again; {@linkcode ready} ends it. */
  async reloading(): Promise<void> {
    const usec = await monotonicUsec();
    await this.#send(
      "RELOADING=1",
      ...(usec === undefined ? [] : [`MONOTONIC_USEC=${usec}`]),
      "STATUS=reading the configuration again",
    );
  }

  /** The end has begun. */
  stopping(reason: string): Promise<void> {
    return this.#send("STOPPING=1", `STATUS=stopping: ${reason}`);
  }

  /** Shows a line in `systemctl status`. */
  status(text: string): Promise<void> {
    return this.#send(`STATUS=${text}`);
  }

  /** Feeds the watchdog. */
  alive(): Promise<void> {
    return this.#send("WATCHDOG=1");
  }

  /** Waits for what is being sent, and sends no more. */
  async close(): Promise<void> {
    await this.#sending;
    this.#socket?.close();
    this.#socket = undefined;
  }

  /** Sends in the order of the calls; never throws. */
  #send(...lines: string[]): Promise<void> {
    const message = lines.map((line) => oneLine(line)).join("\n");
    return this.#sending = this.#sending.then(async () => {
      try {
        // The name is abstract, so that nothing is left behind.
        this.#socket ??= Deno.listenDatagram({
          transport: "unixpacket",
          path: `\0gatherer-${Deno.pid}-${crypto.randomUUID()}`,
        });
        await this.#socket.send(new TextEncoder().encode(message), {
          transport: "unixpacket",
          path: this.#address,
        });
      } catch (error) {
        if (this.#hasFailed) return;
        this.#hasFailed = true;
        logger.warn("cannot tell systemd: {reason}", {
          reason: oneLine(messageOf(error)),
        });
      }
    });
  }
}

/**
 * The clock that systemd compares with (CLOCK_MONOTONIC), in microseconds. The one that can be had
 * counts a machine's sleep as well, and is therefore never behind, which is what systemd asks for.
 */
async function monotonicUsec(): Promise<number | undefined> {
  try {
    // The runtime reads no file of /proc itself.
    const { stdout } = await new Deno.Command("cat", {
      args: ["/proc/uptime"],
      stdin: "null",
      stderr: "null",
    }).output();
    const seconds = parseFloat(new TextDecoder().decode(stdout));
    // It has hundredths, rounded down.
    return Number.isFinite(seconds)
      ? Math.round((seconds + 0.01) * 1e6)
      : undefined;
  } catch {
    return undefined;
  }
}
