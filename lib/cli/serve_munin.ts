import { UserError } from "../errors.ts";
import type { ListenAddress, MuninServing } from "../gatherer/gatherer.ts";
import { globsMatcher } from "../glob.ts";
import { isBuiltIn } from "../munin/catalog.ts";
import {
  type GraphsFile,
  loadGraphsFile,
  noGraphs,
} from "../munin/graphs_file.ts";
import { DEFAULT_ACCESS, parseAccess } from "../munin_node/access.ts";
import { VERSION } from "./version.ts";

/** The options of `serve` that {@linkcode readMuninOptions} reads. */
export const MUNIN_OPTIONS = [
  "munin",
  "munin-nodes",
  "munin-allow",
  "munin-name",
  "munin-select",
  "munin-drilldown",
  "graphs",
] as const;

/**
 * Reads the options of `serve` that say how Munin's masters are answered.
 *
 * @returns `undefined` when they are not.
 * @param complain Told what is wrong in the graphs file: its graphs are left out then.
 * @throws UserError naming the option that is wrong.
 */
export function readMuninOptions(
  values: Readonly<Record<string, string | undefined>>,
  complain: (line: string) => void,
): MuninServing | undefined {
  const all = readAddress("munin", values.munin);
  const nodes = readAddress("munin-nodes", values["munin-nodes"]);
  if (!all && !nodes) {
    const useless = MUNIN_OPTIONS.find((name) => values[name] !== undefined);
    if (useless === undefined) return undefined;
    throw new UserError(
      `--${useless} is of no use without --munin or --munin-nodes; see gatherer serve --help`,
      2,
    );
  }
  const drilldown = values["munin-drilldown"] ?? "auto";
  if (drilldown !== "yes" && drilldown !== "no" && drilldown !== "auto") {
    throw new UserError(
      `--munin-drilldown: "${drilldown}" is none of yes, no and auto`,
      2,
    );
  }
  return {
    all,
    nodes,
    hostName: readHostName(values["munin-name"]),
    access: parseAccess(
      values["munin-allow"] ?? DEFAULT_ACCESS,
      "--munin-allow",
    ),
    operators: readGraphs(values.graphs, complain),
    selects: globsMatcher(values["munin-select"] ?? ""),
    drilldown,
    version: VERSION,
  };
}

function readGraphs(
  path: string | undefined,
  complain: (line: string) => void,
): GraphsFile {
  if (path === undefined) return noGraphs;
  try {
    return loadGraphsFile(path, isBuiltIn);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    complain(error.message);
    return noGraphs;
  }
}

/** `PORT`, `ADDR:PORT` or `[ADDR]:PORT`. */
function readAddress(
  option: string,
  text: string | undefined,
): ListenAddress | undefined {
  if (text === undefined) return undefined;
  const match = /^(?:(\[[0-9A-Fa-f:.]+\]|[^:[\]]+):)?(\d{1,5})$/.exec(text);
  const port = match ? Number(match[2]) : NaN;
  if (!match || !(port <= 65535)) {
    throw new UserError(
      `--${option}: "${text}" is not where to listen; expected PORT or ADDR:PORT, such as ` +
        "4949, 0.0.0.0:4949 or [::]:4949",
      2,
    );
  }
  return { host: match[1]?.replace(/[[\]]/g, "") ?? "127.0.0.1", port };
}

/** A host's name as Munin takes it, in small letters, as it compares them. */
function readHostName(text: string | undefined): string {
  const name = (text ?? Deno.hostname()).toLowerCase();
  if (/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(name) && name.length <= 64) {
    return name;
  }
  throw new UserError(
    text === undefined
      ? `this machine's name, "${name}", cannot be a host's name in Munin: give one with --munin-name`
      : `--munin-name: "${text}" is not a host's name: letters, digits, dots and dashes, up to 64`,
    2,
  );
}
