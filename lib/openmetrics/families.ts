/**
 * The families of what was gathered: a family for each name, with the samples of all hosts that
 * have it.
 *
 * A name may be a counter on one host and none on another. The names of samples differ then, and
 * stay what they are. But OpenMetrics has one family of a name, of one type: it is that of the
 * gauges if there are any, and of the counters before that of the texts; what has no family left is
 * in one of its own that is called as its samples are, and the type is all that is lost.
 *
 * @module
 */
import type { Metric } from "../tree/metric.ts";
import { numberText, seconds } from "./numbers.ts";
import { type MetricKind, splitName } from "./names.ts";
import type { Group } from "./survey.ts";
import {
  type FamilyHead,
  type Format,
  headText,
  labelValue,
  MOST_TEXT,
} from "./text.ts";

/** Where the metrics of a family are: at the same place in all hosts of a group. */
interface Column {
  readonly group: Group;
  readonly index: number;
  /** What they have behind the labels of the host. */
  readonly labels: string;
}

type Family = Partial<Record<MetricKind, Column[]>>;

/** Metrics that are looked at, and characters that are written, in one go. */
const STEP_METRICS = 1000;
const STEP_CHARACTERS = 32 * 1024;

/** All families, in steps: an empty text is one, too. */
export function* familyTexts(
  groups: readonly Group[],
  format: Format,
): Generator<string> {
  const families = new Map<string, Family>();
  for (const group of groups) {
    const { families: names, kinds, labels } = group.layout;
    for (let index = 0; index < names.length; index++) {
      if (index % STEP_METRICS === 0) yield "";
      const name = names[index];
      if (name === undefined) continue;
      let family = families.get(name);
      if (!family) families.set(name, family = {});
      const columns = family[kinds[index]];
      const column = { group, index, labels: labels[index] };
      if (columns) columns.push(column);
      else family[kinds[index]] = [column];
    }
  }
  for (const [name, { gauge, counter, info }] of families) {
    const isSplit = format === "openmetrics";
    if (gauge) yield* gaugeTexts(name, gauge, format);
    if (counter && isSplit && gauge) yield* splitTexts(name, counter);
    else if (counter) yield* counterTexts(name, counter, format);
    if (info) {
      yield* infoTexts(name, info, format, isSplit && !!(gauge || counter));
    }
  }
}

/** @param more What stands behind the labels of the host. */
type SampleOf = (
  metric: Metric,
  host: Group["hosts"][number],
  more: string,
) => string;

/** The head before the first sample, if there is any, and the samples. */
function* samples(
  columns: readonly Column[],
  headOf: (metric: Metric) => string,
  sampleOf: SampleOf,
): Generator<string> {
  let text = "";
  let hasHead = false;
  for (const { group: { hosts }, index, labels } of columns) {
    for (const host of hosts) {
      const metric = host.metrics[index];
      const sample = sampleOf(metric, host, labels);
      if (sample === "") continue;
      if (!hasHead) {
        text += headOf(metric);
        hasHead = true;
      }
      text += sample;
      if (text.length >= STEP_CHARACTERS) {
        yield text;
        text = "";
      }
    }
  }
  yield text;
}

function gaugeTexts(
  name: string,
  columns: readonly Column[],
  format: Format,
): Generator<string> {
  return samples(
    columns,
    (metric) => headText(headOf(name, "gauge", metric), format),
    ({ value }, { labels }, more) =>
      value === null ? "" : `${name}{${labels}${more}} ${numberText(value)}\n`,
  );
}

function counterTexts(
  name: string,
  columns: readonly Column[],
  format: Format,
): Generator<string> {
  const head = (metric: Metric) =>
    headText(headOf(name, "counter", metric), format);
  const total = totalOf(name);
  if (format === "prometheus") return samples(columns, head, total);
  const created = createdOf(name);
  return samples(
    columns,
    head,
    (metric, host, more) =>
      total(metric, host, more) + created(metric, host, more),
  );
}

/** Counters whose family's name is taken. */
function* splitTexts(
  name: string,
  columns: readonly Column[],
): Generator<string> {
  for (
    const [suffix, type, sampleOf] of [
      ["_total", "unknown", totalOf(name)],
      ["_created", "gauge", createdOf(name)],
    ] as const
  ) {
    yield* samples(
      columns,
      (metric) => headText(headOf(name + suffix, type, metric), "openmetrics"),
      sampleOf,
    );
  }
}

function totalOf(name: string): SampleOf {
  return ({ value }, { labels }, more) =>
    value === null
      ? ""
      : `${name}_total{${labels}${more}} ${numberText(value)}\n`;
}

function createdOf(name: string): SampleOf {
  return ({ value }, { labels, began }, more) =>
    value === null || began === undefined
      ? ""
      : `${name}_created{${labels}${more}} ${numberText(seconds(began))}\n`;
}

function infoTexts(
  name: string,
  columns: readonly Column[],
  format: Format,
  isTaken: boolean,
): Generator<string> {
  const sample = `${name}_info`;
  return samples(
    columns,
    (metric) =>
      headText(
        isTaken
          ? headOf(sample, "gauge", metric)
          : headOf(name, "info", metric),
        format,
      ),
    ({ text = "" }, { labels }, more) =>
      `${sample}{${labels}${more},value="${
        labelValue(text.slice(0, MOST_TEXT))
      }"} 1\n`,
  );
}

/** HELP has the original name first, then what the source of the metric says of it. */
function headOf(
  name: string,
  type: FamilyHead["type"],
  { name: whole, detail }: Metric,
): FamilyHead {
  const { original } = splitName(whole, "gauge");
  const unit = detail?.units.trim() ?? "";
  const described = extraOf(detail, "DESC") ?? extraOf(detail, "TITLE");
  return {
    name,
    type,
    help: (original || "(a metric without a name)") +
      (unit === "" ? "" : ` (${unit})`) +
      (described === undefined ? "" : `: ${described}`),
    unit,
  };
}

function extraOf(
  detail: Metric["detail"],
  wanted: string,
): string | undefined {
  return detail?.extra.find(([name, value]) => name === wanted && value !== "")
    ?.[1];
}
