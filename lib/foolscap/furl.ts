import { encodeBase32 } from "@std/encoding";
import { FurlError } from "./errors.ts";

/**
 * Names one object in one Tub. Two FURLs with the same tubid and name mean the same object,
 * whatever their hints.
 */
export interface Furl {
  /** Which Tub: base32 of the SHA-1 of its certificate, 32 characters. */
  readonly tubid: string;
  /** Where it may be found, as written; see {@linkcode parseHint}. */
  readonly hints: readonly string[];
  /** Which object: the swissnum. A secret, for who knows it may call the object. */
  readonly name: string;
}

/** The TCP address in a location hint. */
export interface TcpHint {
  /** A DNS name or an IP address; IPv6 without brackets, with `%zone` if there was one. */
  readonly host: string;
  /** 1 to 65535. */
  readonly port: number;
}

const PREFIX = "pb://";
/** Characters of a tubid. */
export const TUBID_LENGTH = 32;
const HOST = "[A-Za-z0-9.-]+";
const IPV6 = "[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(?:%[A-Za-z0-9._~-]+)?";
const OLD_HINT = new RegExp(`^(${HOST}):([0-9]+)$`);
const NEW_HINT = new RegExp(`^tcp:(?:(${HOST})|\\[(${IPV6})\\]):([0-9]+)$`);

/**
 * Reads a FURL: `pb://TUBID@HINT,HINT…/NAME`. White space around it is cut off; unlike the
 * reference, which looks for a FURL anywhere in a text, nothing else may stand before it.
 * Source: Foolscap's `furl.py`.
 *
 * @throws {FurlError} Says what is wrong, never what the name is.
 */
export function parseFurl(text: string): Furl {
  const furl = text.trim();
  if (!furl.startsWith(PREFIX)) {
    throw new FurlError('not a FURL: it must begin with "pb://"');
  }
  if (/[\r\n]/.test(furl)) {
    throw new FurlError("not a FURL: it must be a single line");
  }
  const at = furl.indexOf("@", PREFIX.length);
  const slash = furl.indexOf("/", at);
  if (at <= PREFIX.length) {
    throw new FurlError('not a FURL: no tubid and "@" after "pb://"');
  }
  if (slash < 0 || slash === furl.length - 1) {
    throw new FurlError('not a FURL: no name after the last hint and "/"');
  }
  // What follows the 32 characters is room that the format keeps for later versions.
  const tubid = furl.slice(PREFIX.length, at).slice(0, TUBID_LENGTH);
  // Upper case and short ones get past the reference's parser too; they just match no Tub.
  if (!/^[a-z2-7]+$/i.test(tubid)) {
    throw new FurlError(
      'not a FURL: the tubid (up to "@") has other characters than a-z and 2-7',
    );
  }
  const location = furl.slice(at + 1, slash);
  const hints = location === "" ? [] : location.split(",");
  if (hints.includes("")) {
    throw new FurlError("not a FURL: one of its location hints is empty");
  }
  return { tubid, hints, name: furl.slice(slash + 1) };
}

/** Writes a FURL; {@linkcode parseFurl} reads it back. The result holds a secret. */
export function formatFurl(furl: Furl): string {
  return `${PREFIX}${furl.tubid}@${furl.hints.join(",")}/${furl.name}`;
}

/**
 * For logs: `pb://TUBID@HINTS/…`. A text that does not look like a FURL becomes `…` as a whole,
 * because there is no telling where in it the secret is.
 */
export function redactFurl(text: string): string {
  const match = /^\s*(pb:\/\/[a-z2-7]+@[^/\s]*\/)/i.exec(text);
  return `${match?.[1] ?? ""}…`;
}

/**
 * Reads a location hint: `tcp:HOST:PORT`, IPv6 in brackets, or the old `HOST:PORT`.
 *
 * @returns `undefined` for a hint of another kind (Tor, I2P, …) or without a possible port: such
 *   hints are to be skipped. The reference lets ports 0 and above 65535 through and fails later.
 */
export function parseHint(hint: string): TcpHint | undefined {
  const old = OLD_HINT.exec(hint);
  const match = old ?? NEW_HINT.exec(hint);
  if (!match) return undefined;
  const host = old ? match[1] : match[1] ?? match[2];
  const port = Number(match[old ? 2 : 3]);
  return port >= 1 && port <= 65535 ? { host, port } : undefined;
}

/** Writes a location hint, `tcp:HOST:PORT`, with brackets around an IPv6 address. */
export function formatHint(host: string, port: number): string {
  return `tcp:${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** A new unguessable name for an object: 160 random bits as 32 characters of lower-case base32. */
export function randomSwissnum(): string {
  return encodeBase32(crypto.getRandomValues(new Uint8Array(20))).toLowerCase();
}
