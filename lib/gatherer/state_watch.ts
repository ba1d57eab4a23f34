import { getLogger } from "@logtape/logtape";
import type { Clock, Timer } from "../clock.ts";
import { isDead, statusOfHost } from "../ganglia/host_state.ts";
import { oneLine } from "../text.ts";
import type { Host } from "../tree/host.ts";
import type { NodeState, NodeStatus, StateLimits } from "../tree/state.ts";
import type { Cluster, Tree } from "../tree/tree.ts";

const logger = getLogger(["gatherer", "nodes"]);

/** How often all states are looked at, in milliseconds. */
const LOOK_MS = 5000;

/** How a {@linkcode StateWatch} is set up. */
export interface StateWatchOptions {
  readonly tree: Tree;
  readonly clock: Clock;
  /** Asked at each look: they may change. */
  limits(): StateLimits;
}

/** A node that is not well, as it was at the last look. */
interface Unwell {
  readonly state: NodeState;
  /** When it was first seen to be unwell, on the monotonic clock. */
  readonly at: number;
  /** Whether that is in the log by us, so that its end belongs there, too. */
  readonly isTold: boolean;
}

/**
 * Says in the log, in one line, when the state of a node has changed and nobody else says so: the
 * poller tells of nodes that attach, detach, begin to fail and answer again, a source of its own
 * failures. States come from facts and the time, so one timer that looks at all nodes will do.
 */
export class StateWatch {
  readonly #options: StateWatchOptions;
  /** By cluster and key. */
  #unwell = new Map<string, Map<string, Unwell>>();
  #timer: Timer | undefined;

  constructor(options: StateWatchOptions) {
    this.#options = options;
  }

  start(): void {
    const { clock } = this.#options;
    this.#timer = clock.setTimer(
      () => {
        this.#look();
        this.start();
      },
      LOOK_MS,
      { keepAlive: false },
    );
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #look(): void {
    const { tree, clock, limits } = this.#options;
    const instant = { monotonic: clock.monotonic(), now: clock.now() };
    const nodeLimits = limits();
    const unwell = new Map<string, Map<string, Unwell>>();
    for (const cluster of tree.grid.clusters.values()) {
      const before = this.#unwell.get(cluster.name);
      const now = new Map<string, Unwell>();
      for (const host of cluster.hosts.values()) {
        const known = before?.get(host.key);
        const status = statusOfHost(host, cluster, nodeLimits, instant);
        if (status.state === "attached") {
          if (known) this.#recovered(host, known);
          continue;
        }
        now.set(
          host.key,
          this.#fell(host, cluster, status, known, instant.monotonic),
        );
      }
      if (now.size > 0) unwell.set(cluster.name, now);
    }
    this.#unwell = unwell;
  }

  #recovered(host: Host, { at, isTold }: Unwell): void {
    // Who began to fail since then is said to answer again by the poller.
    if (!isTold || (host.life.failedAt ?? -Infinity) >= at) return;
    logger.info("{nickname} ({tubid}) is well again", namesOf(host));
  }

  #fell(
    host: Host,
    cluster: Cluster,
    { state, reason }: NodeStatus,
    known: Unwell | undefined,
    now: number,
  ): Unwell {
    if (known?.state === state) return known;
    const at = known?.at ?? now;
    if (isToldElsewhere(state, host, cluster)) {
      // Of a node that attaches by itself, the end is told by whoever told the beginning.
      const isOurs = host.detail !== undefined || isDead(cluster);
      return { state, at, isTold: isOurs && (known?.isTold ?? false) };
    }
    logger.warn("{nickname} ({tubid}) is {state}: {reason}", {
      ...namesOf(host),
      state,
      reason: oneLine(reason, 300),
    });
    return { state, at, isTold: true };
  }
}

/** Whether the log has a line already for what has brought a node into a state. */
function isToldElsewhere(
  state: NodeState,
  { detail, life }: Host,
  cluster: Cluster,
): boolean {
  if (state === "retired" || isDead(cluster)) return true;
  if (detail) return state === "late";
  return state === "gone" || (state === "late" && life.failure !== undefined);
}

function namesOf({ nickname, key }: Host): Record<string, string> {
  return { nickname: oneLine(nickname, 100), tubid: oneLine(key, 200) };
}
