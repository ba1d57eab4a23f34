import type { DataSource, HostPort } from "./conf.ts";
import type { Directive } from "./directive.ts";
import { describeHost, readHost } from "./hosts.ts";
import { quote, where } from "./remarks.ts";
import type { Word } from "./words.ts";

/** Seconds from one poll to the next unless a source says otherwise. */
const DEFAULT_INTERVAL = 15;
/** Seconds; the longest that timers can wait is not far above. */
const MAX_INTERVAL = 1_000_000;

const EXPECTED = '"NAME" [SECONDS] HOST[:PORT] …';

/**
 * Takes `data_source "NAME" [SECONDS] HOST[:PORT] …`.
 *
 * The C gmetad goes on without a host that it cannot read, so a file that has one works, and must
 * here: it is left out with a warning. As does what it takes for a host and plainly is none: an
 * interval of 0 (0.0.0.0) or 7.5 (7.0.0.5), or any number alone.
 */
export function readDataSource(directive: Directive): void {
  const [name, ...others] = directive.words;
  if (name === undefined || name.text === "") {
    directive.fail(`expected ${EXPECTED} after it`, name);
  }
  if (others.length === 0) {
    directive.fail(`expected ${EXPECTED}, got a name only`, name);
  }
  const interval = readInterval(directive, others);
  const hosts = readHosts(
    directive,
    interval === undefined ? others : others.slice(1),
    name.text,
  );
  const source: DataSource = {
    name: name.text,
    intervalSeconds: interval ?? DEFAULT_INTERVAL,
    hosts,
    place: directive.place,
  };
  if (hosts.length === 0) {
    directive.warn(`${quote(name.text)} has no host, so nothing is polled`);
  } else directive.means(describe(source));
  add(directive, source);
}

/** @returns `undefined` when the first of the words is a host. */
function readInterval(
  directive: Directive,
  [word, ...hosts]: readonly Word[],
): number | undefined {
  const { text } = word;
  const number = /^[-+]?\d+(\.\d+)?$/.exec(text);
  // 127.1 alone is an address, 127.0.0.1.
  if (!number || (number[1] && hosts.length === 0)) {
    if (/^\d+(?:ms|s|sec|m|min|h)$/i.test(text)) {
      directive.warn(
        `${
          quote(text)
        } is taken for a host; an interval is a number of seconds alone`,
        word,
      );
    }
    return undefined;
  }
  const seconds = Number(text);
  if (seconds > MAX_INTERVAL) {
    directive.fail(
      `expected an interval from 1 to ${MAX_INTERVAL} seconds, got ${text}`,
      word,
    );
  }
  if (seconds <= 0) {
    directive.warn(
      `an interval of ${text} s cannot be; it is ${DEFAULT_INTERVAL} s, the default`,
      word,
    );
    return DEFAULT_INTERVAL;
  }
  if (number[1]) {
    directive.warn(
      `${text} is taken for an interval of ${
        Math.max(1, seconds)
      } s; the C gmetad takes it for a host`,
      word,
    );
  }
  return Math.max(1, seconds);
}

function readHosts(
  directive: Directive,
  words: readonly Word[],
  name: string,
): HostPort[] {
  const hosts: HostPort[] = [];
  for (const word of words) {
    if (word.text === "") {
      directive.warn("an empty word is ignored", word);
      continue;
    }
    if (/^[-+]?\d+$/.test(word.text)) {
      directive.warn(
        `${word.text} is no host, and is left out; an interval stands right after the name, which ` +
          `is ${quote(name)} here: put a name with blanks in quotes`,
        word,
      );
      continue;
    }
    const reading = readHost(word.text);
    if ("fault" in reading) {
      directive.warn(
        `${quote(word.text)} is left out: ${reading.fault}`,
        word,
      );
      continue;
    }
    if (reading.warning !== undefined) directive.warn(reading.warning, word);
    hosts.push(reading.host);
  }
  return hosts;
}

/** The last of several sources with one name counts, as in the C gmetad. */
function add(directive: Directive, source: DataSource): void {
  const { dataSources } = directive.draft;
  const before = dataSources.get(source.name);
  if (before) {
    directive.warn(
      `${quote(source.name)} is in ${
        where(before.place, source.place)
      } already; that one is not polled, only this: give each source a name of its own`,
    );
    dataSources.delete(source.name);
  }
  dataSources.set(source.name, source);
}

function describe({ name, intervalSeconds, hosts }: DataSource): string {
  return `polls ${quote(name)} every ${intervalSeconds} s: ${
    hosts.map(describeHost).join(", then ")
  }`;
}
