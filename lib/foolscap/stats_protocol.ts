/**
 * What a provider and a gatherer say to each other over PB, in terms of values.
 * Source: Tahoe-LAFS's `interfaces.py` (RIStatsProvider, RIStatsGatherer), 1.0 to 1.15.1.
 */

import { fromNumber, type Value } from "../value.ts";
import { textOf } from "../text.ts";
import { Violation } from "./errors.ts";
import { defaultLimits } from "./limits.ts";
import { type BananaValue, Dict } from "./slicers.ts";

/** The gatherer's interface: `provide(provider, nickname)`. */
export const RI_STATS_GATHERER = "RIStatsGatherer.tahoe.allmydata.com";
/** The provider's interface: `get_stats()`. */
export const RI_STATS_PROVIDER = "RIStatsProvider.tahoe.allmydata.com";

/** Bytes of a statistic's name; longer ones are not taken. */
const NAME_BYTES = defaultLimits.textBytes;

/** An answer to `get_stats`, as figures in the order in which they came. */
export interface StatsAnswer {
  readonly counters: Map<string, Value>;
  readonly stats: Map<string, Value>;
  /** How many values were of a kind that is no figure, or had no usable name, and were dropped. */
  readonly dropped: number;
}

/**
 * Reads an answer to `get_stats`, more generously than the original: `unicode` keys pass,
 * booleans count as 1 and 0, further groups are ignored, other values are dropped one by one.
 * @throws Violation when it is no dict with dicts in it.
 */
export function readStats(answer: unknown): StatsAnswer {
  if (!(answer instanceof Dict)) {
    throw new Violation("the answer to get_stats is not a dict");
  }
  const result = {
    counters: new Map<string, Value>(),
    stats: new Map<string, Value>(),
    dropped: 0,
  };
  for (let i = 0; i < answer.keys.length; i++) {
    const group = nameOf(answer.keys[i]);
    if (group !== "counters" && group !== "stats") continue;
    const dict = answer.values[i];
    if (!(dict instanceof Dict)) {
      throw new Violation(
        `the group "${group}" in the answer to get_stats is not a dict`,
      );
    }
    for (let j = 0; j < dict.keys.length; j++) {
      const name = nameOf(dict.keys[j]);
      const value = figureOf(dict.values[j]);
      if (name === undefined || value === undefined) result.dropped++;
      else result[group].set(name, value);
    }
  }
  return result;
}

/** Writes the figures of a node as an answer to `get_stats`. */
export function writeStats(stats: {
  readonly counters: Readonly<Record<string, number | bigint>>;
  readonly stats: Readonly<Record<string, number | bigint | null>>;
}): Dict {
  const group = (figures: Readonly<Record<string, number | bigint | null>>) => {
    const names = Object.keys(figures).sort();
    return new Dict(
      names.map(encodeName),
      names.map((name) => {
        const figure = figures[name];
        return typeof figure === "number" ? fromNumber(figure) : figure;
      }),
    );
  };
  return new Dict(
    [encodeName("counters"), encodeName("stats")],
    [group(stats.counters), group(stats.stats)],
  );
}

const encoder = new TextEncoder();

function encodeName(name: string): Uint8Array {
  return encoder.encode(name);
}

/**
 * The texts of names that have come before. The codec gives the same array for the same short
 * name, and no longer than an array lives is its text kept.
 */
const texts = new WeakMap<Uint8Array, string>();

function nameOf(key: BananaValue): string | undefined {
  if (typeof key === "string") {
    return encodeName(key).length <= NAME_BYTES ? key : undefined;
  }
  if (!(key instanceof Uint8Array) || key.length > NAME_BYTES) return undefined;
  let text = texts.get(key);
  if (text === undefined) texts.set(key, text = textOf(key));
  return text;
}

function figureOf(value: BananaValue): Value | undefined {
  switch (typeof value) {
    case "bigint":
    case "number":
      return value;
    case "boolean":
      return value ? 1n : 0n;
    default:
      return value === null ? null : undefined;
  }
}
