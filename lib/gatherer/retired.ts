/**
 * The nodes that an operator has retired, and the file that keeps them.
 *
 * `retired.json` in the base directory is one JSON object:
 *
 *     { "retired": [
 *         { "cluster": "foolscap",  the cluster that the node is in
 *           "key": "m32i…",         its tubid; of a host of a gmond, CLUSTER/NAME
 *           "nickname": "old one",  what it called itself then; for people
 *           "since": "2026-11-21T07:05:00.000Z" } ] }
 *
 * Other fields are kept as they are. The file is replaced at once and whole, or not at all; it is
 * not there as long as nobody was ever retired. One that cannot be read keeps the gatherer from
 * starting, and is never overwritten.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import type { Clock } from "../clock.ts";
import { replaceFile } from "../durable_file.ts";
import { messageOf, UserError } from "../errors.ts";
import { globMatcher } from "../glob.ts";
import { reasonOf } from "../secret_file.ts";
import { oneLine } from "../text.ts";
import type { Tree } from "../tree/tree.ts";

const logger = getLogger(["gatherer", "nodes"]);

/** The file's name in a base directory. */
export const RETIRED_NAME = "retired.json";

/** A node, as people are told of it. */
export interface NamedNode {
  readonly cluster: string;
  readonly key: string;
  readonly nickname: string;
}

/** A node that is retired. */
export interface RetiredNode extends NamedNode {
  /** Since when, in milliseconds since the epoch. */
  readonly since: number;
}

interface Entry extends RetiredNode {
  /** What else the file says of it. */
  readonly more: Record<string, unknown>;
}

/** How {@linkcode Retired} is set up. */
export interface RetiredOptions {
  /** The file. */
  readonly path: string;
  /** The file's permissions. */
  readonly mode: number;
  readonly tree: Tree;
  readonly clock: Clock;
  /** Asked before the file is written; what it throws keeps it from being written. */
  readonly guard?: () => Promise<void>;
}

/** Who is retired: the one who keeps the list, and takes those nodes out of the tree. */
export class Retired {
  readonly #options: RetiredOptions;
  #entries: readonly Entry[];
  /** What else the file says. */
  readonly #more: Record<string, unknown>;
  /** Changes wait for one another: each writes the whole file. */
  #turn: Promise<unknown> = Promise.resolve();

  /**
   * Reads the list, and takes the nodes that are in it out of the tree, also such as are not there
   * yet.
   * @throws UserError when the file is there, but cannot be read or is no such list.
   */
  static async open(options: RetiredOptions): Promise<Retired> {
    const retired = new Retired(options, await readList(options.path));
    for (const { cluster, key, since } of retired.#entries) {
      options.tree.retire(cluster, key, reasonSince(since));
    }
    return retired;
  }

  private constructor(
    options: RetiredOptions,
    { entries, more }: { entries: Entry[]; more: Record<string, unknown> },
  ) {
    this.#options = options;
    this.#entries = entries;
    this.#more = more;
  }

  /** Those that are retired, in the order in which they were. */
  get nodes(): readonly RetiredNode[] {
    return this.#entries;
  }

  /**
   * Retires nodes, or brings them back, in any cluster.
   * @param pattern A key or nickname, or a pattern for some (see {@linkcode globMatcher}).
   * @param undo Whether they are to come back; they do so with their next answer.
   * @returns Which.
   * @throws UserError when there is none, or the list cannot be written; then nothing has changed.
   */
  retire(pattern: string, undo = false): Promise<NamedNode[]> {
    const turn = this.#turn.then(() => this.#change(pattern, undo));
    this.#turn = turn.catch(() => {});
    return turn;
  }

