/**
 * Munin field names of nodes. A field name is the name of an RRD file, so it has to be right, and
 * has to stay as it is: a series whose name moves loses its history, or gets another node's.
 *
 * | node | name |
 * |---|---|
 * | any | the original's: `smash(nickname + "_" + the first 4 characters of its TUBID)` |
 * | nickname that starts with a digit | `_` in front; Munin would drop the digit |
 * | nickname too long for a file name | the nickname's beginning, then the TUBID's 4 characters |
 * | same name as a node before it in the snapshot | more of its own TUBID, until it differs |
 *
 * Munin's one forbidden name, `root`, cannot come up: every name contains a `_`.
 */

/** A node as far as its name is concerned. */
export interface NamedNode {
  /** The node's TUBID, 32 characters of `[a-z2-7]`; files of others may hold any text. */
  readonly key: string;
  /** Free text that the node chose; may be hostile. */
  readonly nickname: string;
}

/** The longest service of Tahoe-LAFS's: tahoe_helper_upload_already_present. */
const usualService = 35;

/**
 * Longest field name, in characters (which are bytes). Munin stores a series in
 * `<host>-<service>-<field>-g.rrd`, and a file name has 255 bytes: 64 for the longest host name
 * on Linux, 35 for most services, 8 for `-`, `-` and `-g.rrd`, and 8 for what rrdtool appends to
 * the name of a temporary copy.
 */
export const maxFieldLength: number = 255 - 64 - usualService - 8 - 8;

/** The longest field name in a service; shorter than {@linkcode maxFieldLength} for a long one. */
export function longestField(service: string): number {
  return maxFieldLength - Math.max(0, service.length - usualService);
}

/** How much of a TUBID every name carries. */
const shortKey = 4;
/** All of a TUBID. */
const wholeKey = 32;

/**
 * Turns every character that is not an ASCII letter or digit into one `_`, counting code points
 * as Python does: an emoji is one character.
 * Source of the rule: `smash_name` of Tahoe-LAFS's plugin `tahoe_stats`.
 */
export function smash(text: string): string {
  return text.replace(/[^a-zA-Z0-9]/gu, "_");
}

/**
 * The field name of every node, all different, in the order given.
 *
 * Pass all nodes of the snapshot in its own order, whatever statistics they have, so that a node
 * has the same name in every graph, in `config` and in `fetch`. Of two nodes that would have one
 * name the earlier keeps it. The snapshot keeps nodes in order of arrival, across restarts too,
 * and a newcomer is last: no name ever depends on a node that came later. Order of TUBIDs would
 * not do: a newcomer with a lower TUBID would take the name, and with it the history, of a node
 * that had it for years, and anyone can make such a TUBID within seconds.
 */
export function fieldNames(
  nodes: readonly NamedNode[],
  longest: number = maxFieldLength,
): string[] {
  const taken = new Set<string>();
  return nodes.map((node, position) => {
    const name = freeName(node, position, taken, longest);
    taken.add(name);
    return name;
  });
}

function freeName(
  node: NamedNode,
  position: number,
  taken: ReadonlySet<string>,
  longest: number,
): string {
  const nickname = smash(node.nickname);
  const key = smash(node.key);
  for (let length = shortKey; length <= wholeKey; length++) {
    const name = compose(nickname, key.slice(0, length), longest);
    if (!taken.has(name)) return name;
    if (length >= key.length) break;
  }
  // Real TUBIDs differ somewhere; these keys are not TUBIDs. The place in the file is as stable.
  for (let number = position;; number++) {
    const name = compose(
      nickname,
      `${key.slice(0, wholeKey)}_${number}`,
      longest,
    );
    if (!taken.has(name)) return name;
  }
}

function compose(nickname: string, suffix: string, longest: number): string {
  const start = /^[0-9]/.test(nickname) ? `_${nickname}` : nickname;
  return `${start.slice(0, longest - 1 - suffix.length)}_${suffix}`;
}
