/**
 * What a gmetad.conf asks for, put together: sources, ports, RRDs, exports, plugins.
 *
 * @module
 */
import { lookup } from "node:dns/promises";
import { dirname, isAbsolute, join, resolve } from "node:path";
import { getLogger } from "@logtape/logtape";
import ipaddr from "ipaddr.js";
import type { Clock } from "../clock.ts";
import { messageOf } from "../errors.ts";
import type {
  CarbonConf,
  DataSource,
  GmetadConf,
  SectionLine,
} from "../ganglia/conf/conf.ts";
import { summarizeInSteps } from "../ganglia/summary.ts";
import type { Sent } from "../ganglia/ports/status.ts";
import { type Access, parseAccess } from "../net/access.ts";
import { readAlertConfig } from "../alert/config.ts";
import { AlertPlugin } from "../plugins/alert.ts";
import { CarbonPlugin } from "../plugins/carbon.ts";
import { GangliaPortsPlugin } from "../plugins/ganglia_ports.ts";
import type { Plugin } from "../plugins/plugin.ts";
import { RrdPlugin } from "../plugins/rrd.ts";
import { RrdSummaryPlugin } from "../plugins/rrd_summary.ts";
import { parseAddress } from "../rrd/address.ts";
import { RrdcachedWriter } from "../rrd/rrdcached.ts";
import { RrdtoolWriter } from "../rrd/rrdtool.ts";
import type { RrdWriter } from "../rrd/writer.ts";
import { GmondSource } from "../sources/gmond.ts";
import type { Tree } from "../tree/tree.ts";
import type { GangliaOptions } from "./options.ts";
import type { Part } from "./parts.ts";
import { VERSION } from "../version.ts";
import { loadPlugins } from "./plugin_loader.ts";
import type { Summarize } from "./plugins.ts";

const logger = getLogger(["gatherer", "ganglia"]);

/** Where gmetad keeps its RRDs. Source: gmetad 3.7.2 as Debian builds it. */
export const DEFAULT_RRD_ROOTDIR = "/var/lib/ganglia/rrds";
/** Where plugins are unless the file names a directory; it need not be there. */
const DEFAULT_PLUGINS_DIR = "/usr/lib/ganglia/gatherer/plugins";

/** What the gatherer around it brings along. */
export interface GangliaSurroundings {
  readonly tree: Tree;
  readonly clock: Clock;
  /** The base directory, where damaged answers are kept. */
  readonly basedir: string;
  /** Milliseconds from one poll of the nodes that attach to the next. */
  readonly intervalMs: number;
  /** Told when a poll of a data source is over. */
  readonly onRound: () => void;
  /** The plugins that run now. */
  readonly plugins: () => readonly Plugin[];
}

/** How clusters are summed up, for those who are told of them. */
export function gangliaSummaries(clock: Clock): Summarize {
  // What the configuration says is not to be summarized has no RRD, as with gmetad; no more.
  return (cluster) =>
    summarizeInSteps(cluster, {
      now: clock.now(),
      monotonic: clock.monotonic(),
    });
}

/** The name of the part that answers on gmetad's ports. */
export const GANGLIA_PORTS = "gmetad's ports";

/** The sources and plugins that a gmetad.conf asks for; the plugins of others come first. */
export function gangliaParts(
  options: GangliaOptions,
  surroundings: GangliaSurroundings,
): Part[] {
  const { conf } = options;
  return [
    othersPart(conf, surroundings),
    portsPart(options, surroundings),
    ...(conf.writeRrds ? rrdParts(conf, surroundings) : []),
    ...(conf.carbon ? [carbonPart(conf, conf.carbon, surroundings)] : []),
    ...alertParts(conf, surroundings),
    ...conf.dataSources.map((source) => sourcePart(conf, source, surroundings)),
  ];
}

