/** Decimal places of a number as text; 0 for what has no point. */
export function decimalPlaces(text: string): number {
  let exponent = 0;
  let end = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i) | 0x20;
    if (unit === 0x65 /* e */) {
      exponent = Number(text.slice(i + 1)) || 0;
      end = i;
      break;
    }
  }
  const point = text.indexOf(".");
  const places = point < 0 || point > end ? 0 : end - point - 1;
  return Math.max(0, places - exponent);
}

/**
 * A finite number as digits with at most a sign and a point, the fewest digits that mean it. Not
 * every reader of Ganglia's XML takes an exponent.
 */
export function plainDecimal(number: number): string {
  const text = String(number);
  const mark = text.indexOf("e");
  if (mark < 0) return text;
  if (Number.isInteger(number)) return BigInt(number).toString();
  // What has an exponent and is no integer is less than 1e-6.
  const [, sign, digits] = /^(-?)([\d.]+)$/.exec(text.slice(0, mark))!;
  const zeros = "0".repeat(-Number(text.slice(mark + 1)) - 1);
  return `${sign}0.${zeros}${digits.replace(".", "")}`;
}
