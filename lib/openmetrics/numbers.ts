import type { Value } from "../value.ts";

/** The first integer that no double can stand for, not even rounded. */
const BEYOND_DOUBLES = 2n ** 1024n;

/**
 * A number as OpenMetrics writes it, exact: an integer has no point, a float always a point or an
 * exponent. An integer beyond all doubles is infinite: readers would refuse everything for it.
 * Source: OpenMetrics 1.0, "Numbers" and the ABNF.
 */
export function numberText(value: NonNullable<Value>): string {
  if (typeof value === "bigint") {
    if (value >= BEYOND_DOUBLES) return "+Inf";
    if (value <= -BEYOND_DOUBLES) return "-Inf";
    return value.toString();
  }
  if (Number.isInteger(value)) {
    // Also of -0, which no counter may be, and is 0 to everybody.
    const text = String(value);
    return text.includes("e") ? text : `${text}.0`;
  }
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";
}

/** A time in milliseconds as one in seconds, for {@linkcode numberText}. */
export function seconds(milliseconds: number): number {
  return milliseconds / 1000;
}
