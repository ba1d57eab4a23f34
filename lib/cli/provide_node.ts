import { join } from "node:path";
import { getLogger } from "@logtape/logtape";
import type { Clock } from "../clock.ts";
import { messageOf, UserError } from "../errors.ts";
import {
  formatIdentity,
  generateIdentity,
  parseIdentity,
} from "../foolscap/certificate.ts";
import { FurlError } from "../foolscap/errors.ts";
import {
  type Furl,
  parseFurl,
  parseHint,
  TUBID_LENGTH,
} from "../foolscap/furl.ts";
import type { GathererStatus, LifeState } from "../status.ts";
import { readSecret, reasonOf, writeSecret } from "../secret_file.ts";
import { type Attachment, connect } from "../stats/connect.ts";
import { MachineProvider } from "../stats/machine/provider.ts";
import type { StatsProvider } from "../stats/provider.ts";
import { StandIn } from "../tahoe_statistics/stand_in.ts";
import { placeOf } from "../tahoe_statistics/target.ts";
import { VERSION } from "../version.ts";
import type { RunningGatherer } from "./run.ts";

const logger = getLogger(["gatherer", "provide"]);

/** The file of the node's key, in its base directory. */
export const IDENTITY_NAME = "provide.pem";

/** How long a statistics page may take: well below what gatherers wait for a poll (20 s). */
const PAGE_MS = 10_000;
/** Seconds from poll to poll that are usual; a gatherer may have others. */
const USUAL_SECONDS = 60;

/** What {@linkcode startProviding} is to do. */
export interface ProvideOptions {
  /** The gatherer's FURL, or the path of a file that holds it. */
  readonly furl: string;
  readonly nickname: string;
  /** An existing directory, where the key is kept. */
  readonly basedir: string;
  readonly clock: Clock;
  /** The page whose figures are reported; left out: this machine's figures are. */
  readonly page?: { readonly url: string; readonly ca?: string };
  /** Directories whose file systems are shown; left out: those of this machine's disks. */
  readonly disks?: readonly string[];
  /** Network interfaces that are shown; left out: all that lead out of the machine. */
  readonly interfaces?: readonly string[];
}

/** A node that runs. */
export interface Providing extends RunningGatherer, AsyncDisposable {
  readonly furl: undefined;
  /** How the node and its gatherer are connected. */
  readonly attachment: Attachment["state"];
}

/**
 * Attaches a node to a gatherer and keeps it attached until it is stopped. A gatherer that cannot be
 * reached is no failure: it is tried again for ever.
 * @throws UserError when the FURL or the key cannot be used.
 */
export async function startProviding(
  options: ProvideOptions,
): Promise<Providing> {
  const furl = await readFurl(options.furl);
  await ensureIdentity(join(options.basedir, IDENTITY_NAME));
  return new Node(options, furl);
}

class Node implements Providing {
  readonly furl = undefined;
  readonly #options: ProvideOptions;
  readonly #provider: StatsProvider;
  readonly #listeners = new Set<() => void>();
  readonly #startedAt: number;
  #furl: string;
  #furlReadAt: number;
  #attachment: Attachment;
  /** Attaching anew, one after the other. */
  #turn: Promise<void> = Promise.resolve();
  #state: LifeState = "ready";
  #since: number;
  #polls = 0;
  #failures = 0;
  #lastSuccess: number | null = null;
  #lastError: GathererStatus["sources"][number]["lastError"] = null;
  #failing = false;
  #usedMs = 0;
  #stopping: Promise<void> | undefined;

  constructor(options: ProvideOptions, furl: string) {
    const { clock, page } = options;
    this.#options = options;
    this.#furl = furl;
    this.#startedAt = this.#since = this.#furlReadAt = clock.now();
    this.#provider = page
      ? new StandIn({
        ...page,
        clock,
        timeoutMs: PAGE_MS,
        onRestart: () => this.#attachAnew(),
        onPoll: (tookMs, failure) => this.#note(tookMs, failure),
      })
      : new MachineProvider({
        clock,
        disks: options.disks,
        interfaces: options.interfaces,
        onPoll: () => this.#note(0),
      });
    this.#attachment = this.#attach();
  }

  get attachment(): Attachment["state"] {
    return this.#attachment.state;
  }

