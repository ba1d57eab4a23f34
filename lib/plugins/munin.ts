import { getLogger } from "@logtape/logtape";
import type { Clock } from "../clock.ts";
import type { Access } from "../munin_node/access.ts";
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
export interface MuninPluginOptions extends GridContentOptions {
  /** The address to listen on. */
  readonly host: string;
  /** The port; 0: any that is free. */
  readonly port: number;
  readonly access: Access;
  readonly clock: Clock;
  /** This program's version. */
  readonly version: string;
}

/** Answers Munin masters on a port of its own, in place of a munin-node. */
export class MuninPlugin implements Plugin {
  readonly id: string;
  readonly #options: MuninPluginOptions;
  readonly #content: GridContent;
  #node: MuninNode | undefined;

  constructor(options: MuninPluginOptions) {
    this.id = options.nodesAsHosts ? "munin-nodes" : "munin";
    this.#options = options;
    this.#content = new GridContent(options);
  }

  /** Where it listens; `undefined` before it is started. */
  get address(): { readonly host: string; readonly port: number } | undefined {
    return this.#node?.address;
  }

  /** What it has done; `undefined` before it is started. */
  get counts(): MuninNodeCounts | undefined {
    return this.#node?.counts;
  }

  /** @throws UserError when it cannot listen. */
  async start(): Promise<void> {
    this.#node = await startMuninNode({
      ...this.#options,
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
