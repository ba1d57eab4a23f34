/**
 * Banana streams as text, one token a word: `(3 call 1 0 "getReferenceByName" …`. VOCAB and STRING
 * look alike, because both are right everywhere.
 */

import {
  Tokenizer,
  TokenType,
  vocabTables,
} from "../../lib/foolscap/banana.ts";
import { BananaError } from "../../lib/foolscap/errors.ts";
import { defaultLimits } from "../../lib/foolscap/limits.ts";

const table = vocabTables[1];

/** The tokens of a stream, ERROR included. */
export function tokensOf(bytes: Uint8Array): string[] {
  const tokens: string[] = [];
  const text = (bytes: Uint8Array) =>
    JSON.stringify(String.fromCharCode(...bytes));
  const tokenizer = new Tokenizer(table, {
    ...defaultLimits,
    stringBytes: Infinity,
    integerBytes: Infinity,
  }, {
    begin() {},
    integer(type, value) {
      const long = type === TokenType.LONGINT || type === TokenType.LONGNEG;
      tokens.push(`${value}${long ? "L" : ""}`);
    },
    float: (value) => tokens.push(`F${Object.is(value, -0) ? "-0" : value}`),
    string: (bytes, start, end) =>
      tokens.push(text(bytes.subarray(start, end))),
    vocab: (index) => tokens.push(JSON.stringify(table.words[index])),
    open: (number) => tokens.push(`(${number}`),
    close: (number) => tokens.push(`${number})`),
    abort: () => tokens.push("ABORT"),
    ping: (number) => tokens.push(`PING${number}`),
  });
  // The tokenizer skips PONGs without a word.
  for (const part of splitAtPongs(bytes)) {
    if (typeof part === "string") {
      tokens.push(part);
      continue;
    }
    try {
      tokenizer.feed(part);
    } catch (error) {
      if (!(error instanceof BananaError) || error.code !== "remote-error") {
        throw error;
      }
      tokens.push("ERROR");
    }
  }
  return tokens;
}

/** Cuts a stream before and after its PONGs, which have to be of one digit or none. */
function splitAtPongs(bytes: Uint8Array): (Uint8Array | string)[] {
  const parts: (Uint8Array | string)[] = [];
  let from = 0;
  for (let at = 0; at < bytes.length;) {
    let header = 0;
    const start = at;
    for (; bytes[at] < 0x80; at++) header += bytes[at] * 128 ** (at - start);
    const type = bytes[at++];
    if (
      type === TokenType.STRING || type === TokenType.LONGINT ||
      type === TokenType.LONGNEG
    ) {
      at += header;
    } else if (type === TokenType.FLOAT) {
      at += 8;
    } else if (type === TokenType.ERROR) {
      at += header;
    } else if (type === TokenType.PONG) {
      parts.push(bytes.subarray(from, start), `PONG${header}`);
      from = at;
    }
  }
  parts.push(bytes.subarray(from));
  return parts;
}

/**
 * The same, without what an implementation may say in its own words: of an error reply only the
 * type is left, of an ERROR token nothing but itself.
 */
export function reactionOf(bytes: Uint8Array): string[] {
  const tokens = tokensOf(bytes);
  const kept: string[] = [];
  for (let i = 0; i < tokens.length; i++) {
    if (tokens[i] === '"value"' || tokens[i] === '"traceback"') {
      i++;
    } else if (tokens[i] === '"type"') {
      kept.push(`type ${tokens[++i]}`);
    } else if (tokens[i] === '"parents"') {
      while (!tokens[i].endsWith(")")) i++;
    } else {
      kept.push(tokens[i]);
    }
  }
  return kept;
}
