import type { Value } from "../../value.ts";
import { latin1 } from "./text.ts";

/** How a metric's TYPE is read. */
export const Kind = { text: 0, timestamp: 1, integer: 2, real: 3 } as const;

const KINDS: ReadonlyMap<string, number> = new Map([
  ["string", Kind.text],
  ["timestamp", Kind.timestamp],
  ["int8", Kind.integer],
  ["uint8", Kind.integer],
  ["int16", Kind.integer],
  ["uint16", Kind.integer],
  ["int32", Kind.integer],
  ["uint32", Kind.integer],
  ["float", Kind.real],
  ["double", Kind.real],
]);

/** The {@linkcode Kind} of a metric's TYPE; `undefined` for one that gmond does not have. */
export function kindOf(type: string): number | undefined {
  return KINDS.get(type);
}

/** Whether metrics of a TYPE are added up in summaries: numbers are, points in time are not. */
export function isSummable(type: string): boolean {
  return (KINDS.get(type) ?? 0) >= Kind.integer;
}

/** The powers of ten that a double holds exactly, as far as they are needed. */
const POWERS = Array.from({ length: 16 }, (_, exponent) => 10 ** exponent);
const INTEGER = /^[ \t]*[+-]?[0-9]+[ \t]*$/;
const DECIMAL =
  /^[ \t]*[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?[ \t]*$/i;

/**
 * A metric's VAL as a value. What is no decimal number is `null`, `nan`, `inf` and hexadecimals
 * among them. (The C gmetad counts such as 0, and a `nan` spoils its sums; rrdtool refuses them.)
 */
export function valueOf(
  kind: number,
  bytes: Uint8Array,
  start: number,
  end: number,
): Value {
  if (kind === Kind.text) return null;
  let i = start;
  const negative = bytes[i] === 0x2d;
  if (negative) i++;
  const digits = i;
  let mantissa = 0;
  let point = -1;
  for (; i < end; i++) {
    const byte = bytes[i];
    if (byte >= 0x30 && byte <= 0x39) mantissa = mantissa * 10 + (byte - 0x30);
    else if (byte === 0x2e && point < 0) point = i;
    else break;
  }
  // Up to 15 digits the mantissa and the power are exact, so one division rounds once: exactly.
  const length = end - digits - (point < 0 ? 0 : 1);
  if (i === end && length >= 1 && length <= 15) {
    if (point < 0 && kind !== Kind.real) {
      return BigInt(negative ? -mantissa : mantissa);
    }
    const size = point < 0 ? mantissa : mantissa / POWERS[end - point - 1];
    return negative ? -size : size;
  }
  return unusualValue(kind, latin1(bytes, start, end));
}

function unusualValue(kind: number, text: string): Value {
  if (text.length > 400) return null;
  if (kind !== Kind.real && INTEGER.test(text)) {
    return BigInt(text.trim().replace(/^\+/, ""));
  }
  if (!DECIMAL.test(text)) return null;
  const number = Number(text);
  return Number.isFinite(number) ? number : null;
}

/**
 * A time or a number of seconds: an integer of at most 12 digits. One below 0 is 0: gmond's own
 * clock went back.
 * @returns `undefined` for anything else.
 */
export function secondsOf(
  bytes: Uint8Array,
  start: number,
  end: number,
): number | undefined {
  const negative = bytes[start] === 0x2d;
  const digits = negative ? start + 1 : start;
  if (end <= digits || end - digits > 12) return undefined;
  let number = 0;
  for (let i = digits; i < end; i++) {
    const digit = bytes[i] - 0x30;
    if (digit < 0 || digit > 9) return undefined;
    number = number * 10 + digit;
  }
  return negative ? 0 : number;
}
