/**
 * What a gatherer is to be, from what was given in a file and on the command line.
 *
 * @module
 */
import { usageCode, UserError } from "../errors.ts";
import type { GmetadConf } from "../ganglia/conf/conf.ts";
import { loadGmetadConf } from "../ganglia/conf/load.ts";
import { parseLocation, parsePort } from "../gatherer/basedir.ts";
import type {
  GathererOptions,
  HttpServing,
  ListenAddress,
  MuninServing,
  StatisticsPage,
} from "../gatherer/options.ts";
import { globsMatcher } from "../glob.ts";
import { levelOfNumber, parseLogLevel } from "../log/level.ts";
import { parseSyslog } from "../log/syslog.ts";
import { DEFAULT_LOG_SETTINGS, type LogSettings } from "../log/settings.ts";
import { isBuiltIn } from "../munin/catalog.ts";
import {
  type GraphsFile,
  loadGraphsFile,
  noGraphs,
} from "../munin/graphs_file.ts";
import { parseStatisticsTargets } from "../tahoe_statistics/target.ts";
import { DEFAULT_ACCESS, parseAccess } from "../net/access.ts";
import type { Given, GivenSettings } from "./given.ts";
import { settingsByKey } from "./settings.ts";

/** All that is configured. */
export interface Config {
  readonly gatherer: GathererOptions;
  readonly log: LogSettings;
  /** One line each: what is wrong but keeps nothing else from its work. */
  readonly complaints: readonly string[];
}

/** Settings that wait for `munin.listen` or `munin.nodes`. */
const MUNIN = "munin.";

/**
 * Makes the configuration of what was given; files that it names are read.
 *
 * @throws UserError in one line, with the option or with file and line: exit code 2 for what was
 *   wrong on the command line, 1 for what was wrong in a file.
 */
export function makeConfig(given: GivenSettings): Config {
  const complaints: string[] = [];
  const read = <T>(
    key: string,
    parse: (given: Given) => T,
  ): T | undefined => {
    const found = given.get(key);
    return found && parse(found);
  };
  checkPorts(given);
  const conf = read("ganglia.conf", ({ text }) => loadGmetadConf(text));
  const gatherer: GathererOptions = {
    basedir: given.get("basedir")?.text ?? "gatherer",
    port: read("foolscap.port", ({ text, where }) => parsePort(text, where)),
    hostname: read("foolscap.hostname", readHostname),
    location: read(
      "foolscap.location",
      ({ text, where }) => parseLocation(text, where),
    ),
    intervalMs: read("interval", readSeconds) ?? 60_000,
    timeoutMs: read("timeout", readSeconds) ?? 20_000,
    private: read("private", readSwitch) ?? false,
    spoolBytes: read("spool", readBytes),
    munin: readMunin(given, (line) => complaints.push(line)),
    ganglia: conf && { conf },
    statistics: read("statistics.urls", readPages),
    http: readHttp(given),
  };
  return { gatherer, log: readLog(given, conf), complaints };
}

/** Addresses that stand for all of a machine. */
const EVERYWHERE = ["0.0.0.0", "::"];

/** Two that want one port are told of before one of them cannot be started. */
function checkPorts(given: GivenSettings): void {
  const taken: (ListenAddress & { readonly by: Given })[] = [];
  for (
    const key of ["foolscap.port", "munin.listen", "munin.nodes", "http.listen"]
  ) {
    const by = given.get(key);
    if (!by) continue;
    const { host, port } = key === "foolscap.port"
      ? { host: EVERYWHERE[0], port: parsePort(by.text, by.where) }
      : readAddress(by)!;
    const other = taken.find((other) =>
      port !== 0 && other.port === port &&
      (other.host === host || EVERYWHERE.includes(host) ||
        EVERYWHERE.includes(other.host))
    );
    if (other) {
      throw wrong(by, `and ${other.by.where} want the same port, ${port}`);
    }
    taken.push({ host, port, by });
  }
}

function readMunin(
  given: GivenSettings,
  complain: (line: string) => void,
): MuninServing | undefined {
  const all = readAddress(given.get("munin.listen"));
  const nodes = readAddress(given.get("munin.nodes"));
  if (!all && !nodes) {
    const useless = [...given].find(([key]) => key.startsWith(MUNIN))?.[1];
    if (!useless) return undefined;
    const others = useless.where.startsWith("--")
      ? "--munin or --munin-nodes; see gatherer serve --help"
      : "munin.listen or munin.nodes";
    throw wrong(useless, `is of no use without ${others}`);
  }
  const allow = given.get("munin.allow");
  if (allow) parseAccess(allow.text, allow.where);
  const select = given.get("munin.select")?.text.replaceAll(",", " ") ?? "";
  checkGlobs(select, given.get("munin.select"));
  const drilldown = given.get("munin.drilldown");
  return {
    all,
    nodes,
    hostName: readHostName(given.get("munin.name")),
    allow: allow?.text ?? DEFAULT_ACCESS,
    operators: readGraphs(given.get("munin.graphs"), complain),
    select,
    drilldown: drilldown ? oneOf(drilldown, ["yes", "no", "auto"]) : "auto",
  };
}

/** Settings that wait for `http.listen`. */
const HTTP = "http.";

function readHttp(given: GivenSettings): HttpServing | undefined {
  const address = readAddress(given.get("http.listen"));
  if (!address) {
    const useless = [...given].find(([key]) => key.startsWith(HTTP))?.[1];
    if (!useless) return undefined;
    const other = useless.where.startsWith("--")
      ? "--http; see gatherer serve --help"
      : "http.listen";
    throw wrong(useless, `is of no use without ${other}`);
  }
  const allow = given.get("http.allow");
  if (allow) parseAccess(allow.text, allow.where);
  const otlp = given.get("http.otlp");
  return {
    ...address,
    allow: allow?.text ?? DEFAULT_ACCESS,
    otlp: otlp ? readSwitch(otlp) : false,
  };
}

