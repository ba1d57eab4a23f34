import { getLogger } from "@logtape/logtape";
import { formatAddress, type HostPort } from "../address.ts";
import type { Clock } from "../clock.ts";
import { messageOf, UserError } from "../errors.ts";
import { Tub } from "../foolscap/tub.ts";
import { GangliaPortsPlugin } from "../plugins/ganglia_ports.ts";
import { MuninPlugin } from "../plugins/munin.ts";
import { SnapshotPlugin } from "../plugins/snapshot.ts";
import { loadSnapshot, SNAPSHOT_NAME } from "../snapshot/file.ts";
import { makeStatsGatherer } from "../sources/foolscap.ts";
import { Poller } from "../sources/poller.ts";
import { pollLimits } from "../tree/state.ts";
import { Tree } from "../tree/tree.ts";
import { VERSION } from "../version.ts";
import { HttpPlugin } from "../web/http.ts";
import { BaseDir } from "./basedir.ts";
import { offerFurl } from "./furl.ts";
import { GANGLIA_PORTS, gangliaSummaries } from "./ganglia.ts";
import { degradedBy } from "./health.ts";
import { HTTP } from "./http.ts";
import { nodeReports } from "./node_reports.ts";
import {
  FOOLSCAP_CLUSTER,
  type GathererOptions,
  TIMEOUT_MS,
} from "./options.ts";
import { Parts } from "./parts.ts";
import {
  isEmptyPlan,
  makePlan,
  type OwnSetting,
  type Plan,
  planLines,
} from "./plan.ts";
import { Plugins } from "./plugins.ts";
import { clusterOf, restoreNode } from "./restore.ts";
import { type NamedNode, Retired, RETIRED_NAME } from "./retired.ts";
import { makeSelf } from "./self.ts";
import { StateWatch } from "./state_watch.ts";
import type { GathererStatus, LifeState } from "../status.ts";
import { MUNIN, ownSettings, partsFor, withoutPostponed } from "./wanted.ts";

const logger = getLogger(["gatherer"]);

/** What a gatherer runs by, and where that came from. */
export interface LoadedOptions {
  readonly options: GathererOptions;
  /** The configuration file; `undefined`: there is none. */
  readonly file: string | undefined;
  /**
   * Makes true what they say of things around the gatherer, such as the log.
   * @returns What takes it back.
   * @throws UserError when it cannot be; then nothing is changed.
   */
  adopt?(): Promise<() => Promise<void>>;
  /** The same as settings, as they are and as they will be, for the plan. */
  readonly around?: {
    readonly before: readonly OwnSetting[];
    readonly after: readonly OwnSetting[];
  };
}

/** What a gatherer has around it. */
export interface GathererSurroundings {
  readonly clock: Clock;
  /** The configuration file of the options; left out: there is none. */
  readonly file?: string;
  /**
   * Reads the options again, for {@linkcode Gatherer.reload}; left out: they never change.
   * @throws UserError when they cannot be used.
   */
  readonly load?: () => LoadedOptions | Promise<LoadedOptions>;
}

/** A gatherer that runs. */
export interface Gatherer extends AsyncDisposable {
  /** What nodes attach with; it carries a secret. `undefined`: none can. */
  readonly furl: string | undefined;
  readonly tubid: string;
  /** Where nodes attach; `undefined`: nowhere. */
  readonly port: number | undefined;
  /** Where gmetad's ports are. */
  readonly ganglia: GangliaPortsPlugin["listening"];
  /** Where Munin's masters are answered. */
  readonly munin: {
    readonly all?: HostPort;
    readonly nodes?: HostPort;
  };
  /** Where HTTP is answered; `undefined`: nowhere. */
  readonly http: HostPort | undefined;
  readonly tree: Tree;
  /** How it is. */
  status(): GathererStatus;
  /**
   * Reads the configuration again and makes it true. What it does not change goes on untouched:
   * nodes stay attached, and nothing that was gathered is lost.
   *
   * @returns What was done.
   * @throws UserError when it cannot be used or cannot be made true; then all is as it was.
   */
  reload(): Promise<ReloadReport>;
  /**
   * Takes nodes out of all that is shown, or brings them back.
   *
   * @param pattern A key or nickname, or a pattern for some.
   * @param undo Whether they are to come back.
   * @returns Which.
   * @throws UserError when no node is meant.
   */
  retire(pattern: string, undo?: boolean): Promise<NamedNode[]>;
  /**
   * Asks to be told when a round of any source is finished, whatever came of it.
   * @returns A function that ends it.
   */
  onRound(listener: () => void): () => void;
  /** Ends it: the write under way is finished, plugins are told, connections closed. */
  stop(): Promise<void>;
}

