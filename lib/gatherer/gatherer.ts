import { getLogger } from "@logtape/logtape";
import type { Clock } from "../clock.ts";
import { UserError } from "../errors.ts";
import { formatHint } from "../foolscap/furl.ts";
import { Tub } from "../foolscap/tub.ts";
import type { GangliaPortsPlugin } from "../plugins/ganglia_ports.ts";
import { MuninPlugin, type MuninPluginOptions } from "../plugins/munin.ts";
import { SnapshotPlugin } from "../plugins/snapshot.ts";
import { SpoolPlugin } from "../plugins/spool.ts";
import { reasonOf } from "../secret_file.ts";
import { loadSnapshot, SNAPSHOT_NAME } from "../snapshot/file.ts";
import type { SnapshotNode } from "../snapshot/codec.ts";
import { SPOOL_NAME } from "../spool/portion.ts";
import { makeStatsGatherer } from "../sources/foolscap.ts";
import { Poller } from "../sources/poller.ts";
import { Tree } from "../tree/tree.ts";
import type { Metric } from "../tree/metric.ts";
import { BaseDir } from "./basedir.ts";
import {
  type GangliaOptions,
  gangliaSummaries,
  makeGanglia,
} from "./ganglia.ts";
import { Plugins } from "./plugins.ts";
import { makeSelf } from "./self.ts";

const logger = getLogger(["gatherer"]);

/** The cluster of the nodes that attach over Foolscap. */
export const FOOLSCAP_CLUSTER = "foolscap";

/** A node that has not answered for longer is silent, and Munin is not told its last figures. */
const SILENT_MS = 300_000;

/** How a gatherer is run. What is left out is as on its last start, or a sensible default. */
export interface GathererOptions {
  readonly basedir: string;
  readonly clock: Clock;
  /** The TCP port to listen on; 0: any that is free, then kept. */
  readonly port?: number;
  /** The address to listen on (default: every IPv4 address). */
  readonly host?: string;
  /** Names this machine in the FURL. */
  readonly hostname?: string;
  /** Location hints for the FURL; wins over `hostname`. */
  readonly location?: readonly string[];
  /** Milliseconds from one round to the next. */
  readonly intervalMs: number;
  /** Milliseconds after which an unanswered poll is given up. */
  readonly timeoutMs?: number;
  /** Whether the base directory, the snapshot and the spool are for their owner only. */
  readonly private?: boolean;
  /** Bytes that the spool of past figures takes at most; 0: there is none. */
  readonly spoolBytes?: number;
  /** Where and how Munin's masters are answered; left out: nowhere. */
  readonly munin?: MuninServing;
  /** What is gathered of Ganglia's gmonds, and answered as gmetad does; left out: nothing. */
  readonly ganglia?: GangliaOptions;
  /**
   * Whether nodes may attach over Foolscap, the gatherer itself being the first (default: true).
   */
  readonly foolscap?: boolean;
}

/** How Munin's masters are answered. */
export interface MuninServing extends
  Pick<
    MuninPluginOptions,
    "hostName" | "access" | "operators" | "selects" | "drilldown" | "version"
  > {
  /** Where all nodes together are one host. */
  readonly all?: ListenAddress;
  /** Where each node is a host of its own. */
  readonly nodes?: ListenAddress;
}

/** Where to listen. */
export interface ListenAddress {
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
}

/** A gatherer that runs. */
export interface Gatherer extends AsyncDisposable {
  /** What nodes attach with; it carries a secret. `undefined`: none can. */
  readonly furl: string | undefined;
  readonly tubid: string;
  /** Where nodes attach; `undefined`: nowhere. */
  readonly port: number | undefined;
  /** Where gmetad's ports are. */
  readonly ganglia: GangliaPortsPlugin["addresses"];
  /** Where Munin's masters are answered. */
  readonly munin: {
    readonly all?: ListenAddress;
    readonly nodes?: ListenAddress;
  };
  readonly tree: Tree;
  /** Ends it: the write under way is finished, plugins are told, connections closed. */
  stop(): Promise<void>;
}

/**
 * Starts a gatherer: loads what was known, starts the plugins, listens, and closes the first
 * round. When it returns, the snapshot holds figures and nodes can attach.
 * @throws UserError in one line when anything of this fails; then nothing is left running.
 */
