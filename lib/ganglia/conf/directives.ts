import { closest } from "../../closest.ts";
import { carbonDirectives } from "./carbon_directives.ts";
import { readDataSource } from "./data_source.ts";
import { cToggle, cUnlessOff, type Directive } from "./directive.ts";
import {
  type DirectiveKind,
  onOff,
  port,
  text,
  unused,
} from "./directive_kinds.ts";
import { isHost, isNetwork } from "./hosts.ts";
import { quote } from "./remarks.ts";
import { rrdDirectives } from "./rrd_directives.ts";

/** `gatherer serve` never changes its user. */
const AS_GMETAD_BY_ROOT = "called as gmetad by root";

/** Every directive of the C and of the Python gmetad, but for those that include files. */
const kinds: readonly DirectiveKind[] = [
  { name: "data_source", adds: true, read: readDataSource },
  text("gridname", "gridname", (name) => `the grid is called ${quote(name)}`),
  text(
    "authority",
    "authority",
    (url) => `gmetads that poll this one are told that its pages are at ${url}`,
  ),
  { name: "trusted_hosts", adds: true, read: readTrustedHosts },
  onOff("all_trusted", "allTrusted", () => true, {
    on: "anyone may ask",
    off: "only this machine and the trusted hosts may ask",
  }),
  port("xml_port", "xmlPort", "the whole tree is sent on"),
  port("interactive_port", "interactivePort", "queries are answered on"),
  unused("server_threads", "one process answers everybody here, at once"),
  onOff("scalable", "scalable", cUnlessOff, {
    on: "a source that is a gmetad is kept as a grid of its own, in summary",
    off: "the clusters of a source that is a gmetad are taken as this grid's",
  }),
  { name: "debug_level", read: readDebugLevel },
  text("logfile", "logfile", (path) => `log lines go to ${path}, too`),
  onOff("setuid", "setuid", cToggle, {
    on: `${AS_GMETAD_BY_ROOT}, it runs as another user`,
    off: "the user is not changed",
  }),
  {
    name: "setuid_username",
    read(directive) {
      const user = directive.text("a user's name");
      directive.draft.setuidUsername = user;
      directive.means(`${AS_GMETAD_BY_ROOT}, it runs as ${quote(user)}`);
    },
  },
  onOff("daemonize", "daemonize", cUnlessOff, {
    on: "called as gmetad, it goes into the background",
    off: "it stays in the foreground",
  }),
  { name: "umask", read: readUmask },
  text(
    "plugins_dir",
    "pluginsDir",
    (path) =>
      `plugins (.js, .ts) are looked for in ${path}; those in Python cannot be used`,
  ),
  ...rrdDirectives,
  ...carbonDirectives,
  ...["memcached_parameters", "memcached_include_cluster_in_key"].map((name) =>
    unused(name, "metrics are not sent to memcached")
  ),
  ...[
    "riemann_server",
    "riemann_port",
    "riemann_protocol",
    "riemann_attributes",
  ].map((name) => unused(name, "events are not sent to Riemann")),
];

const kindsByName: ReadonlyMap<string, DirectiveKind> = new Map(
  kinds.map((kind) => [kind.name.toLowerCase(), kind]),
);

/** Directives that include other files, which the parser takes itself. */
const INCLUDES = ["Include", "IncludePath"];

/** The names of all directives, as the documentation spells them. */
export const directiveNames: readonly string[] = [
  ...kinds.map(({ name }) => name),
  ...INCLUDES,
];

/** What the directive of this name does; case does not count. */
export function findDirective(name: string): DirectiveKind | undefined {
  return kindsByName.get(name.toLowerCase());
}

/** Whether there is a directive of this name; case does not count. */
export function isDirective(name: string): boolean {
  return directiveNames.some((known) =>
    known.toLowerCase() === name.toLowerCase()
  );
}

/** What to say of a name that no directive has. */
export function noSuchDirective(name: string): string {
  // What was glued to the name with "=" or a quote is no part of it.
  const meant = closest(/^\w+/.exec(name)?.[0] ?? name, directiveNames)
    .map(quote).join(" or ");
  return `there is no directive ${quote(name)}` +
    (meant === ""
      ? '; "gatherer check --help" lists all'
      : `: did you mean ${meant}?`);
}

function readTrustedHosts(directive: Directive): void {
  const trusted: string[] = [];
  for (const word of directive.any()) {
    const { text } = word;
    if (isNetwork(text)) {
      directive.warn(
        `the whole network ${text} may ask; the C gmetad knows no networks`,
        word,
      );
    } else if (!isHost(text)) {
      directive.warn(
        `${
          quote(text)
        } is left out: expected a host's name or address, or a network such as 10.0.0.0/8`,
        word,
      );
      continue;
    }
    trusted.push(text);
  }
  for (const host of trusted) directive.draft.trustedHosts.push(host);
  directive.means(`may ask: ${["this machine", ...trusted].join(", ")}`);
}

function readDebugLevel(directive: Directive): void {
  const level = directive.integer("a number", [-1000, 1000]);
  directive.draft.debugLevel = level;
  directive.means(`debug level ${level}`);
}

/** To change it takes a permission that nothing else needs. */
function readUmask(directive: Directive): void {
  const mask = directive.integer("an octal number", [0, 0o7777], true);
  // The owner must be able to use what it makes: the C gmetad sees to it, too.
  const octal = (mask & 0o077).toString(8).padStart(4, "0");
  directive.warn(
    `it has no meaning here: the mask stays that of the start ("UMask=${octal}" in a systemd unit)`,
  );
}
