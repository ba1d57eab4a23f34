/**
 * The one kind of figure that travels through the program.
 *
 * - `bigint`: an integer of any size (Foolscap INT, NEG, LONGINT, LONGNEG; JSON digits alone);
 * - `number`: a double, integral ones included (Foolscap FLOAT; JSON with a point or exponent);
 * - `null`: not known at the moment (Foolscap `none`).
 *
 * Keeping the two kinds apart is what lets an integer beyond 2^53 and a `5.0` both come out as they
 * came in.
 */
export type Value = bigint | number | null;

/**
 * An application's number as the kind it means: safe integers, `-0` excepted, become `bigint`.
 * Source of the rule: Foolscap's own encoder for Python `int` and `float`.
 */
export function fromNumber(number: number): bigint | number {
  return Number.isSafeInteger(number) && !Object.is(number, -0)
    ? BigInt(number)
    : number;
}
