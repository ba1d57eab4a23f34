import type { Held } from "./held.ts";

/** Characters of a label; longer ones wreck Munin's legend. */
const MAX_LABEL = 60;

/**
 * Labels of nodes: their nicknames, where one is clear and no other node has the same; else their
 * field names.
 */
export function nodeLabels(held: Held, names: readonly string[]): string[] {
  const plain = held.nodes.map(({ nickname }) => plainLabel(nickname));
  const count = new Map<string, number>();
  for (const label of plain) count.set(label, (count.get(label) ?? 0) + 1);
  return plain.map((label, index) =>
    label === "" || count.get(label)! > 1 ? names[index] : label
  );
}

/**
 * Text from outside as a label: ASCII (Munin's pages declare another character set than its
 * pictures), without what begins a comment, escapes, or ends the line.
 */
export function plainLabel(text: string): string {
  return text.replace(/[^ -~]|[#\\]/gu, "_").trim().slice(0, MAX_LABEL).trim();
}
