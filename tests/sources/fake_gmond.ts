import net from "node:net";

/** What a gmond does with a connection. */
export type Behaviour = (socket: net.Socket) => unknown;

/**
 * A gmond that does as it is told: one behaviour a connection, the last of them for all that
 * follow. It listens on a port of its own.
 */
export class FakeGmond implements AsyncDisposable {
  /** How many connections there were. */
  connections = 0;
  readonly #server: net.Server;
  readonly #sockets = new Set<net.Socket>();
  readonly #behaviours: Behaviour[];
  readonly #waiting: (() => void)[] = [];

  private constructor(behaviours: Behaviour[]) {
    this.#behaviours = behaviours;
    this.#server = net.createServer((socket) => {
      this.connections++;
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
      // Whoever reads may leave at any time.
      socket.on("error", () => {});
      const [behave] = this.#behaviours;
      if (this.#behaviours.length > 1) this.#behaviours.shift();
      behave(socket);
      this.#waiting.splice(0).forEach((resolve) => resolve());
    });
  }

  /** Starts one. */
  static async listen(
    behaviours: Behaviour[],
    host = "127.0.0.1",
  ): Promise<FakeGmond> {
    const gmond = new FakeGmond(behaviours);
    await new Promise<void>((resolve, reject) => {
      gmond.#server.once("error", reject);
      gmond.#server.listen(0, host, resolve);
    });
    return gmond;
  }

  get port(): number {
    return (this.#server.address() as net.AddressInfo).port;
  }

  /** Resolves when there have been so many connections. */
  async connected(count: number): Promise<void> {
    while (this.connections < count) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** Does as it is told from now on. */
  become(...behaviours: Behaviour[]): void {
    this.#behaviours.splice(0, Infinity, ...behaviours);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** Connects as a source does, and tells a test how far that is. */
export class Wire {
  /** Connections that were made. */
  connections = 0;
  /** Bytes that were read from them. */
  bytes = 0;
  readonly connect = async (
    options: Deno.ConnectOptions,
  ): Promise<Deno.Conn> => {
    const connection = await Deno.connect(options);
    this.connections++;
    const read = connection.read.bind(connection);
    connection.read = async (buffer) => {
      const length = await read(buffer);
      this.bytes += length ?? 0;
      return length;
    };
    return connection;
  };
}

/** Sends everything and closes, as a gmond does. */
export function sends(bytes: Uint8Array): Behaviour {
  return (socket) => socket.end(bytes);
}

/** Sends this much, and then holds the connection. */
export function stallsAfter(bytes: Uint8Array): Behaviour {
  return (socket) => socket.write(bytes);
}

/** Sends this much, and then resets the connection. */
export function resetsAfter(bytes: Uint8Array): Behaviour {
  return (socket) =>
    socket.write(bytes, () =>
      // What was written is on its way; a reset at once would throw it away.
      setTimeout(() => socket.resetAndDestroy(), 20));
}

/** Sends one byte at a time. */
export function drips(bytes: Uint8Array): Behaviour {
  return (socket) => {
    socket.setNoDelay(true);
    let at = 0;
    const next = () => {
      if (at === bytes.length) socket.end();
      else socket.write(bytes.subarray(at, ++at), () => setImmediate(next));
    };
    next();
  };
}

/** Sends a beginning, and then the same piece for as long as anybody reads. */
export function sendsForEver(begin: Uint8Array, piece: Uint8Array): Behaviour {
  return (socket) => {
    socket.write(begin);
    const more = () => {
      while (!socket.destroyed && socket.write(piece)) {
        /* until it is full */
      }
    };
    socket.on("drain", more);
    more();
  };
}
