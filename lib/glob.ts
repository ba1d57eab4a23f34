import { UserError } from "./errors.ts";

/**
 * A shell-like pattern: `*` any text, `?` one character, `[a-c]` one of these, `[!a-c]` none of
 * these, `\` takes the next as it is. It must match the whole text; case counts.
 * Source of the rules: POSIX shell, "Patterns Matching a Single Character".
 *
 * @throws UserError (wrong usage) when a range in brackets runs backwards.
 */
export function globMatcher(glob: string): (text: string) => boolean {
  const pieces: Piece[] = [];
  for (let i = 0; i < glob.length;) {
    const [piece, length] = nextPiece(glob, i);
    if (piece !== ANY || pieces.at(-1) !== ANY) pieces.push(piece);
    i += length;
  }
  return (text) => matches([...text], pieces);
}

/**
 * Texts come from nodes: a regular expression would take minutes for some. Only the last star that
 * was passed is ever gone back to, so that the time is at most the product of the lengths.
 */
function matches(
  characters: readonly string[],
  pieces: readonly Piece[],
): boolean {
  let at = 0;
  let piece = 0;
  let star = -1;
  let resume = 0;
  while (at < characters.length) {
    const wanted = pieces[piece];
    if (wanted === ANY) {
      star = piece++;
      resume = at;
    } else if (wanted?.(characters[at])) {
      piece++;
      at++;
    } else if (star >= 0) {
      piece = star + 1;
      at = ++resume;
    } else return false;
  }
  return piece === pieces.length ||
    (piece === pieces.length - 1 && pieces[piece] === ANY);
}

/**
 * Whether a text matches one of several patterns, given with blanks or commas between them; any
 * text matches none at all.
 *
 * @throws UserError as {@linkcode globMatcher} does.
 */
export function globsMatcher(globs: string): (text: string) => boolean {
  const matchers = globs.split(/[\s,]+/).filter((glob) => glob !== "")
    .map(globMatcher);
  return (text) =>
    matchers.length === 0 || matchers.some((matches) => matches(text));
}

/** What one character must be; or any text. */
type Piece = typeof ANY | ((character: string) => boolean);

const ANY = "any text";

/** What is wanted of the text by what stands at `at`, and how many units of the pattern it takes. */
function nextPiece(glob: string, at: number): [Piece, number] {
  const character = String.fromCodePoint(glob.codePointAt(at)!);
  if (character === "*") return [ANY, 1];
  if (character === "?") return [() => true, 1];
  if (character === "\\" && at + 1 < glob.length) {
    const next = String.fromCodePoint(glob.codePointAt(at + 1)!);
    return [(found) => found === next, 1 + next.length];
  }
  if (character === "[") {
    // A bracket right at the start of the set is one of its characters.
    const set = /^\[([!^]?)(\]?[^\]]*)\]/u.exec(glob.slice(at));
    if (set && set[2] !== "") {
      return [setMatcher(glob, set[2], set[1] !== ""), set[0].length];
    }
  }
  return [(found) => found === character, character.length];
}

function setMatcher(
  glob: string,
  set: string,
  negated: boolean,
): (character: string) => boolean {
  const members = set.replaceAll(/[\\\]\[^]/g, "\\$&");
  try {
    const pattern = new RegExp(`^[${negated ? "^" : ""}${members}]$`, "su");
    return (character) => pattern.test(character);
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
