import type { Value } from "../value.ts";
import { numberText, seconds } from "./numbers.ts";
import {
  type FamilyHead,
  type Format,
  headText,
  labelsText,
  suffixOf,
} from "./text.ts";

/** Names and values of labels. */
export type Labels = readonly (readonly [name: string, value: string])[];

/** Labels, as a list or as a text that nobody else has, and a value; without one, no sample. */
export type Row = readonly [
  labels: Labels | string,
  value: NonNullable<Value> | undefined,
];

/** Characters that are written in one go. */
const STEP = 32 * 1024;

/**
 * A family of this program's own, in steps; without any sample, nothing.
 * @param created When its counters began, in milliseconds since the epoch.
 */
export function* rowTexts(
  head: FamilyHead,
  format: Format,
  rows: Iterable<Row>,
  created?: number,
): Generator<string> {
  const name = head.name + suffixOf(head.type);
  const began = created === undefined || format === "prometheus"
    ? undefined
    : numberText(seconds(created));
  const seen = new Set<string>();
  let text = headText(head, format);
  let isEmpty = true;
  for (const [labels, value] of rows) {
    if (value === undefined) continue;
    const all = typeof labels === "string" ? labels : labelsText(labels);
    if (typeof labels !== "string") {
      // Of two things with the same name, the first: a series must not be there twice.
      if (seen.has(all)) continue;
      seen.add(all);
    }
    const braces = all === "" ? "" : `{${all}}`;
    text += `${name}${braces} ${numberText(value)}\n`;
    if (began !== undefined) text += `${head.name}_created${braces} ${began}\n`;
    isEmpty = false;
    if (text.length >= STEP) {
      yield text;
      text = "";
    }
  }
  if (!isEmpty) yield text;
}
