/**
 * A gatherer's life: it takes its base directory, starts, says that it is ready, does what signals
 * and the control socket ask for, and ends.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import { type Clock, systemClock } from "../clock.ts";
import { messageOf, UserError } from "../errors.ts";
import type { GathererStatus } from "../status.ts";
import {
  CONTROL_LIMITS,
  type ControlLine,
  type ControlRequest,
  type Invocation,
} from "../life/control.ts";
import { ControlServer } from "../life/control_server.ts";
import { BaseDirLock } from "../life/lock.ts";
import { LockWatch } from "../life/lock_watch.ts";
import { ServiceManager } from "../life/notify.ts";
import { Starter } from "../life/starter.ts";
import type { LogHandle } from "../log/configure.ts";
import { isJournal } from "../log/journal.ts";
import { reasonOf } from "../secret_file.ts";
import { oneLine } from "../text.ts";
import { Signals } from "./signals.ts";
import { writeStderr, writeStdout } from "./terminal.ts";

const logger = getLogger(["gatherer"]);

/** How long stopping may take, in milliseconds. */
const STOP_MS = 5000;
/** Milliseconds from one sign of life to the next, at the least. */
const ROUND_MS = 1000;
/** Milliseconds from one look after the pid file to the next, at the least. */
const LOOK_MS = 10_000;
/** What systemd shows of a gatherer that is well. */
const READY = "ready";

/** A node that was retired, or brought back. */
export interface RetiredNode {
  readonly cluster: string;
  readonly key: string;
  readonly nickname: string;
}

/** What {@linkcode run} needs of a gatherer that runs. */
export interface RunningGatherer {
  /** What nodes attach with; `undefined`: none can. */
  readonly furl: string | undefined;
  status(): GathererStatus;
  /**
   * Reads the configuration again.
   * @returns What was done, a line for each thing.
   * @throws UserError when it cannot be used; then nothing has changed.
   */
  reload(): Promise<{ lines(): string[] }>;
  /**
   * Takes nodes out, or brings them back.
   * @throws UserError when no node is meant.
   */
  retire(pattern: string, undo?: boolean): Promise<readonly RetiredNode[]>;
  /**
   * Calls `listener` whenever a round of a source is finished, well or not.
   * @returns Ends it.
   */
  onRound(listener: () => void): () => void;
  stop(): Promise<void>;
}

/** What is run. */
export interface RunOptions {
  readonly basedir: string;
  /** Whether a base directory that is made is for its owner only. */
  readonly private?: boolean;
  /**
   * Starts the gatherer; called once its base directory is ours.
   * @throws UserError when it cannot be started.
   */
  start(): Promise<RunningGatherer>;
  /**
   * Opens the log, once the base directory is ours: it may be in there. It is opened again at
   * SIGHUP, and closed at the end.
   * @throws UserError when it cannot be opened.
   */
  openLog?(): Promise<Pick<LogHandle, "reopen" | "close" | "troubles">>;
  /** A file that the process's number is written to besides `gatherer.pid`. */
  readonly pidFile?: string;
  /** The options of the command line, for `gatherer restart`. */
  readonly args?: readonly string[];
  readonly clock?: Clock;
}

/**
 * Runs a gatherer until a signal or `gatherer stop` ends it.
 *
 * @returns The exit code.
 * @throws UserError when it cannot be started.
 */
export async function run(options: RunOptions): Promise<number> {
  const clock = options.clock ?? systemClock;
  // From here on a signal waits for its turn.
  using signals = new Signals();
  const starter = await Starter.current();
  starter?.abandoned.then(() => signals.end('the end of "gatherer start"'));
  const lock = await BaseDirLock.take(options.basedir, {
    clock,
    private: options.private,
  });
  let log: Awaited<ReturnType<NonNullable<RunOptions["openLog"]>>> | undefined;
  try {
    log = await options.openLog?.();
    if (lock.warning) logger.warn("{warning}", { warning: lock.warning });
    const surroundings = { clock, signals, starter, lock, log };
    const code = await new Run(options, surroundings).toTheEnd();
    // Only somebody who waits still hears this.
    await starter?.tell({ failed: "it was told to end before it was ready" });
    return code;
  } finally {
    await log?.close();
    await lock.release();
  }
}

