/** The part of the runtime's datagrams that tests use; its own types need a flag. */
interface Listener {
  readonly addr: { port: number };
  receive(): Promise<[Uint8Array, unknown]>;
  close(): void;
}

const { listenDatagram } = Deno as unknown as {
  listenDatagram(address: object): Listener;
};

/** Listens for datagrams, as a syslog daemon does. */
export function listen(
  address: { transport: "unixpacket"; path: string } | {
    transport: "udp";
    hostname: string;
    port: number;
  },
) {
  const listener = listenDatagram(address);
  return {
    port: listener.addr.port,
    /** The next datagram as text. */
    next: async () => new TextDecoder().decode((await listener.receive())[0]),
    [Symbol.dispose]: () => listener.close(),
  };
}
