import { decodeHex } from "@std/encoding";

/** One input to a real Foolscap peer and what it did. */
export interface WireCase {
  readonly group: string;
  readonly name: string;
  readonly send?: string;
  readonly reply?: string;
  readonly closed: boolean;
  readonly steps?: readonly { readonly send: string; readonly reply: string }[];
  readonly sees?: readonly Record<string, unknown>[];
  readonly reference_tubid?: string;
  readonly first_incarnation?: string;
  readonly first_current_connection?: string;
  readonly first_closed?: boolean;
}

/** A whole recorded session between two real Foolscap Tubs. */
export interface Session {
  readonly furl: string;
  readonly provider_tubid: string;
  readonly gatherer_tubid: string;
  readonly master: "provider" | "gatherer";
  readonly events: readonly {
    readonly side: string;
    readonly event: string;
    readonly layer?: string;
    readonly hex?: string;
  }[];
  readonly streams: Record<string, { hex: string; chunks: readonly number[] }>;
}

/** The tubids of `certs/low.pem` and `certs/high.pem`, which all recordings are about. */
export const LOW = "hbcc7cv4lemmk5snjzrjuia6frdsm3lt";
export const HIGH = "s7ndm2rxkytmnk4w7pt7rq5fm33aoluu";

function load<T>(name: string): T {
  const url = new URL(`../testdata/foolscap/${name}`, import.meta.url);
  return JSON.parse(Deno.readTextFileSync(url));
}

const wireCases = load<{ cases: WireCase[] }>("wire-cases.json").cases;

/** The recorded cases of one group, in order. */
export function casesOf(group: string): WireCase[] {
  const found = wireCases.filter((row) => row.group === group);
  if (found.length === 0) throw new Error(`no cases of the group ${group}`);
  return found;
}

/** A recorded session by its file's name. */
export function loadSession(name: string): Session {
  return load(name);
}

export function bytesOf(hex: string | undefined): Uint8Array {
  return decodeHex(hex ?? "");
}

export function latin1(bytes: Uint8Array | undefined): string {
  return String.fromCharCode(...bytes ?? []);
}

export function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export function concat(chunks: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(
    chunks.reduce((sum, { length }) => sum + length, 0),
  );
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}
