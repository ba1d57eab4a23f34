import { messageOf } from "../errors.ts";
import { INTEGER_BOUND, MAX_NUMBERS, nameFault, quote, what } from "./names.ts";

/** Numbers by name: integers, doubles, or null for "not known at the moment". */
export type StatsNumbers = Record<string, number | bigint | null>;

/** Numbers by name, as an object or as a Map. */
export type Numbers =
  | StatsNumbers
  | ReadonlyMap<string, number | bigint | null>;

/**
 * What a producer answers that has counted work itself: counters, which are never negative and
 * fall only when they begin anew, apart from how things stand at the moment.
 */
export class ProducedStats {
  /** Work done. One that is null is not known at the moment, and left out. */
  readonly counters: Numbers;
  /** How things stand. */
  readonly stats: Numbers;

  /** Takes both as they are; they are read at once. */
  constructor(counters: Numbers, stats: Numbers = {}) {
    this.counters = counters;
    this.stats = stats;
  }
}

/**
 * Whatever can be asked for its numbers. It is asked at every poll, at that moment; it may answer
 * at once or with a promise, with an object or with a Map, or with {@linkcode ProducedStats} if some
 * of them are counters. Names are usually dotted, as in `storage_server.disk_avail`; times are in
 * seconds.
 */
export interface StatsProducer {
  /** The numbers of this moment. */
  getStats(): Numbers | ProducedStats | Promise<Numbers | ProducedStats>;
  /** What log lines call the producer; its class's name without. */
  readonly name?: string;
}

/** What came of asking a producer. */
export interface Answer {
  /** The numbers that can be used. */
  readonly numbers: ReadonlyMap<string, number | bigint | null>;
  /** The counters among them; left out: none. */
  readonly counters?: ReadonlyMap<string, number | bigint>;
  /** What was wrong, on one line, when some or all of its numbers are missing. */
  readonly fault?: string;
}

/** An answer without numbers, because of `fault`. */
export function failure(fault: string): Answer {
  return { numbers: new Map(), fault: oneLine(fault) };
}

/**
 * Makes sure that `producer` can be asked.
 * @throws {TypeError} When it has no `getStats()`.
 */
export function checkProducer(
  producer: unknown,
): asserts producer is StatsProducer {
  const usable = typeof producer === "object" && producer !== null ||
    typeof producer === "function";
  if (
    usable &&
    typeof (producer as Partial<StatsProducer>).getStats === "function"
  ) return;
  const got = usable ? `${nameOf(producer)}, which has none` : what(producer);
  throw new TypeError(
    `Cannot register a statistics producer: it must be an object with a getStats() method, not ${got}`,
  );
}

/** A producer's name for people: its own `name`, or that of its class. */
export function nameOf(producer: object): string {
  try {
    const { name, constructor } = producer as Partial<StatsProducer>;
    if (typeof name === "string" && name !== "") return oneLine(name);
    if (typeof constructor?.name === "string" && constructor.name !== "") {
      return oneLine(constructor.name);
    }
  } catch {
    // A getter that throws: it goes by the common name.
  }
  return "object";
}

/** Takes what is usable out of a producer's answer. Never throws. */
export function readAnswer(answer: unknown): Answer {
  try {
    if (!(answer instanceof ProducedStats)) {
      return readGroup(answer, "an object of numbers");
    }
    const counted = readGroup(answer.counters, "an object of counters");
    const { numbers, fault } = readGroup(answer.stats, "an object of numbers");
    const counters = new Map<string, number | bigint>();
    let negative: string | undefined;
    for (const [name, value] of counted.numbers) {
      if (value === null) continue;
      if (value < 0) negative ??= `the counter ${quote(name)} is negative`;
      else counters.set(name, value);
    }
    const faults = [counted.fault, negative, fault].filter((one) => one);
    return faults.length === 0
      ? { numbers, counters }
      : { numbers, counters, fault: oneLine(faults.join("; ")) };
  } catch (error) {
    return failure(
      `the answer of getStats() cannot be read: ${reasonOf(error)}`,
    );
  }
}

/** The message of anything that was thrown, even of what cannot be made into a text. */
export function reasonOf(error: unknown): string {
  try {
    return messageOf(error);
  } catch {
    return what(error);
  }
}

function readGroup(group: unknown, expected: string): Answer {
  if (typeof group !== "object" || group === null || Array.isArray(group)) {
    return failure(`getStats() gave ${what(group)} instead of ${expected}`);
  }
  if (group instanceof Map) {
    return readNumbers(group.keys(), group.size, (name) => group.get(name));
  }
  const names = Object.keys(group);
  const record = group as Record<string, unknown>;
  return readNumbers(names, names.length, (name) => record[name]);
}

function readNumbers(
  names: Iterable<unknown>,
  size: number,
  valueOf: (name: string) => unknown,
): Answer {
  if (size > MAX_NUMBERS) {
    return failure(
      `getStats() gave ${size} numbers, more than the ${MAX_NUMBERS} that fit`,
    );
  }
  const numbers = new Map<string, number | bigint | null>();
  let first: string | undefined;
  let bad = 0;
  for (const name of names) {
    const fault = nameFault(name) ??
      readNumber(numbers, name as string, valueOf);
    if (fault !== undefined && bad++ === 0) first = fault;
  }
  if (first === undefined) return { numbers };
  const more = bad > 1 ? ` (and ${bad - 1} more)` : "";
  return {
    numbers,
    fault: oneLine(`not a number that can be sent: ${first}${more}`),
  };
}

/** Sets one number, or says why it cannot. */
function readNumber(
  numbers: Map<string, number | bigint | null>,
  name: string,
  valueOf: (name: string) => unknown,
): string | undefined {
  try {
    const value = valueOf(name);
    const number = toNumber(value);
    if (number === undefined) {
      const found = typeof value === "bigint"
        ? "an integer beyond 1,000 bytes"
        : what(value);
      return `${quote(name)} is ${found}`;
    }
    numbers.set(name, number);
  } catch (error) {
    return `${quote(name)} cannot be read: ${reasonOf(error)}`;
  }
}

/** The value as it can be sent, or undefined. Booleans become 1 and 0, as Tahoe writes them. */
function toNumber(value: unknown): number | bigint | null | undefined {
  switch (typeof value) {
    case "number":
      return Number.isFinite(value) ? value : undefined;
    case "bigint":
      return value < INTEGER_BOUND && value > -INTEGER_BOUND
        ? value
        : undefined;
    case "boolean":
      return value ? 1 : 0;
    default:
      return value === null ? null : undefined;
  }
}

/** At most 200 characters without line ends: what a stranger's text may take of a log. */
function oneLine(text: string): string {
  const line = text.slice(0, 201).replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, " ");
  return line.length > 200 ? line.slice(0, 200) + "…" : line;
}
