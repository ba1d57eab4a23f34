import type { Value } from "../value.ts";

/** From here on RRD's sum over the 300 seconds of an interval may become infinite. */
const gaugeLimit = 1e300;

/**
 * RRD takes the difference of two DERIVE values on their digits and remembers only this many
 * characters of the last one. Source: `LAST_DS_LEN` in rrdtool's `rrd_format.h`, less the NUL.
 */
const deriveLength = 29;

/**
 * A value as it goes after `FIELD.value`, or undefined when Munin or RRD would refuse or misread
 * it, and no line is to be printed.
 *
 * | value | GAUGE | DERIVE |
 * |---|---|---|
 * | integer | its digits | its digits |
 * | double | as Python prints it: `5.0`, `0.1`, `-0.0` | its integer part |
 * | double where Python prints an exponent | the same digits without one: `0.00001` | its integer part |
 * | null, NaN, infinities | none | none |
 * | of 1e300 and more, or more than 29 characters in DERIVE | none | none |
 */
export function formatValue(
  value: Value,
  type: "GAUGE" | "DERIVE",
): string | undefined {
  if (value === null) return undefined;
  if (typeof value === "number" && !Number.isFinite(value)) return undefined;
  if (type === "DERIVE") {
    const digits = BigInt(
      typeof value === "number" ? Math.trunc(value) : value,
    ).toString();
    return digits.length <= deriveLength ? digits : undefined;
  }
  if (Math.abs(Number(value)) >= gaugeLimit) return undefined;
  return typeof value === "bigint" ? value.toString() : plainDecimal(value);
}

/** The shortest decimal that reads back as this finite double, with a point, without exponent. */
function plainDecimal(double: number): string {
  const text = Object.is(double, -0) ? "-0" : String(double);
  const scientific = /^(-?)(\d)(?:\.(\d+))?e([+-]\d+)$/.exec(text);
  if (!scientific) return text.includes(".") ? text : `${text}.0`;
  const [, sign, first, rest = "", power] = scientific;
  const exponent = Number(power);
  return exponent < 0
    ? `${sign}0.${"0".repeat(-exponent - 1)}${first}${rest}`
    : `${sign}${(first + rest).padEnd(exponent + 1, "0")}.0`;
}
