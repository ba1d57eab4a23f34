/**
 * The top-level sequences that mean something: `call`, `answer`, `error` and what only they hold.
 * Source of the rules: Foolscap's `call.py`.
 * @module
 */

import { TokenType } from "./banana.ts";
import { Violation } from "./errors.ts";
import type { Limits } from "./limits.ts";
import {
  type BananaValue,
  failureClass,
  type FailureText,
  largestInt,
} from "./slicers.ts";
import {
  boundMethods,
  decodeText,
  lenience,
  Unslicer,
} from "./value_unslicers.ts";

/** A message that has arrived whole. */
export type Message =
  | {
    readonly kind: "call";
    /** 0 when no reply is wanted. */
    readonly request: number;
    /** Our own number of the object; 0 is the connection's broker. */
    readonly object: number;
    readonly method: string;
    readonly args: BananaValue[];
    readonly kwargs: Map<string, BananaValue>;
  }
  | {
    readonly kind: "answer";
    readonly request: number;
    readonly value: BananaValue;
  }
  | {
    readonly kind: "error";
    readonly request: number;
    /** Texts longer than `textBytes` are cut. */
    readonly failure: FailureText;
  }
  | {
    /** A message that was in order as a stream, but not acceptable; its content is gone. */
    readonly kind: "violation";
    readonly of: "call" | "answer" | "error";
    /** Undefined when the message ended before its number. */
    readonly request: number | undefined;
    /** What was wrong, for an error reply and for the log. */
    readonly text: string;
  };

/** A top-level sequence that means something. */
export abstract class MessageUnslicer extends Unslicer {
  /** Its type word. */
  abstract readonly kind: "call" | "answer" | "error";
  /** Undefined until it has come. */
  request: number | undefined;

  /** What the complete sequence says. */
  abstract message(): Message;

  override close(): null {
    return null;
  }

  protected checkRequest(type: number): void {
    if (type !== TokenType.INT) {
      this.reader.fatal(
        "bad-token",
        `the request number of a message of type "${this.kind}" has to be an INT token`,
      );
    }
  }

  protected setRequest(value: BananaValue): void {
    const request = Number(value);
    if (request > largestInt) {
      this.reader.fatal(
        "bad-token",
        `the request number of a message of type "${this.kind}" is beyond ${largestInt}`,
      );
    }
    this.request = request;
  }

  protected unfinished(): never {
    this.reader.fatal(
      "bad-token",
      `a message of type "${this.kind}" has ended too early`,
    );
  }
}

/** `call`: request, object, method, arguments. */
export class CallUnslicer extends MessageUnslicer {
  override readonly kind = "call";
  #object: number | undefined;
  #method: string | undefined;
  #arguments: ArgumentsUnslicer | undefined;

  override check(type: number): void {
    if (this.request === undefined) return this.checkRequest(type);
    if (this.#object === undefined) {
      if (type === TokenType.INT || type === TokenType.NEG) return;
      this.reader.fatal(
        "bad-token",
        "the object number of a call has to be an INT or NEG token",
      );
    }
    if (this.#method === undefined) {
      if (type === TokenType.STRING) return;
      this.reader.fatal("bad-token", "the method of a call has to be a STRING");
    }
    if (type !== TokenType.OPEN || this.#arguments !== undefined) {
      this.reader.fatal(
        "bad-token",
        "after its method a call may hold its arguments only",
      );
    }
  }
  override receive(value: BananaValue): void {
    if (this.request === undefined) {
      this.setRequest(value);
    } else if (this.#object === undefined) {
      const object = Number(value);
      if (object < 0) throw new Violation(boundMethods);
      if (object > largestInt) {
        throw new Violation("the object number of a call is too large");
      }
      this.#object = object;
    }
  }
  override string(bytes: Uint8Array, start: number, end: number): void {
    this.#method = decodeName(bytes, start, end, "the method of a call");
  }
  override child(word: string): Unslicer {
    if (word !== "arguments") {
      throw new Violation("the arguments of a call are of another type");
    }
    return this.#arguments = new ArgumentsUnslicer(this.reader);
  }
  override message(): Message {
    if (this.#arguments === undefined) this.unfinished();
    return {
      kind: "call",
      request: this.request!,
      object: this.#object!,
      method: this.#method!,
      args: this.#arguments.args,
      kwargs: this.#arguments.kwargs,
    };
  }
}

class ArgumentsUnslicer extends Unslicer {
  readonly args: BananaValue[] = [];
  readonly kwargs = new Map<string, BananaValue>();
  #positional: bigint | undefined;
  #name: string | undefined;

  override check(type: number): void {
    if (this.#positional === undefined) {
      if (type !== TokenType.INT) {
        this.reader.fatal(
          "bad-token",
          "the number of positional arguments has to be an INT token",
        );
      }
    } else if (this.#nameIsDue() && type !== TokenType.STRING) {
      this.reader.fatal("bad-token", "an argument's name has to be a STRING");
    }
  }
  override string(bytes: Uint8Array, start: number, end: number): void {
    if (!this.#nameIsDue()) return super.string(bytes, start, end);
    const name = decodeName(bytes, start, end, "an argument's name");
    if (this.kwargs.has(name)) {
      this.reader.fatal("duplicate-key", "a call has one argument twice");
    }
    this.#name = name;
  }
  override receive(value: BananaValue): void {
    if (this.#positional === undefined) {
      this.#positional = value as bigint;
    } else if (this.#name === undefined) {
      this.args.push(value);
    } else {
      this.kwargs.set(this.#name, value);
      this.#name = undefined;
    }
  }
  override close(): null {
    if (
      this.#positional === undefined || this.args.length < this.#positional ||
      this.#name !== undefined
    ) this.reader.fatal("bad-token", "the arguments of a call end too early");
    return null;
  }

  #nameIsDue(): boolean {
    return this.#name === undefined && this.args.length >= this.#positional!;
  }
}

/** `answer`: request and one value. */
export class AnswerUnslicer extends MessageUnslicer {
  override readonly kind = "answer";
  #value: BananaValue | undefined;

