import { getLogger } from "@logtape/logtape";
import { type Clock, systemClock, type Timer } from "../clock.ts";
import { Counters } from "./counters.ts";
import {
  type Answer,
  checkProducer,
  failure,
  nameOf,
  readAnswer,
  reasonOf,
  type StatsNumbers,
  type StatsProducer,
} from "./producer.ts";

export { ProducedStats } from "./producer.ts";
export type { Numbers, StatsNumbers, StatsProducer } from "./producer.ts";

/** How long a producer may take over an answer, in milliseconds. */
export const PRODUCER_TIMEOUT_MS = 5000;

/** The statistic that tells how often a producer's numbers, or some of them, were missing. */
export const FAULTS_STAT = "stats_provider.producer_faults";

const logger = getLogger(["gatherer", "stats"]);

/**
 * What a node reports: the two groups of Foolscap's `RIStatsProvider.get_stats()`, as
 * null-prototype objects.
 */
export interface Stats {
  /**
   * Work done. What the program has counted never goes down; what a producer has, only if that
   * begins anew.
   */
  counters: Record<string, number | bigint>;
  /** How things stand at this moment; null is "not known". */
  stats: StatsNumbers;
}

interface Registration {
  readonly producer: StatsProducer;
  readonly name: string;
  /** The call on which the producer still sits; resolves after 5 s at the latest. */
  pending?: Promise<Answer>;
  /** Whether the producer's getStats() is on the stack. */
  calling: boolean;
  /** Whether the fault that it has was logged. */
  faulty: boolean;
}

/**
 * Collects a program's numbers: counters that it counts up, and statistics that its producers are
 * asked for at each poll.
 *
 * ```ts
 * const provider = new StatsProvider();
 * provider.registerProducer({ getStats: () => ({ "queue.length": queue.length }) });
 * provider.count("mailer.messages_sent");
 * ```
 */
export class StatsProvider {
  #clock: Clock;
  #counters = new Counters();
  #registrations = new Map<StatsProducer, Registration>();
  #faults = 0;

  /**
   * A provider with no counters and no producers.
   * @param options.clock Measures the 5 s that a producer may take; the machine's by default.
   */
  constructor(options: { clock?: Clock } = {}) {
    this.#clock = options.clock ?? systemClock;
  }

  /**
   * Adds `delta` to the counter `name`, which begins at 0. Counters are work done: they only grow.
   * Integers stay exact, as bigint beyond `Number.MAX_SAFE_INTEGER`; a delta of 0 makes the
   * counter known.
   * @throws {TypeError} When the name is no string or the delta neither number nor bigint.
   * @throws {RangeError} When the name is empty, longer than 1,000 UTF-8 bytes or not well formed;
   *   when the delta is negative or not finite; when there would be more than 10,000 counters, or
   *   one would need more than 1,000 bytes.
   */
  count(name: string, delta: number | bigint = 1): void {
    this.#counters.count(name, delta);
  }

  /**
   * Has `producer` asked for its numbers at each poll, from now on. To register the same one again
   * changes nothing. Where two report the same name, the one registered later wins, as in
   * Tahoe-LAFS; a counter of the program's own wins over all of them.
   * @throws {TypeError} When it has no `getStats()`.
   */
  registerProducer(producer: StatsProducer): void {
    checkProducer(producer);
    if (this.#registrations.has(producer)) return;
    this.#registrations.set(producer, {
      producer,
      name: nameOf(producer),
      calling: false,
      faulty: false,
    });
  }

  /**
   * The counters, and what the producers answer at this moment, all asked at once. Never rejects:
   * - A producer that throws, rejects, takes longer than 5 s or gives no object loses its own
   *   numbers; a value that is no finite number (integers up to 1,000 bytes) is left out alone.
   *   `true` and `false` become 1 and 0.
   * - Such a fault is logged once, and again only after an answer without fault, which is logged
   *   too. Each answer in which a producer's numbers are missing adds 1 to the statistic
   *   `stats_provider.producer_faults`, which is there from the first fault on.
   * - A producer that has not answered yet is not called a second time: polls meanwhile share the
   *   call that is under way, and what it says after its 5 s is ignored.
   */
  async getStats(): Promise<Stats> {
    // A producer that asks its own provider gets all but its own numbers, instead of a circle.
    const registrations = [...this.#registrations.values()].filter((one) =>
      !one.calling
    );
    const answers = await Promise.all(
      registrations.map((one) => this.#ask(one)),
    );
    const counters: Stats["counters"] = Object.create(null);
    const stats: StatsNumbers = Object.create(null);
    answers.forEach((answer, i) => {
      this.#note(registrations[i], answer.fault);
      for (const [name, value] of answer.numbers) stats[name] = value;
      for (const [name, value] of answer.counters ?? []) counters[name] = value;
    });
    if (this.#faults > 0) stats[FAULTS_STAT] = this.#faults;
    return {
      counters: Object.assign(counters, this.#counters.toObject()),
      stats,
    };
  }

  /** Calls the producer, unless it is at work already. Neither throws nor rejects. */
  #ask(one: Registration): Answer | Promise<Answer> {
    if (one.pending) return one.pending;
    one.calling = true;
    try {
      const result: unknown = one.producer.getStats();
      return isThenable(result) ? this.#wait(one, result) : readAnswer(result);
    } catch (error) {
      return failure(`getStats() failed: ${reasonOf(error)}`);
    } finally {
      one.calling = false;
    }
  }

  #wait(one: Registration, result: PromiseLike<unknown>): Promise<Answer> {
    const { promise, resolve } = Promise.withResolvers<Answer>();
    let timer: Timer | undefined = this.#clock.setTimer(
      () => {
        timer = undefined;
        resolve(
          failure(
            `getStats() has not answered within ${
              PRODUCER_TIMEOUT_MS / 1000
            } s`,
          ),
        );
      },
      PRODUCER_TIMEOUT_MS,
      { keepAlive: false },
    );
    // It stays pending past its time, so that later polls get the fault at once instead of
    // piling up calls on a producer that hangs.
    one.pending = promise;
    const settle = (answer: () => Answer) => {
      one.pending = undefined;
      if (!timer) return;
      timer.cancel();
      resolve(answer());
    };
    Promise.resolve(result).then(
      (value) => settle(() => readAnswer(value)),
      (error) => settle(() => failure(`getStats() failed: ${reasonOf(error)}`)),
    );
    return promise;
  }

  #note(one: Registration, fault: string | undefined): void {
    if (fault !== undefined) this.#faults++;
    if ((fault !== undefined) === one.faulty) return;
    one.faulty = fault !== undefined;
    if (one.faulty) {
      logger.warn("Statistics of {producer} are missing: {reason}", {
        producer: one.name,
        reason: fault,
      });
    } else {
      logger.info("Statistics of {producer} are complete again", {
        producer: one.name,
      });
    }
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null &&
    typeof (value as Partial<PromiseLike<unknown>>).then === "function";
}