function othersPart(conf: GmetadConf, { clock }: GangliaSurroundings): Part {
  const options = {
    directory: nearConf(conf, conf.pluginsDir ?? DEFAULT_PLUGINS_DIR),
    configured: conf.pluginsDir !== undefined,
  };
  return {
    name: `plugins of ${options.directory}`,
    kind: "plugin",
    settings: {
      options,
      sections: withoutPlaces(conf.sections),
      files: fingerprints(options.directory),
    },
    build: async () => ({
      plugin: await loadPlugins({
        ...options,
        sections: conf.sections,
        clock,
      }),
    }),
  };
}

function portsPart(
  { conf, host }: GangliaOptions,
  { clock, plugins }: GangliaSurroundings,
): Part {
  const options = {
    gridName: conf.gridname,
    authority: conf.authority ?? `http://${Deno.hostname()}/ganglia/`,
    xmlPort: conf.xmlPort,
    interactivePort: conf.interactivePort,
    host,
    summarizedMetrics: conf.summarizedMetrics.length > 0
      ? new Set(conf.summarizedMetrics)
      : undefined,
  };
  const { allTrusted, trustedHosts } = conf;
  return {
    name: GANGLIA_PORTS,
    kind: "plugin",
    settings: { options, allTrusted, trustedHosts },
    claims: [`port ${conf.xmlPort}`, `port ${conf.interactivePort}`],
    build: async () => ({
      plugin: new GangliaPortsPlugin({
        ...options,
        trusted: await trustedBy(conf),
        sent: () => sentBy(plugins(), conf.rrdcachedAddress !== undefined),
        clock,
        version: VERSION,
      }),
    }),
  };
}

/** What was sent on, for `/status`. */
function sentBy(plugins: readonly Plugin[], isCached: boolean): Sent {
  let written = 0;
  let lines = 0;
  for (const plugin of plugins) {
    if (plugin instanceof RrdPlugin || plugin instanceof RrdSummaryPlugin) {
      written += plugin.counts.updates;
    } else if (plugin instanceof CarbonPlugin) lines += plugin.counts.lines;
  }
  return {
    [isCached ? "rrdcached" : "rrdtool"]: { num: written },
    graphite: { num: lines },
  };
}

function carbonPart(
  { caseSensitiveHostnames }: GmetadConf,
  carbon: CarbonConf,
  { clock }: GangliaSurroundings,
): Part {
  const options = { ...carbon, caseSensitiveHostnames };
  return {
    name: "carbon",
    kind: "plugin",
    settings: options,
    build: () => ({ plugin: new CarbonPlugin({ ...options, clock }) }),
  };
}

function alertParts(
  { sections }: GmetadConf,
  { clock }: GangliaSurroundings,
): Part[] {
  const section = sections.get("alert");
  if (!section) return [];
  return [{
    name: "alert",
    kind: "plugin",
    settings: section.map(withoutPlace),
    build: () => ({ plugin: new AlertPlugin(readAlertConfig(section), clock) }),
  }];
}

function sourcePart(
  { scalable }: GmetadConf,
  { name, intervalSeconds, hosts }: DataSource,
  { tree, clock, basedir, onRound }: GangliaSurroundings,
): Part {
  const options = { source: { name, intervalSeconds, hosts }, scalable };
  return {
    name: `source ${name}`,
    kind: "source",
    settings: options,
    build: () => ({
      source: new GmondSource({
        ...options,
        tree,
        clock,
        salvageDirectory: resolve(basedir, "salvage"),
        onPoll: onRound,
      }),
    }),
  };
}

