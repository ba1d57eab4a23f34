/**
 * What a change of configuration does, before it is done. Pure.
 *
 * @module
 */

/** A piece of a running gatherer, as a configuration asks for it. */
export interface PartSpec {
  /** What it is and which: in two configurations, the same name is the same piece. */
  readonly name: string;
  /** Plain data: a piece of the same name and the same settings stays as it is. */
  readonly settings: unknown;
  /** What it has for itself alone, such as a port: who wants it must wait until it is free. */
  readonly claims?: readonly string[];
}

/** A setting that is no piece's own. */
export interface OwnSetting {
  readonly name: string;
  readonly settings: unknown;
  /** When it takes effect: at once, or with the next start. */
  readonly takes: "at once" | "restart";
}

/** What is done to each piece. */
export interface Plan<Spec extends PartSpec = PartSpec> {
  readonly start: readonly Spec[];
  readonly stop: readonly Spec[];
  /** Stopped, then started with other settings. */
  readonly change: readonly { readonly before: Spec; readonly after: Spec }[];
  readonly keep: readonly Spec[];
  /** Settings that take another value at once. */
  readonly set: readonly OwnSetting[];
  /** Settings that have changed, and stay as they are until the next start. */
  readonly postponed: readonly OwnSetting[];
}

/** Makes the plan that leads from what runs to what is asked for. */
export function makePlan<Spec extends PartSpec>(
  before: readonly Spec[],
  after: readonly Spec[],
  own: {
    readonly before: readonly OwnSetting[];
    readonly after: readonly OwnSetting[];
  } = { before: [], after: [] },
): Plan<Spec> {
  const running = new Map(before.map((spec) => [spec.name, spec]));
  const wanted = new Set(after.map(({ name }) => name));
  const start: Spec[] = [];
  const change: { before: Spec; after: Spec }[] = [];
  const keep: Spec[] = [];
  for (const spec of after) {
    const old = running.get(spec.name);
    if (!old) start.push(spec);
    else if (isSame(old.settings, spec.settings)) keep.push(old);
    else change.push({ before: old, after: spec });
  }
  const known = new Map(
    own.before.map(({ name, settings }) => [name, settings]),
  );
  const changed = own.after.filter(({ name, settings }) =>
    !isSame(known.get(name), settings)
  );
  return {
    start,
    stop: before.filter(({ name }) => !wanted.has(name)),
    change,
    keep,
    set: changed.filter(({ takes }) => takes === "at once"),
    postponed: changed.filter(({ takes }) => takes === "restart"),
  };
}

/** Whether a plan changes nothing at all. */
export function isEmptyPlan({ start, stop, change, set }: Plan): boolean {
  return start.length + stop.length + change.length + set.length === 0;
}

/** A plan, a line for each thing that is done. */
export function planLines(plan: Plan): string[] {
  const lines = [
    ...plan.stop.map(({ name }) => `stop    ${name}`),
    ...plan.change.map(({ after }) => `change  ${after.name}`),
    ...plan.start.map(({ name }) => `start   ${name}`),
    ...plan.set.map(({ name, settings }) => `set     ${name} to ${settings}`),
    ...plan.keep.map(({ name }) => `keep    ${name}`),
    ...plan.postponed.map(({ name }) =>
      `later   ${name}: it has changed, and takes effect with a restart`
    ),
  ];
  return isEmptyPlan(plan) && plan.postponed.length === 0
    ? ["nothing has changed", ...lines]
    : lines;
}

function isSame(one: unknown, other: unknown): boolean {
  return canonicalText(one) === canonicalText(other);
}

/** Plain data as text: the same for the same data, whatever the order of an object's keys. */
function canonicalText(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) => {
    if (part instanceof Map) return { map: [...part] };
    if (part instanceof Set) return { set: [...part] };
    if (typeof part === "bigint") return { bigint: String(part) };
    if (typeof part !== "object" || part === null || Array.isArray(part)) {
      return part;
    }
    return Object.fromEntries(
      Object.entries(part).sort(([a], [b]) => a < b ? -1 : 1),
    );
  }) ?? "";
}
