import { createHash } from "node:crypto";

/** Where the summaries of a cluster, of a child grid, or of the whole grid are: gmetad's name. */
export const SUMMARY_DIRECTORY = "__SummaryInfo__";

/** Longest name of a directory, in bytes: that of Linux's file systems. */
const MAX_DIRECTORY = 255;
/** Longest name of a file, in bytes: while rrdtool makes it, its name is six bytes longer. */
const MAX_FILE = MAX_DIRECTORY - 6;
const EXTENSION = ".rrd";
/** Hexadecimal digits of the hash that ends a name that was cut. */
const HASH_DIGITS = 16;

/** Nothing that has to be looked at more closely: printable ASCII without a slash, no dot first. */
const PLAIN = /^[\x20-\x2d\x30-\x7e][\x20-\x2e\x30-\x7e]*$/;
/** A slash, a control character, the dots that a name begins with. */
// deno-lint-ignore no-control-regex
const UNFIT = /[\x00-\x1f\x7f/]|^\.+/g;

const encoder = new TextEncoder();

/**
 * The name of the directory of a cluster, a child grid or a host: as gmetad's, which takes names
 * as they are, so that an existing tree goes on; but what cannot be the name of a file or would
 * lead out of the directory is percent-encoded: slashes, control characters, dots at the
 * beginning, and the name of the summaries' own directory. An empty name is `%`. What is then
 * longer than 255 bytes is cut, and ends in `~` and a hash of the whole.
 */
export function directoryName(name: string): string {
  if (name === SUMMARY_DIRECTORY) return `%5F${name.slice(1)}`;
  return fit(name, MAX_DIRECTORY);
}

/** The name of a metric's file, by the rules of {@linkcode directoryName}, 249 bytes at most. */
export function fileName(metric: string): string {
  return fit(metric, MAX_FILE - EXTENSION.length) + EXTENSION;
}

/** Makes ASCII letters small, as gmetad does with `case_sensitive_hostnames 0`. */
export function lowerCase(name: string): string {
  return name.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

function fit(name: string, most: number): string {
  if (name.length <= most && PLAIN.test(name)) return name;
  if (name === "") return "%";
  const encoded = name.toWellFormed().replace(
    UNFIT,
    (unfit) => unfit.replace(/./gs, percentEncoded),
  );
  if (encoder.encode(encoded).length <= most) return encoded;
  const hash = createHash("sha256").update(name).digest("hex");
  const room = new Uint8Array(most - 1 - HASH_DIGITS);
  // It takes whole characters only.
  const { read } = encoder.encodeInto(encoded, room);
  return `${encoded.slice(0, read)}~${hash.slice(0, HASH_DIGITS)}`;
}

function percentEncoded(character: string): string {
  const code = character.charCodeAt(0).toString(16).toUpperCase();
  return `%${code.padStart(2, "0")}`;
}
