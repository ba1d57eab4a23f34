/**
 * Whoever waits for this process to be ready: `gatherer start`, which is told over a unix socket
 * that the environment names.
 *
 * @module
 */

/** The variable with the socket's path. */
export const STARTER_VARIABLE = "GATHERER_STARTER";

/** What is told: a JSON object on a line. */
export type StarterMessage =
  | { readonly ready: true }
  | { readonly failed: string };

/** Whoever waits for this process. */
export class Starter {
  static #current: Promise<Starter | undefined> | undefined;

  /** Resolves when whoever waited has gone without having been told. */
  readonly abandoned: Promise<void>;
  readonly #connection: Deno.UnixConn | undefined;
  #isTold = false;

  private constructor(connection: Deno.UnixConn | undefined) {
    this.#connection = connection;
    // It never says anything. Listening to it must not keep this process running.
    connection?.unref();
    const gone = connection?.read(new Uint8Array(1)).catch(() => {});
    this.abandoned = new Promise((resolve) => {
      const end = () => this.#isTold || resolve();
      if (gone) gone.then(end);
      else end();
    });
  }

  /**
   * The one of this process, which has given up already if it cannot be reached; `undefined`: it
   * was not started by one. The variable is cleared.
   */
  static current(): Promise<Starter | undefined> {
    return this.#current ??= this.#connect();
  }

  static async #connect(): Promise<Starter | undefined> {
    const path = Deno.env.get(STARTER_VARIABLE);
    if (path === undefined) return undefined;
    Deno.env.delete(STARTER_VARIABLE);
    try {
      return new Starter(await Deno.connect({ transport: "unix", path }));
    } catch {
      return new Starter(undefined);
    }
  }

  /** Says how it went. The first time counts: then nobody waits any more. */
  async tell(message: StarterMessage): Promise<void> {
    if (this.#isTold) return;
    this.#isTold = true;
    const bytes = new TextEncoder().encode(`${JSON.stringify(message)}\n`);
    try {
      for (let done = 0; this.#connection && done < bytes.length;) {
        done += await this.#connection.write(bytes.subarray(done));
      }
      this.#connection?.close();
    } catch {
      // It has given up.
    }
  }
}

/** Says to whoever waits that this process has failed; nothing if nobody does. */
export async function tellFailure(message: string): Promise<void> {
  await (await Starter.current())?.tell({ failed: message });
}
