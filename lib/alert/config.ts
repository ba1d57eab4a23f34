import { UserError } from "../errors.ts";
import { type Place, placeText } from "../ganglia/conf/remarks.ts";
import { globMatcher } from "../glob.ts";
import type { ConfigEntry } from "../plugins/author.ts";
import { oneLine } from "../text.ts";
import { ExpressionError } from "./expression.ts";
import {
  ANY,
  MESSAGE_FIELDS,
  readCondition,
  type Rule,
  type Selector,
  type Subject,
} from "./rule.ts";
import { parseDuration, splitWords } from "./words.ts";

/** A line of the section `alert`, with its place in the file if that is known. */
export interface AlertEntry extends ConfigEntry {
  readonly place?: Place;
}

/** What is done with an alert. */
export type ActionConfig =
  | { readonly kind: "log" }
  | { readonly kind: "command"; readonly argv: readonly string[] }
  | { readonly kind: "webhook"; readonly url: string }
  | {
    readonly kind: "mail";
    readonly sendmail: string;
    readonly to: string;
    /** Empty: whoever runs the gatherer. */
    readonly from: string;
  };

/** What the section `alert` says. */
export interface AlertConfig {
  readonly rules: readonly Rule[];
  /** Those that rules name. */
  readonly actions: ReadonlyMap<string, ActionConfig>;
  /** One line each: what is not done as the file may have meant it. */
  readonly warnings: readonly string[];
}

/** Rules and actions, each. */
const MOST = 1000;
const DEFAULT_SENDMAIL = "/usr/sbin/sendmail";
const NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/;

/**
 * Reads the section `alert` of gmetad.conf. `docs/alerts.md` is its reference; `metricrule`,
 * `sendmailpath`, `toaddress` and `fromaddress` are those of gmetad-python's alert plugin.
 * @throws UserError naming line, directive and what was expected.
 */
export function readAlertConfig(
  entries: readonly AlertEntry[],
): AlertConfig {
  const reader = new Reader();
  for (const entry of entries) reader.take(entry);
  return reader.finish();
}

type Setting =
  | "metric"
  | "cluster"
  | "host"
  | "source"
  | "raise"
  | "clear"
  | "for"
  | "repeat"
  | "do"
  | "message";

const SETTINGS: readonly string[] = [
  "metric",
  "cluster",
  "host",
  "source",
  "raise",
  "clear",
  "for",
  "repeat",
  "do",
  "message",
] satisfies Setting[];

/** Directives of gmetad-python: a file with these goes on working, whatever they say. */
const OF_PYTHON: readonly string[] = [
  "sendmailpath",
  "toaddress",
  "fromaddress",
  "metricrule",
];

/** A rule while its lines are read. */
interface RuleDraft {
  readonly name: string;
  readonly entry: AlertEntry;
  readonly settings: Map<string, AlertEntry>;
}

/** A `metricrule` that was understood. */
interface Metricrule {
  readonly rule: Rule;
}

class Reader {
  readonly #rules: (RuleDraft | Metricrule)[] = [];
  readonly #names = new Set<string>();
  readonly #actions = new Map<string, ActionConfig>([["log", { kind: "log" }]]);
  readonly #warnings: string[] = [];
  #open: RuleDraft | undefined;
  #mail = { sendmail: DEFAULT_SENDMAIL, to: "", from: "" };

  take(entry: AlertEntry): void {
    const { directive, text } = entry;
    if (text === "") {
      const problem = `expected something after "${directive}"`;
      if (!OF_PYTHON.includes(directive)) fail(entry, problem);
      // gmetad-python passes over such lines.
      this.#warnings.push(`${prefix(entry)}${problem}`);
      return;
    }
    if (SETTINGS.includes(directive)) return this.#setting(entry);
    this.#open = undefined;
    switch (directive) {
      case "rule":
        return this.#rule(entry);
      case "command":
      case "webhook":
        return this.#action(entry);
      case "metricrule":
        return this.#metricrule(entry);
      case "sendmailpath":
        this.#mail.sendmail = unquoted(text);
        return;
      case "toaddress":
        this.#mail.to = oneLine(unquoted(text));
        return;
      case "fromaddress":
        this.#mail.from = oneLine(unquoted(text));
        return;
      default:
        fail(
          entry,
          `there is no directive ${quoted(directive)}; expected rule, ` +
            `${SETTINGS.join(", ")}, command, webhook, metricrule, ` +
            "sendmailpath, toaddress or fromaddress",
        );
    }
  }

