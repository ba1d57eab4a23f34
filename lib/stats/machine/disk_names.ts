/**
 * The name of a mounted file system within names of statistics: its path without the first slash,
 * with dots for the others, and `root` for `/`. What would be ambiguous is written as `%` and the two
 * hex digits of each of its bytes: dots, percent signs, blanks and control characters in a path, and the r of a
 * path that is just `/root`. Reversible.
 */
export function diskName(path: string): string {
  const inner = path.replace(/^\/+|\/+$/g, "");
  if (inner === "") return "root";
  if (inner === "root") return "%72oot";
  return inner.split(/\/+/).map((part) =>
    part.replace(/[.%\p{Z}\p{C}]/gu, percent)
  ).join(".");
}

function percent(character: string): string {
  return [...new TextEncoder().encode(character)]
    .map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`)
    .join("");
}
