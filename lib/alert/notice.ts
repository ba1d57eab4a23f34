import { oneLine } from "../text.ts";
import type { AlertEvent } from "./decide.ts";
import type { Rule } from "./rule.ts";
import type { AlertItem } from "./watch.ts";

/** Things that one notice names; of more it says how many. */
export const MOST_ITEMS = 100;

/** What is said at once: one kind of event of one rule, of as many things as it happened to. */
export interface Notice {
  readonly rule: Rule;
  readonly event: AlertEvent;
  /** When it was put together, in milliseconds since the epoch. */
  readonly at: number;
  /** At most {@linkcode MOST_ITEMS}. */
  readonly items: readonly AlertItem[];
  /** How many it happened to. */
  readonly count: number;
}

const WORDS: Readonly<Record<AlertEvent, string>> = {
  raise: "raised",
  repeat: "still raised",
  clear: "cleared",
  gone: "cleared, because it is no longer reported",
};

/** Things that a line of the log and a subject name. */
const FEW = 3;
/** Characters of one thing's text. */
const MOST_TEXT = 500;

/** What happened, in one line: `load raised: web/www1 load_one = 9.3: too much; and 7 more`. */
export function noticeLine(notice: Notice): string {
  const { rule, event, items, count } = notice;
  const few = items.slice(0, FEW).map(itemText).join("; ");
  const more = count - Math.min(items.length, FEW);
  return `${rule.name} ${WORDS[event]}: ${few}` +
    (more > 0 ? `; and ${more} more` : "");
}

/** A thing in one line, with its message. */
export function itemText(item: AlertItem): string {
  const { cluster, host, source, metric, value, age, message } = item;
  const where = source ? `source ${source}` : `${cluster}/${host}`;
  const what = metric ? `${metric} = ${value}` : `heard of ${age} s ago`;
  return oneLine(
    `${where} ${what}${message ? `: ${message}` : ""}`,
    MOST_TEXT,
  );
}

/** What a command gets on its standard input, and a webhook as its body. */
export function noticeJson(notice: Notice): string {
  const { rule, event, at, items, count } = notice;
  return JSON.stringify({
    version: 1,
    rule: rule.name,
    event,
    time: new Date(at).toISOString(),
    text: noticeLine(notice),
    count,
    items: items.map(({ since, ...item }) => ({
      ...item,
      since: new Date(since).toISOString(),
    })),
  });
}

/** What a command gets in its environment: the first thing, and how many there are. */
export function noticeEnvironment(notice: Notice): Record<string, string> {
  const { rule, event, at, items: [item], count } = notice;
  const variables = {
    EVENT: event,
    RULE: rule.name,
    TIME: new Date(at).toISOString(),
    TEXT: noticeLine(notice),
    COUNT: String(count),
    CLUSTER: item.cluster,
    HOST: item.host,
    METRIC: item.metric,
    SOURCE: item.source,
    VALUE: item.value,
    AGE: String(item.age),
    SINCE: new Date(item.since).toISOString(),
    MESSAGE: item.message,
  };
  return Object.fromEntries(
    Object.entries(variables).map(([name, value]) => [
      `ALERT_${name}`,
      oneLine(value, MOST_TEXT),
    ]),
  );
}
