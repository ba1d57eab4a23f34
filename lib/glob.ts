import { UserError } from "./errors.ts";

/**
 * A shell-like pattern: `*` any text, `?` one character, `[a-c]` one of these, `[!a-c]` none of
 * these, `\` takes the next as it is. It must match the whole text; case counts.
 * Source of the rules: POSIX shell, "Patterns Matching a Single Character".
 *
 * @throws UserError (wrong usage) when a range in brackets runs backwards.
 */
export function globMatcher(glob: string): (text: string) => boolean {
  let source = "";
  for (let i = 0; i < glob.length;) {
    const [piece, length] = nextPiece(glob, i);
    // Two stars in a row mean no more than one, and cost much more.
    if (piece !== ANY || !source.endsWith(ANY)) source += piece;
    i += length;
  }
  try {
    const pattern = new RegExp(`^${source}$`, "su");
    return (text) => pattern.test(text);
  } catch (error) {
    throw new UserError(
      `the pattern ${
        JSON.stringify(glob)
      } has a range in brackets that runs backwards`,
      2,
      { cause: error },
    );
  }
}

const ANY = ".*";

/** The regular expression for what stands at `at`, and how many units of the pattern it takes. */
function nextPiece(glob: string, at: number): [string, number] {
  const character = String.fromCodePoint(glob.codePointAt(at)!);
  if (character === "*") return [ANY, 1];
  if (character === "?") return [".", 1];
  if (character === "\\" && at + 1 < glob.length) {
    const next = String.fromCodePoint(glob.codePointAt(at + 1)!);
    return [literal(next), 1 + next.length];
  }
  if (character === "[") {
    // A bracket right at the start of the set is one of its characters.
    const set = /^\[([!^]?)(\]?[^\]]*)\]/u.exec(glob.slice(at));
    if (set && set[2] !== "") {
      const members = set[2].replaceAll(/[\\\]\[^]/g, "\\$&");
      return [`[${set[1] ? "^" : ""}${members}]`, set[0].length];
    }
  }
  return [literal(character), character.length];
}

function literal(character: string): string {
  return character.replace(/[\^$\\.*+?()[\]{}|/]/, "\\$&");
}
