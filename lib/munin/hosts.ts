import type { NamedNode } from "./fields.ts";

/** Longest part of a host's name (RFC 1035, 2.3.4). */
const MAX_LABEL = 63;
/** How much of a tubid every name carries. */
const KEY = 4;

/**
 * A host's name for each node, `NODE.SUFFIX`, all different, in the order given: for Munin's
 * pages, where each node may be a host of its own. As for field names, the order must be that of
 * arrival; see {@linkcode fieldNames}. To Munin case does not count here.
 *
 * @param suffix The name of the host that answers for them.
 */
export function hostNames(
  nodes: readonly NamedNode[],
  suffix: string,
): string[] {
  const taken = new Set<string>();
  return nodes.map((node, position) => {
    const nickname = hostLabel(node.nickname);
    const key = hostLabel(node.key).replaceAll("-", "") || `${position}`;
    let label = compose(nickname, key.slice(0, KEY));
    for (let length = KEY + 1; taken.has(label); length++) {
      label = length <= key.length
        ? compose(nickname, key.slice(0, length))
        : compose(nickname, `${key.slice(0, 32)}-${position + length}`);
    }
    taken.add(label);
    return `${label}.${suffix}`;
  });
}

function compose(nickname: string, end: string): string {
  const start = nickname.slice(0, MAX_LABEL - 1 - end.length).replace(
    /-+$/,
    "",
  );
  return start === "" ? `node-${end}` : `${start}-${end}`;
}

function hostLabel(text: string): string {
  return text.toLowerCase().replace(/[^a-z0-9]+/gu, "-").replace(
    /^-+|-+$/g,
    "",
  );
}
