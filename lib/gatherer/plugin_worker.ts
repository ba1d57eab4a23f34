import { setImmediate } from "node:timers/promises";
import { MessageChannel, Worker } from "node:worker_threads";
import type { Logger } from "@logtape/logtape";
import type { Clock, Timer } from "../clock.ts";
import { oneLine } from "../text.ts";
import type { CopyPiece } from "./plugin_copy.ts";
import {
  type FromThread,
  type LogLevel,
  type PluginCall,
  threadUrl,
  type ToThread,
} from "./plugin_thread.ts";

/** Characters of a plugin's message that are logged. */
const MOST_REASON = 500;

/**
 * What a thread may take, in MiB: who takes more is ended. 150,000 metrics take some 100; small
 * young generations keep it from taking twice that.
 */
const MEMORY = { maxOldGenerationSizeMb: 512, maxYoungGenerationSizeMb: 8 };

/** How a {@linkcode PluginWorker} is set up. */
export interface PluginWorkerOptions {
  /** The file, for messages. */
  readonly file: string;
  readonly url: string;
  /** The name of its section. */
  readonly id: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** Milliseconds that a call may take. */
  readonly limitMs: number;
}

const LEVELS: ReadonlySet<unknown> = new Set<LogLevel>([
  "debug",
  "info",
  "warn",
  "error",
]);

interface Pending {
  readonly name: string;
  readonly settle: (outcome: Outcome) => void;
  timer: Timer;
}

type Outcome = { readonly value: unknown } | { readonly reason: string };

/**
 * One plugin in a thread of its own, where it can neither hold up the gatherer nor reach anything
 * of it. The first call that fails or is late switches it off, with one line in the log; from then
 * on nothing reaches it. Calls do not throw: they tell whether it is still well.
 */
export class PluginWorker {
  readonly #options: PluginWorkerOptions;
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  #calls = 0;
  #methods: ReadonlySet<string> = new Set();
  #isOff = false;
  #trouble: string | undefined;
  /** When every call must be over, on the monotonic clock. */
  #deadline = Infinity;

