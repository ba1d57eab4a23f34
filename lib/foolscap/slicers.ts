/**
 * Values and PB messages to Banana bytes ("slicing" is Foolscap's word for it), and the classes of
 * the values that have no JavaScript type of their own.
 * @module
 */

import { TokenType, TokenWriter, type VocabTable } from "./banana.ts";
import { defaultLimits } from "./limits.ts";

/**
 * Anything that an argument or an answer can be.
 *
 * | here | on the wire |
 * |---|---|
 * | `bigint` | INT, NEG, LONGINT, LONGNEG |
 * | `number` | FLOAT, integral ones too |
 * | `Uint8Array` | STRING |
 * | `string` | `unicode` |
 * | `boolean`, `null` | `boolean`, `none` |
 * | array, {@linkcode Tuple}, {@linkcode BananaSet}, {@linkcode Dict} | `list`, `tuple`, `set` or `immutable-set`, `dict` |
 * | {@linkcode Decimal}, {@linkcode MyReference} | `decimal`, `my-reference` |
 *
 * A decoded value may hold one container in several places.
 */
export type BananaValue =
  | bigint
  | number
  | Uint8Array
  | string
  | boolean
  | null
  | readonly BananaValue[]
  | Tuple
  | BananaSet
  | Dict
  | Decimal
  | MyReference;

/** A Python tuple. */
export class Tuple {
  /** @param items What it holds. */
  constructor(readonly items: readonly BananaValue[]) {}
}

/** A Python set or frozenset. */
export class BananaSet {
  /**
   * @param items What it holds, no item twice.
   * @param immutable Whether it is a frozenset.
   */
  constructor(
    readonly items: readonly BananaValue[],
    readonly immutable: boolean = false,
  ) {}
}

/** A Python dict: keys and values at the same index, in the order of the wire. */
export class Dict {
  /**
   * @param keys No key twice; no list, dict or mutable set.
   * @param values As many as keys.
   */
  constructor(
    readonly keys: readonly BananaValue[],
    readonly values: readonly BananaValue[],
  ) {}

  /** A dict of key and value pairs. */
  static of(entries: Iterable<readonly [BananaValue, BananaValue]>): Dict {
    const keys: BananaValue[] = [];
    const values: BananaValue[] = [];
    for (const [key, value] of entries) {
      keys.push(key);
      values.push(value);
    }
    return new Dict(keys, values);
  }
}

/** A Python `Decimal`. */
export class Decimal {
  /** @param text As `str()` of Python writes it; not checked. */
  constructor(readonly text: string) {}
}

/**
 * An object of the sender. Its `furl` carries a secret.
 */
export class MyReference {
  /**
   * @param clid The sender's number of the object on this connection, from 1 on.
   * @param interfaceName Name of the interface, empty if there is none; left out in the short form,
   * which serves when the name was sent before.
   * @param furl Where the object can be had again; only beside an interface name.
   */
  constructor(
    readonly clid: number,
    readonly interfaceName?: string,
    readonly furl?: string,
  ) {}
}

/** An exception as it travels in an `error`: four byte fields, all of them required. */
export interface FailureText {
  /** Qualified class name, such as `builtins.KeyError`; at most 200 bytes on the wire. */
  readonly type: string;
  /** What the exception says; at most 1000 bytes on the wire. */
  readonly value: string;
  /** Text for people; at most 2000 bytes on the wire. */
  readonly traceback: string;
  /** Class name and its bases; at most 200 bytes each on the wire. */
  readonly parents: readonly string[];
}

/** The class name under which Foolscap sends exceptions. */
export const failureClass = "twisted.python.failure.Failure";

/** The largest number that an INT may have where Foolscap takes nothing else. */
export const largestInt = 2 ** 31 - 1;

/** A value that holds itself would never end; no honest value is this deep. */
const deepest = 200;

const encoder = new TextEncoder();

/**
 * The messages of one direction of a connection as bytes. It numbers the OPENs of its direction, so
 * its messages have to be sent in the order in which they were made.
 */
export class BananaSender {
  readonly #vocab: VocabTable;
  #opens = 0;

  /** @param vocab The negotiated table. */
  constructor(vocab: VocabTable) {
    this.#vocab = vocab;
  }