export async function startGatherer(
  options: GathererOptions,
): Promise<Gatherer> {
  const { clock, intervalMs } = options;
  await using cleanup = new AsyncDisposableStack();

  const basedir = await BaseDir.open(
    options.basedir,
    options.private ? 0o700 : 0o755,
  );
  const identity = await basedir.identity();
  const swissnum = options.foolscap === false
    ? undefined
    : await basedir.swissnum(identity.tubid);
  for (const complaint of basedir.complaints) logger.warn(complaint);

  const tree = new Tree(options.ganglia?.conf.gridname);
  const snapshotPath = basedir.file(SNAPSHOT_NAME);
  const loaded = await loadSnapshot(snapshotPath, clock);
  for (const note of loaded.notes) logger.warn(note);
  for (const node of loaded.nodes) {
    // Hosts of a data source have its cluster's name before theirs; they come with its first poll.
    if (!node.key.includes("/")) restore(tree, node);
  }
  if (loaded.nodes.length > 0) {
    logger.info("the snapshot knows {count} nodes", {
      count: loaded.nodes.length,
    });
  }

  const snapshot = new SnapshotPlugin(
    snapshotPath,
    options.private ? 0o600 : 0o644,
    { clock, intervalMs },
  );
  const spool = options.spoolBytes === 0 ? undefined : new SpoolPlugin({
    directory: basedir.file(SPOOL_NAME),
    clock,
    mode: options.private ? 0o600 : 0o644,
    maxBytes: options.spoolBytes,
  });
  const munin = muninPlugins(options, spool && basedir.file(SPOOL_NAME));
  const ganglia = options.ganglia &&
    await makeGanglia(options.ganglia, {
      tree,
      clock,
      basedir: basedir.path,
      intervalMs,
    });
  const plugins = new Plugins(
    tree,
    [
      ...(ganglia?.plugins ?? []),
      snapshot,
      ...(spool ? [spool] : []),
      ...Object.values(munin),
    ],
    ganglia && gangliaSummaries(clock),
  );
  await plugins.start();
  cleanup.defer(() => plugins.stop());

  // Registered in the order of the evening's reverse: first nobody is polled any more and the last
  // figures are handed on, then connections are closed, then the plugins finish.
  const tub = new Tub({ identity, clock });
  cleanup.defer(() => tub.close());
  const timeoutMs = options.timeoutMs ?? 20_000;
  const poller = new Poller({
    tree,
    clock,
    cluster: FOOLSCAP_CLUSTER,
    intervalMs,
    timeoutMs,
  });
  cleanup.defer(() => poller.stop());

  const { port, furl } = options.foolscap === false
    ? { port: undefined, furl: undefined }
    : await offerFurl(
      tub,
      options,
      basedir,
      makeStatsGatherer(poller),
      swissnum,
    );

  const limits = { lateMs: intervalMs + timeoutMs, silentMs: SILENT_MS };
  const self = makeSelf({
    tub,
    clock,
    poller,
    snapshot,
    spool,
    munin: Object.values(munin),
    more: () => ganglia?.counts() ?? [],
    tree,
    limits,
  });
  cleanup.use(self);
  if (options.foolscap !== false) {
    poller.attach(self.node);
    await poller.start();
    await plugins.flush();
    if (snapshot.counts.writes === 0) {
      throw new UserError(
        `cannot write the snapshot ${snapshotPath}; see the line above`,
      );
    }
  }
  for (const source of ganglia?.sources ?? []) {
    source.start();
    cleanup.defer(() => source.stop());
  }
  logger.info("ready: {what}, a round every {seconds} s", {
    what: port === undefined
      ? "no node can attach"
      : `listening on port ${port}`,
    seconds: intervalMs / 1000,
  });
  const running = cleanup.move();
  let stopping: Promise<void> | undefined;
  const stop = () =>
    stopping ??= running.disposeAsync().then(() => logger.info("stopped"));
  return {
    furl,
    tubid: tub.tubid,
    port,
    ganglia: ganglia?.ports.addresses,
    munin: { all: munin.all?.address, nodes: munin.nodes?.address },
    tree,
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** Listens for nodes, and keeps the FURL that they attach with. */
async function offerFurl(
  tub: Tub,
  options: GathererOptions,
  basedir: BaseDir,
  reference: ReturnType<typeof makeStatsGatherer>,
  swissnum: string | undefined,
): Promise<{ port: number; furl: string }> {
  const port = await listen(tub, options, await basedir.port());
  const location = options.location ??
    (options.hostname !== undefined
      ? [formatHint(options.hostname, port)]
      : await basedir.location() ?? guessLocation(port));
  tub.setLocation(location);
  const furl = tub.registerReference(reference, swissnum);
  await basedir.saveAddress(port, location);
  await basedir.saveFurl(furl);
  return { port, furl };
}

/** A plugin for each place where Munin's masters are answered. */
function muninPlugins(
  { munin, clock }: GathererOptions,
  spool: string | undefined,
): { all?: MuninPlugin; nodes?: MuninPlugin } {
  const plugins: { all?: MuninPlugin; nodes?: MuninPlugin } = {};
  for (const kind of ["all", "nodes"] as const) {
    const address = munin?.[kind];
    if (!munin || !address) continue;
    plugins[kind] = new MuninPlugin({
      ...munin,
      ...address,
      nodesAsHosts: kind === "nodes",
      spool,
      clock,
    });
  }
  return plugins;
}

async function listen(
  tub: Tub,
  options: GathererOptions,
  known: number | undefined,
): Promise<number> {
  const port = options.port ?? known ?? 0;
  try {
    return await tub.listen(port, options.host);
  } catch (error) {
    const inUse = error instanceof Error && "code" in error &&
      error.code === "EADDRINUSE";
    throw new UserError(
      inUse
        ? `cannot listen on port ${port}: another program uses it already; ` +
          "is this gatherer running? Else choose another with --port"
        : `cannot listen on port ${port}: ${reasonOf(error)}`,
    );
  }
}

/** Every address of this machine that a node may reach, the loopback one last. */
function guessLocation(port: number): string[] {
  const addresses = Deno.networkInterfaces()
    .filter(({ family, address }) =>
      family === "IPv4" && !address.startsWith("127.")
    )
    .map(({ address }) => address);
  return [...new Set([...addresses, "127.0.0.1"])].map((address) =>
    formatHint(address, port)
  );
}

function restore(tree: Tree, node: SnapshotNode): void {
  const metrics: Metric[] = [];
  for (const [name, value] of node.counters) {
    metrics.push({ name, value, slope: "positive" });
  }
  for (const [name, value] of node.stats) {
    metrics.push({ name, value, slope: "both" });
  }
  const at = node.timestamp * 1000;
  tree.update(FOOLSCAP_CLUSTER, node.key, {
    nickname: node.nickname,
    observation: {
      incarnation: "",
      sequence: 0,
      measuredAt: at,
      receivedAt: at,
      metrics,
    },
    life: { detachReason: "not seen since this gatherer started" },
  });
}