interface Surroundings {
  readonly clock: Clock;
  readonly signals: Signals;
  readonly starter: Starter | undefined;
  readonly lock: BaseDirLock;
  readonly log: Pick<LogHandle, "reopen" | "troubles"> | undefined;
}

/** One life, from the taken base directory on. */
class Run {
  readonly #options: RunOptions;
  readonly #surroundings: Surroundings;
  readonly #manager = ServiceManager.fromEnvironment();
  /** What systemd was told last. */
  #health = READY;
  /** Reloads and the like, one after the other. */
  #turn: Promise<unknown> = Promise.resolve();
  #exitCode = 0;

  constructor(options: RunOptions, surroundings: Surroundings) {
    this.#options = options;
    this.#surroundings = surroundings;
  }

  async toTheEnd(): Promise<number> {
    // What is begun must be ended within a time, also a start.
    const ended = this.#surroundings.signals.ended.then((reason) => {
      this.#limitTheEnd(reason);
      return reason;
    });
    try {
      const gatherer = await this.#options.start();
      try {
        return await this.#live(gatherer, ended);
      } finally {
        await gatherer.stop();
      }
    } finally {
      await this.#manager?.close();
    }
  }

  async #live(
    gatherer: RunningGatherer,
    ended: Promise<string>,
  ): Promise<number> {
    if (this.#surroundings.signals.isEnding) return 0;
    await using cleanup = new AsyncDisposableStack();
    const { pidFile } = this.#options;
    if (pidFile !== undefined) {
      await writePidFile(pidFile);
      cleanup.defer(() => Deno.remove(pidFile).catch(() => {}));
    }
    const control = await this.#listen(gatherer);
    if (control) cleanup.use(control);
    const aRound = this.#atMostEvery(ROUND_MS, () => this.#manager?.alive());
    const { lock, signals } = this.#surroundings;
    const watch = new LockWatch(lock, () => {
      this.#exitCode = 1;
      signals.end("another gatherer has its base directory");
    });
    const aLook = this.#atMostEvery(LOOK_MS, () => {
      watch.look();
      this.#tellHealth(gatherer);
    });
    cleanup.defer(gatherer.onRound(() => {
      aRound();
      aLook();
    }));
    this.#checkWatchdog(gatherer);
    await this.#print(gatherer.furl);
    await this.#manager?.ready(READY);
    await this.#surroundings.starter?.tell({ ready: true });
    this.#surroundings.signals.onHangup(() => {
      this.#reload(gatherer).catch(() => {});
    });
    const reason = await ended;
    logger.info("stopping: {reason}", { reason });
    await this.#manager?.stopping(reason);
    await this.#turn.catch(() => {});
    return this.#exitCode;
  }

  /** Tells systemd when something is no longer well, and when it is again. */
  #tellHealth(gatherer: RunningGatherer): void {
    if (!this.#manager) return;
    const { degraded } = gatherer.status();
    const { troubles = [] } = this.#surroundings.log ?? {};
    const reasons = [...degraded, ...troubles];
    const health = reasons.length === 0
      ? READY
      : `${READY}; not well: ${oneLine(reasons.join("; "), 500)}`;
    if (health === this.#health) return;
    this.#health = health;
    void this.#manager.status(health);
  }

  /** A FURL is a secret: nothing of it where stdout leads to a log. */
  async #print(furl: string | undefined): Promise<void> {
    const isLogged = this.#surroundings.starter !== undefined ||
      this.#manager !== undefined || isJournal(undefined, 1);
    if (furl !== undefined && !isLogged) await writeStdout(`${furl}\n`);
  }

  /** A gatherer without a control socket still gathers. */
  async #listen(
    gatherer: RunningGatherer,
  ): Promise<ControlServer | undefined> {
    try {
      return await ControlServer.listen(
        this.#options.basedir,
        (request) => this.#answer(gatherer, request),
        this.#surroundings.clock,
      );
    } catch (error) {
      logger.warn("{reason}; status, reload and retire will not be answered", {
        reason: oneLine(messageOf(error)),
      });
      return undefined;
    }
  }

  async *#answer(
    gatherer: RunningGatherer,
    request: ControlRequest,
  ): AsyncGenerator<ControlLine> {
    switch (request.command) {
      case "status": {
        const { nodes, degraded, ...rest } = gatherer.status();
        const { troubles = [] } = this.#surroundings.log ?? {};
        yield {
          status: { ...rest, degraded: [...degraded, ...troubles], nodes: [] },
        };
        yield* portions("nodes", nodes);
        break;
      }
      case "reload":
        yield { plan: await this.#reload(gatherer) };
        break;
      case "retire": {
        const { pattern, undo } = request;
        const nodes = await this.#inTurn(() => gatherer.retire(pattern, undo));
        yield* portions("retired", nodes);
        break;
      }
      case "invocation": {
        const invocation: Invocation = {
          cwd: Deno.cwd(),
          args: this.#options.args,
          supervised: this.#manager !== undefined,
        };
        yield { ...invocation };
        break;
      }
      case "stop":
        yield { stopping: true };
        this.#surroundings.signals.end("gatherer stop");
    }
  }

  /**
   * Opens the log again and reads the configuration again; the log says what came of it.
   * @returns What was done, a line for each thing.
   * @throws UserError when the configuration cannot be used.
   */
  #reload(gatherer: RunningGatherer): Promise<string[]> {
    return this.#inTurn(async () => {
      this.#surroundings.log?.reopen();
      await this.#manager?.reloading();
      try {
        const lines = (await gatherer.reload()).lines();
        // One line for one change: of many that are alike most would be counted, not written.
        logger.info("reloaded: {plan}", {
          plan: oneLine(lines.join("; ").replace(/ +/g, " ")),
        });
        this.#checkWatchdog(gatherer);
        await this.#manager?.ready(READY);
        return lines;
      } catch (error) {
        logger.error("reload failed, and nothing has changed: {reason}", {
          reason: oneLine(messageOf(error)),
        });
        await this.#manager?.ready(`${READY}; the last reload failed`);
        throw error;
      }
    });
  }

  /** Rounds of many sources come thick and fast. */
  #atMostEvery(ms: number, act: () => void): () => void {
    let last = -Infinity;
    return () => {
      const now = this.#surroundings.clock.monotonic();
      if (now - last < ms) return;
      last = now;
      act();
    };
  }

  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(act, act);
    this.#turn = result.catch(() => {});
    return result;
  }

  #checkWatchdog(gatherer: RunningGatherer): void {
    const { watchdogMs } = this.#manager ?? {};
    if (watchdogMs === undefined) return;
    const { intervalSeconds } = gatherer.status();
    if (watchdogMs >= 2000 * intervalSeconds) return;
    logger.warn(
      "systemd's watchdog waits {seconds} s, less than two rounds of {interval} s, and will end " +
        "this gatherer for being slow: let WatchdogSec= be {least} or more",
      {
        seconds: watchdogMs / 1000,
        interval: intervalSeconds,
        least: 2 * intervalSeconds,
      },
    );
  }

  /** Ends the process if that takes too long, or something is left that keeps it running. */
  #limitTheEnd(reason: string): void {
    this.#surroundings.clock.setTimer(
      () => {
        writeStderr(
          `gatherer: not everything could be closed within ${
            STOP_MS / 1000
          } s of ${reason}`,
        );
        Deno.exit(1);
      },
      STOP_MS,
      { keepAlive: false },
    );
  }
}

function* portions(
  name: string,
  items: readonly unknown[],
): Generator<ControlLine> {
  for (let at = 0; at < items.length; at += CONTROL_LIMITS.nodesALine) {
    yield { [name]: items.slice(at, at + CONTROL_LIMITS.nodesALine) };
  }
}

/** @throws UserError when it cannot be written. */
export async function writePidFile(
  path: string,
  pid: number = Deno.pid,
): Promise<void> {
  try {
    await Deno.writeTextFile(path, `${pid}\n`, { mode: 0o644 });
  } catch (error) {
    throw new UserError(
      `cannot write the pid file ${path}: ${reasonOf(error)}`,
    );
  }
}
