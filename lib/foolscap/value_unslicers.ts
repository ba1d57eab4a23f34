/**
 * The sequences that make values, each with an unslicer that knows what may stand in it.
 * Source of the rules: Foolscap's `slicers/` and `referenceable.py`.
 * @module
 */

import { TokenType } from "./banana.ts";
import { type BananaErrorCode, Violation } from "./errors.ts";
import type { Limits } from "./limits.ts";
import {
  BananaSet,
  type BananaValue,
  Decimal,
  Dict,
  largestInt,
  MyReference,
  Tuple,
} from "./slicers.ts";

/** A container that is complete, for a `reference` to it, and what sending it again would cost. */
export interface Referable {
  readonly value: BananaValue;
  readonly tokens: number;
  readonly bytes: number;
  readonly height: number;
}

/** What an unslicer needs of the message that it is part of. */
export interface SequenceReader {
  /** The limits in force. */
  readonly limits: Limits;
  /** Ends the reading of the stream: throws a `BananaError`. */
  fatal(code: BananaErrorCode, message: string): never;
  /** Some bytes of a token, in memory that a value may keep. */
  copy(bytes: Uint8Array, start: number, end: number): Uint8Array;
  /** The container that a `reference` to the receiver's count of an OPEN stands for. */
  resolve(count: bigint): Referable;
}

/** A sequence that is being read. */
export abstract class Unslicer {
  readonly reader: SequenceReader;
  /** Whether a `reference` can lead here. */
  readonly referable: boolean = false;
  /** The receiver's count of its OPEN. */
  count = 0;
  /** Tokens and bytes of the message up to its type word. */
  tokens = 0;
  bytes = 0;
  /** Sequences within each other, this one included. */
  height = 1;

  /** @param reader Whose message it is part of. */
  constructor(reader: SequenceReader) {
    this.reader = reader;
  }

  /** Whether a token of this type may come; VOCAB counts as STRING. Throws if not. */
  check(_type: number): void {}

  /** A sequence of this type begins inside. */
  child(word: string): Unslicer {
    switch (word) {
      case "none":
        return new NoneUnslicer(this.reader);
      case "boolean":
        return new BooleanUnslicer(this.reader);
      case "unicode":
      case "decimal":
        return new TextUnslicer(this.reader, word);
      case "list":
        return new ListUnslicer(this.reader);
      case "tuple":
        return new TupleUnslicer(this.reader);
      case "dict":
        return new DictUnslicer(this.reader);
      case "set":
      case "immutable-set":
        return new SetUnslicer(this.reader, word === "immutable-set");
      case "reference":
        return new ReferenceUnslicer(this.reader);
      case "my-reference":
        return new MyReferenceUnslicer(this.reader);
      default:
        throw new Violation(
          `a sequence of type "${
            word.replaceAll(/[^ -~]/g, "?")
          }" is not accepted here`,
        );
    }
  }

  /** A value inside is complete; `type` is that of its (first) token. */
  abstract receive(value: BananaValue, type: number): void;

  /** A byte string inside is complete. The default makes it a value with memory of its own. */
  string(bytes: Uint8Array, start: number, end: number): void {
    this.receive(this.reader.copy(bytes, start, end), TokenType.STRING);
  }

  /** Its CLOSE has come. */
  abstract close(): BananaValue;
}

class NoneUnslicer extends Unslicer {
  override check(): void {
    this.reader.fatal("bad-token", "a none may hold nothing");
  }
  override receive(): void {}
  override close(): null {
    return null;
  }
}

class BooleanUnslicer extends Unslicer {
  #value: boolean | null = null;

  override check(type: number): void {
    if (type !== TokenType.INT || this.#value !== null) {
      this.reader.fatal("bad-token", "a boolean may hold one INT only");
    }
  }
  override receive(value: BananaValue): void {
    this.#value = value !== 0n;
  }
  override close(): boolean | null {
    return this.#value;
  }
}

class TextUnslicer extends Unslicer {
  readonly #word: "unicode" | "decimal";
  #text: string | null = null;

