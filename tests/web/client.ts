/** A client on a bare TCP connection, which does what browsers do not. */
export class RawClient implements Disposable {
  readonly connection: Deno.TcpConn;
  #text = "";
  readonly #decoder = new TextDecoder();

  private constructor(connection: Deno.TcpConn) {
    this.connection = connection;
  }

  static async open(
    { host, port }: { readonly host: string; readonly port: number },
  ): Promise<RawClient> {
    return new RawClient(await Deno.connect({ hostname: host, port }));
  }

  async send(text: string): Promise<void> {
    const bytes = new TextEncoder().encode(text);
    for (let at = 0; at < bytes.length;) {
      at += await this.connection.write(bytes.subarray(at));
    }
  }

  /** What has been received when it matches, or at the end of the connection. */
  async until(pattern: RegExp): Promise<string> {
    const buffer = new Uint8Array(65536);
    while (!pattern.test(this.#text)) {
      const count = await this.connection.read(buffer).catch(() => null);
      if (count === null) break;
      this.#text += this.#decoder.decode(buffer.subarray(0, count), {
        stream: true,
      });
    }
    return this.#text;
  }

  /** All up to the end of the connection. */
  end(): Promise<string> {
    return this.until(/(?!)/);
  }

  [Symbol.dispose](): void {
    try {
      this.connection.close();
    } catch {
      // It was closed before.
    }
  }
}

/** A request for a page. */
export function request(
  path: string,
  { method = "GET", headers = "", body = "" } = {},
): string {
  return `${method} ${path} HTTP/1.1\r\nHost: h\r\n${headers}\r\n${body}`;
}
