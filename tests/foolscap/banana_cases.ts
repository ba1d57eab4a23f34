/**
 * What the Banana tests share: the golden vectors, a notation for token streams, and a runner that
 * feeds a stream in every possible way.
 */

import { assertEquals } from "@std/assert";
import { decodeHex, encodeHex } from "@std/encoding";
import vectors from "../testdata/foolscap/banana-vectors.json" with {
  type: "json",
};
import { vocabTables } from "../../lib/foolscap/banana.ts";
import { BananaError } from "../../lib/foolscap/errors.ts";
import { defaultLimits, type Limits } from "../../lib/foolscap/limits.ts";
import {
  BananaSet,
  type BananaValue,
  Decimal,
  Dict,
  MyReference,
  Tuple,
} from "../../lib/foolscap/slicers.ts";
import { BananaReceiver, type Message } from "../../lib/foolscap/unslicers.ts";

/** A value as the vectors write it: one key that says its type. */
export type Row = { readonly [type: string]: unknown };

/** A row of `encode`. */
export interface EncodeRow {
  readonly value: Row;
  readonly hex: string;
  readonly hex_vocab1?: string;
}

/** A row of `decode`. */
export interface DecodeRow {
  readonly name: string;
  readonly vocab: number;
  readonly hex: string;
  readonly objects: readonly Row[];
  readonly violations: number;
  readonly closed: boolean;
  readonly reply_hex?: string;
  readonly remote_error?: string;
}

/** A row of `messages`. */
export interface MessageRow {
  readonly name: string;
  readonly hex: readonly string[];
  readonly value?: Row;
}

/** Recorded from Foolscap 21.7.0. */
export const { encode, decode, messages } = vectors as unknown as {
  readonly encode: readonly EncodeRow[];
  readonly decode: readonly DecodeRow[];
  readonly messages: readonly MessageRow[];
};

/** A row as a value. */
export function fromRow(row: Row): BananaValue {
  const [type] = Object.keys(row);
  const content = row[type];
  const items = () => (content as Row[]).map(fromRow);
  switch (type) {
    case "int":
      return BigInt(content as string);
    case "float":
      return new DataView(decodeHex(content as string).buffer).getFloat64(0);
    case "bytes":
      return decodeHex(content as string);
    case "text":
      return content as string;
    case "none":
      return null;
    case "bool":
      return content as boolean;
    case "list":
      return items();
    case "tuple":
      return new Tuple(items());
    case "set":
      return new BananaSet(items());
    case "frozenset":
      return new BananaSet(items(), true);
    case "dict":
      return Dict.of(
        (content as [Row, Row][]).map(([k, v]) => [fromRow(k), fromRow(v)]),
      );
    case "decimal":
      return new Decimal(content as string);
    default:
      throw new Error(`no such type in the vectors: ${type}`);
  }
}

/** A value as a row, so that `0`, `-0` and `0n` are three things when rows are compared. */
export function toRow(value: BananaValue): Row {
  switch (typeof value) {
    case "bigint":
      return { int: String(value) };
    case "number": {
      const bytes = new Uint8Array(8);
      new DataView(bytes.buffer).setFloat64(0, value);
      return { float: encodeHex(bytes) };
    }
    case "string":
      return { text: value };
    case "boolean":
      return { bool: value };
  }
  if (value === null) return { none: true };
  if (value instanceof Uint8Array) return { bytes: encodeHex(value) };
  if (value instanceof Tuple) return { tuple: value.items.map(toRow) };
  if (value instanceof BananaSet) {
    const items = value.items.map(toRow);
    return value.immutable ? { frozenset: items } : { set: items };
  }
  if (value instanceof Dict) {
    assertEquals(value.keys.length, value.values.length);
    return {
      dict: value.keys.map((key, i) => [toRow(key), toRow(value.values[i])]),
    };
  }
  if (value instanceof Decimal) return { decimal: value.text };
  if (value instanceof MyReference) {
    const { clid, interfaceName, furl } = value;
    return { ref: [clid, interfaceName, furl] };
  }
  return { list: value.map(toRow) };
}

/** A row of the vectors without what is there for people. */
export function bareRow(row: Row): Row {
  return toRow(fromRow(row));
}

/** What came of a stream. */
export interface Outcome {
  /** Messages with their values as rows, and `ping N`. */
  readonly events: readonly unknown[];
  /** Code and offset of the `BananaError`. */
  readonly error?: string;
}

/** How a receiver is made for a case. */
export interface Options {
  /** 0 or 1 (default). */
  readonly vocab?: number;
  /** Limits other than the default ones. */
  readonly limits?: Partial<Limits>;
}

/** A message with its values as rows. */
export function messageRow(message: Message): unknown {
  switch (message.kind) {
    case "call":
      return {
        ...message,
        args: message.args.map(toRow),
        kwargs: [...message.kwargs].map(([k, v]) => [k, toRow(v)]),
      };
    case "answer":
      return { ...message, value: toRow(message.value) };
    default:
      return message;
  }
}

