import { getLogger } from "@logtape/logtape";
import type { Clock } from "../clock.ts";
import { messageOf } from "../errors.ts";
import { type Stats, StatsProvider } from "../stats/provider.ts";
import type { Value } from "../value.ts";
import { type FetchLimits, fetchPage } from "./fetch.ts";
import { readPage } from "./page.ts";
import { isOtherProcess, type Moment, type Sighting } from "./process.ts";
import { placeOf } from "./target.ts";

const logger = getLogger(["gatherer", "statistics"]);

/** How a {@linkcode StandIn} is set up. */
export interface StandInOptions {
  /** Where the node's statistics page is. */
  readonly url: string;
  readonly clock: Clock;
  /** Milliseconds that a poll may take. */
  readonly timeoutMs: number;
  readonly limits?: Partial<FetchLimits>;
  /** Certificates (PEM) that are trusted for https besides the runtime's. */
  readonly ca?: string;
  /**
   * Called when the node was restarted, before anybody hears of its new figures. The gatherer has to
   * see another incarnation from now on; resolves when it will.
   */
  readonly onRestart: () => Promise<void>;
  /** Told when a poll is over, how long it took, and if it gave nothing, why. */
  readonly onPoll?: (tookMs: number, failure?: string) => void;
}

/**
 * Reports in a node's stead: its figures are those of the node's statistics page, fetched at each
 * poll, names unchanged. Nothing is kept: when the page cannot be had, the poll fails, and says why.
 */
export class StandIn extends StatsProvider {
  readonly #options: StandInOptions;
  readonly #place: string;
  readonly #stop = new AbortController();
  #fetching: Promise<Sighting> | undefined;
  #last: Sighting | undefined;
  /** While the gatherer must not be told anything more under the incarnation that it knows. */
  #restarting: Promise<void> | undefined;
  /** What the log has said last. */
  #told: "nothing" | "answers" | "fails" = "nothing";
  #toldDropped = false;

  constructor(options: StandInOptions) {
    super({ clock: options.clock });
    this.#options = options;
    this.#place = placeOf(new URL(options.url));
  }

  /**
   * The figures of the page as it is now. Polls that come while it is being fetched share it.
   * @throws Error why it cannot be had, or that the node was restarted.
   */
  override async getStats(): Promise<Stats> {
    const { clock, onPoll } = this.#options;
    const began = clock.monotonic();
    const over = (failure?: string) =>
      onPoll?.(clock.monotonic() - began, failure);
    const fetching = this.#fetching ??= this.#fetch().finally(() => {
      this.#fetching = undefined;
    });
    try {
      const sighting = await fetching;
      if (this.#restarting) {
        await this.#restarting;
        throw new Error("the node was restarted, and is about to attach anew");
      }
      over();
      return statsOf(sighting);
    } catch (error) {
      over(messageOf(error));
      throw error;
    }
  }

  /** Gives up what is being fetched, and fetches nothing more. */
  stop(): void {
    this.#stop.abort(new Error("it is being stopped"));
  }

  async #fetch(): Promise<Sighting> {
    const { url, clock, timeoutMs, limits, ca } = this.#options;
    const { signal } = this.#stop;
    const asked = momentOf(clock);
    try {
      const { dropped, ...figures } = readPage(
        await fetchPage(url, { clock, timeoutMs, limits, ca, signal }),
      );
      const sighting = { ...figures, asked, received: momentOf(clock) };
      this.#tellAnswer(dropped);
      if (this.#last && isOtherProcess(this.#last, sighting)) this.#restart();
      return this.#last = sighting;
    } catch (error) {
      if (!signal.aborted) this.#tellFailure(messageOf(error));
      throw error;
    }
  }

  #restart(): void {
    logger.info("the node at {place} was restarted", { place: this.#place });
    this.#restarting ??= this.#options.onRestart().finally(() => {
      this.#restarting = undefined;
    });
  }

  #tellAnswer(dropped: readonly string[]): void {
    const place = this.#place;
    if (this.#told !== "answers") {
      const again = this.#told === "fails" ? " again" : "";
      logger.info(`the node at {place} answers${again}`, { place });
    }
    this.#told = "answers";
    if ((dropped.length > 0) === this.#toldDropped) return;
    this.#toldDropped = dropped.length > 0;
    if (this.#toldDropped) {
      logger.warn(
        "the node at {place} says what is no figure, and is left out: {what}",
        { place, what: dropped.join(", ") },
      );
    } else {
      logger.info("the node at {place} says nothing but figures again", {
        place,
      });
    }
  }

  #tellFailure(reason: string): void {
    if (this.#told === "fails") return;
    this.#told = "fails";
    logger.warn(
      "the node at {place} does not answer, and polls are told so: {reason}",
      { place: this.#place, reason },
    );
  }
}

function momentOf(clock: Clock): Moment {
  return { now: clock.now(), monotonic: clock.monotonic() };
}

/** On the wire a counter may be not known, as everything may; no counter of a program's own is. */
function statsOf({ counters, stats }: Sighting): Stats {
  return {
    counters: recordOf(counters) as Stats["counters"],
    stats: recordOf(stats),
  };
}

function recordOf(figures: ReadonlyMap<string, Value>): Record<string, Value> {
  return Object.fromEntries(figures);
}
