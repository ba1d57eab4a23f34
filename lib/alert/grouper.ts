import type { Clock, Timer } from "../clock.ts";
import type { AlertEvent } from "./decide.ts";
import { MOST_ITEMS, type Notice } from "./notice.ts";
import type { Rule } from "./rule.ts";
import type { AlertItem } from "./watch.ts";

/** A rule has one say in so many milliseconds. */
const WINDOW_MS = 60_000;

/** Events of one kind that follow one another. */
interface Batch {
  readonly event: AlertEvent;
  readonly items: AlertItem[];
  count: number;
}

interface Group {
  /** What is yet to be said, in order. */
  batches: Batch[];
  /** Until when nothing more is said, on the monotonic clock. */
  quietUntil: number;
  timer: Timer | undefined;
}

/**
 * Makes few notices of many events: what happens to a rule at one look is said together and at
 * once, what follows within a minute is said together at its end.
 */
export class Grouper {
  readonly #clock: Clock;
  readonly #deliver: (notice: Notice) => void;
  readonly #groups = new Map<Rule, Group>();

  constructor(clock: Clock, deliver: (notice: Notice) => void) {
    this.#clock = clock;
    this.#deliver = deliver;
  }

  /** Takes an event. */
  add(rule: Rule, event: AlertEvent, item: AlertItem): void {
    let group = this.#groups.get(rule);
    if (!group) {
      group = { batches: [], quietUntil: -Infinity, timer: undefined };
      this.#groups.set(rule, group);
    }
    let batch = group.batches.at(-1);
    if (batch?.event !== event) {
      batch = { event, items: [], count: 0 };
      group.batches.push(batch);
    }
    batch.count++;
    if (batch.items.length < MOST_ITEMS) batch.items.push(item);
  }

  /** A look is over: says what may be said now, and sees to the rest. */
  settle(): void {
    const now = this.#clock.monotonic();
    for (const [rule, group] of this.#groups) {
      if (group.batches.length === 0) continue;
      if (now >= group.quietUntil) this.#say(rule, group);
      else {
        group.timer ??= this.#clock.setTimer(
          () => this.#say(rule, group),
          group.quietUntil - now,
          { keepAlive: false },
        );
      }
    }
  }

  /** Says all that is yet to be said. */
  flush(): void {
    for (const [rule, group] of this.#groups) this.#say(rule, group);
  }

  #say(rule: Rule, group: Group): void {
    const { batches } = group;
    group.timer?.cancel();
    group.timer = undefined;
    if (batches.length === 0) return;
    group.batches = [];
    group.quietUntil = this.#clock.monotonic() + WINDOW_MS;
    for (const batch of batches) {
      this.#deliver({ rule, at: this.#clock.now(), ...batch });
    }
  }
}