  finish(): AlertConfig {
    if (this.#mail.to !== "") {
      this.#actions.set("mail", { kind: "mail", ...this.#mail });
    } else if (this.#rules.some((rule) => "rule" in rule)) {
      this.#warnings.push(
        "alert: there is no toaddress: each metricrule is logged, no mail is sent",
      );
    }
    const rules = this.#rules.map((rule) =>
      "rule" in rule
        ? { ...rule.rule, actions: [this.#mail.to === "" ? "log" : "mail"] }
        : this.#finishRule(rule)
    );
    const used = new Set(rules.flatMap(({ actions }) => actions));
    const actions = new Map<string, ActionConfig>();
    for (const [name, action] of this.#actions) {
      if (used.has(name)) actions.set(name, action);
      else if (!["log", "mail"].includes(name)) {
        this.#warnings.push(`alert: no rule has ${quoted(name)} after "do"`);
      }
    }
    return { rules, actions, warnings: this.#warnings };
  }

  #rule(entry: AlertEntry): void {
    const name = nameIn(entry, entry.text);
    if (this.#names.has(name)) {
      fail(entry, `there is a rule ${quoted(name)} already`);
    }
    this.#names.add(name);
    this.#open = { name, entry, settings: new Map() };
    this.#push(this.#open, entry);
  }

  #push(rule: RuleDraft | Metricrule, entry: AlertEntry): void {
    this.#rules.push(rule);
    if (this.#rules.length > MOST) fail(entry, `more than ${MOST} rules`);
  }

  #setting(entry: AlertEntry): void {
    const { directive } = entry;
    if (!this.#open) {
      fail(
        entry,
        `"${directive}" belongs to a rule; expected "rule" before it`,
      );
    }
    const { settings, name } = this.#open!;
    if (settings.has(directive)) {
      fail(entry, `the rule ${quoted(name)} has "${directive}" already`);
    }
    settings.set(directive, entry);
  }

  #action(entry: AlertEntry): void {
    const words = wordsIn(entry);
    const name = nameIn(entry, words[0] ?? "");
    if (this.#actions.has(name) || name === "mail") {
      fail(entry, `there is an action ${quoted(name)} already`);
    }
    if (this.#actions.size > MOST) fail(entry, `more than ${MOST} actions`);
    if (entry.directive === "command") {
      const argv = words.slice(1);
      if (!argv[0]) {
        fail(entry, "expected a name, a program and its arguments");
      }
      this.#actions.set(name, { kind: "command", argv });
      return;
    }
    if (words.length !== 2) fail(entry, "expected a name and a URL");
    const url = URL.parse(words[1]);
    // The URL itself may be a secret.
    if (!url || !/^https?:$/.test(url.protocol)) {
      fail(entry, "this is no URL; expected http://… or https://…");
    }
    if (url!.username || url!.password) {
      fail(entry, "a URL with a user's name and password cannot be used");
    }
    this.#actions.set(name, { kind: "webhook", url: url!.href });
  }

  /** `metricrule NAME "CONDITION" "MESSAGE"`: the parts between quotes, as gmetad-python has it. */
  #metricrule(entry: AlertEntry): void {
    const [before, condition, , message = ""] = entry.text.split('"');
    const name = oneLine(before.trim());
    const complain = (reason: string) =>
      this.#warnings.push(
        `${prefix(entry)}metricrule ${quoted(name)} is left out: ${reason}`,
      );
    if (name === "" || condition === undefined) {
      complain('expected NAME "CONDITION" "MESSAGE"');
      return;
    }
    let raise;
    try {
      raise = readCondition(condition, "metric");
    } catch (error) {
      if (!(error instanceof ExpressionError)) throw error;
      complain(`${error.message} of ${quoted(condition)}`);
      return;
    }
    const wanted = name.toLowerCase();
    let unique = name;
    for (let i = 2; this.#names.has(unique); i++) unique = `${name}-${i}`;
    this.#names.add(unique);
    this.#push({
      rule: {
        name: unique,
        subject: "metric",
        cluster: ANY,
        host: ANY,
        metric: (metric) => metric.toLowerCase() === wanted,
        source: ANY,
        raise,
        forMs: 0,
        repeatMs: 0,
        actions: [],
        message,
        isMetricrule: true,
      },
    }, entry);
  }

  #finishRule({ name, entry, settings }: RuleDraft): Rule {
    const subject: Subject = settings.has("source")
      ? "source"
      : settings.has("metric")
      ? "metric"
      : "host";
    if (subject === "source") {
      for (const other of ["metric", "host", "cluster"]) {
        const setting = settings.get(other);
        if (setting) {
          fail(setting, `a rule with "source" cannot have "${other}"`);
        }
      }
    }
    const raise = settings.get("raise");
    if (!raise) fail(entry, `the rule ${quoted(name)} has no "raise"`);
    const clear = settings.get("clear");
    return {
      name,
      subject,
      cluster: selectorIn(settings.get("cluster")),
      host: selectorIn(settings.get("host")),
      metric: selectorIn(settings.get("metric")),
      source: selectorIn(settings.get("source")),
      raise: conditionIn(raise!, subject, name),
      ...(clear ? { clear: conditionIn(clear, subject, name) } : {}),
      forMs: durationIn(settings.get("for")),
      repeatMs: durationIn(settings.get("repeat")),
      actions: this.#actionsIn(settings.get("do")),
      message: messageIn(settings.get("message")),
      isMetricrule: false,
    };
  }

  #actionsIn(entry: AlertEntry | undefined): string[] {
    if (!entry) return ["log"];
    const names = wordsIn(entry);
    for (const name of names) {
      if (this.#actions.has(name)) continue;
      fail(
        entry,
        `there is no action ${quoted(name)}; there are ` +
          [...this.#actions.keys()].join(", ") +
          (name === "mail" ? ", and mail if there is a toaddress" : ""),
      );
    }
    return [...new Set(names)];
  }
}

