/**
 * UTF-8 bytes of a statistic's name. Foolscap's reference has no limit; a peer of ours keeps at
 * least this much of a name.
 */
export const MAX_NAME_BYTES = 1000;

/** Counters of one provider, and numbers in one answer of one producer. */
export const MAX_NUMBERS = 10_000;

/**
 * What an integer's magnitude stays below: 1,000 bytes, which a real Foolscap peer takes with and
 * without a schema. A greater one would spoil the whole answer.
 */
export const INTEGER_BOUND: bigint = 1n << 8000n;

const utf8 = new TextEncoder();

/** Why `name` cannot name a statistic, or undefined when it can. */
export function nameFault(name: unknown): string | undefined {
  if (typeof name !== "string") {
    return `a name must be a string, not ${what(name)}`;
  }
  if (name === "") return "a name must not be empty";
  // Two names that differ only in broken surrogates would be one repeated key on the wire.
  if (!name.isWellFormed()) {
    return `the name ${quote(name)} holds half a surrogate pair`;
  }
  if (
    name.length > MAX_NAME_BYTES ||
    name.length * 3 > MAX_NAME_BYTES &&
      utf8.encode(name).length > MAX_NAME_BYTES
  ) {
    return `the name ${quote(name)} is longer than ${MAX_NAME_BYTES} bytes`;
  }
}

/** A text in quotes, on one line, and short enough for a message. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 60 ? text.slice(0, 60) + "…" : text);
}

/** A value in the words of an error message. Never the content of a text, which may be a secret. */
export function what(value: unknown): string {
  switch (typeof value) {
    case "undefined":
      return "undefined";
    case "number":
      return `the number ${value}`;
    case "bigint":
      return "a bigint";
    case "object":
      if (value === null) return "null";
      return Array.isArray(value) ? "an array" : "an object";
    default:
      return `a ${typeof value}`;
  }
}