  /**
   * A method call.
   * @param request 1 to 2^31 - 1, or 0 when no reply is wanted.
   * @param object The receiver's number of the object, 0 to 2^31 - 1.
   * @param args Positional arguments.
   * @param kwargs Arguments by name; sent sorted by name.
   * @throws {RangeError} When a number is out of range or a value is nested too deep.
   */
  call(
    request: number,
    object: number,
    method: string,
    args: readonly BananaValue[],
    kwargs: ReadonlyMap<string, BananaValue> | Record<string, BananaValue> = {},
  ): Uint8Array<ArrayBuffer> {
    checkInt(request, 0, "request number");
    checkInt(object, 0, "object number");
    return this.#message((slicer) => {
      const call = slicer.open("call");
      slicer.writer.integer(BigInt(request));
      slicer.writer.integer(BigInt(object));
      slicer.writer.text(method);
      const list = slicer.open("arguments");
      slicer.writer.integer(BigInt(args.length));
      for (const argument of args) slicer.value(argument);
      for (const [name, value] of byName(kwargs)) {
        slicer.writer.text(name);
        slicer.value(value);
      }
      slicer.writer.close(list);
      slicer.writer.close(call);
    });
  }

  /**
   * The result of a call.
   * @param request The call's number, 1 to 2^31 - 1.
   * @throws {RangeError} When a number is out of range or the value is nested too deep.
   */
  answer(request: number, value: BananaValue): Uint8Array<ArrayBuffer> {
    checkInt(request, 1, "request number");
    return this.#message((slicer) => {
      const answer = slicer.open("answer");
      slicer.writer.integer(BigInt(request));
      slicer.value(value);
      slicer.writer.close(answer);
    });
  }

  /**
   * The failure of a call. Texts that are too long for the peer are cut, between characters.
   * Source of the limits: Foolscap's `call.py`, `FailureSlicer` and `CopiedFailure`.
   * @param request The call's number, 1 to 2^31 - 1.
   * @throws {RangeError} When the number is out of range.
   */
  error(request: number, failure: FailureText): Uint8Array<ArrayBuffer> {
    checkInt(request, 1, "request number");
    return this.#message((slicer) => {
      const { writer } = slicer;
      const error = slicer.open("error");
      writer.integer(BigInt(request));
      const copyable = slicer.open("copyable");
      writer.text(failureClass);
      writer.text("value");
      writer.string(clip(failure.value, 1000));
      writer.text("type");
      writer.string(clip(failure.type, 200));
      writer.text("traceback");
      writer.string(clipMiddle(failure.traceback));
      writer.text("parents");
      const parents = slicer.open("list");
      for (const parent of failure.parents) writer.string(clip(parent, 200));
      writer.close(parents);
      writer.close(copyable);
      writer.close(error);
    });
  }

  /** Asks the peer for a PONG with the same number. */
  ping(number: number | bigint = 0): Uint8Array<ArrayBuffer> {
    const writer = new TokenWriter(this.#vocab);
    writer.keepalive(TokenType.PING, number);
    return writer.finish();
  }

  /** The reply to a PING with that number. */
  pong(number: number | bigint = 0): Uint8Array<ArrayBuffer> {
    const writer = new TokenWriter(this.#vocab);
    writer.keepalive(TokenType.PONG, number);
    return writer.finish();
  }

  /** The last thing to say before hanging up: printable ASCII, at most 1000 bytes; the rest is cut. */
  errorToken(text: string): Uint8Array<ArrayBuffer> {
    const writer = new TokenWriter(this.#vocab);
    writer.error(text, defaultLimits.errorBytes);
    return writer.finish();
  }

  #message(write: (slicer: Slicer) => void): Uint8Array<ArrayBuffer> {
    const slicer = new Slicer(this.#vocab, this.#opens);
    write(slicer);
    // Only now: what failed was not sent, and the peer does not count it.
    this.#opens = slicer.opens;
    return slicer.writer.finish();
  }
}

/**
 * One value as a plain Banana stream, its first OPEN being number 0.
 * @throws {RangeError} When the value is nested too deep.
 */
export function encodeValue(
  vocab: VocabTable,
  value: BananaValue,
): Uint8Array<ArrayBuffer> {
  const slicer = new Slicer(vocab, 0);
  slicer.value(value);
  return slicer.writer.finish();
}

/** Writes sequences and numbers their OPENs. */
class Slicer {
  readonly writer: TokenWriter;
  opens: number;
  #depth = 0;

  constructor(vocab: VocabTable, opens: number) {
    this.writer = new TokenWriter(vocab);
    this.opens = opens;
  }

  /** Begins a sequence; the number it returns belongs into its CLOSE. */
  open(word: string): number {
    const number = this.opens++;
    this.writer.open(number);
    this.writer.text(word);
    return number;
  }

  value(value: BananaValue): void {
    switch (typeof value) {
      case "bigint":
        return this.writer.integer(value);
      case "number":
        return this.writer.float(value);
      case "string": {
        const number = this.open("unicode");
        this.writer.text(value);
        return this.writer.close(number);
      }
      case "boolean": {
        const number = this.open("boolean");
        this.writer.integer(value ? 1n : 0n);
        return this.writer.close(number);
      }
    }
    if (value === null) return this.writer.close(this.open("none"));
    if (value instanceof Uint8Array) return this.writer.string(value);
    if (value instanceof Dict) return this.#dict(value);
    if (value instanceof Tuple) return this.#items("tuple", value.items);
    if (value instanceof BananaSet) {
      return this.#items(
        value.immutable ? "immutable-set" : "set",
        value.items,
      );
    }
    if (value instanceof MyReference) return this.#reference(value);
    if (value instanceof Decimal) {
      const number = this.open("decimal");
      this.writer.text(value.text);
      return this.writer.close(number);
    }
    this.#items("list", value);
  }

  #items(word: string, items: readonly BananaValue[]): void {
    const number = this.#enter(word);
    for (const item of items) this.value(item);
    this.#leave(number);
  }

  #dict({ keys, values }: Dict): void {
    const number = this.#enter("dict");
    for (let i = 0; i < keys.length; i++) {
      this.value(keys[i]);
      this.value(values[i]);
    }
    this.#leave(number);
  }

  #reference({ clid, interfaceName, furl }: MyReference): void {
    checkInt(clid, 1, "object number");
    const number = this.open("my-reference");
    this.writer.integer(BigInt(clid));
    if (interfaceName !== undefined || furl !== undefined) {
      this.writer.text(interfaceName ?? "");
    }
    if (furl !== undefined) this.writer.text(furl);
    this.writer.close(number);
  }

  #enter(word: string): number {
    if (++this.#depth > deepest) {
      throw new RangeError(
        `encoding a value: it is nested more than ${deepest} deep, or holds itself`,
      );
    }
    return this.open(word);
  }

  #leave(number: number): void {
    this.#depth--;
    this.writer.close(number);
  }
}

