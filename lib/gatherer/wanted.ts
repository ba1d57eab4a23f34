/**
 * The parts and settings that a configuration asks for.
 *
 * @module
 */
import { join } from "node:path";
import type { Clock } from "../clock.ts";
import { MuninPlugin } from "../plugins/munin.ts";
import { SpoolPlugin } from "../plugins/spool.ts";
import { SPOOL_NAME } from "../spool/portion.ts";
import { VERSION } from "../version.ts";
import { gangliaParts, type GangliaSurroundings } from "./ganglia.ts";
import { httpParts, type HttpSurroundings } from "./http.ts";
import { type GathererOptions, TIMEOUT_MS } from "./options.ts";
import type { Part } from "./parts.ts";
import type { OwnSetting } from "./plan.ts";

/** Settings that are no part's own. */
export function ownSettings(options: GathererOptions): OwnSetting[] {
  const { basedir, port, host, hostname, location } = options;
  const { intervalMs, timeoutMs = TIMEOUT_MS } = options;
  return [
    {
      name: "the interval",
      settings: `${intervalMs / 1000} s`,
      takes: "at once",
    },
    {
      name: "the timeout",
      settings: `${timeoutMs / 1000} s`,
      takes: "at once",
    },
    // Nodes know the gatherer by these, and its files are open.
    { name: "basedir", settings: basedir, takes: "restart" },
    { name: "private", settings: options.private ?? false, takes: "restart" },
    {
      name: "where nodes attach",
      settings: [port, host, hostname, location, options.foolscap ?? true],
      takes: "restart",
    },
  ];
}

/** What takes effect at once: the rest stays as it is until the next start. */
export function withoutPostponed(
  next: GathererOptions,
  now: GathererOptions,
): GathererOptions {
  const { basedir, port, host, hostname, location, foolscap } = now;
  return {
    ...next,
    basedir,
    private: now.private,
    port,
    host,
    hostname,
    location,
    foolscap,
  };
}

/** The names of the parts that answer Munin's masters. */
export const MUNIN = { all: "munin", nodes: "munin-nodes" } as const;

/** What the gatherer around its parts brings along. */
export interface Surroundings extends GangliaSurroundings, HttpSurroundings {
  /** Asked before something is written into the base directory. */
  readonly guard: () => Promise<void>;
}

/** All that comes and goes with the configuration. */
export function partsFor(
  options: GathererOptions,
  surroundings: Surroundings,
): Part[] {
  const { clock, basedir, guard } = surroundings;
  const mode = options.private ? 0o600 : 0o644;
  const spool = {
    directory: join(basedir, SPOOL_NAME),
    mode,
    maxBytes: options.spoolBytes,
  };
  const hasSpool = options.spoolBytes !== 0;
  return [
    ...(options.ganglia ? gangliaParts(options.ganglia, surroundings) : []),
    ...(hasSpool
      ? [{
        name: "spool",
        kind: "plugin" as const,
        settings: spool,
        claims: [spool.directory],
        build: () => ({ plugin: new SpoolPlugin({ ...spool, clock, guard }) }),
      }]
      : []),
    ...muninParts(options, clock, hasSpool ? spool.directory : undefined),
    ...httpParts(options, surroundings),
  ];
}

/** A plugin for each place where Munin's masters are answered. */
function muninParts(
  { munin }: GathererOptions,
  clock: Clock,
  spool: string | undefined,
): Part[] {
  const parts: Part[] = [];
  for (const kind of ["all", "nodes"] as const) {
    const address = munin?.[kind];
    if (!munin || !address) continue;
    const { all: _, nodes: __, ...how } = munin;
    const settings = {
      ...how,
      ...address,
      nodesAsHosts: kind === "nodes",
      spool,
    };
    parts.push({
      name: MUNIN[kind],
      kind: "plugin",
      settings,
      claims: address.port === 0 ? [] : [`port ${address.port}`],
      build: () => ({
        plugin: new MuninPlugin({ ...settings, clock, version: VERSION }),
      }),
    });
  }
  return parts;
}
