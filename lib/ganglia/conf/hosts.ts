import ipaddr from "ipaddr.js";
import { GMOND_PORT, type HostPort } from "./conf.ts";
import { quote } from "./remarks.ts";

/** Where rrdcached answers when it is not told otherwise. Source: rrdcached(1). */
export const RRDCACHED_PORT = 42217;

/** What became of a text that names a host. */
export type HostReading =
  | { readonly host: HostPort; readonly warning?: string }
  /** Why it is none. */
  | { readonly fault: string };

/**
 * Reads `HOST`, `HOST:PORT`, an IPv6 address, `[ADDRESS]` or `[ADDRESS]:PORT`, the host a name or an
 * address. What follows the digits of a port is ignored, as the C gmetad does, which reads "8649,".
 */
export function readHost(
  text: string,
  defaultPort: number = GMOND_PORT,
): HostReading {
  const bare = text.replace(/,+$/, "");
  const commas = bare === text
    ? {}
    : { warning: `the comma after ${quote(bare)} is ignored` };
  if (isIpv6(bare)) {
    return { host: { host: bare, port: defaultPort }, ...commas };
  }
  const [, bracketed, plain, rest] =
    /^(?:\[([^\]]*)\]|([^:[\]]*))(.*)$/s.exec(bare) ?? [];
  const host = bracketed ?? plain;
  if (bracketed !== undefined ? !isIpv6(bracketed) : !isHostName(plain)) {
    return { fault: notHost(text) };
  }
  if (rest === "") return { host: { host, port: defaultPort }, ...commas };
  if (text.includes("://")) return { fault: notHost(text) };
  const [, digits, ignored] = /^:(\d+)(.*)$/s.exec(rest) ?? [];
  const port = Number(digits);
  if (!(port >= 1 && port <= 65535)) {
    return { fault: "expected a port from 1 to 65535 after the host" };
  }
  if (ignored === "") return { host: { host, port }, ...commas };
  return {
    host: { host, port },
    warning: `${quote(ignored)} after port ${port} is ignored; ` +
      "hosts are separated by blanks",
  };
}

/** A host and its port, for people. */
export function describeHost({ host, port }: HostPort): string {
  return `${host} port ${port}`;
}

/** Whether a text is an address or the name of a machine. */
export function isHost(text: string): boolean {
  return isIpv6(text) || isHostName(text);
}

/** Whether a text is a network, such as `10.0.0.0/8`. */
export function isNetwork(text: string): boolean {
  const [, address, bits] = /^([^/]+)\/(\d{1,3})$/.exec(text) ?? [];
  if (address === undefined) return false;
  if (ipaddr.IPv4.isValidFourPartDecimal(address)) return Number(bits) <= 32;
  return isIpv6(address) && Number(bits) <= 128;
}

function isIpv6(text: string): boolean {
  // The library takes long to refuse what has no two colons.
  return /:.*:/s.test(text) && ipaddr.IPv6.isValid(text);
}

/** A name, or an IPv4 address. Names of other alphabets are left to the resolver. */
function isHostName(text: string): boolean {
  return text.length <= 253 && /^[\p{L}\p{N}_][\p{L}\p{N}_.-]*$/u.test(text) &&
    !/^\d+$/.test(text);
}

function notHost(text: string): string {
  if (text.includes(",")) return "hosts are separated by blanks, not by commas";
  if (text.includes("://")) return "expected HOST or HOST:PORT, not a URL";
  return "expected HOST, HOST:PORT, or [ADDRESS]:PORT for IPv6";
}
