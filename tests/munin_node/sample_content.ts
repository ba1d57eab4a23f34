import type {
  Capabilities,
  MuninContent,
} from "../../lib/munin_node/content.ts";

/** Makes the pieces of an answer. */
export type Answer = (
  capabilities: Capabilities,
) => Iterable<string> | AsyncIterable<string>;

/** A service of a {@linkcode SampleContent}. */
export interface SampleService {
  readonly config: Answer;
  readonly fetch: Answer;
  /** Is listed only for who knows several graphs in one answer. */
  readonly multigraph?: boolean;
}

/** Hosts, and services by their names. */
export type SampleHosts = Readonly<
  Record<string, Readonly<Record<string, SampleService>>>
>;

/** Content for tests: the first host is the node's own. */
export class SampleContent implements MuninContent {
  readonly hostName: string;
  spoolfetch?: (epoch: number) => AsyncIterable<string>;
  readonly #hosts: SampleHosts;

  constructor(
    hosts: SampleHosts,
    spool?: (epoch: number) => Iterable<string>,
  ) {
    this.#hosts = hosts;
    this.hostName = Object.keys(hosts)[0];
    if (spool) this.spoolfetch = (epoch) => stream(spool(epoch));
  }

  hosts(): readonly string[] {
    return Object.keys(this.#hosts);
  }

  services(
    host: string,
    capabilities: Capabilities,
  ): readonly string[] | undefined {
    const services = this.#hosts[host];
    if (!services) return undefined;
    return Object.keys(services).filter((name) =>
      capabilities.multigraph || !services[name].multigraph
    );
  }

  config(host: string, service: string, capabilities: Capabilities) {
    const found = this.#hosts[host]?.[service];
    return found && stream(found.config(capabilities));
  }

  fetch(host: string, service: string, capabilities: Capabilities) {
    const found = this.#hosts[host]?.[service];
    return found && stream(found.fetch(capabilities));
  }
}

async function* stream(
  pieces: Iterable<string> | AsyncIterable<string>,
): AsyncGenerator<string> {
  yield* pieces;
}

/** A service whose answers are always the same. */
export function service(
  config: readonly string[],
  fetch: readonly string[],
): SampleService {
  return { config: () => config, fetch: () => fetch };
}

/** Two hosts with a service of the same name, and a multigraph. */
export const sampleHosts: SampleHosts = {
  "one.example": {
    load: {
      config: ({ dirtyconfig }) => [
        "graph_title Load\n",
        `load.label load\n${dirtyconfig ? "load.value 1\n" : ""}`,
      ],
      fetch: () => ["load.value 1\n"],
    },
    all: {
      ...service(["multigraph all.a\ngraph_title A\n"], []),
      multigraph: true,
    },
  },
  "Two.example": { load: service(["graph_title Load\n"], ["load.value 2\n"]) },
};
