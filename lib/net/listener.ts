import type { Logger } from "@logtape/logtape";
import { type Clock, sleep } from "../clock.ts";
import { messageOf, UserError } from "../errors.ts";
import { AcceptLog } from "./accept_log.ts";
import { type Access, plainAddress } from "./access.ts";

/** Connections that the system holds until they are taken; it may hold fewer. */
const BACKLOG = 4096;
/** Pause after a failure to take a connection, such as too many open files. */
const RETRY_MS = 1000;
/** Every address, of IPv6 and IPv4; and of IPv4 alone, for a machine without IPv6. */
const EVERYWHERE = ["::", "0.0.0.0"];

/** What is done with one connection. */
export interface Service {
  /** Does it, and closes the connection. Never rejects. */
  run(): Promise<void>;
  /** Ends it at once. */
  stop(): void;
}

/** How a {@linkcode Listener} is set up. */
export interface ListenerOptions {
  /** What the port is, for messages: `Ganglia's XML port`. */
  readonly what: string;
  /** Who may have it already, for messages: `a gmetad`. */
  readonly rival: string;
  /** The address to listen on; left out: every one. */
  readonly host: string | undefined;
  /** 0 lets the system choose. */
  readonly port: number;
  readonly access: Access;
  readonly clock: Clock;
  readonly limits: {
    readonly connections: number;
    readonly connectionsPerAddress: number;
  };
  readonly logger: Logger;
  /** Takes what is to be logged of a client. */
  readonly warn: (address: string, what: string) => void;
  readonly serve: (connection: Deno.TcpConn, address: string) => Service;
}

/** A TCP port: takes connections of those who may, not too many at once. */
export class Listener {
  /** Where it listens. */
  readonly address: { readonly host: string; readonly port: number };
  readonly counts: { connections: number; refused: number } = {
    connections: 0,
    refused: 0,
  };
  readonly #options: ListenerOptions;
  readonly #listener: Deno.TcpListener;
  readonly #services = new Map<Service, Promise<void>>();
  readonly #perAddress = new Map<string, number>();
  readonly #stopping = new AbortController();
  readonly #accepting: Promise<void>;
  readonly #log: AcceptLog;
  #stopped: Promise<void> | undefined;

  /** @throws UserError when it cannot listen. */
  constructor(options: ListenerOptions) {
    this.#options = options;
    const { logger, clock, what } = options;
    this.#log = new AcceptLog(logger, clock, `connections to ${what}`);
    this.#listener = listen(options);
    const { hostname, port } = this.#listener.addr;
    this.address = { host: hostname, port };
    this.#accepting = this.#accept();
  }

  /** Ends it and every connection; resolves when all is closed. May be called again. */
  stop(): Promise<void> {
    return this.#stopped ??= this.#stop();
  }

  async #stop(): Promise<void> {
    this.#stopping.abort();
    this.#listener.close();
    for (const service of this.#services.keys()) service.stop();
    await Promise.all([this.#accepting, ...this.#services.values()]);
    this.#log.close();
  }

  async #accept(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        this.#take(await this.#listener.accept());
      } catch (error) {
        if (signal.aborted) return;
        this.#log.failed(systemFault(error));
        await sleep(this.#options.clock, RETRY_MS, signal).catch(() => {});
      }
    }
  }

  #take(connection: Deno.TcpConn): void {
    if (this.#stopping.signal.aborted) return connection.close();
    this.#log.took();
    const address = plainAddress(connection.remoteAddr.hostname);
    const refusal = this.#refusal(address);
    if (refusal !== undefined) {
      connection.close();
      this.counts.refused++;
      return this.#options.warn(address, `refused: ${refusal}`);
    }
    this.counts.connections++;
    // The last part of an answer is not to wait until the one before is acknowledged.
    connection.setNoDelay();
    const service = this.#options.serve(connection, address);
    this.#perAddress.set(address, this.#countOf(address) + 1);
    this.#services.set(
      service,
      service.run().finally(() => {
        this.#services.delete(service);
        const left = this.#countOf(address) - 1;
        if (left > 0) this.#perAddress.set(address, left);
        else this.#perAddress.delete(address);
      }),
    );
  }

  /** Why a caller cannot be let in; `undefined` if it can. */
  #refusal(address: string): string | undefined {
    const { access, limits } = this.#options;
    const { allowed, rule } = access.check(address);
    if (!allowed) return rule;
    if (this.#services.size >= limits.connections) {
      return `${limits.connections} connections are open already`;
    }
    if (this.#countOf(address) >= limits.connectionsPerAddress) {
      return `${limits.connectionsPerAddress} connections from there are open already`;
    }
  }

  #countOf(address: string): number {
    return this.#perAddress.get(address) ?? 0;
  }
}

function listen(
  { what, rival, host, port }: ListenerOptions,
): Deno.TcpListener {
  const hosts = host === undefined ? EVERYWHERE : [host];
  let failure: unknown;
  for (const hostname of hosts) {
    try {
      return Deno.listen({ hostname, port, tcpBacklog: BACKLOG });
    } catch (error) {
      failure = error;
      if (error instanceof Deno.errors.AddrInUse) break;
    }
  }
  const where = host === undefined ? `port ${port}` : `${host}, port ${port}`;
  throw new UserError(
    `cannot listen for ${what} on ${where}: ${fault(failure, port, rival)}`,
    1,
    { cause: failure },
  );
}

function fault(error: unknown, port: number, rival: string): string {
  if (error instanceof Deno.errors.AddrInUse) {
    return `port ${port} is in use, perhaps by ${rival}; stop that, or choose another port`;
  }
  if (error instanceof Deno.errors.AddrNotAvailable) {
    return "this machine does not have that address; choose one of its own";
  }
  if (error instanceof Deno.errors.PermissionDenied) {
    return "permission denied; choose a port from 1024 on";
  }
  return systemFault(error);
}

/** What the system says, without the number that Deno adds. */
function systemFault(error: unknown): string {
  return messageOf(error).replace(/ \(os error \d+\).*$/s, "");
}
