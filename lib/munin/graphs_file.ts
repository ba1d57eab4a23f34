/**
 * The graphs file: JSON in which an operator defines graphs of their own, and limits for any graph.
 * `docs/graphs-file.md` is its reference.
 *
 * @module
 */
// No module of the runtime is imported here: the first one costs a Munin plugin's start 15 ms.
import { messageOf, UserError } from "../errors.ts";
import { closest } from "../closest.ts";
import type { Graph, Limits } from "./graph.ts";
import { readGraph, readLimits } from "./graphs_file_graph.ts";
import { PlacedReader, quote } from "./graphs_file_reader.ts";

/** What a graphs file says. */
export interface GraphsFile {
  /** In the order of the file; the lines of each are of the kind `pattern`. */
  readonly graphs: readonly Graph[];
  /**
   * Limits for any graph, by its name. A graph of this file has here none that its definition
   * has, too.
   */
  readonly limits: ReadonlyMap<string, Limits>;
}

/** What is used where there is no file, or one that cannot be used. */
export const noGraphs: GraphsFile = { graphs: [], limits: new Map() };

/** Bytes of a graphs file. */
const MAX_BYTES = 1024 * 1024;
/** Graphs in a file; also graphs that it has limits for. */
const MAX_GRAPHS = 1000;
/** Characters of a graph's name: it becomes part of the name of an RRD file. */
const MAX_NAME = 100;
/** How the names of built-in graphs begin. */
const BUILT_IN = /^(?:tahoe|gatherer)_/;
/**
 * Names that no graph can have: the executable's own; a word of Munin's protocol; and what Munin
 * calls the top of its own tree.
 */
const RESERVED = ["gatherer", "multigraph", "root"];

/**
 * Reads the graphs file at `path`. Synchronous: it is for a process that has nothing else to do.
 *
 * @param isBuiltIn As for {@linkcode parseGraphsFile}.
 * @throws UserError when it cannot be read, and as {@linkcode parseGraphsFile} does.
 */
export function loadGraphsFile(
  path: string,
  isBuiltIn?: (name: string) => boolean,
): GraphsFile {
  return parseGraphsFile(readBounded(path), path, isBuiltIn);
}

/**
 * What the bytes of a graphs file say.
 *
 * @param path Where they are from, for messages.
 * @param isBuiltIn Whether there is a built-in graph of this name, for which the file may have
 *   limits; left out: whatever begins with `tahoe_` or `gatherer_`.
 * @throws UserError at the first mistake: one line with path, line and column, graph and field.
 */
export function parseGraphsFile(
  bytes: Uint8Array,
  path: string,
  isBuiltIn: (name: string) => boolean = (name) => BUILT_IN.test(name),
): GraphsFile {
  const file = new PlacedReader(bytes, path);
  const graphs = new Map<string, Graph>();
  const limits = new Map<string, { limits: Limits; at: number }>();
  const sections: Record<string, () => void> = {
    graphs: () =>
      readByGraph(file, (name, at) => {
        checkName(file, name, at);
        graphs.set(name, readGraph(file, name, at));
      }),
    limits: () =>
      file.within("section", "limits", () =>
        readByGraph(file, (name, at) => {
          limits.set(name, { limits: readLimits(file), at });
        })),
  };
  file.entries("section", (name) => sections[name](), Object.keys(sections));
  file.end();
  file.within("section", "limits", () => {
    for (const [name, { limits: own, at }] of limits) {
      const graph = graphs.get(name);
      if (graph) checkOnce(file, graph, own, at);
      else if (!isBuiltIn(name)) noSuchGraph(file, name, graphs.keys(), at);
    }
  });
  return {
    graphs: [...graphs.values()],
    limits: new Map([...limits].map(([name, { limits }]) => [name, limits])),
  };
}

/** Takes an object whose entries are each about a graph. */
function readByGraph(
  file: PlacedReader,
  take: (name: string, at: number) => void,
): void {
  let count = 0;
  file.entries("graph", (name, at) => {
    if (++count > MAX_GRAPHS) {
      file.fail(`there are more than ${MAX_GRAPHS} graphs`, at);
    }
    file.within("graph", name, () => take(name, at));
  });
}

function checkName(file: PlacedReader, name: string, at: number): void {
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name) || name.length > MAX_NAME) {
    file.fail(
      'a name has letters, digits and "_", no digit first, ' +
        `and at most ${MAX_NAME} characters`,
      at,
    );
  }
  if (BUILT_IN.test(name)) {
    file.fail(
      'names that begin with "tahoe_" or "gatherer_" are for built-in graphs; take another',
      at,
    );
  }
  if (RESERVED.includes(name)) {
    file.fail("this name is reserved; take another", at);
  }
}

function checkOnce(
  file: PlacedReader,
  graph: Graph,
  limits: Limits,
  at: number,
): void {
  for (const key of ["warning", "critical"] as const) {
    if (limits[key] === undefined || graph.limits?.[key] === undefined) {
      continue;
    }
    file.fail(
      `graph ${quote(graph.name)} has a ${quote(key)} itself; keep one of them`,
      at,
    );
  }
}

function noSuchGraph(
  file: PlacedReader,
  name: string,
  known: Iterable<string>,
  at: number,
): never {
  const meant = closest(name, known).map(quote).join(" or ");
  return file.fail(
    `there is no graph ${quote(name)}, neither in this file nor built in` +
      (meant && `: did you mean ${meant}?`),
    at,
  );
}

function readBounded(path: string): Uint8Array {
  const buffer = new Uint8Array(MAX_BYTES + 1);
  let filled = 0;
  try {
    using file = Deno.openSync(path);
    while (filled < buffer.length) {
      const got = file.readSync(buffer.subarray(filled));
      if (got === null) return buffer.subarray(0, filled);
      filled += got;
    }
  } catch (error) {
    throw new UserError(
      `cannot read the graphs file ${JSON.stringify(path)}: ${
        readFault(error)
      }`,
      1,
      { cause: error },
    );
  }
  throw new UserError(
    `the graphs file ${
      JSON.stringify(path)
    } has more than ${MAX_BYTES} bytes; make it shorter`,
  );
}

function readFault(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) {
    return "no such file; mind that munin-node's service usually cannot see /home, /root and /tmp";
  }
  if (error instanceof Deno.errors.PermissionDenied) {
    return "permission denied; the file must be readable and every directory above it passable (x) " +
      'for this user; under Munin, "user" in plugin-conf.d names another';
  }
  if (error instanceof Deno.errors.IsADirectory) {
    return "it is a directory, not a file";
  }
  // Without the number and the path that Deno adds.
  return messageOf(error).replace(/ \(os error \d+\).*$/s, "");
}
