import { getLogger } from "@logtape/logtape";
import { type Clock, systemClock } from "../clock.ts";
import { messageOf } from "../errors.ts";
import {
  formatIdentity,
  generateIdentity,
  type Identity,
  parseIdentity,
} from "../foolscap/certificate.ts";
import { type Furl, parseFurl } from "../foolscap/furl.ts";
import { Reconnector } from "../foolscap/reconnector.ts";
import { Referenceable } from "../foolscap/references.ts";
import { RI_STATS_PROVIDER, writeStats } from "../foolscap/stats_protocol.ts";
import { Tub } from "../foolscap/tub.ts";
import { readSecret, reasonOf, writeSecret } from "../secret_file.ts";
import { LoadMonitor } from "./load_monitor.ts";
import type { StatsProvider } from "./provider.ts";

const logger = getLogger(["gatherer", "connect"]);

/** How a program becomes a node of a gatherer. */
export interface ConnectOptions {
  /**
   * The gatherer's FURL, or the path of a file that holds it (`stats_gatherer.furl`). A file that
   * is missing or cannot be read means "not configured": counting works, nothing is connected.
   */
  readonly furl: string;
  /** What the node is called in the gatherer's lists and graphs. */
  readonly nickname: string;
  /** Connect only once this has resolved: the program is ready. If it rejects, never. */
  readonly ready?: PromiseLike<unknown>;
  /**
   * The file of the node's key, by which the gatherer knows it again after a restart; made when
   * it is missing. Default: `NICKNAME.stats.pem` in the current directory. Where it can be neither
   * read nor written, the node has a new key, and so a new name, at each start. Deno's permissions
   * have to allow reading and writing of the file and, while it is made, of the same path with
   * `.tmp` behind it; what they do not allow is not tried.
   * Two programs must not share one file.
   */
  readonly identityFile?: string;
  /** Whether the load monitor runs while a gatherer is configured (default true). */
  readonly loadMonitor?: boolean;
  /** Whether being connected keeps the process running (default false). */
  readonly keepAlive?: boolean;
  /** The machine's by default. */
  readonly clock?: Clock;
}

/** The tie between a program and its gatherer. */
export interface Attachment extends AsyncDisposable {
  /**
   * `unconfigured`: there is no FURL; `waiting`: for `ready` or for the next attempt;
   * `connecting`; `connected`: the gatherer can poll; `closed`.
   */
  readonly state:
    | "unconfigured"
    | "waiting"
    | "connecting"
    | "connected"
    | "closed";
  /** Why the last attempt failed or the last connection ended. */
  readonly lastError: Error | undefined;
  /** Detaches, and resolves when the connection is closed. May be called again. */
  close(): Promise<void>;
}

/**
 * Makes a program a node: attaches `provider` to the gatherer that the FURL names, and keeps it
 * attached until {@linkcode Attachment.close}: it connects again when the connection is lost, with
 * growing delays (up to five minutes) while the gatherer is down. It returns at once and never
 * throws or rejects for anything that the network or the gatherer does.
 *
 * ```ts
 * const stats = new StatsProvider();
 * await using _gatherer = connect(stats, { furl: "stats_gatherer.furl", nickname: "mailer" });
 * stats.count("mailer.messages_sent");
 * ```
 *
 * @throws {FurlError} When `furl` begins with `pb://` and is no FURL.
 */
export function connect(
  provider: StatsProvider,
  options: ConnectOptions,
): Attachment {
  const furl = options.furl.trim().startsWith("pb:")
    ? parseFurl(options.furl)
    : undefined;
  return new NodeAttachment(provider, options, furl);
}

class NodeAttachment implements Attachment {
  readonly #provider: StatsProvider;
  readonly #options: ConnectOptions;
  readonly #clock: Clock;
  readonly #starting: Promise<void>;
  readonly #told = Promise.withResolvers<void>();
  #state: "unconfigured" | "waiting" | "running" | "closed" = "waiting";
  #tub: Tub | undefined;
  #reconnector: Reconnector | undefined;
  #load: LoadMonitor | undefined;
  #closing: Promise<void> | undefined;
  #failureLogged = false;

