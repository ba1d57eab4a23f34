import { join } from "node:path";
import type { Clock } from "../clock.ts";
import { UserError } from "../errors.ts";
import {
  encodeNode,
  encodeSnapshot,
  SnapshotError,
  type SnapshotNode,
} from "../snapshot/codec.ts";
import { readSnapshotFile, SNAPSHOT_NAME } from "../snapshot/file.ts";
import { writeJson } from "../snapshot/json.ts";
import { readAny } from "../snapshot/scan.ts";
import { prettyDump, SHORT_KEY } from "./dump_pretty.ts";
import { globMatcher } from "../glob.ts";
import { readOptions } from "./options.ts";

/** What `gatherer dump` needs of the process around it. */
export interface DumpIo {
  /** Writes to stdout. */
  stdout(text: string | Uint8Array): Promise<void> | void;
  clock: Clock;
  /** Whether colours are wanted: stdout is a terminal and `NO_COLOR` is not set. */
  color: boolean;
}

/** What `gatherer dump --help` prints. */
export const dumpHelp: string = `\
Usage: gatherer dump [SNAPSHOT | --basedir DIR] [--format pretty|json|msgpack]
                     [--node GLOB] [--stat GLOB]

Prints the latest values of every node, from the snapshot that "gatherer serve"
writes once a round, or from the stats.json of the original stats gatherer: the
content decides, not the name. It only reads, and needs no running gatherer.

  SNAPSHOT         the file, or a base directory with a ${SNAPSHOT_NAME} in it
  --basedir DIR    the base directory (default ./gatherer)
  --format FORMAT  pretty   a table for people (default); what is older than
                            300 s is marked STALE, as Munin does not show it
                   json     the shape of the original's stats.json
                   msgpack  the snapshot's own format
  --node GLOB      only nodes whose nickname or tubid matches; the first
                   ${SHORT_KEY} characters of a tubid, as in the table, will do
  --stat GLOB      only statistics whose name matches, and nodes that have one

A GLOB is as in the shell: * ? [abc] [!abc]. Quote it. Both may be repeated:
what matches one of them is printed.

Exit code: 0 done, 1 nothing matched or the file cannot be read, 2 wrong usage.

Example: what disk space the storage nodes have left

  gatherer dump --node 'storage-*' --stat '*.disk_avail'
`;

const FORMATS = ["pretty", "json", "msgpack"] as const;

interface DumpOptions {
  path: string;
  format: typeof FORMATS[number];
  nodeGlobs: readonly string[];
  statGlobs: readonly string[];
}

/**
 * `gatherer dump`.
 *
 * @param args What follows `dump` on the command line.
 * @returns The exit code, 0.
 * @throws UserError code 2 for wrong usage; code 1 when the file cannot be read, or when there are
 *   filters and nothing matches them.
 */
export async function dump(
  args: readonly string[],
  io: DumpIo,
): Promise<number> {
  const options = readDumpOptions(args);
  const all = await readNodes(options.path, io.clock);
  const nodes = filterNodes(all, options);
  switch (options.format) {
    case "json":
      await io.stdout(`${writeJson(nodes)}\n`);
      break;
    case "msgpack":
      await io.stdout(encodeSnapshot(nodes.map(encodeNode)));
      break;
    case "pretty":
      for (
        const text of prettyDump(nodes, {
          of: all.length,
          now: io.clock.now() / 1000,
          color: io.color,
        })
      ) await io.stdout(text);
  }
  return 0;
}

function readDumpOptions(args: readonly string[]): DumpOptions {
  const { values, lists, positional } = readOptions("dump", args, {
    value: ["basedir", "format"],
    repeat: ["node", "stat"],
    positional: 1,
  });
  const { basedir } = values;
  if (basedir !== undefined && positional.length > 0) {
    throw new UserError(
      "give one snapshot, or one --basedir; see gatherer dump --help",
      2,
    );
  }
  const format = FORMATS.find((one) => one === (values.format ?? "pretty"));
  if (!format) {
    throw new UserError(
      `--format: "${values.format}" is not one of ${
        FORMATS.join(", ")
      }; see gatherer dump --help`,
      2,
    );
  }
  return {
    path: positional[0] ?? join(basedir ?? "gatherer", SNAPSHOT_NAME),
    format,
    nodeGlobs: lists.node,
    statGlobs: lists.stat,
  };
}

async function readNodes(path: string, clock: Clock): Promise<SnapshotNode[]> {
  const bytes = await readSnapshotFile(path, clock);
  try {
    return readAny(bytes);
  } catch (error) {
    if (!(error instanceof SnapshotError)) throw error;
    throw new UserError(
      `cannot read the snapshot ${JSON.stringify(path)}: ${error.message}`,
      1,
      { cause: error },
    );
  }
}

function filterNodes(
  all: SnapshotNode[],
  { path, nodeGlobs, statGlobs }: DumpOptions,
): SnapshotNode[] {
  if (nodeGlobs.length + statGlobs.length === 0) return all;
  const isNode = anyOf(nodeGlobs);
  const isStat = anyOf(statGlobs);
  let nodes = all.filter(({ key, nickname }) =>
    isNode(nickname) || isNode(key) || isNode(key.slice(0, SHORT_KEY))
  );
  if (nodes.length === 0) {
    throw new UserError(
      `no node in ${JSON.stringify(path)} matches --node ${
        nodeGlobs.map((glob) => JSON.stringify(glob)).join(" or ")
      }; nodes there: ${all.length}`,
    );
  }
  if (statGlobs.length === 0) return nodes;
  nodes = nodes.map((node) => ({
    ...node,
    counters: filterNames(node.counters, isStat),
    stats: filterNames(node.stats, isStat),
  })).filter(({ counters, stats }) => counters.size + stats.size > 0);
  if (nodes.length === 0) {
    throw new UserError(
      `no statistic ${nodeGlobs.length > 0 ? "of these nodes " : ""}in ${
        JSON.stringify(path)
      } matches --stat ${
        statGlobs.map((glob) => JSON.stringify(glob)).join(" or ")
      }`,
    );
  }
  return nodes;
}

function filterNames<V>(
  half: ReadonlyMap<string, V>,
  isWanted: (name: string) => boolean,
): Map<string, V> {
  return new Map([...half].filter(([name]) => isWanted(name)));
}

/** Whether a text matches one of the patterns; without any, all do. */
function anyOf(globs: readonly string[]): (text: string) => boolean {
  const matchers = globs.map(globMatcher);
  return (text) =>
    matchers.length === 0 || matchers.some((matches) => matches(text));
}
