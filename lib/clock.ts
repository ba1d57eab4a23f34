/** A timer that has been set on a {@linkcode Clock}. */
export interface Timer {
  /** Stops the timer; harmless when it has fired or was cancelled before. */
  cancel(): void;
}

/**
 * Time as a parameter: everything in lib/ takes its clock from its caller, so that a test can
 * replay a week in a second.
 */
export interface Clock {
  /** Wall-clock time in milliseconds since the epoch. May jump. */
  now(): number;
  /** Milliseconds since an arbitrary moment; never jumps. For durations and deadlines. */
  monotonic(): number;
  /**
   * Calls `fn` once after `ms` milliseconds.
   * @param options.keepAlive Whether a pending timer keeps the process running (default true).
   */
  setTimer(
    fn: () => void,
    ms: number,
    options?: { keepAlive?: boolean },
  ): Timer;
}

/** The clock of the machine. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimer(fn, ms, options) {
    const id = setTimeout(fn, ms);
    if (options?.keepAlive === false) Deno.unrefTimer(id);
    return { cancel: () => clearTimeout(id) };
  },
};

/**
 * Resolves after `ms` milliseconds.
 * @throws The signal's reason when `signal` aborts first.
 */
export function sleep(
  clock: Clock,
  ms: number,
  signal?: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const onAbort = () => {
      timer.cancel();
      reject(signal!.reason);
    };
    const timer = clock.setTimer(() => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    }, ms);
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}