/** A receiver that notes what it is given. */
export function listen(
  { vocab = 1, limits }: Options = {},
): { receiver: BananaReceiver; events: unknown[] } {
  const events: unknown[] = [];
  const receiver = new BananaReceiver(
    vocabTables[vocab],
    { ...defaultLimits, ...limits },
    {
      message: (message) => events.push(messageRow(message)),
      ping: (number) => events.push(`ping ${number}`),
    },
  );
  return { receiver, events };
}

/** Feeds the chunks to a new receiver. */
export function outcome(
  chunks: Iterable<Uint8Array>,
  options?: Options,
): Outcome {
  const { receiver, events } = listen(options);
  try {
    for (const chunk of chunks) receiver.feed(chunk);
  } catch (error) {
    if (!(error instanceof BananaError)) throw error;
    return { events, error: `${error.code} at ${error.offset}` };
  }
  return { events };
}

/**
 * Feeds a stream whole, byte by byte, and cut in two at every position, and asserts that the outcome
 * is always the same. Returns the outcome.
 */
export function everyWay(bytes: Uint8Array, options?: Options): Outcome {
  const whole = outcome([bytes], options);
  const { receiver, events } = listen(options);
  let error: string | undefined;
  for (let i = 0; i < bytes.length && error === undefined; i++) {
    try {
      receiver.feed(bytes.subarray(i, i + 1));
    } catch (thrown) {
      if (!(thrown instanceof BananaError)) throw thrown;
      error = `${thrown.code} at ${thrown.offset}`;
    }
  }
  assertEquals(error, whole.error, "byte by byte");
  assertEquals(events, whole.events, "byte by byte");
  for (let cut = 1; cut < bytes.length; cut++) {
    const head = bytes.subarray(0, cut);
    const halves = outcome([head, bytes.subarray(cut)], options);
    assertEquals(halves, whole, `cut after byte ${cut}`);
  }
  return whole;
}

/** Asserts that no proper prefix of a stream gives a message or an error. */
export function assertPrefixesAreSilent(
  bytes: Uint8Array,
  options?: Options,
): void {
  const { receiver, events } = listen(options);
  for (let i = 0; i < bytes.length - 1; i++) {
    assertEquals(receiver.buffered, i);
    receiver.feed(bytes.subarray(i, i + 1));
    assertEquals(events, [], `after ${i + 1} of ${bytes.length} bytes`);
  }
}

/**
 * A token stream from a notation: `(word … )` for OPEN with its type, numbered, and CLOSE; integers
 * for INT and NEG; `'text'` for STRING; `#hex` for anything else. `((` is an OPEN without a type.
 */
export function tokens(notation: string): Uint8Array<ArrayBuffer> {
  let hex = "";
  let opens = 0;
  const open: number[] = [];
  const header = (value: number): string => {
    let digits = "";
    do {
      digits += (value % 128).toString(16).padStart(2, "0");
      value = Math.floor(value / 128);
    } while (value > 0);
    return digits;
  };
  const string = (text: string): string => {
    const bytes = new TextEncoder().encode(text);
    return `${header(bytes.length)}82${encodeHex(bytes)}`;
  };
  const parts = notation.match(/\(\(|\([a-z-]+|\)|-?\d+|'[^']*'|#[0-9a-f]+/g);
  for (const part of parts ?? []) {
    if (part === ")") {
      hex += `${header(open.pop()!)}89`;
    } else if (part.startsWith("(")) {
      open.push(opens);
      hex += `${header(opens++)}88`;
      if (part !== "((") hex += string(part.slice(1));
    } else if (part.startsWith("'")) {
      hex += string(part.slice(1, -1));
    } else if (part.startsWith("#")) {
      hex += part.slice(1);
    } else {
      const value = Number(part);
      hex += header(Math.abs(value)) + (part.startsWith("-") ? "83" : "81");
    }
  }
  return decodeHex(hex);
}

/** The bytes one after the other. */
export function joined(
  parts: readonly Uint8Array[],
): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(
    parts.reduce((sum, { length }) => sum + length, 0),
  );
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** A stream in the notation of {@linkcode tokens} and what comes of it. */
export type Case = readonly [
  name: string,
  notation: string,
  /** The events in short, or the code of the error. */
  result: readonly string[],
  options?: Options,
];

/** An event in short. */
export function brief(event: unknown): string {
  if (typeof event === "string") return event;
  const message = event as Message;
  if (message.kind !== "violation") return `${message.kind} ${message.request}`;
  return `violation of ${message.of} ${message.request}: ${message.text}`;
}

/** Makes a test of each case: it is fed in every way. */
export function testCases(cases: readonly Case[]): void {
  for (const [name, notation, result, options] of cases) {
    Deno.test(`BananaReceiver meets ${name}`, () => {
      const { events, error } = everyWay(tokens(notation), options);
      const code = error === undefined ? [] : [error.split(" ")[0]];
      assertEquals([...events.map(brief), ...code], [...result]);
    });
  }
}
