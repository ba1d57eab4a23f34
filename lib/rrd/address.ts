import { readHost, RRDCACHED_PORT } from "../ganglia/conf/hosts.ts";
import { UserError } from "../errors.ts";

/** Where something listens. */
export type SocketAddress =
  | { readonly transport: "unix"; readonly path: string }
  | {
    readonly transport: "tcp";
    readonly hostname: string;
    readonly port: number;
  };

/**
 * Reads rrdcached's address, as `rrdtool --daemon` takes it: `unix:/path`, `/path`, `HOST`,
 * `HOST:PORT`, `[IPv6]:PORT`; a host is a name or a number. Source: rrdcached's manual.
 * @throws UserError
 */
export function parseAddress(text: string): SocketAddress {
  const unix = /^(?:unix:)?(\/.*)$/s.exec(text);
  if (unix) return { transport: "unix", path: unix[1] };
  const reading = readHost(text, RRDCACHED_PORT);
  if ("fault" in reading) {
    throw new UserError(
      `no address of an rrdcached: ${JSON.stringify(text)}; ` +
        "write it as unix:/run/rrdcached.sock, HOST:PORT or [IPv6]:PORT",
    );
  }
  const { host, port } = reading.host;
  return { transport: "tcp", hostname: host, port };
}

/** An address for people. */
export function formatAddress(address: SocketAddress): string {
  if (address.transport === "unix") return address.path;
  const { hostname, port } = address;
  return hostname.includes(":")
    ? `[${hostname}]:${port}`
    : `${hostname}:${port}`;
}

/** Whether what listens there is on this machine, and sees our disk. */
export function isLocal(address: SocketAddress): boolean {
  if (address.transport === "unix") return true;
  return address.hostname === "localhost" || address.hostname === "::1" ||
    /^127\.\d+\.\d+\.\d+$/.test(address.hostname);
}
