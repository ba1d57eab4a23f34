/**
 * The text formats: lines of metadata, and labels.
 *
 * Sources: OpenMetrics 1.0, "Text format"; Prometheus, "Exposition formats", text format 0.0.4.
 *
 * @module
 */
import { oneLine } from "../text.ts";

/** A format of the exposition: OpenMetrics 1.0.0, or Prometheus's text format 0.0.4. */
export type Format = "openmetrics" | "prometheus";

/** The media type of each format. */
export const CONTENT_TYPES: Readonly<Record<Format, string>> = {
  openmetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8",
  prometheus: "text/plain; version=0.0.4; charset=utf-8",
};

/** Types that both formats know, and those that only OpenMetrics does. */
export type FamilyType = "counter" | "gauge" | "info" | "unknown";

/** What is said of a family before its samples. */
export interface FamilyHead {
  /** Without the suffix of its samples. */
  readonly name: string;
  readonly type: FamilyType;
  /** One line. */
  readonly help: string;
  /** Said if the name ends with it; left out: nothing. */
  readonly unit?: string;
}

/** Characters of a text that is made a HELP or a label, at most. */
export const MOST_TEXT = 1000;

/**
 * The lines of metadata. In the format 0.0.4 each kind of sample is a family, and a text is a gauge.
 */
export function headText(
  { name, type, help, unit }: FamilyHead,
  format: Format,
): string {
  const line = oneLine(help, MOST_TEXT).replaceAll("\\", "\\\\");
  if (format === "prometheus") {
    const sample = name + suffixOf(type);
    const known = type === "info"
      ? "gauge"
      : type === "unknown"
      ? "untyped"
      : type;
    return `# HELP ${sample} ${line}\n# TYPE ${sample} ${known}\n`;
  }
  // A text has none.
  const units = unit && type !== "info" && /^[a-z]+$/.test(unit) &&
      name.endsWith(`_${unit}`)
    ? `# UNIT ${name} ${unit}\n`
    : "";
  return `# TYPE ${name} ${type}\n${units}# HELP ${name} ${
    line.replaceAll('"', '\\"')
  }\n`;
}

/** What the samples of a family of that type have after its name. */
export function suffixOf(type: FamilyType): string {
  return type === "counter" ? "_total" : type === "info" ? "_info" : "";
}

/** Labels without braces: `name="value",…`. */
export function labelsText(
  labels: readonly (readonly [name: string, value: string])[],
): string {
  return labels.map(([name, value]) => `${name}="${labelValue(value)}"`)
    .join(",");
}

/**
 * A text as the value of a label. Characters that are no Unicode, and NUL, which readers take for
 * the end, are replaced.
 */
export function labelValue(text: string): string {
  return /^[\w .:/@-]*$/.test(text) ? text : text.toWellFormed()
    .replaceAll("\0", "\ufffd").replaceAll("\\", "\\\\").replaceAll('"', '\\"')
    .replaceAll("\n", "\\n");
}
