import { getLogger } from "@logtape/logtape";
import { formatAddress } from "../address.ts";
import type { Clock } from "../clock.ts";
import { globsMatcher } from "../glob.ts";
import { type Access, parseAccess } from "../net/access.ts";
import {
  GridContent,
  type GridContentOptions,
} from "../munin_node/grid_content.ts";
import {
  type MuninNode,
  type MuninNodeCounts,
  startMuninNode,
} from "../munin_node/node.ts";
import type { Cluster } from "../tree/tree.ts";
import type { Plugin } from "./plugin.ts";

const logger = getLogger(["gatherer", "munin-node"]);

/** How a {@linkcode MuninPlugin} is set up. */
export interface MuninPluginOptions
  extends Omit<GridContentOptions, "selects"> {
  /** The address to listen on. */
  readonly host: string;
  /** The port; 0: any that is free. */
  readonly port: number;
  /** Who may ask, as `parseAccess` reads it. */
  readonly allow: string;
  /** The names of the graphs that are shown, as `globsMatcher` reads them; empty: all. */
  readonly select: string;
  readonly clock: Clock;
  /** This program's version. */
  readonly version: string;
}

/** Answers Munin masters on a port of its own, in place of a munin-node. */
export class MuninPlugin implements Plugin {
  readonly id: string;
  readonly #options: MuninPluginOptions;
  readonly #access: Access;
  readonly #content: GridContent;
  #node: MuninNode | undefined;

  /** @throws UserError for rules or globs that cannot be. */
  constructor(options: MuninPluginOptions) {
    const { nodesAsHosts, allow, select } = options;
    this.id = nodesAsHosts ? "munin-nodes" : "munin";
    this.#options = options;
    this.#access = parseAccess(allow, "who may ask");
    this.#content = new GridContent({
      ...options,
      selects: globsMatcher(select),
    });
  }

  /** Where it listens; `undefined` before it is started. */
  get address(): { readonly host: string; readonly port: number } | undefined {
    return this.#node?.address;
  }

  get addresses(): { readonly munin?: string } {
    const { address } = this;
    return address ? { munin: formatAddress(address) } : {};
  }

  /** What it has done; `undefined` before it is started. */
  get counts(): MuninNodeCounts | undefined {
    return this.#node?.counts;
  }

  /** @throws UserError when it cannot listen. */
  async start(): Promise<void> {
    this.#node = await startMuninNode({
      ...this.#options,
      access: this.#access,
      content: this.#content,
    });
    const { host, port } = this.#node.address;
    logger.info("Munin is answered on {host}, port {port}{what}", {
      host,
      port,
      what: this.#options.nodesAsHosts ? ", each node as a host" : "",
    });
  }

  notify(cluster: Cluster): Promise<void> {
    return this.#content.update(cluster);
  }

  async stop(): Promise<void> {
    await this.#node?.stop();
  }
}