function readPages({ text, where }: Given): readonly StatisticsPage[] {
  return parseStatisticsTargets(
    text.split(/[\s,]+/).filter((item) => item !== ""),
    where,
  );
}

function checkGlobs(globs: string, given: Given | undefined): void {
  try {
    globsMatcher(globs);
  } catch (error) {
    if (!(error instanceof UserError) || !given) throw error;
    throw new UserError(
      `${given.where}: ${error.message}`,
      usageCode(given.where),
      { cause: error },
    );
  }
}

/** A broken file costs its own graphs only. */
function readGraphs(
  given: Given | undefined,
  complain: (line: string) => void,
): GraphsFile {
  if (!given) return noGraphs;
  try {
    return loadGraphsFile(given.text, isBuiltIn);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    complain(error.message);
    return noGraphs;
  }
}

function readLog(
  given: GivenSettings,
  conf: GmetadConf | undefined,
): LogSettings {
  const level = given.get("log.level");
  const format = given.get("log.format");
  const journal = given.get("log.journal");
  const size = given.get("log.size");
  const keep = given.get("log.keep");
  const syslog = given.get("log.syslog");
  if (syslog) parseSyslog(syslog.text, syslog.where);
  return {
    level: level
      ? parseLogLevel(level.text, level.where)
      : levelOfGmetad(conf?.debugLevel ?? 0),
    format: format ? oneOf(format, ["text", "json"]) : "text",
    stderr: true,
    file: given.get("log.file")?.text ?? conf?.logfile,
    maxBytes: size ? readBytes(size) : DEFAULT_LOG_SETTINGS.maxBytes,
    keep: keep ? readCount(keep) : DEFAULT_LOG_SETTINGS.keep,
    syslog: syslog?.text,
    journal: journal ? oneOf(journal, ["auto", "yes", "no"]) : "auto",
  };
}

/**
 * gmetad's `debug_level` is 0 on every production machine and means there that nothing but errors
 * is logged; an operator wants to know more, and `log.level` says less.
 */
export function levelOfGmetad(debugLevel: number): LogSettings["level"] {
  return debugLevel >= 5 ? levelOfNumber(debugLevel) : "info";
}

function wrong({ where }: Given, what: string): UserError {
  return new UserError(`${where} ${what}`, usageCode(where));
}

function notA(given: Given, expected: string): UserError {
  const { where, text } = given;
  return new UserError(
    `${where}: ${JSON.stringify(text)} is not ${expected}`,
    usageCode(where),
  );
}

function oneOf<const T extends string>(
  given: Given,
  choices: readonly T[],
): T {
  const found = choices.find((choice) => choice === given.text);
  if (found !== undefined) return found;
  throw notA(
    given,
    `one of ${choices.slice(0, -1).join(", ")} and ${choices.at(-1)}`,
  );
}

function readSwitch(given: Given): boolean {
  return oneOf(given, ["true", "false"]) === "true";
}

/** A duration in seconds, as milliseconds. */
function readSeconds(given: Given): number {
  const seconds = /^\d+(\.\d+)?$/.test(given.text) ? Number(given.text) : NaN;
  if (seconds >= 1 && seconds <= 86_400) return seconds * 1000;
  throw notA(given, "a number of seconds from 1 to 86400");
}

function readCount(given: Given): number {
  const count = /^\d{1,4}$/.test(given.text) ? Number(given.text) : NaN;
  if (count <= 1000) return count;
  throw notA(given, "a whole number from 0 to 1000");
}

/** A size such as 512M; units of 1024. */
function readBytes(given: Given): number {
  const match = /^(\d{1,12})([KMGT]?)$/i.exec(given.text);
  if (!match) throw notA(given, "a size; expected bytes or such as 512M or 2G");
  const power = " KMGT".indexOf(match[2].toUpperCase() || " ");
  return Number(match[1]) * 1024 ** power;
}

function readHostname(given: Given): string {
  const { text } = given;
  if (/^[A-Za-z0-9.-]+$|^[0-9A-Fa-f:.]+$/.test(text)) return text;
  throw notA(given, "a name or an address");
}

/** `PORT`, `ADDR:PORT` or `[ADDR]:PORT`. */
function readAddress(given: Given | undefined): ListenAddress | undefined {
  if (!given) return undefined;
  const { text } = given;
  const match = /^(?:(\[[0-9A-Fa-f:.]+\]|[^:[\]]+):)?(\d{1,5})$/.exec(text);
  const port = match ? Number(match[2]) : NaN;
  if (!match || !(port <= 65535)) {
    throw notA(
      given,
      "where to listen; expected PORT or ADDR:PORT, such as " +
        "4949, 0.0.0.0:4949 or [::]:4949",
    );
  }
  return { host: match[1]?.replace(/[[\]]/g, "") ?? "127.0.0.1", port };
}

/** A host's name as Munin takes it, in small letters, as it compares them. */
function readHostName(given: Given | undefined): string {
  const name = (given?.text ?? Deno.hostname()).toLowerCase();
  if (/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(name) && name.length <= 64) {
    return name;
  }
  if (given) {
    throw notA(
      given,
      "a host's name: letters, digits, dots and dashes, up to 64",
    );
  }
  throw new UserError(
    `this machine's name, "${name}", cannot be a host's name in Munin: ` +
      `give one with --${settingsByKey.get("munin.name")?.option}`,
    2,
  );
}