  /** Starts the thread. */
  constructor(options: PluginWorkerOptions) {
    this.#options = options;
    this.#worker = new Worker(threadUrl(), { resourceLimits: MEMORY });
    this.#worker.on("message", (message: unknown) => {
      if (isFromThread(message)) this.#take(message);
      else this.#switchOff("it posted a message, which nobody here reads");
    });
    this.#worker.on(
      "messageerror",
      () => this.#switchOff("it sent something that cannot be read"),
    );
    this.#worker.on("error", (error: Error) => this.#switchOff(error.message));
    this.#worker.on("exit", () => this.#switchOff("it has ended its thread"));
  }

  /** The file, for messages. */
  get file(): string {
    return this.#options.file;
  }

  /** Whether it failed, or was ended. */
  get isOff(): boolean {
    return this.#isOff;
  }

  /** Why it was switched off; `undefined` if it was not. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  /** Whether the plugin has a method; none before {@linkcode load}. */
  has(method: string): boolean {
    return this.#methods.has(method);
  }

  /** Imports the file, makes the plugin and gives it its section. */
  async load(
    entries: readonly { readonly directive: string; readonly text: string }[],
  ): Promise<boolean> {
    const { url, id } = this.#options;
    if (!await this.call({ do: "import", url })) return false;
    const made = await this.#perform({ do: "getPlugin", id });
    if (!made) return false;
    if (!Array.isArray(made.value)) {
      this.#switchOff("it posted a message in the place of an answer");
      return false;
    }
    this.#methods = new Set(made.value);
    if (!this.has("parseConfig")) return true;
    return await this.call({
      do: "parseConfig",
      entries: entries.map(({ directive, text }) => ({ directive, text })),
    });
  }

  /** Sends a copy, piece by piece. */
  async send(pieces: Iterable<CopyPiece>): Promise<void> {
    for (const piece of pieces) {
      if (this.#isOff) return;
      this.#post({ piece });
      await setImmediate();
    }
  }

  /** Has the copy, as the plugin has left it, sent to another. */
  async handOn(to: PluginWorker): Promise<boolean> {
    const { port1, port2 } = new MessageChannel();
    const isWell = await this.call({ do: "hand on", port: port1 });
    if (isWell && !to.#isOff) to.#post({ from: port2 });
    else port2.close();
    return isWell;
  }

  /** Lets go of the copy. */
  forget(): void {
    this.#post({ forget: true });
  }

  /** Does something and waits for its end. */
  async call(what: PluginCall): Promise<boolean> {
    return await this.#perform(what) !== undefined;
  }

  /**
   * From now on there is little time.
   * @param deadline When every call must be over, on the monotonic clock.
   */
  hurry(deadline: number): void {
    this.#deadline = deadline;
    for (const pending of this.#pending.values()) {
      pending.timer.cancel();
      pending.timer = this.#startTimer(pending.name);
    }
  }

  /** Ends the thread. */
  end(): void {
    if (this.#isOff) return;
    this.#isOff = true;
    void this.#worker.terminate();
    for (const { timer, settle } of this.#pending.values()) {
      timer.cancel();
      settle({ reason: "ended" });
    }
    this.#pending.clear();
  }

  #perform(what: PluginCall): Promise<{ readonly value: unknown } | undefined> {
    if (this.#isOff) return Promise.resolve(undefined);
    const call = this.#calls++;
    const name = what.do;
    const outcome = new Promise<Outcome>((settle) =>
      this.#pending.set(call, { name, settle, timer: this.#startTimer(name) })
    );
    this.#post({ call, what });
    return outcome.then((outcome) => "value" in outcome ? outcome : undefined);
  }

  #post(message: ToThread): void {
    if (this.#isOff) return;
    const ports = "what" in message
      ? message.what.do === "hand on" ? [message.what.port] : []
      : "from" in message
      ? [message.from]
      : [];
    this.#worker.postMessage(message, ports);
  }

  #startTimer(name: string): Timer {
    const { clock, limitMs } = this.#options;
    const left = Math.max(0, this.#deadline - clock.monotonic());
    const ms = Math.min(limitMs, left);
    return clock.setTimer(() => {
      this.#switchOff(
        `${name} was not over within ${
          ms / 1000
        } s. If it is busy and does not ` +
          "wait, it takes a processor until the gatherer is restarted",
      );
    }, ms);
  }

  #take(message: FromThread): void {
    if (this.#isOff) return;
    if ("level" in message) return this.#log(message.level, message.text);
    if ("fault" in message) {
      return this.#switchOff(`outside of any call: ${message.fault}`);
    }
    const pending = this.#pending.get(message.call);
    if (!pending) return;
    if ("reason" in message) {
      return this.#switchOff(`${pending.name} failed: ${message.reason}`);
    }
    this.#pending.delete(message.call);
    pending.timer.cancel();
    pending.settle(message);
  }

  #switchOff(reason: string): void {
    if (this.#isOff) return;
    this.#trouble = oneLine(reason, MOST_REASON);
    this.#options.log.error("the plugin {file} is switched off: {reason}", {
      file: this.file,
      reason: this.#trouble,
    });
    this.end();
  }

  #log(level: LogLevel, text: string): void {
    const { log, id } = this.#options;
    log[level]("{id}: {text}", { id, text: oneLine(text) });
  }
}

/** Whether the thread's own program sent a message: a plugin can post whatever it likes, too. */
function isFromThread(message: unknown): message is FromThread {
  if (typeof message !== "object" || message === null) return false;
  const { level, text, fault, call, reason } = message as Record<
    string,
    unknown
  >;
  if ("level" in message) return LEVELS.has(level) && typeof text === "string";
  if ("fault" in message) return typeof fault === "string";
  return typeof call === "number" &&
    ("reason" in message ? typeof reason === "string" : "value" in message);
}