  override check(type: number): void {
    if (this.request === undefined) return this.checkRequest(type);
    if (this.#value !== undefined) {
      this.reader.fatal("bad-token", "an answer may hold one value only");
    }
  }
  override receive(value: BananaValue): void {
    if (this.request === undefined) this.setRequest(value);
    else this.#value = value;
  }
  override message(): Message {
    if (this.#value === undefined) this.unfinished();
    return { kind: "answer", request: this.request!, value: this.#value };
  }
}

/** `error`: request and a failure. */
export class ErrorUnslicer extends MessageUnslicer {
  override readonly kind = "error";
  #failure: FailureUnslicer | undefined;

  override check(type: number): void {
    if (this.request === undefined) return this.checkRequest(type);
    if (this.#failure !== undefined) {
      this.reader.fatal("bad-token", "an error may hold one failure only");
    }
    if (type !== TokenType.OPEN) throw new Violation(onlyFailure);
  }
  override receive(value: BananaValue): void {
    if (this.request === undefined) this.setRequest(value);
  }
  override child(word: string): Unslicer {
    if (word !== "copyable") throw new Violation(onlyFailure);
    return this.#failure = new FailureUnslicer(this.reader);
  }
  override message(): Message {
    if (this.#failure === undefined) this.unfinished();
    const { type, value, traceback, parents } = this.#failure;
    return {
      kind: "error",
      request: this.request!,
      failure: {
        type: type!,
        value: value!,
        traceback: traceback!,
        parents: parents!.texts,
      },
    };
  }
}

/** The `copyable` in an error: a class name, then names and values of attributes. */
class FailureUnslicer extends Unslicer {
  type: string | undefined;
  value: string | undefined;
  traceback: string | undefined;
  parents: ParentsUnslicer | undefined;
  #named = false;
  #field: string | undefined;

  override check(type: number): void {
    if (type === TokenType.STRING && this.#field !== "parents") return;
    if (this.#named && this.#field === undefined) {
      this.reader.fatal("bad-token", "the name of a field has to be a STRING");
    }
    if (type !== TokenType.OPEN) throw new Violation(fieldType);
    if (!this.#named) {
      this.reader.fatal("bad-token", "an OPEN has come directly after an OPEN");
    }
  }
  override string(bytes: Uint8Array, start: number, end: number): void {
    if (!this.#named) {
      if (decodeText(bytes, start, end) !== failureClass) {
        throw new Violation(onlyFailure);
      }
      this.#named = true;
      return;
    }
    const field = this.#field;
    if (field === undefined) {
      this.#field = this.#newField(decodeText(bytes, start, end));
      return;
    }
    this.#field = undefined;
    const text = decodeField(bytes, start, end, this.reader.limits);
    if (field === "type") this.type = text;
    else if (field === "value") this.value = text;
    else this.traceback = text;
  }
  override child(word: string): Unslicer {
    if (this.#field !== "parents" || word !== "list") {
      throw new Violation(fieldType);
    }
    return this.parents = new ParentsUnslicer(this.reader);
  }
  override receive(): void {
    this.#field = undefined;
  }
  override close(): null {
    if (
      this.type === undefined || this.value === undefined ||
      this.traceback === undefined || this.parents === undefined
    ) this.reader.fatal("bad-token", "a failure lacks one of its four fields");
    return null;
  }

  #newField(name: string | undefined): string {
    if (
      name !== "type" && name !== "value" && name !== "traceback" &&
      name !== "parents"
    ) throw new Violation("a failure has a field that is not known");
    if (this[name] !== undefined) {
      this.reader.fatal("duplicate-key", "a failure has one field twice");
    }
    return name;
  }
}

class ParentsUnslicer extends Unslicer {
  readonly texts: string[] = [];

  override check(type: number): void {
    if (type !== TokenType.STRING) throw new Violation(fieldType);
  }
  override string(bytes: Uint8Array, start: number, end: number): void {
    const text = decodeField(bytes, start, end, this.reader.limits);
    if (this.texts.length < mostParents) this.texts.push(text);
  }
  override receive(): void {}
  override close(): null {
    return null;
  }
}

const onlyFailure = `an error has to hold a copyable "${failureClass}"`;
const fieldType = "the fields of a failure have to be byte strings";

/** Bytes of a method's or argument's name. */
const longestName = 100;
/** Base classes that are kept of an exception. */
const mostParents = 32;

const tolerant = new TextDecoder("utf-8", { ignoreBOM: true });

function decodeName(
  bytes: Uint8Array,
  start: number,
  end: number,
  what: string,
): string {
  if (end - start > longestName) throw new Violation(`${what} is too long`);
  const name = decodeText(bytes, start, end);
  if (name === undefined) throw new Violation(`${what} is not UTF-8`);
  return name;
}

/** A field of a failure: bytes, of which at most `textBytes` are kept, cut between characters. */
function decodeField(
  bytes: Uint8Array,
  start: number,
  end: number,
  { textBytes }: Limits,
): string {
  if (end - start > textBytes * lenience) {
    throw new Violation("a field of a failure is too long");
  }
  let cut = Math.min(end, start + textBytes);
  if (cut < end) {
    // At most three steps back: longer runs of continuation bytes are no characters.
    const least = Math.max(start, cut - 3);
    while (cut > least && (bytes[cut] & 0xc0) === 0x80) cut--;
  }
  return tolerant.decode(bytes.subarray(start, cut));
}
