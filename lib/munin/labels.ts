/** Characters of a label; longer ones wreck Munin's legend. */
const MAX_LABEL = 60;

/** Empties the labels that several have. */
export function tellApart(labels: readonly string[]): string[] {
  const count = new Map<string, number>();
  for (const label of labels) count.set(label, (count.get(label) ?? 0) + 1);
  return labels.map((label) => count.get(label)! > 1 ? "" : label);
}

/**
 * Text from outside as a label: ASCII (Munin's pages declare another character set than its
 * pictures), without what begins a comment, escapes, or ends the line.
 */
export function plainLabel(text: string): string {
  return text.replace(/[^ -~]|[#\\]/gu, "_").trim().slice(0, MAX_LABEL).trim();
}
