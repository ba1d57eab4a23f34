import type { Value } from "../value.ts";

/** What kind of figure a node has of a statistic; the order is of no matter. */
export const Kind = {
  Absent: 0,
  Null: 1,
  /** A safe integer. */
  Integer: 2,
  Double: 3,
  /** An integer beyond. */
  BigInteger: 4,
} as const;

/** Figures in columns: a figure as an object of its own costs several times as much. */
export class Figures {
  /** Of each, a {@linkcode Kind}; absent at first. */
  readonly kinds: Uint8Array;
  /** The values of safe integers and of doubles. */
  readonly values: Float64Array;
  readonly bigIntegers: Map<number, bigint>;

  constructor(size: number, bigIntegers = new Map<number, bigint>()) {
    this.bigIntegers = bigIntegers;
    this.kinds = new Uint8Array(size);
    this.values = new Float64Array(size);
  }

  /** `undefined`: absent. */
  get(index: number): Value | undefined {
    switch (this.kinds[index]) {
      case Kind.Absent:
        return undefined;
      case Kind.Null:
        return null;
      case Kind.Integer:
        return BigInt(this.values[index]);
      case Kind.Double:
        return this.values[index];
      default:
        return this.bigIntegers.get(index);
    }
  }

  /** The same with more places. */
  grown(size: number): Figures {
    const grown = new Figures(size, this.bigIntegers);
    grown.kinds.set(this.kinds);
    grown.values.set(this.values);
    return grown;
  }

  /** Takes a figure over from another place. */
  copy(index: number, from: Figures, fromIndex: number): void {
    const kind = from.kinds[fromIndex];
    this.kinds[index] = kind;
    this.values[index] = from.values[fromIndex];
    if (kind === Kind.BigInteger) {
      this.bigIntegers.set(index, from.bigIntegers.get(fromIndex)!);
    }
  }
}
