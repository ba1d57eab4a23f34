/** A web port that answers as a test wants it to. */

/** What a server does with a connection over which a request has come. */
export type Behaviour = (
  connection: Deno.Conn,
  request: string,
) => void | Promise<void>;

/** A server on a free port of this machine; each connection gets the next of its behaviours. */
export class FakeNode implements AsyncDisposable {
  readonly port: number;
  /** What it does with the next connections; the last goes on. */
  behaviours: Behaviour[];
  /** The head of each request. */
  readonly requests: string[] = [];
  /** Bytes that it could send. */
  sent = 0;
  readonly #listener: Deno.Listener;
  readonly #open = new Set<Deno.Conn>();
  readonly #serving: Promise<void>;

  private constructor(listener: Deno.Listener, behaviours: Behaviour[]) {
    this.#listener = listener;
    this.port = (listener.addr as Deno.NetAddr).port;
    this.behaviours = behaviours;
    this.#serving = this.#serve();
  }

  static listen(behaviours: Behaviour[], port = 0): FakeNode {
    const address = { hostname: "127.0.0.1", port };
    return new FakeNode(Deno.listen(address), behaviours);
  }

  static listenTls(
    behaviours: Behaviour[],
    { cert, key }: { cert: string; key: string },
  ): FakeNode {
    const address = { hostname: "127.0.0.1", port: 0, cert, key };
    return new FakeNode(Deno.listenTls(address), behaviours);
  }

  /** Where its page is. */
  get url(): string {
    return `http://127.0.0.1:${this.port}/statistics?t=json`;
  }

  async #serve(): Promise<void> {
    const answers: Promise<void>[] = [];
    for (;;) {
      try {
        answers.push(this.#answer(await this.#listener.accept()));
      } catch (error) {
        if (error instanceof Deno.errors.BadResource) break;
        // A handshake that failed.
      }
    }
    await Promise.all(answers);
  }

  async #answer(connection: Deno.Conn): Promise<void> {
    this.#open.add(connection);
    const behaviour = this.behaviours.length > 1
      ? this.behaviours.shift()!
      : this.behaviours[0];
    try {
      let head = "";
      const buffer = new Uint8Array(4096);
      while (!head.includes("\r\n\r\n")) {
        const length = await connection.read(buffer);
        if (length === null) return;
        head += new TextDecoder().decode(buffer.subarray(0, length));
      }
      this.requests.push(head);
      const { write } = connection;
      connection.write = async (bytes) => {
        const length = await write.call(connection, bytes);
        this.sent += length;
        return length;
      };
      await behaviour(connection, head);
    } catch {
      // The other side has gone.
    } finally {
      this.#close(connection);
    }
  }

  #close(connection: Deno.Conn): void {
    this.#open.delete(connection);
    try {
      connection.close();
    } catch {
      // It is.
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const connection of this.#open) this.#close(connection);
    await this.#serving;
  }
}

const encoder = new TextEncoder();

/** Writes all of it. */
async function send(
  connection: Deno.Conn,
  content: Uint8Array | string,
): Promise<void> {
  const bytes = typeof content === "string" ? encoder.encode(content) : content;
  for (let at = 0; at < bytes.length;) {
    at += await connection.write(bytes.subarray(at));
  }
}

/** Waits for the other side to go. */
async function untilGone(connection: Deno.Conn): Promise<void> {
  const buffer = new Uint8Array(1024);
  while (await connection.read(buffer) !== null);
}

/** Sends a page as Twisted's server does. */
export function answers(
  body: Uint8Array | string,
  head = "200 OK",
): Behaviour {
  const bytes = typeof body === "string" ? encoder.encode(body) : body;
  return async (connection) => {
    await send(
      connection,
      `HTTP/1.1 ${head}\r\nServer: TwistedWeb/24.3.0\r\n` +
        `Content-Type: text/plain\r\nContent-Length: ${bytes.length}\r\n\r\n`,
    );
    await send(connection, bytes);
  };
}

/** Sends exactly this, then closes. */
export function says(text: string): Behaviour {
  return (connection) => send(connection, text);
}

/** Sends exactly this, then nothing more, and keeps the connection. */
export function saysAndStalls(text: string): Behaviour {
  return async (connection) => {
    await send(connection, text);
    await untilGone(connection);
  };
}

/** Sends blanks for ever: a body without an end, or of a length that it names. */
export function floods(length?: number): Behaviour {
  return async (connection) => {
    await send(
      connection,
      `HTTP/1.1 200 OK\r\n${
        length === undefined ? "Connection: close" : `Content-Length: ${length}`
      }\r\n\r\n`,
    );
    const blanks = new Uint8Array(64 * 1024).fill(0x20);
    for (;;) await send(connection, blanks);
  };
}

/** Sends a head, then a byte each time it is told to. */
export class Dripping {
  readonly #body: Uint8Array;
  #next = Promise.withResolvers<void>();

  constructor(body: Uint8Array) {
    this.#body = body;
  }

  readonly behaviour: Behaviour = async (connection) => {
    const gone = untilGone(connection).catch(() => {}).then(() => "gone");
    await send(
      connection,
      `HTTP/1.1 200 OK\r\nContent-Length: ${this.#body.length}\r\n\r\n`,
    );
    for (let at = 0;; at++) {
      if (await Promise.race([gone, this.#next.promise]) === "gone") return;
      this.#next = Promise.withResolvers();
      await send(connection, this.#body.subarray(at, at + 1));
    }
  };

  /** Lets the next byte go. */
  drip(): void {
    this.#next.resolve();
  }
}

/** Waits for what does not depend on a test's clock: real connections. */
export async function until(
  condition: () => boolean,
  what: string,
): Promise<void> {
  for (let i = 0; !condition(); i++) {
    if (i > 5000) throw new Error(`never: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
