/**
 * A Munin node: takes connections of Munin masters, each a {@linkcode Session}, without forks.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import { type Clock, sleep } from "../clock.ts";
import { messageOf, UserError } from "../errors.ts";
import { type Access, plainAddress } from "./access.ts";
import { ClientLog } from "./client_log.ts";
import type { MuninContent } from "./content.ts";
import { defaultLimits, type Limits } from "./limits.ts";
import { Session, type SessionCounts } from "./session.ts";

const logger = getLogger(["gatherer", "munin-node"]);

/** Connections that the system holds until they are taken; it may hold fewer. */
const BACKLOG = 4096;
/** Pause after a failure to take a connection, such as too many open files. */
const RETRY_MS = 1000;

/** How a {@linkcode MuninNode} is set up. */
export interface MuninNodeOptions {
  readonly content: MuninContent;
  /** The address to listen on, such as 127.0.0.1, ::1 or 0.0.0.0; with `::` also on IPv4. */
  readonly host: string;
  /** 0 lets the system choose. munin-node's is 4949. */
  readonly port: number;
  readonly access: Access;
  readonly clock: Clock;
  /** This program's version, for the command `version`. */
  readonly version: string;
  readonly limits?: Partial<Limits>;
}

/** What a {@linkcode MuninNode} has done. */
export interface MuninNodeCounts extends Readonly<SessionCounts> {
  /** Connections that were let in. */
  readonly connections: number;
  /** Connections that were not, by the rules or because too many were open. */
  readonly refused: number;
}

/** A Munin node that is listening. */
export interface MuninNode {
  /** Where it listens. */
  readonly address: { readonly host: string; readonly port: number };
  readonly counts: MuninNodeCounts;
  /** Ends it and every connection; resolves when all is closed. May be called again. */
  stop(): Promise<void>;
}

/**
 * Starts a Munin node.
 * @throws UserError when it cannot listen.
 */
export function startMuninNode(options: MuninNodeOptions): Promise<MuninNode> {
  return new Promise((resolve) => resolve(new Listening(options)));
}

class Listening implements MuninNode {
  readonly address: { host: string; port: number };
  readonly counts = {
    connections: 0,
    refused: 0,
    commands: 0,
    bytes: 0,
    aborted: 0,
    dropped: 0,
  };
  readonly #options: MuninNodeOptions;
  readonly #limits: Limits;
  readonly #listener: Deno.TcpListener;
  readonly #log: ClientLog;
  readonly #sessions = new Map<Session, Promise<void>>();
  /** How many sessions each address has. */
  readonly #perAddress = new Map<string, number>();
  readonly #stopping = new AbortController();
  readonly #accepting: Promise<void>;
  #stopped: Promise<void> | undefined;

  constructor(options: MuninNodeOptions) {
    this.#options = options;
    this.#limits = { ...defaultLimits, ...options.limits };
    this.#log = new ClientLog(options.clock, this.#limits);
    this.#listener = listen(options.host, options.port);
    const { hostname, port } = this.#listener.addr;
    this.address = { host: hostname, port };
    this.#accepting = this.#accept();
  }

  stop(): Promise<void> {
    return this.#stopped ??= this.#stop();
  }

  async #stop(): Promise<void> {
    this.#stopping.abort();
    this.#listener.close();
    for (const session of this.#sessions.keys()) session.stop();
    await Promise.all([this.#accepting, ...this.#sessions.values()]);
    this.#log.close();
  }

  async #accept(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        this.#take(await this.#listener.accept());
      } catch (error) {
        if (signal.aborted) return;
        logger.error("cannot take a connection of a Munin client: {error}", {
          error,
        });
        await sleep(this.#options.clock, RETRY_MS, signal).catch(() => {});
      }
    }
  }

  #take(connection: Deno.TcpConn): void {
    if (this.#stopping.signal.aborted) return connection.close();
    const address = plainAddress(connection.remoteAddr.hostname);
    const refusal = this.#refusal(address);
    if (refusal !== undefined) {
      connection.close();
      this.counts.refused++;
      return this.#log.warn(address, `refused: ${refusal}`);
    }
    this.counts.connections++;
    // The last part of an answer is not to wait until the one before is acknowledged.
    connection.setNoDelay();
    const { content, version, clock } = this.#options;
    const session = new Session({
      stream: connection,
      content,
      version,
      clock,
      limits: this.#limits,
      counts: this.counts,
      warn: (what) => this.#log.warn(address, what),
    });
    this.#perAddress.set(address, this.#countOf(address) + 1);
    this.#sessions.set(
      session,
      session.run().finally(() => {
        this.#sessions.delete(session);
        const left = this.#countOf(address) - 1;
        if (left > 0) this.#perAddress.set(address, left);
        else this.#perAddress.delete(address);
      }),
    );
  }

  /** Why a caller cannot be let in; `undefined` if it can. */
  #refusal(address: string): string | undefined {
    const { allowed, rule } = this.#options.access.check(address);
    if (!allowed) return rule;
    const { connections, connectionsPerAddress } = this.#limits;
    if (this.#sessions.size >= connections) {
      return `${connections} connections are open already`;
    }
    if (this.#countOf(address) >= connectionsPerAddress) {
      return `${connectionsPerAddress} connections from there are open already`;
    }
  }

  #countOf(address: string): number {
    return this.#perAddress.get(address) ?? 0;
  }
}

function listen(host: string, port: number): Deno.TcpListener {
  try {
    return Deno.listen({ hostname: host, port, tcpBacklog: BACKLOG });
  } catch (error) {
    throw new UserError(
      `cannot listen for Munin on ${host}, port ${port}: ${fault(error, port)}`,
      1,
      { cause: error },
    );
  }
}

function fault(error: unknown, port: number): string {
  if (error instanceof Deno.errors.AddrInUse) {
    return `port ${port} is in use, perhaps by a munin-node; stop that, or choose another port`;
  }
  if (error instanceof Deno.errors.AddrNotAvailable) {
    return "this machine does not have that address; choose one of its own";
  }
  if (error instanceof Deno.errors.PermissionDenied) {
    return "permission denied; choose a port from 1024 on";
  }
  // Without the number that Deno adds.
  return messageOf(error).replace(/ \(os error \d+\).*$/s, "");
}
