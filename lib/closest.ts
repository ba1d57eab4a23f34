/** Letters that may be wrong in a long name; in a short one fewer, or everything is like it. */
const MOST_WRONG = 4;
/** Letters from which on a beginning says what was meant. */
const BEGINNING = 3;

/**
 * The candidates that someone who typed `name` may have meant, best first; at most 3. Case does
 * not count.
 */
export function closest(name: string, candidates: Iterable<string>): string[] {
  const wanted = name.toLowerCase();
  const near: { candidate: string; distance: number }[] = [];
  for (const candidate of candidates) {
    const distance = howFar(wanted, candidate.toLowerCase());
    if (distance !== undefined) near.push({ candidate, distance });
  }
  return near.sort((a, b) => a.distance - b.distance)
    .slice(0, 3).map(({ candidate }) => candidate);
}

function howFar(wanted: string, candidate: string): number | undefined {
  // A name that was left unfinished is nearer than its missing letters make it.
  if (wanted.length >= BEGINNING && candidate.startsWith(wanted)) {
    return wanted === candidate ? 0 : 1;
  }
  const longer = Math.max(wanted.length, candidate.length);
  const most = Math.min(MOST_WRONG, Math.ceil(longer / 3));
  // Also keeps a very long name from being worked through.
  if (Math.abs(wanted.length - candidate.length) > most) return undefined;
  const distance = editDistance(wanted, candidate);
  return distance <= most ? distance : undefined;
}

/** How many letters must be put in, taken out or changed to make `b` of `a` (Levenshtein). */
function editDistance(a: string, b: string): number {
  let above = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const line = [row];
    for (let column = 1; column <= b.length; column++) {
      line.push(Math.min(
        above[column] + 1,
        line[column - 1] + 1,
        above[column - 1] + (a[row - 1] === b[column - 1] ? 0 : 1),
      ));
    }
    above = line;
  }
  return above[b.length];
}
