import { type Clock, systemClock, type Timer } from "../clock.ts";
import { ConnectionLost } from "./errors.ts";
import type { RemoteReference } from "./references.ts";

/** Delay after a lost connection, and the base of the delays after failures: 1 s. */
const INITIAL_DELAY_MS = 1000;
/** Each failure makes the delay e times longer, as in Foolscap. */
const FACTOR = Math.E;
/** Foolscap's σ, a share of the delay: reconnecting nodes spread out. */
const JITTER = 0.11962656492;
/** Foolscap waits for up to an hour; we come back sooner, so that no hour of figures is lost. */
const MAX_DELAY_MS = 300_000;

/** Where a {@linkcode Reconnector} stands. */
export interface ReconnectorStatus {
  readonly state: "connecting" | "connected" | "waiting" | "stopped";
  /** Attempts since the last success. */
  readonly attempts: number;
  /** Why the last attempt failed or the last connection ended. */
  readonly lastError: Error | undefined;
  /** Milliseconds from one attempt to the next, while waiting. */
  readonly delayMs: number | undefined;
}

/** How a {@linkcode Reconnector} is set up. */
export interface ReconnectorOptions {
  /** One attempt. */
  connect(): Promise<RemoteReference>;
  /** Called after each success. What it throws counts as a failed attempt. */
  onConnected(reference: RemoteReference): void | Promise<void>;
  /** Called when an attempt failed or the connection was lost. */
  onDown?(status: ReconnectorStatus): void;
  readonly clock?: Clock;
  /** Numbers from [0, 1), for the jitter. */
  random?(): number;
  /** Whether waiting for the next attempt keeps the process running (default true). */
  readonly keepAlive?: boolean;
}

/**
 * Keeps a connection up until it is told to stop: the first attempt at once, then delays of
 * about 2.7 s, 7.4 s, 20 s … up to five minutes; one second after a connection that was lost.
 * Source of the figures: Foolscap's `reconnector.py`.
 */
export class Reconnector {
  readonly #options: ReconnectorOptions;
  readonly #clock: Clock;
  #state: ReconnectorStatus["state"] = "stopped";
  #attempts = 0;
  #lastError: Error | undefined;
  #delay = INITIAL_DELAY_MS;
  #timer: Timer | undefined;
  #stopped = false;

  constructor(options: ReconnectorOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** The state of this moment. */
  get status(): ReconnectorStatus {
    return {
      state: this.#state,
      attempts: this.#attempts,
      lastError: this.#lastError,
      delayMs: this.#state === "waiting" ? this.#delay : undefined,
    };
  }

  /** Makes the first attempt, at once. */
  start(): void {
    if (this.#stopped || this.#state !== "stopped") return;
    void this.#attempt();
  }

  /** Makes no further attempt. A connection that is up is left to its owner. */
  stop(): void {
    this.#stopped = true;
    this.#state = "stopped";
    this.#timer?.cancel();
  }

  async #attempt(): Promise<void> {
    this.#state = "connecting";
    this.#attempts++;
    try {
      const reference = await this.#options.connect();
      if (this.#stopped) return;
      await this.#options.onConnected(reference);
      if (this.#stopped) return;
      this.#state = "connected";
      this.#attempts = 0;
      const { disconnected } = reference;
      const lost = () => {
        this.#delay = INITIAL_DELAY_MS;
        this.#wait(disconnected.reason);
      };
      if (disconnected.aborted) lost();
      else disconnected.addEventListener("abort", lost, { once: true });
    } catch (error) {
      const grown = Math.min(this.#delay * FACTOR, MAX_DELAY_MS);
      this.#delay = Math.max(
        INITIAL_DELAY_MS,
        grown * (1 + JITTER * this.#normal()),
      );
      this.#wait(error);
    }
  }

  #wait(error: unknown): void {
    if (this.#stopped) return;
    this.#state = "waiting";
    this.#lastError = error instanceof Error
      ? error
      : new ConnectionLost(String(error));
    this.#timer = this.#clock.setTimer(
      () => void this.#attempt(),
      this.#delay,
      {
        keepAlive: this.#options.keepAlive ?? true,
      },
    );
    this.#options.onDown?.(this.status);
  }

  /** A draw from the standard normal distribution (Box and Muller), cut at three sigma. */
  #normal(): number {
    const random = this.#options.random ?? Math.random;
    const radius = Math.sqrt(-2 * Math.log(1 - random()));
    return Math.max(-3, Math.min(3, radius * Math.cos(2 * Math.PI * random())));
  }
}
