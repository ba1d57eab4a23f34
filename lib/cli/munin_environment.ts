import { UserError } from "../errors.ts";
import { globsMatcher } from "../glob.ts";
import { isBuiltIn } from "../munin/catalog.ts";
import {
  type GraphsFile,
  loadGraphsFile,
  noGraphs,
} from "../munin/graphs_file.ts";
import type { FieldLimits } from "../munin/text.ts";
import { thresholds } from "../munin/thresholds.ts";

/** What Munin and its plugin-conf.d tell a plugin, by environment variables. */
export class MuninEnvironment {
  readonly #env: Readonly<Record<string, string>>;
  /** Told of what is wrong but does not keep the plugin from its work. */
  readonly complain: (line: string) => void;
  #operators: GraphsFile | undefined;
  #selects: ((name: string) => boolean) | undefined;

  constructor(
    env: Readonly<Record<string, string>>,
    complain: (line: string) => void,
  ) {
    this.#env = env;
    this.complain = complain;
  }

  /**
   * Where the snapshot is: the value of `statsfile` or, as the original takes any name that begins
   * so, of the smallest such name; munin-node passes them in no order.
   * @throws UserError when there is none.
   */
  get statsfile(): string {
    const name = Object.hasOwn(this.#env, "statsfile")
      ? "statsfile"
      : Object.keys(this.#env).filter((name) => name.startsWith("statsfile"))
        .sort()[0];
    const value = name === undefined ? "" : this.#env[name];
    if (value !== "") return value;
    throw new UserError(
      "where the snapshot is has not been set: put a line " +
        '"env.statsfile /path/to/stats.msgpack" under "[gatherer]", for links of single graphs ' +
        'under "[tahoe_*]" and "[gatherer_*]", in a file in /etc/munin/plugin-conf.d and restart ' +
        "munin-node",
    );
  }

  /** Whether the answer to `config` may hold values. */
  get dirtyconfig(): boolean {
    return this.#env.MUNIN_CAP_DIRTYCONFIG === "1";
  }

  /** Whether values carry their time. */
  get timestamps(): boolean {
    return this.#choice("timestamps", ["yes", "no"]) === "yes";
  }

  /** Whether the plugin of all graphs has a page for each node. */
  get drilldown(): "yes" | "no" | "auto" {
    return this.#choice("drilldown", ["auto", "yes", "no"]);
  }

  /** Whether a graph is among those that were selected. */
  get selects(): (name: string) => boolean {
    return this.#selects ??= globsMatcher(this.#env.select ?? "");
  }

  /**
   * The graphs of an operator's own.
   * @throws UserError when their file is broken.
   */
  operators(): GraphsFile {
    const path = this.#env.graphs;
    return this.#operators ??= path
      ? loadGraphsFile(path, isBuiltIn)
      : noGraphs;
  }

  /**
   * The graphs of an operator's own, or none when their file is broken: the others go on working,
   * and munin-node logs why.
   */
  operatorsIfAny(): GraphsFile {
    try {
      return this.operators();
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      this.complain(error.message);
      return this.#operators = noGraphs;
    }
  }

  /**
   * The limits of fields.
   * @param options.single Whether the plugin is one graph.
   */
  limits({ single }: { single: boolean }): FieldLimits {
    return thresholds(this.#env, {
      single,
      file: this.operatorsIfAny().limits,
      complain: this.complain,
    });
  }

  /** A variable that is one of several words; the first when it is not there, or none of them. */
  #choice<Word extends string>(name: string, words: readonly Word[]): Word {
    const value = this.#env[name];
    if (value === undefined) return words[0];
    const word = words.find((word) => word === value);
    if (word !== undefined) return word;
    this.complain(
      `env.${name} is one of ${words.join(", ")}, not ${JSON.stringify(value)}`,
    );
    return words[0];
  }
}