function wordsIn(entry: AlertEntry): string[] {
  return explained(entry, () => splitWords(entry.text));
}

function durationIn(entry: AlertEntry | undefined): number {
  return entry ? explained(entry, () => parseDuration(entry.text)) : 0;
}

function selectorIn(entry: AlertEntry | undefined): Selector {
  if (!entry) return ANY;
  const matchers = wordsIn(entry).map((glob) =>
    explained(entry, () => globMatcher(glob))
  );
  return (name) => matchers.some((matches) => matches(name));
}

function conditionIn(entry: AlertEntry, subject: Subject, rule: string) {
  try {
    return readCondition(entry.text, subject);
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    return fail(
      entry,
      `${entry.directive} of the rule ${quoted(rule)}: ${error.message} of ${
        quoted(entry.text)
      }`,
    );
  }
}

function messageIn(entry: AlertEntry | undefined): string {
  if (!entry) return "";
  const text = oneLine(unquoted(entry.text));
  for (const [whole, name] of text.matchAll(/\{([a-z]+)\}/g)) {
    if ((MESSAGE_FIELDS as readonly string[]).includes(name)) continue;
    fail(
      entry,
      `${whole} has no meaning; there are ${
        MESSAGE_FIELDS.map((name) => `{${name}}`).join(", ")
      }`,
    );
  }
  return text;
}

function nameIn(entry: AlertEntry, name: string): string {
  if (NAME.test(name)) return name;
  return fail(
    entry,
    `expected a name of letters, digits, "_", "." and "-", found ${
      quoted(name)
    }`,
  );
}

/** Says where it was when something is wrong. */
function explained<T>(entry: AlertEntry, read: () => T): T {
  try {
    return read();
  } catch (error) {
    return fail(entry, (error as Error).message);
  }
}

function prefix({ place }: AlertEntry): string {
  return place ? `${placeText(place)}: ` : "alert: ";
}

function fail(entry: AlertEntry, problem: string): never {
  throw new UserError(
    `${prefix(entry)}${oneLine(entry.directive, 60)}: ${oneLine(problem)}`,
  );
}

/** A text without the quotes around it. */
function unquoted(text: string): string {
  return /^(["'])(.*)\1$/s.exec(text)?.[2] ?? text;
}

function quoted(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}
