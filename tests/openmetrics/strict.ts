/**
 * A strict reader of both text formats, written from OpenMetrics 1.0 and from Prometheus's
 * "Exposition formats": it throws at whatever is not allowed, also where Prometheus lets it pass.
 *
 * @module
 */
import { assert } from "@std/assert";

/** A sample. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** As it was written. */
  readonly value: string;
}

/** A family with its samples in order. */
export interface Family {
  readonly name: string;
  readonly type: string;
  readonly help: string | undefined;
  readonly unit: string | undefined;
  readonly samples: Sample[];
}

const NAME = "[a-zA-Z][a-zA-Z0-9_]*";
const SAMPLE = new RegExp(`^(${NAME})(?:\\{(.*)\\})? (\\S+)$`, "s");
const LABEL = /^([a-zA-Z][a-zA-Z0-9_]*)="((?:[^"\\]|\\["\\n])*)"(,|$)/s;
const NUMBER =
  /^(?:[+-]?(?:\d+|\d+\.\d*(?:e[+-]?\d+)?|\d*\.\d+(?:e[+-]?\d+)?|\d+e[+-]?\d+|Inf)|NaN)$/;

const SUFFIXES: Readonly<Record<string, readonly string[]>> = {
  counter: ["_total", "_created"],
  info: ["_info"],
  gauge: [""],
  unknown: [""],
  untyped: [""],
};

/** Reads an exposition of either format. */
export function readStrictly(text: string, isOpen: boolean): Family[] {
  let rest = text;
  if (isOpen) {
    assert(rest.endsWith("# EOF\n"), "no # EOF");
    rest = rest.slice(0, -"# EOF\n".length);
  }
  assert(rest === "" || rest.endsWith("\n"), "the last line has no end");
  assert(!rest.includes("\0") && rest.isWellFormed(), "no good text");
  const families: Family[] = [];
  const taken = new Set<string>();
  let family: { -readonly [Key in keyof Family]: Family[Key] } | undefined;
  const begin = (name: string) => {
    family = {
      name,
      type: "",
      help: undefined,
      unit: undefined,
      samples: [],
    };
    families.push(family);
    return family;
  };
  for (const line of rest.split("\n").slice(0, -1)) {
    const meta = /^# (HELP|TYPE|UNIT) (\S+) (.*)$/s.exec(line);
    if (meta) {
      const [, what, name, value] = meta;
      assert(new RegExp(`^${NAME}$`).test(name), `bad name: ${line}`);
      const now = family?.name === name && family.samples.length === 0
        ? family
        : begin(name);
      if (what === "TYPE") {
        assert(now.type === "", `a second TYPE: ${line}`);
        assert(
          isOpen
            ? ["counter", "gauge", "info", "unknown"].includes(value)
            : ["counter", "gauge", "untyped"].includes(value),
          line,
        );
        now.type = value;
        const suffixes = isOpen ? ["", ...SUFFIXES[value]] : [""];
        for (const suffix of new Set(suffixes)) {
          assert(!taken.has(name + suffix), `a clash: ${name + suffix}`);
          taken.add(name + suffix);
        }
      } else if (what === "HELP") {
        assert(now.help === undefined, `a second HELP: ${line}`);
        assert(
          (isOpen ? /^(?:[^\\"]|\\["\\n])*$/s : /^(?:[^\\]|\\[\\n])*$/s).test(
            value,
          ),
          line,
        );
        now.help = value;
      } else {
        assert(isOpen && now.unit === undefined, line);
        assert(now.type !== "info", `a unit of a text: ${line}`);
        assert(name.endsWith(`_${value}`), `not its unit: ${line}`);
        now.unit = value;
      }
      continue;
    }
    const parts = SAMPLE.exec(line);
    assert(parts, `no sample: ${JSON.stringify(line)}`);
    const [, name, labelText = "", value] = parts;
    assert(family && family.type !== "", `before its TYPE: ${line}`);
    const suffix = name.slice(family.name.length);
    assert(name.startsWith(family.name), `in ${family.name}: ${line}`);
    assert((isOpen ? SUFFIXES[family.type] : [""]).includes(suffix), line);
    assert(NUMBER.test(value), `no number: ${line}`);
    if (family.type === "counter" && suffix !== "_created") {
      assert(!/^-|NaN/.test(value), `no count: ${line}`);
    }
    if (family.type === "info") assert(value === "1", line);
    family.samples.push({ name, labels: readLabels(labelText), value });
  }
  for (const { samples, type } of families) checkMetrics(samples, type);
  return families;
}

/** No series is there twice, and the samples of a metric stand together. */
function checkMetrics(samples: readonly Sample[], type: string): void {
  const series = new Set<string>();
  const metrics = new Set<string>();
  let last: string | undefined;
  for (const { name, labels } of samples) {
    const metric = JSON.stringify(Object.entries(labels).sort());
    assert(!series.has(name + metric), `there twice: ${name}${metric}`);
    series.add(name + metric);
    if (metric !== last) {
      assert(!metrics.has(metric), `interleaved (${type}): ${metric}`);
    }
    metrics.add(metric);
    last = metric;
  }
}

function readLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  for (let rest = text; rest !== "";) {
    const label = LABEL.exec(rest);
    assert(label, `no label: ${JSON.stringify(rest)}`);
    const [all, name, value] = label;
    assert(!(name in labels), `label twice: ${name}`);
    labels[name] = value.replace(
      /\\(.)/gs,
      (_, char) => char === "n" ? "\n" : char,
    );
    rest = rest.slice(all.length);
  }
  return labels;
}
