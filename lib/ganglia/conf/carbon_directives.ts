import { CARBON_DEFAULTS, type CarbonConf } from "./conf.ts";
import type { Directive } from "./directive.ts";
import type { DirectiveKind } from "./directive_kinds.ts";
import { isHost } from "./hosts.ts";
import { quote } from "./remarks.ts";

const PROTOCOLS = ["tcp", "udp"] as const;

/** The directives about what is sent to carbon. */
export const carbonDirectives: readonly DirectiveKind[] = [
  { name: "carbon_server", read: readCarbonServer },
  setting("carbon_port", (directive) => {
    const port = directive.integer("a port from 1 to 65535", [1, 65535]);
    directive.means(`carbon answers on port ${port}`);
    return { port };
  }),
  setting("carbon_protocol", (directive) => {
    const word = directive.one('"tcp" or "udp"');
    const protocol = PROTOCOLS.find((one) => one === word.text.toLowerCase());
    if (protocol === undefined) {
      return directive.fail(
        `expected "tcp" or "udp", got ${quote(word.text)}`,
        word,
      );
    }
    if (protocol !== word.text) {
      directive.warn(
        `${quote(word.text)} is ${protocol}; the C gmetad sends nothing`,
        word,
      );
    }
    directive.means(`carbon is sent metrics over ${protocol.toUpperCase()}`);
    return { protocol };
  }),
  setting("carbon_timeout", (directive) => {
    const given = directive.integer(
      "milliseconds from 1 to 3600000",
      [0, 3_600_000],
    );
    const timeoutMs = given || CARBON_DEFAULTS.timeoutMs;
    if (given === 0) {
      directive.warn(`0 ms cannot be; it is ${timeoutMs} ms, the default`);
    }
    directive.means(`sending to carbon is given up after ${timeoutMs} ms`);
    return { timeoutMs };
  }),
  setting("graphite_prefix", (directive) => {
    const graphitePrefix = directive.text("a text");
    directive.means(
      `names in carbon begin with ${quote(`${graphitePrefix}.`)}`,
    );
    return { graphitePrefix };
  }),
  setting("graphite_path", readGraphitePath),
];

function setting(
  name: string,
  read: (directive: Directive) => Partial<CarbonConf>,
): DirectiveKind {
  return {
    name,
    read: (directive) =>
      void Object.assign(directive.draft.carbon, read(directive)),
  };
}

function readCarbonServer(directive: Directive): void {
  const word = directive.one("a host");
  const server = word.text.replace(/^\[(.*)\]$/s, "$1");
  if (!isHost(server)) {
    directive.fail(
      `expected a host's name or address, got ${quote(word.text)}` +
        (/:\d+$/.test(server) ? "; the port is set by carbon_port" : ""),
      word,
    );
  }
  directive.draft.carbon.server = server;
  directive.means(`metrics are sent to carbon on ${server}`);
}

function readGraphitePath(directive: Directive): Partial<CarbonConf> {
  const graphitePath = directive.text("a text with %s, %h and %m");
  const [unknown] = /%[^shm]?/.exec(graphitePath.replace(/%[shm]/g, "")) ?? [];
  if (unknown !== undefined) {
    directive.warn(
      `${
        quote(unknown)
      } stays as it is; there are %s (the cluster), %h (the host) and %m (the metric)`,
    );
  }
  directive.means(`names in carbon are made as ${quote(graphitePath)}`);
  return { graphitePath };
}
