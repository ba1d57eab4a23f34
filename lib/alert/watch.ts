import { setImmediate } from "node:timers/promises";
import type { Clock } from "../clock.ts";
import type { Host } from "../tree/host.ts";
import type { Metric } from "../tree/metric.ts";
import type { ChildGrid, Cluster, SourceState } from "../tree/tree.ts";
import { type AlertEvent, type AlertState, decide, QUIET } from "./decide.ts";
import type { Facts } from "./evaluate.ts";
import { HostFacts, SourceFacts } from "./facts.ts";
import { fillMessage, type Rule } from "./rule.ts";

/** Metrics and conditions that are looked at in one go: some 5 ms of work, then others have their turn. */
const BATCH = 10_000;
/** Names of metrics of which it is remembered which rules are about them. */
const MOST_NAMES = 10_000;

/** The thing that an alert is about. Texts are empty where they do not apply. */
export interface AlertItem {
  readonly cluster: string;
  readonly host: string;
  /** The host's key. */
  readonly key: string;
  readonly metric: string;
  readonly source: string;
  /** The metric's value as its source wrote it. */
  readonly value: string;
  /** Seconds since host or source were heard of. */
  readonly age: number;
  /** When the condition began to hold, in milliseconds since the epoch. */
  readonly since: number;
  /** The rule's message, filled in. */
  readonly message: string;
}

/** Is told of everything that is to be said. */
export type Tell = (rule: Rule, event: AlertEvent, item: AlertItem) => void;

type Subject = Pick<
  AlertItem,
  "cluster" | "host" | "key" | "metric" | "source"
>;

/** A thing that is not quiet. */
interface Watched {
  state: AlertState;
  subject: Subject;
  value: string;
  age: number;
  /** The cluster or grid of which this was learnt. */
  readonly scope: string;
  /** The look at which it was there last. */
  seen: number;
}

/** Looks at clusters with rules, and remembers what is raised. Looks must not overlap. */
export class Watch {
  readonly #clock: Clock;
  readonly #startedAt: number;
  readonly #tell: Tell;
  readonly #hostRules: readonly Rule[];
  readonly #metricRules: readonly Rule[];
  readonly #sourceRules: readonly Rule[];
  readonly #wanted: ReadonlySet<string>;
  /** By name of a metric. */
  readonly #about = new Map<string, readonly Rule[]>();
  /** By rule, then by what identifies a thing. */
  readonly #watched: ReadonlyMap<Rule, Map<string, Watched>>;
  #look = 0;
  /** Metrics and conditions since others had their turn. */
  #work = 0;

