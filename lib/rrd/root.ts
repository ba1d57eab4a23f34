import { getLogger } from "@logtape/logtape";
import { resolve } from "@std/path";
import { UserError } from "../errors.ts";
import { reasonOf } from "../secret_file.ts";
import { directoryName, lowerCase, SUMMARY_DIRECTORY } from "./names.ts";

const logger = getLogger(["gatherer", "rrd"]);

/** The directory that all RRDs are in: `ROOT/CLUSTER/HOST/METRIC.rrd`, as gmetad's. */
export class RrdRoot {
  readonly path: string;
  readonly #caseSensitive: boolean;

  /**
   * @param caseSensitive Whether the names of hosts' directories keep their capital letters.
   * @throws UserError when there cannot be such a directory.
   */
  constructor(path: string, caseSensitive = true) {
    this.path = resolve(path).replace(/\/+$/, "");
    this.#caseSensitive = caseSensitive;
    // Both writers take one command a line.
    // deno-lint-ignore no-control-regex
    if (path === "" || /[\x00-\x1f\x7f]/.test(path)) {
      throw new UserError(
        `no directory for RRDs: ${
          JSON.stringify(path)
        }; name one without control characters`,
      );
    }
  }

  /** Makes the directory itself if it is missing, and says so if that is not possible. */
  async make(): Promise<void> {
    try {
      await Deno.mkdir(this.path, { mode: 0o755 });
      logger.info("made the directory {path} for RRDs", { path: this.path });
    } catch (error) {
      if (error instanceof Deno.errors.AlreadyExists) return;
      logger.warn(
        "cannot make the directory {path} for RRDs: {reason}; nothing is stored until it is there",
        { path: this.path, reason: reasonOf(error) },
      );
    }
  }

  /** The directory of a host. */
  ofHost(cluster: string, host: string): string {
    const name = this.#caseSensitive ? host : lowerCase(host);
    return `${this.path}/${directoryName(cluster)}/${directoryName(name)}`;
  }

  /** The directory of a cluster's or child grid's summary. */
  ofSummary(name: string): string {
    return `${this.path}/${directoryName(name)}/${SUMMARY_DIRECTORY}`;
  }

  /** The directory of the whole grid's summary. */
  get ofGrid(): string {
    return `${this.path}/${SUMMARY_DIRECTORY}`;
  }
}