  constructor(
    provider: StatsProvider,
    options: ConnectOptions,
    furl: Furl | undefined,
  ) {
    this.#provider = provider;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    const ready = Promise.resolve(options.ready);
    // Whoever waits for it sees the rejection; that we may not wait must not make it an uncaught one.
    ready.catch(() => {});
    this.#starting = this.#start(furl, ready).catch((error) => {
      logger.error("statistics are not offered: {reason}", {
        reason: messageOf(error),
      });
      this.#load?.stop();
      this.#state = "closed";
    });
  }

  get state(): Attachment["state"] {
    if (this.#state !== "running") return this.#state;
    const state = this.#reconnector!.status.state;
    return state === "stopped" ? "closed" : state;
  }

  get lastError(): Error | undefined {
    return this.#reconnector?.status.lastError;
  }

  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #start(
    given: Furl | undefined,
    ready: Promise<unknown>,
  ): Promise<void> {
    const furl = given ?? await readFurlFile(this.#options.furl);
    if (this.#closing) return;
    if (!furl) {
      this.#state = "unconfigured";
      return;
    }
    if (this.#options.loadMonitor ?? true) {
      this.#load = new LoadMonitor({ clock: this.#clock });
      this.#load.start();
      this.#provider.registerProducer(this.#load);
    }
    await Promise.race([ready, this.#told.promise]);
    if (this.#closing) return;
    const identity = await loadIdentity(this.#options);
    if (this.#closing) return;
    const keepAlive = this.#options.keepAlive ?? false;
    const tub = this.#tub = new Tub({
      identity,
      clock: this.#clock,
      keepAlive,
    });
    const object = makeProviderObject(this.#provider);
    this.#reconnector = new Reconnector({
      clock: this.#clock,
      keepAlive,
      connect: () => tub.getReference(furl),
      onConnected: (gatherer) => {
        gatherer.callOnly("provide", [
          object,
          new TextEncoder().encode(this.#options.nickname),
        ]);
        this.#failureLogged = false;
        logger.info("attached to the gatherer {tubid}", { tubid: furl.tubid });
      },
      onDown: ({ lastError }) => {
        // Once for each outage: a gatherer may be down for days.
        if (this.#failureLogged) return;
        this.#failureLogged = true;
        logger.warn("not attached to the gatherer {tubid}: {reason}", {
          tubid: furl.tubid,
          reason: messageOf(lastError),
        });
      },
    });
    this.#state = "running";
    this.#reconnector.start();
  }

  async #close(): Promise<void> {
    this.#state = "closed";
    this.#told.resolve();
    await this.#starting;
    this.#load?.stop();
    this.#reconnector?.stop();
    await this.#tub?.close();
  }
}

/** The object that the gatherer polls: a provider's figures as `RIStatsProvider` gives them. */
export function makeProviderObject(
  provider: Pick<StatsProvider, "getStats">,
): Referenceable {
  return new Referenceable(RI_STATS_PROVIDER, {
    get_stats: {
      parameters: [],
      call: async () => writeStats(await provider.getStats()),
    },
  });
}

/** Throws unless Deno's permission is there: to ask for it would prompt on a terminal. */
async function demand(name: "read" | "write", path: string): Promise<void> {
  const { state } = await Deno.permissions.query({ name, path });
  if (state !== "granted") throw new Error(`no permission to ${name} ${path}`);
}

async function readFurlFile(path: string): Promise<Furl | undefined> {
  try {
    await demand("read", path);
    return parseFurl(await Deno.readTextFile(path));
  } catch (error) {
    // Without a file nobody has wanted a gatherer; one that is no good is a mistake.
    const level = error instanceof Deno.errors.NotFound ? "info" : "warn";
    logger[level]("no gatherer is configured: {path}: {reason}", {
      path,
      reason: messageOf(error),
    });
    return undefined;
  }
}

async function loadIdentity(options: ConnectOptions): Promise<Identity> {
  const path = options.identityFile ??
    `${options.nickname.replace(/[^A-Za-z0-9_.-]/g, "_") || "node"}.stats.pem`;
  try {
    await demand("read", path);
    const found = await readSecret(path);
    if (found?.complaint) logger.warn(found.complaint);
    if (found) return parseIdentity(found.text);
    await demand("write", path);
    // It is written under this name, then renamed.
    await demand("write", `${path}.tmp`);
    await demand("read", `${path}.tmp`);
    const identity = await generateIdentity();
    await writeSecret(path, formatIdentity(identity)).catch((error) => {
      throw new Error(reasonOf(error));
    });
    return identity;
  } catch (error) {
    logger.warn(
      "the node's key cannot be kept in {path}, so it has a new one at each start: {reason}",
      { path, reason: messageOf(error) },
    );
    return await generateIdentity();
  }
}
