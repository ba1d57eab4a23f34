import { getLogger } from "@logtape/logtape";
import { makeAction } from "../alert/actions.ts";
import type { AlertConfig } from "../alert/config.ts";
import { Grouper } from "../alert/grouper.ts";
import type { Notice } from "../alert/notice.ts";
import { Outbox } from "../alert/outbox.ts";
import { Watch } from "../alert/watch.ts";
import type { Clock, Timer } from "../clock.ts";
import { messageOf } from "../errors.ts";
import type { ChildGrid, Cluster } from "../tree/tree.ts";
import type { Plugin } from "./plugin.ts";

const logger = getLogger(["gatherer", "alert"]);

/** Who has not been told of for so many milliseconds is looked at all the same: ages grow. */
const LOOK_MS = 15_000;
/** A cluster that is no longer there is forgotten after so many milliseconds, its alerts before. */
const FORGET_MS = 3_600_000;
/** What actions have for the last notices, in milliseconds. */
const STOP_MS = 1500;

/** What the plugin has done, for the gatherer's own statistics. */
export interface AlertCounts {
  /** Alerts that were raised. */
  raised: number;
  /** Alerts that were cleared. */
  cleared: number;
  /** Notices that were given to actions. */
  notices: number;
}

/** A cluster or grid as it was last. */
interface Scope {
  readonly look: () => Promise<void> | void;
  /** Whether it is no longer there. */
  readonly isEmpty: boolean;
  readonly toldAt: number;
  lookedAt: number;
}

/** Watches metrics, hosts and sources by rules, and says when something is wrong and when it is over. */
export class AlertPlugin implements Plugin {
  readonly id = "alert";
  readonly counts: AlertCounts = { raised: 0, cleared: 0, notices: 0 };
  readonly #config: AlertConfig;
  readonly #clock: Clock;
  readonly #watch: Watch;
  readonly #grouper: Grouper;
  readonly #outboxes = new Map<string, Outbox>();
  readonly #scopes = new Map<string, Scope>();
  #timer: Timer | undefined;
  /** Looks wait for one another. */
  #turn: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(config: AlertConfig, clock: Clock) {
    this.#config = config;
    this.#clock = clock;
    this.#grouper = new Grouper(clock, (notice) => this.#deliver(notice));
    this.#watch = new Watch(config.rules, clock, (rule, event, item) => {
      if (event === "raise") this.counts.raised++;
      if (event === "clear" || event === "gone") this.counts.cleared++;
      this.#grouper.add(rule, event, item);
    });
    for (const [name, action] of config.actions) {
      this.#outboxes.set(name, new Outbox(makeAction(name, action, clock)));
    }
  }

  async start(): Promise<void> {
    for (const warning of this.#config.warnings) logger.warn(warning);
    for (const action of this.#config.actions.values()) {
      if (action.kind !== "command" && action.kind !== "mail") continue;
      const program = action.kind === "mail" ? action.sendmail : action.argv[0];
      await complainAbout(program);
    }
    this.#timer = this.#clock.setTimer(() => this.#tick(), LOOK_MS);
  }

  notify(cluster: Cluster): Promise<void> {
    const isEmpty = cluster.hosts.size === 0 && !cluster.source;
    return this.#lookAt(
      `cluster ${cluster.name}`,
      isEmpty,
      () => this.#watch.lookAtCluster(cluster),
    );
  }

  notifyGrid(grid: ChildGrid): Promise<void> {
    return this.#lookAt(
      `grid ${grid.name}`,
      false,
      () => this.#watch.lookAtGrid(grid),
    );
  }

  forgetGrid(name: string): void {
    this.#scopes.delete(`grid ${name}`);
  }

  /** Says what is yet to be said, for as long as there is time. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#turn;
    this.#grouper.flush();
    const outboxes = [...this.#outboxes.values()];
    await new Promise<void>((resolve) => {
      const timer = this.#clock.setTimer(resolve, STOP_MS);
      void Promise.all(outboxes.map((outbox) => outbox.idle())).then(() => {
        timer.cancel();
        resolve();
      });
    });
    await Promise.all(outboxes.map((outbox) => outbox.abort()));
  }

  #lookAt(
    name: string,
    isEmpty: boolean,
    look: Scope["look"],
  ): Promise<void> {
    const now = this.#clock.monotonic();
    const scope = { look, isEmpty, toldAt: now, lookedAt: now };
    this.#scopes.set(name, scope);
    return this.#look(scope);
  }

  #look(scope: Scope): Promise<void> {
    const turn = this.#turn.then(async () => {
      scope.lookedAt = this.#clock.monotonic();
      await scope.look();
      this.#grouper.settle();
    });
    this.#turn = turn.catch(() => {});
    return turn;
  }

  #tick(): void {
    const now = this.#clock.monotonic();
    for (const [name, scope] of this.#scopes) {
      if (scope.isEmpty && now - scope.toldAt >= FORGET_MS) {
        this.#scopes.delete(name);
      } else if (now - scope.lookedAt >= LOOK_MS) {
        this.#look(scope).catch((error) =>
          logger.error("looking at the {name} failed: {reason}", {
            name,
            reason: messageOf(error),
          })
        );
      }
    }
    if (this.#stopped) return;
    this.#timer = this.#clock.setTimer(() => this.#tick(), LOOK_MS);
  }

  #deliver(notice: Notice): void {
    for (const name of notice.rule.actions) {
      this.counts.notices++;
      this.#outboxes.get(name)!.put(notice);
    }
  }
}

/** Says beforehand what would only be noticed when it is needed. */
async function complainAbout(program: string): Promise<void> {
  const { state } = await Deno.permissions.query({
    name: "run",
    command: program,
  });
  if (state !== "granted") {
    logger.warn(
      "the program {program} of an action cannot be run: the gatherer has no permission to (--allow-run)",
      { program },
    );
    return;
  }
  if (!program.includes("/")) return;
  try {
    await Deno.stat(program);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) return;
    logger.warn("the program {program} of an action is not there", { program });
  }
}