  constructor(reader: SequenceReader, word: "unicode" | "decimal") {
    super(reader);
    this.#word = word;
  }
  override check(type: number): void {
    if (type !== TokenType.STRING || this.#text !== null) {
      this.reader.fatal(
        "bad-token",
        `a sequence of type "${this.#word}" may hold one STRING only`,
      );
    }
  }
  override string(bytes: Uint8Array, start: number, end: number): void {
    const text = decodeText(bytes, start, end);
    if (text === undefined) {
      this.reader.fatal(
        "bad-text",
        `the text of a sequence of type "${this.#word}" is not UTF-8`,
      );
    }
    this.#text = text;
  }
  override receive(): void {}
  override close(): BananaValue {
    return this.#word === "unicode" || this.#text === null
      ? this.#text
      : new Decimal(this.#text);
  }
}

class ListUnslicer extends Unslicer {
  override readonly referable = true;
  readonly items: BananaValue[] = [];

  override receive(value: BananaValue): void {
    this.items.push(value);
  }
  override close(): BananaValue {
    return this.items;
  }
}

class TupleUnslicer extends ListUnslicer {
  override close(): Tuple {
    return new Tuple(this.items);
  }
}

class SetUnslicer extends Unslicer {
  override readonly referable = true;
  readonly #immutable: boolean;
  readonly #items = new Map<string, BananaValue>();