  async #change(pattern: string, undo: boolean): Promise<NamedNode[]> {
    const { tree, clock } = this.#options;
    const isMeant = matcherOf(pattern);
    const known = new Set(this.#entries.map(idOf));
    const meant: NamedNode[] = undo
      ? this.#entries.filter(isMeant)
      : nodesOf(tree).filter((node) => !known.has(idOf(node)) && isMeant(node));
    if (meant.length === 0) throw this.#nobody(pattern, undo, isMeant);
    const since = Math.round(clock.now());
    const ids = new Set(meant.map(idOf));
    const entries = undo
      ? this.#entries.filter((entry) => !ids.has(idOf(entry)))
      : [
        ...this.#entries,
        ...meant.map((node): Entry => ({ ...node, since, more: {} })),
      ];
    await this.#write(entries);
    this.#entries = entries;
    const reason = undo ? undefined : reasonSince(since);
    for (const { cluster, key, nickname } of meant) {
      tree.retire(cluster, key, reason);
      logger.info("{nickname} ({tubid}) is {what}", {
        nickname: oneLine(nickname, 100),
        tubid: oneLine(key, 200),
        what: undo ? "no longer retired" : "retired",
      });
    }
    for (const cluster of new Set(meant.map(({ cluster }) => cluster))) {
      tree.commit(cluster);
    }
    return meant.map(({ cluster, key, nickname }) => ({
      cluster,
      key,
      nickname,
    }));
  }

  #nobody(
    pattern: string,
    undo: boolean,
    isMeant: (node: NamedNode) => boolean,
  ): UserError {
    const quoted = JSON.stringify(pattern);
    if (undo) return new UserError(`no node that is retired matches ${quoted}`);
    return new UserError(
      this.#entries.some(isMeant)
        ? `all nodes that match ${quoted} are retired already`
        : `no node matches ${quoted}, neither by its key nor by its nickname; "gatherer status --all" lists them`,
    );
  }

  async #write(entries: readonly Entry[]): Promise<void> {
    const { path, mode, guard } = this.#options;
    const retired = entries.map(({ cluster, key, nickname, since, more }) => ({
      cluster,
      key,
      nickname,
      since: new Date(since).toISOString(),
      ...more,
    }));
    const text = JSON.stringify({ ...this.#more, retired }, null, 2);
    try {
      await guard?.();
      await replaceFile(path, `${text}\n`, mode);
    } catch (error) {
      throw new UserError(
        `cannot write ${JSON.stringify(path)}: ${
          reasonOf(error)
        }; nothing has changed`,
        1,
        { cause: error },
      );
    }
  }
}

/** Every node that the tree knows. */
function nodesOf(tree: Tree): NamedNode[] {
  return [...tree.grid.clusters.values()].flatMap(({ name, hosts }) =>
    [...hosts.values()].map(({ key, nickname }) => ({
      cluster: name,
      key,
      nickname,
    }))
  );
}

function matcherOf(pattern: string): (node: NamedNode) => boolean {
  const matches = globMatcher(pattern);
  return ({ key, nickname }) =>
    [key, nickname].some((text) => text === pattern || matches(text));
}

function idOf({ cluster, key }: NamedNode): string {
  return JSON.stringify([cluster, key]);
}

/** Why a node is retired, in words. */
export function reasonSince(since: number): string {
  return `retired on ${new Date(since).toISOString().slice(0, 10)}`;
}

async function readList(
  path: string,
): Promise<{ entries: Entry[]; more: Record<string, unknown> }> {
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return { entries: [], more: {} };
    throw new UserError(
      `cannot read ${JSON.stringify(path)}: ${reasonOf(error)}`,
      1,
      { cause: error },
    );
  }
  try {
    const { retired, ...more } = recordOf(JSON.parse(text), "the file");
    if (!Array.isArray(retired)) {
      throw new TypeError('the field "retired" is no list');
    }
    return { entries: retired.map(readEntry), more };
  } catch (error) {
    throw new UserError(
      `cannot use ${JSON.stringify(path)}, the list of retired nodes: ${
        oneLine(messageOf(error), 300)
      }; mend it, or move it away if nobody is to be retired`,
      1,
      { cause: error },
    );
  }
}

function readEntry(item: unknown, index: number): Entry {
  const where = `entry ${index + 1}`;
  const { cluster, key, nickname = "", since, ...more } = recordOf(item, where);
  for (const [name, value] of Object.entries({ cluster, key, nickname })) {
    if (typeof value !== "string") {
      throw new TypeError(`${where}: the field "${name}" is no text`);
    }
  }
  const time = typeof since === "string" ? Date.parse(since) : NaN;
  if (Number.isNaN(time)) {
    throw new TypeError(`${where}: the field "since" is no time`);
  }
  return {
    cluster: cluster as string,
    key: key as string,
    nickname: nickname as string,
    since: time,
    more,
  };
}

function recordOf(value: unknown, where: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new TypeError(`${where} is no object`);
  }
  return value as Record<string, unknown>;
}
