import { join } from "@std/path";
import { getLogger } from "@logtape/logtape";
import type { Clock } from "../clock.ts";
import { messageOf, UserError } from "../errors.ts";
import { reasonOf } from "../secret_file.ts";
import { oneLine } from "../text.ts";
import {
  CONTROL_LIMITS,
  CONTROL_NAME,
  type ControlLine,
  type ControlRequest,
  parseControlRequest,
} from "./control.ts";
import { closeQuietly, LineReader, writeLine } from "./lines.ts";
import { withShortPath } from "./unix_path.ts";

const logger = getLogger(["gatherer", "control"]);

/** A socket is made in a directory of this name, and moved to its place when it is the owner's. */
const MAKING_PREFIX = ".control-";

/** Answers a request, a line at a time. @throws UserError when it cannot be done. */
export type ControlHandler = (
  request: ControlRequest,
) => AsyncIterable<ControlLine>;

/** Answers on the control socket of a base directory. */
export class ControlServer implements AsyncDisposable {
  readonly #path: string;
  readonly #listener: Deno.UnixListener;
  /** By which the socket is told from another one at its path. */
  readonly #inode: number | null;
  readonly #handler: ControlHandler;
  readonly #clock: Clock;
  readonly #connections = new Map<Deno.Conn, Promise<void>>();
  readonly #accepting: Promise<void>;
  #isClosed = false;

  private constructor(
    path: string,
    { listener, inode }: Bound,
    handler: ControlHandler,
    clock: Clock,
  ) {
    this.#path = path;
    this.#listener = listener;
    this.#inode = inode;
    this.#handler = handler;
    this.#clock = clock;
    this.#accepting = this.#accept();
  }

  /**
   * Listens. A socket that is left from before is replaced: only who holds the base directory's
   * lock may call this.
   *
   * @throws UserError when there can be no socket there.
   */
  static async listen(
    basedir: string,
    handler: ControlHandler,
    clock: Clock,
  ): Promise<ControlServer> {
    const path = join(basedir, CONTROL_NAME);
    try {
      await sweep(basedir);
      return new ControlServer(path, await bind(basedir, path), handler, clock);
    } catch (error) {
      throw new UserError(`no control socket ${path}: ${reasonOf(error)}`);
    }
  }

  /**
   * Ends it: no more is answered, and the socket is removed. Answers under way have `ms`
   * milliseconds left.
   */
  async close(ms = 500): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    closeQuietly(this.#listener);
    await this.#accepting;
    await this.#remove();
    const timer = this.#clock.setTimer(() => {
      for (const connection of this.#connections.keys()) {
        closeQuietly(connection);
      }
    }, ms);
    await Promise.all(this.#connections.values());
    timer.cancel();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #remove(): Promise<void> {
    try {
      const { ino } = await Deno.lstat(this.#path);
      if (ino === this.#inode) await Deno.remove(this.#path);
    } catch {
      // It is gone, or will be replaced by the next one.
    }
  }

  async #accept(): Promise<void> {
    while (!this.#isClosed) {
      let connection: Deno.Conn;
      try {
        connection = await this.#listener.accept();
      } catch (error) {
        if (this.#isClosed) return;
        logger.warn("the control socket has a pause: {reason}", {
          reason: oneLine(messageOf(error)),
        });
        await new Promise<void>((resolve) =>
          this.#clock.setTimer(resolve, 1000, { keepAlive: false })
        );
        continue;
      }
      if (this.#connections.size >= CONTROL_LIMITS.connections) {
        closeQuietly(connection);
        continue;
      }
      this.#connections.set(
        connection,
        this.#serve(connection).catch((error) =>
          logger.debug("control: {reason}", {
            reason: oneLine(messageOf(error)),
          })
        ).finally(() => {
          this.#connections.delete(connection);
          closeQuietly(connection);
        }),
      );
    }
  }

  async #serve(connection: Deno.Conn): Promise<void> {
    const say = (line: ControlLine) =>
      writeLine(
        connection,
        JSON.stringify(line),
        this.#clock,
        CONTROL_LIMITS.writeMs,
      );
    const text = await new LineReader(connection, this.#clock).next(
      CONTROL_LIMITS.request,
      CONTROL_LIMITS.requestMs,
    );
    if (text === undefined) return;
    const request = parseControlRequest(text);
    if (!request) return await say({ error: "not a request" });
    const lines = this.#handler(request)[Symbol.asyncIterator]();
    try {
      while (true) {
        let next: IteratorResult<ControlLine>;
        try {
          next = await lines.next();
        } catch (error) {
          if (!(error instanceof UserError)) {
            logger.error("{command} failed: {reason}", {
              command: request.command,
              reason: oneLine(messageOf(error)),
            });
          }
          return await say({ error: messageOf(error) });
        }
        if (next.done) return await say({ done: true });
        await say(next.value);
      }
    } finally {
      await lines.return?.();
    }
  }
}

interface Bound {
  readonly listener: Deno.UnixListener;
  readonly inode: number | null;
}

/** A socket that nobody else can open, from the moment it exists. */
async function bind(
  basedir: string,
  path: string,
): Promise<Bound> {
  // Made for the owner alone.
  const making = await Deno.makeTempDir({
    dir: basedir,
    prefix: MAKING_PREFIX,
  });
  const made = join(making, "s");
  let listener: Deno.UnixListener | undefined;
  try {
    listener = await withShortPath(
      made,
      (path) => Deno.listen({ transport: "unix", path }),
    );
    await Deno.chmod(made, 0o600);
    const { ino } = await Deno.lstat(made);
    await Deno.rename(made, path);
    return { listener, inode: ino };
  } catch (error) {
    if (listener) closeQuietly(listener);
    throw error;
  } finally {
    await Deno.remove(making, { recursive: true }).catch(() => {});
  }
}

/** Removes what a process that was killed had begun to make. */
async function sweep(basedir: string): Promise<void> {
  for await (const { name, isDirectory } of Deno.readDir(basedir)) {
    if (isDirectory && name.startsWith(MAKING_PREFIX)) {
      await Deno.remove(join(basedir, name), { recursive: true });
    }
  }
}
