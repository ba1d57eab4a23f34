import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { UserError } from "../errors.ts";

/** Sends datagrams to one address. */
export interface DatagramSender {
  /** @throws When the system could not take it. */
  send(bytes: Uint8Array): Promise<void>;
  /** Ends it, and what is being sent. */
  close(): void;
}

/** Where datagrams go: a socket in the file system, or a UDP port. */
export type DatagramTarget = { readonly path: string } | {
  /** A name or an address, IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
};

type Address =
  | { transport: "unixpacket"; path: string }
  | { transport: "udp"; hostname: string; port: number };

/** The part that we use of what the runtime has only when it is asked to. */
interface WithDatagrams {
  listenDatagram?: (address: Address) => {
    send(bytes: Uint8Array, address: Address): Promise<number>;
    close(): void;
  };
}

/**
 * Opens a way to send datagrams. A socket in the file system is looked up anew with each of them,
 * so its owner may restart; a host's name is looked up once.
 *
 * @throws UserError when the runtime was started without `--unstable-net`.
 * @throws The system's error, when the host is not known.
 */
export async function openDatagrams(
  target: DatagramTarget,
): Promise<DatagramSender> {
  const { listenDatagram } = Deno as WithDatagrams;
  if (!listenDatagram) {
    throw new UserError(
      "this runtime cannot send datagrams; start it with --unstable-net",
    );
  }
  let to: Address;
  let from: Address;
  if ("path" in target) {
    to = { transport: "unixpacket", path: target.path };
    // A name in Linux's own space for them, for no name at all is not allowed without all
    // permissions, and a file would have to be cleared away.
    from = {
      transport: "unixpacket",
      path: `\0gatherer-${crypto.randomUUID()}`,
    };
  } else {
    const { address } = await lookup(target.host);
    const any = isIP(address) === 6 ? "::" : "0.0.0.0";
    to = { transport: "udp", hostname: address, port: target.port };
    from = { transport: "udp", hostname: any, port: 0 };
  }
  const socket = listenDatagram(from);
  return {
    send: async (bytes) => void await socket.send(bytes, to),
    close: () => socket.close(),
  };
}