  constructor(reader: SequenceReader, immutable: boolean) {
    super(reader);
    this.#immutable = immutable;
  }
  override receive(value: BananaValue): void {
    const identity = identityOf(value);
    if (identity === undefined) {
      this.reader.fatal(
        "unhashable-key",
        "a set may not hold a list, a dict or a set that can change",
      );
    }
    if (!this.#items.has(identity)) this.#items.set(identity, value);
  }
  override close(): BananaSet {
    return new BananaSet([...this.#items.values()], this.#immutable);
  }
}

class DictUnslicer extends Unslicer {
  override readonly referable = true;
  readonly #keys: BananaValue[] = [];
  readonly #values: BananaValue[] = [];
  /** Identities of all keys; undefined as long as they are byte strings in ascending order. */
  #identities: Set<string> | undefined;

  override receive(value: BananaValue): void {
    if (this.#keys.length === this.#values.length) {
      this.#admit(value);
      this.#keys.push(value);
    } else {
      this.#values.push(value);
    }
  }
  override close(): Dict {
    // A last key without a value is dropped, as the reference does.
    this.#keys.length = this.#values.length;
    return new Dict(this.#keys, this.#values);
  }

  #admit(key: BananaValue): void {
    if (this.#identities === undefined) {
      // The reference sends keys sorted: then there is nothing to remember.
      const last = this.#keys.length === 0
        ? undefined
        : this.#keys[this.#keys.length - 1] as Uint8Array;
      if (
        key instanceof Uint8Array && (last === undefined || precedes(last, key))
      ) return;
      this.#identities = new Set();
      for (const key of this.#keys) this.#identities.add(identityOf(key)!);
    }
    const identity = identityOf(key);
    if (identity === undefined) {
      this.reader.fatal(
        "unhashable-key",
        "the key of a dict is a list, a dict or a set that can change",
      );
    }
    if (this.#identities.size === this.#identities.add(identity).size) {
      this.reader.fatal("duplicate-key", "a dict has one key twice");
    }
  }
}

class ReferenceUnslicer extends Unslicer {
  #count: bigint | undefined;

  override check(type: number): void {
    if (type !== TokenType.INT || this.#count !== undefined) {
      this.reader.fatal("bad-token", "a reference may hold one INT only");
    }
  }
  override receive(value: BananaValue): void {
    this.#count = value as bigint;
  }
  override close(): BananaValue {
    if (this.#count === undefined) {
      this.reader.fatal("bad-token", "a reference has ended before its number");
    }
    const { value, height } = this.reader.resolve(this.#count);
    this.height = height;
    return value;
  }
}

class MyReferenceUnslicer extends Unslicer {
  #clid: number | undefined;
  readonly #texts: string[] = [];

  override check(type: number): void {
    if (this.#clid === undefined) {
      if (type === TokenType.INT) return;
      if (type === TokenType.NEG) throw new Violation(boundMethods);
      this.reader.fatal(
        "bad-token",
        "the object number of a my-reference has to be an INT token",
      );
    }
    if (type !== TokenType.STRING || this.#texts.length === 2) {
      this.reader.fatal(
        "bad-token",
        "after its number a my-reference may hold two STRINGs only",
      );
    }
  }
  override receive(value: BananaValue): void {
    const clid = Number(value);
    if (clid > largestInt) {
      throw new Violation("the object number of a my-reference is too large");
    }
    this.#clid = clid;
  }
  override string(bytes: Uint8Array, start: number, end: number): void {
    if (end - start > this.reader.limits.textBytes * lenience) {
      throw new Violation("a text in a my-reference is too long");
    }
    const text = decodeText(bytes, start, end);
    if (text === undefined) {
      throw new Violation("a text in a my-reference is not UTF-8");
    }
    this.#texts.push(text);
  }
  override close(): MyReference {
    if (this.#clid === undefined) {
      this.reader.fatal(
        "bad-token",
        "a my-reference has ended before its number",
      );
    }
    return new MyReference(this.#clid, this.#texts[0], this.#texts[1]);
  }
}

/** Why negative object numbers are refused. */
export const boundMethods = "bound methods are not supported";

/** A peer's text may have this many times `textBytes`: the reference counts characters. */
export const lenience = 4;

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** UTF-8 as text, or undefined when it is not UTF-8. */
export function decodeText(
  bytes: Uint8Array,
  start: number,
  end: number,
): string | undefined {
  try {
    return strict.decode(bytes.subarray(start, end));
  } catch {
    return undefined;
  }
}

/** Bytes as characters of the same number. */
export function latin1(bytes: Uint8Array, start: number, end: number): string {
  if (end - start <= 1024) {
    return String.fromCharCode.apply(
      null,
      bytes.subarray(start, end) as unknown as number[],
    );
  }
  let text = "";
  for (let at = start; at < end; at += 1024) {
    text += latin1(bytes, at, Math.min(at + 1024, end));
  }
  return text;
}

/** Whether `a` sorts before `b`, byte by byte; equal strings do not. */
function precedes(a: Uint8Array, b: Uint8Array): boolean {
  const common = Math.min(a.length, b.length);
  for (let i = 0; i < common; i++) {
    if (a[i] !== b[i]) return a[i] < b[i];
  }
  return a.length < b.length;
}

/**
 * A text that is the same for two values if Python holds them for the same key (`1`, `1.0` and
 * `True` are); undefined for what cannot be a key. Decimals are compared as they are written.
 */
function identityOf(value: BananaValue): string | undefined {
  switch (typeof value) {
    case "string":
      return `u${value}`;
    case "number":
      return `n${value}`;
    case "boolean":
      return value ? "n1" : "n0";
    case "bigint": {
      const double = Number(value);
      return Number.isFinite(double) && BigInt(double) === value
        ? `n${double}`
        : `i${value.toString(16)}`;
    }
  }
  if (value === null) return "0";
  if (value instanceof Uint8Array) return "b" + latin1(value, 0, value.length);
  if (value instanceof Tuple) return identityOfAll("t", value.items);
  if (value instanceof BananaSet && value.immutable) {
    return identityOfAll("s", value.items);
  }
  if (value instanceof Decimal) return `d${value.text}`;
  if (value instanceof MyReference) return `r${value.clid}`;
  return undefined;
}

function identityOfAll(
  kind: "t" | "s",
  items: readonly BananaValue[],
): string | undefined {
  const identities: string[] = [];
  for (const item of items) {
    const identity = identityOf(item);
    if (identity === undefined) return undefined;
    identities.push(`${identity.length}:${identity}`);
  }
  if (kind === "s") identities.sort();
  return kind + identities.join("");
}