function rrdParts(
  conf: GmetadConf,
  { clock, intervalMs }: GangliaSurroundings,
): Part[] {
  const common = {
    root: nearConf(conf, conf.rrdRootdir ?? DEFAULT_RRD_ROOTDIR),
    rras: conf.rras,
    step: intervalMs / 1000,
  };
  const { rrdcachedAddress, caseSensitiveHostnames } = conf;
  const hosts = { ...common, caseSensitiveHostnames };
  const summaries = {
    ...common,
    unsummarizedMetrics: conf.unsummarizedMetrics,
    unsummarizedSflowVmMetrics: conf.unsummarizedSflowVmMetrics,
    summarizedMetrics: conf.summarizedMetrics,
  };
  // Two that write the same files must not run at once.
  const claims = (what: string) => [`${what} below ${common.root}`];
  return [
    {
      name: "rrd",
      kind: "plugin",
      settings: { hosts, rrdcachedAddress },
      claims: claims("hosts"),
      build: () => ({
        plugin: new RrdPlugin({
          ...hosts,
          clock,
          writer: makeWriter(conf, clock),
        }),
      }),
    },
    {
      name: "rrd_summary",
      kind: "plugin",
      settings: { summaries, rrdcachedAddress },
      claims: claims("summaries"),
      build: () => ({
        plugin: new RrdSummaryPlugin({
          ...summaries,
          clock,
          writer: makeWriter(conf, clock),
        }),
      }),
    },
  ];
}

/** Lines that have moved in the file say what they said before. */
function withoutPlaces(
  sections: GmetadConf["sections"],
): ReadonlyMap<string, unknown> {
  return new Map(
    [...sections].map(([id, lines]) => [id, lines.map(withoutPlace)]),
  );
}

function withoutPlace({ directive, text }: SectionLine): unknown {
  return { directive, text };
}

/** What shows that a plugin's file is another than before. */
function fingerprints(directory: string): string[] {
  try {
    return [...Deno.readDirSync(directory)].map(({ name }) => {
      const { mtime, size } = Deno.statSync(join(directory, name));
      return `${name} ${size} ${mtime?.getTime()}`;
    }).sort();
  } catch {
    // Whoever loads them says what is the matter.
    return [];
  }
}

function makeWriter(conf: GmetadConf, clock: Clock): RrdWriter {
  const rrdtool = new RrdtoolWriter({ clock });
  return conf.rrdcachedAddress === undefined ? rrdtool : new RrdcachedWriter({
    address: parseAddress(conf.rrdcachedAddress),
    clock,
    // For daemons that cannot make files themselves.
    creator: rrdtool,
  });
}

/** A path of the configuration: one that is not absolute begins where the file is. */
function nearConf({ path }: GmetadConf, wanted: string): string {
  return isAbsolute(wanted) ? wanted : resolve(dirname(path), wanted);
}

/** Who may ask: this machine always; names are looked up once, at the start, as gmetad does. */
export async function trustedBy(
  { allTrusted, trustedHosts, path }: Pick<
    GmetadConf,
    "allTrusted" | "trustedHosts" | "path"
  >,
): Promise<Access> {
  if (allTrusted) return parseAccess("0.0.0.0/0 ::/0", "all_trusted");
  const rules = await Promise.all(trustedHosts.map(async (name) => {
    const rule = numericRule(name);
    if (rule !== undefined) return [rule];
    try {
      const found = await lookup(name, { all: true });
      return found.map(({ address }) => numericRule(address) ?? []).flat();
    } catch (error) {
      logger.warn(
        "trusted_hosts: the name {name} cannot be looked up, and may not ask: {reason}",
        { name, reason: messageOf(error) },
      );
      return [];
    }
  }));
  const all = ["127.0.0.0/8", "::1", ...rules.flat()];
  return parseAccess(all.join(" "), `${path}: trusted_hosts`);
}

/**
 * An address or network as a rule for {@linkcode parseAccess}, which is strict: of a network the
 * first address, without a zone. `undefined` for a name, `127.1` among them.
 */
function numericRule(text: string): string | undefined {
  const [host, bits] = text.split("/");
  const kind = ipaddr.IPv4.isValidFourPartDecimal(host)
    ? ipaddr.IPv4
    : host.includes(":")
    ? ipaddr.IPv6
    : undefined;
  if (!kind) return undefined;
  const address = kind.parse(host.replace(/%.*$/s, "")).toNormalizedString();
  if (bits === undefined) return address;
  const length = Number(bits);
  return `${kind.networkAddressFromCIDR(`${address}/${length}`)}/${length}`;
}