  status(): GathererStatus {
    const { basedir, page, nickname } = this.#options;
    const { state, lastError } = this.#attachment;
    const degraded: string[] = [];
    if (state !== "connected") {
      const reason = lastError ? `: ${messageOf(lastError)}` : "";
      degraded.push(`not attached to the gatherer${reason}`);
    }
    if (this.#failing) {
      degraded.push(`${nickname}: ${this.#lastError?.reason}`);
    }
    return {
      state: this.#state,
      since: this.#since,
      version: VERSION,
      pid: Deno.pid,
      basedir,
      startedAt: this.#startedAt,
      lastRound: this.#lastSuccess,
      rounds: this.#polls - this.#failures,
      intervalSeconds: USUAL_SECONDS,
      degraded,
      listening: [],
      configuration: { file: null, loadedAt: this.#furlReadAt },
      sources: page
        ? [{
          name: nickname,
          kind: "statistics",
          host: placeOf(new URL(page.url)),
          polls: this.#polls,
          failures: this.#failures,
          lastSuccess: this.#lastSuccess,
          lastError: this.#lastError,
          failing: this.#failing,
          usedMs: this.#usedMs,
        }]
        : [],
      plugins: [],
      nodes: [],
    };
  }

  /** Reads the FURL again. */
  async reload(): Promise<{ lines(): string[] }> {
    const furl = await readFurl(this.#options.furl);
    this.#furlReadAt = this.#options.clock.now();
    if (furl === this.#furl) return { lines: () => ["nothing has changed"] };
    this.#furl = furl;
    await this.#attachAnew();
    return { lines: () => ["attaching by another FURL"] };
  }

  retire(): Promise<never> {
    return Promise.reject(
      new UserError(
        "this is a node; nodes are retired at their gatherer, with gatherer retire",
      ),
    );
  }

  onRound(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  stop(): Promise<void> {
    return this.#stopping ??= this.#stop();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #stop(): Promise<void> {
    this.#state = "stopping";
    this.#since = this.#options.clock.now();
    if (this.#provider instanceof StandIn) this.#provider.stop();
    await this.#turn;
    await this.#attachment.close();
    logger.info("stopped");
  }

  #attach(): Attachment {
    const { nickname, basedir, clock } = this.#options;
    return connect(this.#provider, {
      furl: this.#furl,
      nickname,
      clock,
      identityFile: join(basedir, IDENTITY_NAME),
      // It would tell of this program, not of the node.
      loadMonitor: false,
      keepAlive: true,
    });
  }

  /** A connection of a new incarnation takes the place of the present one. */
  #attachAnew(): Promise<void> {
    return this.#turn = this.#turn.then(async () => {
      if (this.#stopping) return;
      await this.#attachment.close();
      if (!this.#stopping) this.#attachment = this.#attach();
    });
  }

  #note(tookMs: number, failure?: string): void {
    const now = this.#options.clock.now();
    this.#polls++;
    this.#usedMs += tookMs;
    this.#failing = failure !== undefined;
    if (failure === undefined) this.#lastSuccess = now;
    else {
      this.#failures++;
      this.#lastError = { at: now, reason: failure };
    }
    for (const listener of this.#listeners) listener();
  }
}

/**
 * The FURL that was given, or is in the file that was named.
 * @throws UserError when it is none; what was given is not in it.
 */
async function readFurl(given: string): Promise<string> {
  const isFurl = given.trim().startsWith("pb:");
  let text = given;
  if (!isFurl) {
    const file = await readSecret(given);
    if (!file) {
      throw new UserError(
        `--furl: there is no file ${given}; give the gatherer's FURL, or the path of a copy of its ` +
          "stats_gatherer.furl",
      );
    }
    if (file.complaint) logger.warn(file.complaint);
    text = file.text;
  }
  try {
    checkFurl(parseFurl(text));
    return text.trim();
  } catch (error) {
    throw new UserError(
      `--furl: ${isFurl ? "it" : `what is in ${given}`} cannot be used: ${
        messageOf(error)
      }`,
      isFurl ? 2 : 1,
    );
  }
}

/**
 * What the format allows and yet leads nowhere.
 * @throws FurlError
 */
function checkFurl({ tubid, hints }: Furl): void {
  if (tubid.length < TUBID_LENGTH) {
    throw new FurlError(
      `the tubid, between "pb://" and "@", has ${tubid.length} characters instead of ${TUBID_LENGTH}; ` +
        "copy the FURL whole",
    );
  }
  if (!hints.some((hint) => parseHint(hint))) {
    throw new FurlError(
      "it has no location hint that leads anywhere, such as tcp:HOST:PORT",
    );
  }
}

/**
 * Makes sure that the node has a key, by which its gatherer knows it again.
 * @throws UserError when there is one that cannot be used, or none can be written.
 */
async function ensureIdentity(path: string): Promise<void> {
  const found = await readSecret(path);
  if (!found) {
    try {
      await writeSecret(path, formatIdentity(await generateIdentity()));
    } catch (error) {
      throw new UserError(`cannot write the key ${path}: ${reasonOf(error)}`);
    }
    return;
  }
  try {
    parseIdentity(found.text);
  } catch (error) {
    throw new UserError(
      `cannot use the key ${path}: ${
        messageOf(error)
      }; restore it from a backup, or move it away: ` +
        "then the gatherer sees a new node",
    );
  }
}
