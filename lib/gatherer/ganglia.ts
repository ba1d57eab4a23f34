/**
 * What a gmetad.conf asks for, put together: sources, ports, RRDs, exports, plugins.
 *
 * @module
 */
import { lookup } from "node:dns/promises";
import { dirname, isAbsolute, resolve } from "node:path";
import { getLogger } from "@logtape/logtape";
import type { Clock } from "../clock.ts";
import { messageOf } from "../errors.ts";
import type { GmetadConf } from "../ganglia/conf/conf.ts";
import { summarizeInSteps } from "../ganglia/summary.ts";
import { type Access, parseAccess } from "../munin_node/access.ts";
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
import { loadPlugins } from "./plugin_loader.ts";
import type { Summarize } from "./plugins.ts";

const logger = getLogger(["gatherer", "ganglia"]);

/** Where gmetad keeps its RRDs. Source: gmetad 3.7.2 as Debian builds it. */
export const DEFAULT_RRD_ROOTDIR = "/var/lib/ganglia/rrds";
/** Where gmetad-python looks for plugins on most systems. */
const DEFAULT_PLUGINS_DIR = "/usr/lib/ganglia/gatherer/plugins";

/** How the part that is Ganglia's is run. */
export interface GangliaOptions {
  readonly conf: GmetadConf;
  /** The address that both ports listen on; left out: every one. */
  readonly host?: string;
  /** This program's version. */
  readonly version: string;
}

/** What the gatherer around it brings along. */
export interface GangliaSurroundings {
  readonly tree: Tree;
  readonly clock: Clock;
  /** The base directory, where damaged answers are kept. */
  readonly basedir: string;
  /** Milliseconds from one poll of the nodes that attach to the next. */
  readonly intervalMs: number;
}

/** The part that is Ganglia's. */
export interface GangliaParts {
  readonly ports: GangliaPortsPlugin;
  /** All plugins, those of others first. */
  readonly plugins: readonly Plugin[];
  readonly sources: readonly GmondSource[];
  /** For the gatherer's own statistics. */
  counts(): [name: string, value: number][];
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

/**
 * Builds the sources and plugins that a gmetad.conf asks for; nothing is started yet.
 *
 * @throws UserError when the configuration asks for what cannot be.
 */
export async function makeGanglia(
  { conf, host, version }: GangliaOptions,
  { tree, clock, basedir, intervalMs }: GangliaSurroundings,
): Promise<GangliaParts> {
  for (const warning of conf.warnings) logger.warn(warning);
  const rrds = conf.writeRrds
    ? makeRrds(conf, clock, intervalMs / 1000)
    : undefined;
  const carbon = conf.carbon && new CarbonPlugin({
    ...conf.carbon,
    caseSensitiveHostnames: conf.caseSensitiveHostnames,
    clock,
  });
  const ports = new GangliaPortsPlugin({
    gridName: conf.gridname,
    authority: conf.authority ?? `http://${Deno.hostname()}/ganglia/`,
    xmlPort: conf.xmlPort,
    interactivePort: conf.interactivePort,
    host,
    trusted: await trustedBy(conf),
    clock,
    version,
    summarizedMetrics: conf.summarizedMetrics.length > 0
      ? new Set(conf.summarizedMetrics)
      : undefined,
  });
  const alertSection = conf.sections.get("alert");
  const others = await loadPlugins({
    directory: nearConf(conf, conf.pluginsDir ?? DEFAULT_PLUGINS_DIR),
    configured: conf.pluginsDir !== undefined,
    sections: conf.sections,
    clock,
  });
  return {
    ports,
    plugins: [
      ...others,
      ports,
      ...(rrds ? [rrds.hosts, rrds.summaries] : []),
      ...(carbon ? [carbon] : []),
      ...(alertSection
        ? [new AlertPlugin(readAlertConfig(alertSection), clock)]
        : []),
    ],
    sources: conf.dataSources.map((source) =>
      new GmondSource({
        source,
        tree,
        clock,
        salvageDirectory: resolve(basedir, "salvage"),
        scalable: conf.scalable,
      })
    ),
    counts() {
      const counts: [string, number][] = [];
      for (
        const [name, values] of [
          ["rrd", rrds?.hosts.counts],
          ["rrd_summary", rrds?.summaries.counts],
          ["carbon", carbon?.counts],
        ] as const
      ) {
        for (const [what, count] of Object.entries(values ?? {})) {
          counts.push([`gatherer.${name}_${what}`, count]);
        }
      }
      return counts;
    },
  };
}

function makeRrds(
  conf: GmetadConf,
  clock: Clock,
  step: number,
): { hosts: RrdPlugin; summaries: RrdSummaryPlugin } {
  const common = () => ({
    root: nearConf(conf, conf.rrdRootdir ?? DEFAULT_RRD_ROOTDIR),
    writer: makeWriter(conf, clock),
    clock,
    rras: conf.rras,
    step,
  });
  return {
    hosts: new RrdPlugin({
      ...common(),
      caseSensitiveHostnames: conf.caseSensitiveHostnames,
    }),
    summaries: new RrdSummaryPlugin({
      ...common(),
      unsummarizedMetrics: conf.unsummarizedMetrics,
      unsummarizedSflowVmMetrics: conf.unsummarizedSflowVmMetrics,
      summarizedMetrics: conf.summarizedMetrics,
    }),
  };
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
async function trustedBy(conf: GmetadConf): Promise<Access> {
  if (conf.allTrusted) return parseAccess("0.0.0.0/0 ::/0", "all_trusted");
  const rules = ["127.0.0.0/8", "::1"];
  for (const name of conf.trustedHosts) {
    if (/^[0-9.]+(\/\d+)?$/.test(name) || name.includes(":")) {
      rules.push(name);
      continue;
    }
    try {
      const found = await lookup(name, { all: true });
      rules.push(...found.map(({ address }) => address));
    } catch (error) {
      logger.warn(
        "trusted_hosts: the name {name} cannot be looked up, and may not ask: {reason}",
        { name, reason: messageOf(error) },
      );
    }
  }
  return parseAccess(rules.join(" "), `${conf.path}: trusted_hosts`);
}
