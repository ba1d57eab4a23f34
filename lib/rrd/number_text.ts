import type { Value } from "../value.ts";
import type { DataSourceType } from "./shape.ts";

/** A value, and how its source wrote it. */
export interface WrittenValue {
  readonly value: Value;
  readonly text?: string;
}

/** Longer ones are numbers beyond reason. */
const MAX_LENGTH = 64;
const DECIMAL = /^-?\d+(\.\d+)?([eE][-+]?\d+)?$/;
const INTEGER = /^-?\d+$/;

/**
 * A value as rrdtool takes it for a data source: as its source wrote it where that is possible,
 * integers without a decimal point. `COUNTER` and `DERIVE` take integers only, so that what is
 * behind a decimal point is left out there. rrdcached accepts any text, but what rrdtool then
 * refuses costs the values after it too: this is the place where they are kept out.
 * @returns `undefined` when there is no such text: not known, no finite number, or a `COUNTER`
 * below nought.
 */
export function numberText(
  { value, text }: WrittenValue,
  type: DataSourceType,
): string | undefined {
  if (value === null) return undefined;
  const pattern = type === "GAUGE" ? DECIMAL : INTEGER;
  const written = text !== undefined && text.length <= MAX_LENGTH &&
      pattern.test(text)
    ? text
    : type === "GAUGE"
    ? gaugeText(value)
    : integerText(value);
  return type === "COUNTER" && written?.startsWith("-") ? undefined : written;
}

function gaugeText(value: bigint | number): string | undefined {
  const integer = typeof value === "bigint" || Number.isInteger(value)
    ? integerText(value)
    : undefined;
  if (integer !== undefined) return integer;
  const number = Number(value);
  return Number.isFinite(number) ? String(number) : undefined;
}

function integerText(value: bigint | number): string | undefined {
  if (typeof value === "number") {
    if (!Number.isFinite(value)) return undefined;
    value = BigInt(Math.trunc(value));
  }
  // Of an integer that is too long not even the text is made.
  if (BigInt.asIntN(8 * MAX_LENGTH, value) !== value) return undefined;
  const text = value.toString();
  return text.length <= MAX_LENGTH ? text : undefined;
}
