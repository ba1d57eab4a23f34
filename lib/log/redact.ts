/** Stands for what was taken out. */
export const REDACTED = "[secret]";

/** A private key in PEM, up to its end or, if that is missing, to the end of the text. */
const PRIVATE_KEY =
  /-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----[^]*?(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|$)/g;

/** A FURL, and what follows its tubid and hints; `/…` alone has been redacted before. */
const FURL = /(pbu?:\/\/[^\s/]*)(\/(?!…(?!\S))\S+)/gi;

/** A text without the secrets that can be known by their look, and what was taken out of it. */
export interface Redacted {
  readonly text: string;
  /** The pieces that were taken out; of a FURL with the slash before the secret. */
  readonly removed: readonly string[];
}

/**
 * Takes secrets out of a text: the names (swissnums) of FURLs, and private keys in PEM. It is the
 * net below the rule that nobody logs a secret, not a reason to log one. What stands directly
 * behind a FURL, up to the next blank, goes with it, for any character may be part of it. Takes
 * time in proportion to the length of the text.
 */
export function redact(text: string): Redacted {
  const removed: string[] = [];
  const take = (piece: string, rest: string) => {
    removed.push(piece);
    return rest;
  };
  const redacted = text
    .replace(PRIVATE_KEY, (key) => take(key, REDACTED))
    .replace(
      FURL,
      (_, where, name) => take(name, `${where}/${REDACTED}`),
    );
  return { text: redacted, removed };
}

/** The shortest text that is taken for a part of a secret when it is found in one. */
const LEAST_PART = 6;
/** Characters of a text that are looked for: what follows may have been cut off in the secret. */
const LOOKED_FOR = 64;

/** Whether a text is what was taken out of another, or a part of it. */
export function isPartOf(text: string, { removed }: Redacted): boolean {
  const start = text.slice(0, LOOKED_FOR);
  return removed.some((piece) =>
    start.length >= LEAST_PART ? piece.includes(start) : piece === `/${text}`
  );
}