  constructor(rules: readonly Rule[], clock: Clock, tell: Tell) {
    this.#clock = clock;
    this.#startedAt = clock.monotonic();
    this.#tell = tell;
    const of = (subject: string) =>
      rules.filter((rule) => rule.subject === subject);
    this.#hostRules = of("host");
    this.#metricRules = of("metric");
    this.#sourceRules = of("source");
    this.#wanted = new Set(
      rules.flatMap(({ raise, clear }) => [
        ...raise.metrics,
        ...clear?.metrics ?? [],
      ]),
    );
    this.#watched = new Map(rules.map((rule) => [rule, new Map()]));
  }

  /** How many things are raised or about to be. */
  get size(): number {
    let size = 0;
    for (const watched of this.#watched.values()) size += watched.size;
    return size;
  }

  /** Looks at a cluster. What was there before and is not there now may be gone. */
  async lookAtCluster(cluster: Cluster): Promise<void> {
    const { name, source } = cluster;
    const scope = `cluster ${name}`;
    const look = ++this.#look;
    const now = this.#clock.monotonic();
    const instant = { monotonic: now, now: this.#clock.now() };
    const facts = new HostFacts(cluster, instant, this.#startedAt);
    const hostRules = this.#hostRules.filter((rule) => rule.cluster(name));
    const anyOfMetrics = this.#metricRules.some((rule) => rule.cluster(name));
    for (const host of cluster.hosts.values()) {
      if (hostRules.length === 0 && !anyOfMetrics) break;
      facts.takeHost(host, this.#wanted);
      for (const rule of hostRules) {
        if (!rule.host(host.nickname)) continue;
        this.#weigh(rule, scope, look, now, facts, name, host);
      }
      const { metrics = [] } = host.observation ?? {};
      for (const metric of anyOfMetrics ? metrics : []) {
        for (const rule of this.#rulesAbout(metric.name)) {
          if (!rule.cluster(name) || !rule.host(host.nickname)) continue;
          facts.takeMetric(metric);
          this.#weigh(rule, scope, look, now, facts, name, host, metric);
        }
      }
      this.#work += metrics.length;
      if (this.#work < BATCH) continue;
      this.#work = 0;
      await setImmediate();
    }
    if (source) this.#lookAtSource(source, scope, look, now);
    this.#lookForGone(scope, look, now);
  }

  /** Looks at a grid below ours, of which only the source is of interest. */
  lookAtGrid({ name, source }: ChildGrid): void {
    const look = ++this.#look;
    const now = this.#clock.monotonic();
    this.#lookAtSource(source, `grid ${name}`, look, now);
  }

  #lookAtSource(
    source: SourceState,
    scope: string,
    look: number,
    now: number,
  ): void {
    const instant = { monotonic: now, now: this.#clock.now() };
    const facts = new SourceFacts(source, instant);
    for (const rule of this.#sourceRules) {
      if (!rule.source(source.name)) continue;
      const { name } = source;
      this.#decide(rule, name, scope, look, now, facts, () => ({
        subject: { cluster: "", host: "", key: "", metric: "", source: name },
        value: "",
        age: facts.age,
      }));
    }
  }

  #rulesAbout(metric: string): readonly Rule[] {
    let rules = this.#about.get(metric);
    if (!rules) {
      if (this.#about.size >= MOST_NAMES) this.#about.clear();
      rules = this.#metricRules.filter((rule) => rule.metric(metric));
      this.#about.set(metric, rules);
    }
    return rules;
  }

  #weigh(
    rule: Rule,
    scope: string,
    look: number,
    now: number,
    facts: HostFacts,
    cluster: string,
    host: Host,
    metric?: Metric,
  ): void {
    this.#work++;
    if (this.#watched.get(rule)!.size === 0 && !rule.raise.holds(facts)) return;
    // A node may have a counter and a statistic of one name.
    const id = `${scope}\n${host.key}\n${metric?.slope}\n${metric?.name}`;
    this.#decide(rule, id, scope, look, now, facts, () => ({
      subject: {
        cluster,
        host: host.nickname,
        key: host.key,
        metric: metric?.name ?? "",
        source: "",
      },
      value: metric ? metric.text ?? String(metric.value ?? "") : "",
      age: facts.age,
    }));
  }

  #decide(
    rule: Rule,
    id: string,
    scope: string,
    look: number,
    now: number,
    facts: Facts,
    describe: () => Pick<Watched, "subject" | "value" | "age">,
  ): void {
    const all = this.#watched.get(rule)!;
    const before = all.get(id);
    const { state, events } = decide(rule, facts, before?.state ?? QUIET, now);
    if (state.phase === "quiet" && !before) return;
    const watched = { ...describe(), state, scope, seen: look };
    if (state.phase === "quiet") all.delete(id);
    else all.set(id, watched);
    const since = sinceOf(state) ?? sinceOf(before?.state) ?? now;
    for (const event of events) this.#say(rule, event, watched, now - since);
  }

  #lookForGone(scope: string, look: number, now: number): void {
    for (const [rule, all] of this.#watched) {
      for (const [id, watched] of all) {
        if (watched.scope !== scope || watched.seen === look) continue;
        const since = sinceOf(watched.state) ?? now;
        const { state, events } = decide(rule, undefined, watched.state, now);
        if (state.phase === "quiet") all.delete(id);
        else watched.state = state;
        for (const event of events) {
          this.#say(rule, event, watched, now - since);
        }
      }
    }
  }

  /** @param held Milliseconds for which the condition has held, or had. */
  #say(
    rule: Rule,
    event: AlertEvent,
    { subject, value, age }: Watched,
    held: number,
  ): void {
    const message = rule.isMetricrule
      ? rule.message
      : fillMessage(rule.message, {
        ...subject,
        rule: rule.name,
        value,
        age: String(age),
      });
    this.#tell(rule, event, {
      ...subject,
      value,
      age,
      since: this.#clock.now() - held,
      message,
    });
  }
}

function sinceOf(state: AlertState | undefined): number | undefined {
  return state && state.phase !== "quiet" ? state.since : undefined;
}
