/** What an element that can be read again begins with, and the end tags around hosts. */
const MARKERS = [
  "<HOST",
  "<METRICS",
  "<HOSTS",
  "<CLUSTER",
  "<GRID",
  "</CLUSTER>",
  "</GRID>",
  "</GANGLIA_XML>",
].map((marker) => new TextEncoder().encode(marker));

/** Bytes that must be there to tell whether a marker begins with the first of them. */
export const MARKER_BYTES = 1 +
  Math.max(...MARKERS.map(({ length }) => length));

/**
 * Looks for a place where reading can go on behind a damaged one.
 * @param final Whether the bytes end at `end` for good. If not, the last {@linkcode MARKER_BYTES}
 * but one are left for the next search.
 * @returns Its index, or -1.
 */
export function findMarker(
  bytes: Uint8Array,
  at: number,
  end: number,
  final: boolean,
): number {
  const last = final ? end - 1 : end - MARKER_BYTES;
  for (let i = at; i <= last; i++) {
    i = bytes.indexOf(0x3c, i);
    if (i < 0 || i > last) return -1;
    for (const marker of MARKERS) {
      if (isMarker(bytes, i, end, marker)) return i;
    }
  }
  return -1;
}

function isMarker(
  bytes: Uint8Array,
  at: number,
  end: number,
  marker: Uint8Array,
): boolean {
  const { length } = marker;
  if (at + length > end) return false;
  for (let i = 1; i < length; i++) {
    if (bytes[at + i] !== marker[i]) return false;
  }
  if (marker[1] === 0x2f) return true;
  // The name ends here, and is not the beginning of a longer one.
  const next = bytes[at + length];
  return at + length < end && (next <= 0x20 || next === 0x2f || next === 0x3e);
}