/** What a reload has done. */
export interface ReloadReport {
  /** The plan that was carried out, a line for each thing. */
  lines(): string[];
  /** Whether nothing had to be done. */
  readonly isEmpty: boolean;
}

/**
 * Starts a gatherer: loads what was known, starts the plugins, listens, and closes the first
 * round. When it returns, the snapshot holds figures and nodes can attach.
 * @throws UserError in one line when anything of this fails; then nothing is left running.
 */
export async function startGatherer(
  { clock, file, load, ...initial }: GathererOptions & GathererSurroundings,
): Promise<Gatherer> {
  await using cleanup = new AsyncDisposableStack();
  let options: GathererOptions = initial;
  const life: { state: LifeState; since: number } = {
    state: "starting",
    since: clock.now(),
  };
  const enter = (state: LifeState) =>
    Object.assign(life, { state, since: clock.now() });
  const startedAt = life.since;
  let configuration = { file: file ?? null, loadedAt: startedAt };
  const pace = {
    clock,
    cluster: FOOLSCAP_CLUSTER,
    get intervalMs() {
      return options.intervalMs;
    },
  };

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
  const guard = () => basedir.check();
  const retired = await Retired.open({
    path: basedir.file(RETIRED_NAME),
    mode: options.private ? 0o600 : 0o644,
    tree,
    clock,
    guard,
  });
  const snapshotPath = basedir.file(SNAPSHOT_NAME);
  const loaded = await loadSnapshot(snapshotPath, clock);
  for (const note of loaded.notes) logger.warn(note);
  for (const node of loaded.nodes) {
    const cluster = clusterOf(node.key, options);
    if (cluster !== undefined) restoreNode(tree, cluster, node, clock);
  }
  if (loaded.nodes.length > 0) {
    logger.info("nodes that the snapshot knows: {count}", {
      count: loaded.nodes.length,
    });
  }

  const listeners = new Set<() => void>();
  const onRound = () => {
    for (const listener of listeners) listener();
  };
  const plugins = new Plugins(tree, clock, gangliaSummaries(clock));
  cleanup.defer(() => plugins.stop());
  const snapshot = new SnapshotPlugin(
    snapshotPath,
    options.private ? 0o600 : 0o644,
    pace,
    guard,
  );
  await plugins.add(snapshot);
  const limits = () =>
    pollLimits(options.intervalMs, options.timeoutMs ?? TIMEOUT_MS);
  const parts = new Parts(plugins);
  const partsOf = (options: GathererOptions) =>
    partsFor(options, {
      tree,
      clock,
      basedir: basedir.path,
      intervalMs: options.intervalMs,
      onRound,
      guard,
      plugins: () => plugins.plugins,
      sources: () => parts.sources,
      status: () => status(),
      lives: {
        limits,
        lifeOf: (cluster, key) => tree.host(cluster, key)?.life,
      },
    });
  for (const warning of options.ganglia?.conf.warnings ?? []) {
    logger.warn(warning);
  }
  // What sources bring is to find all plugins there.
  const wanted = partsOf(options);
  await parts.apply(
    makePlan([], wanted.filter(({ kind }) => kind === "plugin")),
  );

  // Registered in the order of the evening's reverse: first nobody is polled any more and the last
  // figures are handed on, then connections are closed, then the plugins finish.
  const tub = new Tub({ identity, clock });
  cleanup.defer(() => tub.close());
  const timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
  const poller = new Poller({
    tree,
    clock,
    cluster: FOOLSCAP_CLUSTER,
    intervalMs: options.intervalMs,
    timeoutMs,
  });
  cleanup.defer(() => poller.stop());
  poller.onRound(onRound);

  const { port, furl } = options.foolscap === false
    ? { port: undefined, furl: undefined }
    : await offerFurl(
      tub,
      options,
      basedir,
      makeStatsGatherer(poller),
      swissnum,
    );

  const stateWatch = new StateWatch({ tree, clock, limits });
  stateWatch.start();
  cleanup.defer(() => stateWatch.stop());
  const self = makeSelf({
    tub,
    clock,
    poller,
    plugins: () => plugins.plugins,
    tree,
    limits,
  });
  cleanup.use(self);
  if (options.foolscap !== false) {
    poller.attach(self.node);
    await poller.start();
    await plugins.flush();
    if (snapshot.counts.writes === 0) {
      const { lastError } = plugins.status.find(({ id }) =>
        id === snapshot.id
      )!;
      throw new UserError(
        lastError?.reason ?? `cannot write the snapshot ${snapshotPath}`,
      );
    }
  }
  const status = (): GathererStatus => {
    const foolscap = poller.status;
    const current: Omit<GathererStatus, "degraded" | "nodes"> = {
      ...life,
      version: VERSION,
      pid: Deno.pid,
      basedir: basedir.path,
      startedAt,
      lastRound: foolscap.lastSuccess,
      rounds: poller.counts.rounds,
      intervalSeconds: options.intervalMs / 1000,
      listening: [
        ...(port === undefined ? [] : [{
          what: "nodes",
          address: formatAddress({ host: options.host ?? "0.0.0.0", port }),
        }]),
        ...plugins.plugins.flatMap(({ addresses = {} }) =>
          Object.entries(addresses).flatMap(([what, address]) =>
            address === undefined ? [] : [{ what, address }]
          )
        ),
      ],
      configuration,
      sources: [
        ...(port === undefined ? [] : [foolscap]),
        ...parts.sources.map(({ status }) => status),
      ],
      plugins: plugins.status,
    };
    let nodes: GathererStatus["nodes"] | undefined;
    return {
      ...current,
      degraded: degradedBy(current, tub, clock.now()),
      // Of thousands of nodes it takes a while, and few want to know it.
      get nodes() {
        return nodes ??= nodeReports({
          tree,
          clock,
          limits: limits(),
          doingOf: (key) => poller.doingOf(key),
          retired: retired.nodes,
        });
      },
    };
  };

  cleanup.defer(() => parts.stopSources());
  await parts.apply(makePlan(parts.specs, wanted));
  enter("ready");
  logger.info("ready: {what}, a round every {seconds} s", {
    what: port === undefined
      ? "no node can attach"
      : `listening on port ${port}`,
    seconds: options.intervalMs / 1000,
  });

  const reload = async (): Promise<ReloadReport> => {
    if (!load) {
      throw new UserError("there is no configuration to read again");
    }
    const next = await load();
    const effective = withoutPostponed(next.options, options);
    const { before, after } = next.around ?? { before: [], after: [] };
    const plan = makePlan(parts.specs, partsOf(effective), {
      before: [...ownSettings(options), ...before],
      after: [...ownSettings(next.options), ...after],
    });
    const takeBack = await next.adopt?.();
    try {
      await parts.apply(plan);
    } catch (error) {
      await takeBack?.().catch((failure) =>
        logger.error("what is around the gatherer stays changed: {reason}", {
          reason: messageOf(failure),
        })
      );
      throw error;
    }
    for (const warning of next.options.ganglia?.conf.warnings ?? []) {
      logger.warn(warning);
    }
    const { intervalMs, timeoutMs = TIMEOUT_MS } = effective;
    poller.configure({ intervalMs, timeoutMs });
    options = effective;
    configuration = { file: next.file ?? null, loadedAt: clock.now() };
    return reportOf(plan);
  };

  const running = cleanup.move();
  let reloading: Promise<unknown> = Promise.resolve();
  let stopping: Promise<void> | undefined;
  const stop = () => {
    if (!stopping) enter("stopping");
    // What a reload under way still starts must be stopped, too.
    return stopping ??= reloading.then(() => running.disposeAsync()).then(() =>
      logger.info("stopped")
    );
  };
  const muninAddress = (name: string) => {
    const plugin = parts.plugin(name);
    return plugin instanceof MuninPlugin ? plugin.address : undefined;
  };
  return {
    furl,
    tubid: tub.tubid,
    port,
    get ganglia() {
      const plugin = parts.plugin(GANGLIA_PORTS);
      return plugin instanceof GangliaPortsPlugin
        ? plugin.listening
        : undefined;
    },
    get munin() {
      return { all: muninAddress(MUNIN.all), nodes: muninAddress(MUNIN.nodes) };
    },
    get http() {
      const plugin = parts.plugin(HTTP);
      return plugin instanceof HttpPlugin ? plugin.address : undefined;
    },
    tree,
    status,
    reload() {
      // One after another: each begins with what the one before has left.
      const done = reloading.then(async () => {
        if (stopping) throw new UserError("the gatherer is being stopped");
        enter("reloading");
        try {
          return await reload();
        } finally {
          if (!stopping) enter("ready");
        }
      });
      reloading = done.catch(() => {});
      return done;
    },
    retire: (pattern, undo) => retired.retire(pattern, undo),
    onRound(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

function reportOf(plan: Plan): ReloadReport {
  return { lines: () => planLines(plan), isEmpty: isEmptyPlan(plan) };
}
