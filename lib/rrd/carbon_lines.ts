import { lowerCase } from "./names.ts";

/** How metrics are called in carbon: the settings are gmetad's. */
export interface CarbonNaming {
  /** Stands before every name, with a dot. */
  readonly graphitePrefix?: string;
  /** What stands for a metric: `%s` is the cluster, `%h` the host, `%m` the metric. */
  readonly graphitePath?: string;
  /** Whether hosts keep their capital letters (default true). */
  readonly caseSensitiveHostnames?: boolean;
}

const DEFAULT_PATH = "%s.%h.%m";

/** A blank would end a name, a line end the line. */
// deno-lint-ignore no-control-regex
const UNFIT = /[\s\x00-\x1f\x7f]/g;

/** Names metrics as the C gmetad does. */
export class CarbonNames {
  readonly #path: readonly string[];
  readonly #caseSensitive: boolean;

  constructor(naming: CarbonNaming) {
    const { graphitePrefix = "", graphitePath = DEFAULT_PATH } = naming;
    const path = (graphitePrefix === "" ? "" : `${graphitePrefix}.`) +
      graphitePath;
    this.#path = path.replace(UNFIT, "_").split(/(%[shm])/);
    this.#caseSensitive = naming.caseSensitiveHostnames ?? true;
  }

  /**
   * Names the metrics of a host: blanks become underscores everywhere, and in the host's name dots
   * too, since a dot parts the levels of a name.
   */
  ofHost(cluster: string, host: string): (metric: string) => string {
    const name = this.#caseSensitive ? host : lowerCase(host);
    const parts = this.#path.map((part) => {
      if (part === "%m") return undefined;
      if (part === "%s") return cluster.replace(UNFIT, "_");
      if (part === "%h") return name.replace(UNFIT, "_").replaceAll(".", "_");
      return part;
    });
    return (metric) => {
      const fit = metric.replace(UNFIT, "_");
      return parts.map((part) => part ?? fit).join("");
    };
  }
}