function checkInt(value: number, least: number, what: string): void {
  if (!Number.isInteger(value) || value < least || value > largestInt) {
    throw new RangeError(
      `encoding a message: the ${what} is ${value}, it has to be an integer from ${least} to ${largestInt}`,
    );
  }
}

function byName(
  kwargs: ReadonlyMap<string, BananaValue> | Record<string, BananaValue>,
): [string, BananaValue][] {
  const entries = kwargs instanceof Map
    ? [...kwargs as ReadonlyMap<string, BananaValue>]
    : Object.entries(kwargs as Record<string, BananaValue>);
  return entries.sort(([a], [b]) => a < b ? -1 : a > b ? 1 : 0);
}

/** UTF-8 of a text, at most `limit` bytes; what is longer ends in two dots. */
function clip(text: string, limit: number): Uint8Array {
  const bytes = new Uint8Array(limit);
  const whole = encoder.encodeInto(text, bytes);
  if (whole.read === text.length) return bytes.subarray(0, whole.written);
  const { written } = encoder.encodeInto(text, bytes.subarray(0, limit - 3));
  bytes.fill(0x2e, written, written + 2);
  return bytes.subarray(0, written + 2);
}

/** UTF-8 of a traceback; of more than 1900 bytes the first 700 and the last 1200 are left. */
function clipMiddle(text: string): Uint8Array {
  const bytes = new Uint8Array(2000);
  const whole = encoder.encodeInto(text, bytes.subarray(0, 1900));
  if (whole.read === text.length) return bytes.subarray(0, whole.written);
  let at = encoder.encodeInto(text, bytes.subarray(0, 700)).written;
  at += encoder.encodeInto("\n[ ... ]\n", bytes.subarray(at)).written;
  let tail = encoder.encode(text.slice(-1200)).subarray(-1200);
  while ((tail[0] & 0xc0) === 0x80) tail = tail.subarray(1);
  bytes.set(tail, at);
  return bytes.subarray(0, at + tail.length);
}
