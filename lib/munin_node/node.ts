/**
 * A Munin node: takes connections of Munin masters, each a {@linkcode Session}, without forks.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import type { Clock } from "../clock.ts";
import type { Access } from "../net/access.ts";
import { ClientLog } from "../net/client_log.ts";
import { Listener } from "../net/listener.ts";
import type { MuninContent } from "./content.ts";
import { defaultLimits, type Limits } from "./limits.ts";
import { Session, type SessionCounts } from "./session.ts";

const logger = getLogger(["gatherer", "munin-node"]);

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
  readonly #listener: Listener;
  readonly #log: ClientLog;
  readonly #counts = { commands: 0, bytes: 0, aborted: 0, dropped: 0 };

  constructor(options: MuninNodeOptions) {
    const { clock, content, version, host, port, access } = options;
    const limits = { ...defaultLimits, ...options.limits };
    const { logMs, loggedAtOnce } = limits;
    const who = "Munin client";
    const log = new ClientLog({ who, logger, clock, logMs, loggedAtOnce });
    const warn = (address: string, what: string) => log.warn(address, what);
    this.#log = log;
    this.#listener = new Listener({
      what: "Munin",
      rival: "a munin-node",
      host,
      port,
      access,
      clock,
      limits,
      logger,
      warn,
      serve: (stream, address) =>
        new Session({
          stream,
          content,
          version,
          clock,
          limits,
          counts: this.#counts,
          warn: (what) => warn(address, what),
        }),
    });
  }

  get address(): MuninNode["address"] {
    return this.#listener.address;
  }

  get counts(): MuninNodeCounts {
    return { ...this.#listener.counts, ...this.#counts };
  }

  async stop(): Promise<void> {
    await this.#listener.stop();
    this.#log.close();
  }
}
