/** What a range may look like, for messages. */
export const rangeForms =
  '"max", "min:", ":max" or "min:max", numbers with min not above max';

/** Characters of a number; Munin's own arithmetic keeps 17 digits. */
const MAX_LENGTH = 100;
/** Numbers are drawn up to this; see `numbers.ts`. */
const MAX_EXPONENT = 300;

/**
 * A range that `warning` and `critical` take, in the one way of writing it that Munin understands:
 * blanks, signs and zeros that mean nothing are dropped, exponents written out. To Munin `1e12` is
 * no number, and a range that it cannot read is 0 to 0, an alarm at every figure.
 *
 * Source: `get_limits` of Munin 2.0, `Munin::Master::LimitsOld`.
 *
 * @returns `undefined` when the text is none of {@linkcode rangeForms}.
 */
export function parseRange(text: string): string | undefined {
  const ends = text.split(":").map((end) => end.trim());
  if (ends.length > 2 || ends.every((end) => end === "")) return undefined;
  const plain: string[] = [];
  for (const end of ends) {
    const number = end === "" ? "" : plainDecimal(end);
    if (number === undefined) return undefined;
    plain.push(number);
  }
  const [min, max] = plain;
  if (max && min && Number(min) > Number(max)) return undefined;
  return plain.join(":");
}

/**
 * A decimal number without exponent, plus sign, and zeros that mean nothing; no digit is lost.
 *
 * @returns `undefined` when the text is no number, or one beyond what can be drawn.
 */
export function plainDecimal(text: string): string | undefined {
  const parts =
    /^([-+]?)(?=\.?[0-9])([0-9]*)(?:\.([0-9]*))?(?:[eE]([-+]?[0-9]+))?$/
      .exec(text);
  if (!parts || text.length > MAX_LENGTH) return undefined;
  const [, sign, whole, fraction = "", power = "0"] = parts;
  const exponent = Number(power);
  if (
    Math.abs(exponent) > MAX_EXPONENT ||
    Math.abs(Number(text)) >= 10 ** MAX_EXPONENT
  ) return undefined;
  const zeros = "0".repeat(Math.abs(exponent));
  const digits = exponent < 0
    ? zeros + whole + fraction
    : whole + fraction + zeros;
  const point = whole.length + (exponent < 0 ? 0 : exponent);
  const before = digits.slice(0, point).replace(/^0+/, "") || "0";
  const after = digits.slice(point).replace(/0+$/, "");
  const number = after === "" ? before : `${before}.${after}`;
  return sign === "-" && number !== "0" ? `-${number}` : number;
}
