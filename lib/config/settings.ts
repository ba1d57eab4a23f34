/**
 * Every setting of `gatherer serve`, once: its name in the configuration file, its option on the
 * command line, its default, and what it does. Help, `check` and the readers of both go by it.
 *
 * @module
 */
import { DEFAULT_ACCESS } from "../net/access.ts";

/** What a setting's value looks like. */
export type SettingKind =
  /** Text, or a number that stands for itself, such as a port. */
  | "text"
  /** Several texts; one text with blanks or commas between them is the same. */
  | "list"
  /** A number of seconds. */
  | "seconds"
  /** Bytes, or text such as 512M. */
  | "size"
  /** A whole number. */
  | "number"
  /** A path; one that is not absolute begins where the file is. */
  | "path"
  /** true or false; on the command line an option without a value. */
  | "switch";

/** A setting. */
export interface Setting {
  /** In the file: `munin.listen` is `listen` in the table `[munin]`. */
  readonly key: string;
  /** On the command line, without the dashes. */
  readonly option: string;
  readonly kind: SettingKind;
  /** How a value is shown in the help; empty for a switch. */
  readonly value: string;
  /** What is true when nobody says anything, for the help. */
  readonly fallback: string;
  /** What it does, one or several lines. */
  readonly help: string;
}

function setting(
  key: string,
  option: string,
  kind: SettingKind,
  value: string,
  fallback: string,
  help: string,
): Setting {
  return { key, option, kind, value, fallback, help };
}

/** All settings, in the order in which they are explained. */
export const settings: readonly Setting[] = [
  setting(
    "basedir",
    "basedir",
    "path",
    "DIR",
    "./gatherer",
    "where key, FURL and snapshot are kept",
  ),
  setting(
    "interval",
    "interval",
    "seconds",
    "SECONDS",
    "60",
    "from one round of polls to the next",
  ),
  setting(
    "timeout",
    "timeout",
    "seconds",
    "SECONDS",
    "20",
    "after which an unanswered poll is given up",
  ),
  setting(
    "private",
    "private",
    "switch",
    "",
    "false",
    'base directory 0700 and snapshot 0600: then Munin\'s plugins need a "user"',
  ),
  setting(
    "spool",
    "spool",
    "size",
    "SIZE",
    "512M",
    "how much of the past is kept, for at most 7 days: 512M, 2G; 0: nothing",
  ),
  setting(
    "foolscap.port",
    "port",
    "text",
    "tcp:PORT",
    "that of the last start, at first any that is free",
    "where nodes attach",
  ),
  setting(
    "foolscap.hostname",
    "hostname",
    "text",
    "HOST",
    "every address of this machine",
    "the name or address of this machine, for the FURL",
  ),
  setting(
    "foolscap.location",
    "location",
    "list",
    "HINTS",
    "those of the last start",
    "location hints for the FURL, wins over the hostname: tcp:HOST:PORT,…",
  ),
  setting(
    "munin.listen",
    "munin",
    "text",
    "[ADDR:]PORT",
    "nowhere",
    "where Munin's masters are answered; they expect 4949. ADDR is an address\n" +
      "of this machine, [::] all of them; without it 127.0.0.1",
  ),
  setting(
    "munin.nodes",
    "munin-nodes",
    "text",
    "[ADDR:]PORT",
    "nowhere",
    "where each node is a Munin host of its own; list them with\n" +
      "echo nodes | nc ADDR PORT",
  ),
  setting(
    "munin.allow",
    "munin-allow",
    "list",
    "RULES",
    DEFAULT_ACCESS,
    'who may ask: addresses and networks, "!" in front keeps one out, the\n' +
      "first that matches decides",
  ),
  setting(
    "munin.name",
    "munin-name",
    "text",
    "HOST",
    "this machine's name",
    "the Munin host of all nodes",
  ),
  setting(
    "munin.select",
    "munin-select",
    "list",
    "GLOBS",
    "all",
    'only graphs of these names, such as "tahoe_* mailer_*"',
  ),
  setting(
    "munin.drilldown",
    "munin-drilldown",
    "text",
    "WHEN",
    "auto",
    "yes, no, auto: a page for each node, too",
  ),
  setting(
    "munin.graphs",
    "graphs",
    "path",
    "FILE",
    "none",
    "a file with graphs of your own",
  ),
  setting(
    "ganglia.conf",
    "conf",
    "path",
    "FILE",
    "none",
    "a gmetad.conf: what its data sources report is gathered, too, and answered\n" +
      'on gmetad\'s ports; "gatherer check FILE" explains it',
  ),
  setting(
    "statistics.urls",
    "statistics",
    "list",
    "URLS",
    "none",
    "Tahoe-LAFS nodes that are asked: NAME=http://HOST:PORT/statistics?t=json …",
  ),
  setting(
    "http.listen",
    "http",
    "text",
    "[ADDR:]PORT",
    "nowhere",
    "where /metrics for Prometheus, /nodes, /snapshot, /healthz and /readyz are\n" +
      "answered. ADDR is an address of this machine; without it 127.0.0.1",
  ),
  setting(
    "http.allow",
    "http-allow",
    "list",
    "RULES",
    DEFAULT_ACCESS,
    "who may ask, as for Munin",
  ),
  setting(
    "http.otlp",
    "otlp",
    "switch",
    "",
    "false",
    "programs may send their metrics: POST /v1/metrics, OpenTelemetry's OTLP",
  ),
  setting(
    "log.level",
    "log-level",
    "text",
    "LEVEL",
    "info",
    "fatal, critical, error, warning, info or debug",
  ),
  setting(
    "log.format",
    "log-format",
    "text",
    "FORMAT",
    "text",
    "text or json: a line each",
  ),
  setting(
    "log.file",
    "log-file",
    "path",
    "FILE",
    "none",
    "a file that is logged to, too",
  ),
  setting(
    "log.size",
    "log-size",
    "size",
    "SIZE",
    "10M",
    "how large the log file grows before it is put aside; 0: for ever",
  ),
  setting(
    "log.keep",
    "log-keep",
    "number",
    "COUNT",
    "5",
    "how many log files that were put aside are kept",
  ),
  setting(
    "log.syslog",
    "log-syslog",
    "text",
    "WHERE",
    "none",
    "a syslog that is logged to, too: local or udp:HOST:PORT",
  ),
  setting(
    "log.journal",
    "log-journal",
    "text",
    "WHEN",
    "auto",
    "yes, no, auto: lines on stderr are for systemd's journal",
  ),
];

/** The settings by their keys. */
export const settingsByKey: ReadonlyMap<string, Setting> = new Map(
  settings.map((setting) => [setting.key, setting]),
);
