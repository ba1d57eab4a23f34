/** The signals that end a gatherer; a terminal sends the first. */
const ENDING: readonly Deno.Signal[] = Deno.build.os === "windows"
  ? ["SIGINT"]
  : ["SIGINT", "SIGTERM"];

/**
 * Signals of a process that runs until it is told to end. SIGINT and SIGTERM end it in order, a
 * second of them at once. SIGHUP is for who wants it; when it says that the terminal is gone, it
 * ends the process, too.
 */
export class Signals implements Disposable {
  readonly #ended = Promise.withResolvers<string>();
  readonly #handlers: [Deno.Signal, () => void][] = [];
  /** Those that lead to a terminal. */
  readonly #terminals = [Deno.stdin, Deno.stdout, Deno.stderr]
    .filter((stream) => stream.isTerminal());
  #isEnding = false;
  #hangup: (() => void) | undefined;
  /** Whether SIGHUP has come before anybody wanted it. */
  #hangupWaits = false;

  constructor() {
    for (const signal of ENDING) this.#listen(signal, () => this.end(signal));
    if (Deno.build.os !== "windows") {
      this.#listen("SIGHUP", () => this.#onSighup());
    }
  }

  /** Resolves with the reason when the end is to begin. */
  get ended(): Promise<string> {
    return this.#ended.promise;
  }

  /** Whether the end is to begin, or has. */
  get isEnding(): boolean {
    return this.#isEnding;
  }

  /** Begins the end. From now on SIGINT and SIGTERM end the process at once. */
  end(reason: string): void {
    if (this.#isEnding) return;
    this.#isEnding = true;
    for (const [signal, handler] of this.#handlers) {
      if (ENDING.includes(signal)) Deno.removeSignalListener(signal, handler);
    }
    this.#ended.resolve(reason);
  }

  /** Has SIGHUP handled from now on; one that has come before is not lost. */
  onHangup(handler: () => void): void {
    this.#hangup = handler;
    if (this.#hangupWaits) handler();
  }

  [Symbol.dispose](): void {
    for (const [signal, handler] of this.#handlers) {
      Deno.removeSignalListener(signal, handler);
    }
  }

  #onSighup(): void {
    if (this.#terminals.some((stream) => !stream.isTerminal())) {
      this.end("SIGHUP: its terminal is gone");
    } else if (this.#hangup) this.#hangup();
    else this.#hangupWaits = true;
  }

  #listen(signal: Deno.Signal, handler: () => void): void {
    Deno.addSignalListener(signal, handler);
    this.#handlers.push([signal, handler]);
  }
}

/** Resolves at the first SIGINT or SIGTERM. A second one ends the process at once. */
export async function untilSignal(): Promise<string> {
  const signals = new Signals();
  return await signals.ended;
}
