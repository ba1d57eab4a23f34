import { setImmediate } from "node:timers/promises";
import { getLogger } from "@logtape/logtape";
import type { Clock, Timer } from "../clock.ts";
import { DetailPool } from "../ganglia/xml/details.ts";
import type { Encoding, Rejection } from "../otlp/answer.ts";
import { type Identity, identityOf } from "../otlp/identity.ts";
import { decodeJson } from "../otlp/json.ts";
import type { MetricsRequest, ResourceMetrics } from "../otlp/model.ts";
import { decodeProtobuf } from "../otlp/protobuf.ts";
import { oneLine } from "../text.ts";
import {
  onAnswer,
  onAttach,
  onDetach,
  pollLimits,
  type StateLimits,
} from "../tree/state.ts";
import type { Tree } from "../tree/tree.ts";
import type { Handler } from "../net/route.ts";
import { BodyError, BodyReader } from "./otlp_body.ts";
import {
  encodingOf,
  failureOf,
  refusal,
  rejectionOf,
  success,
  unknownType,
} from "./otlp_http.ts";
import { defaultOtlpLimits, type OtlpLimits } from "./otlp_limits.ts";
import {
  type Arrival,
  OtlpNode,
  type OtlpShared,
  reject,
  type Rejected,
} from "./otlp_node.ts";
import type { Source, SourceStatus } from "./source.ts";

const logger = getLogger(["gatherer", "nodes"]);

/** The cluster of the nodes that send OTLP. */
export const OTLP_CLUSTER = "otlp";

/** How a {@linkcode OtlpSource} is set up. */
export interface OtlpSourceOptions {
  readonly tree: Tree;
  readonly clock: Clock;
  /** Milliseconds from one observation of a node to the next. */
  readonly intervalMs: number;
  /** Milliseconds that a node may be behind, besides an interval, before it is late. */
  readonly timeoutMs?: number;
  readonly limits?: Partial<OtlpLimits>;
  /** Told when a round is over. */
  readonly onRound?: () => void;
}

/** How soon after a node's first figures a round is closed for them. */
const EARLY_MS = 1000;
/** Figures after which others have their turn. */
const BATCH = 5000;
/** Things about which there was a complaint; then they are forgotten and may be said again. */
const MOST_TOLD = 1000;

interface Member {
  readonly identity: Pick<Identity, "key" | "nickname">;
  readonly node: OtlpNode;
  isAttached: boolean;
  /** When it was heard of last, on the monotonic clock. */
  heardAt: number;
}

/**
 * Takes OTLP metrics over HTTP: whoever sends them is a node. Who may send is decided by whoever
 * hands on requests; who a sender is, it says itself. A node that sends is attached; one that no
 * longer does becomes late and silent as all nodes do, is gone after some time, and forgotten a day
 * later. What nodes have sent is put into the tree once an interval; the first figures of a node do
 * not wait for that.
 */
export class OtlpSource implements Source {
  readonly #options: OtlpSourceOptions;
  readonly #limits: OtlpLimits;
  readonly #bodies: BodyReader;
  readonly #shared: OtlpShared;
  readonly #members = new Map<string, Member>();
  /** Complaints that were made. */
  readonly #told = new Set<string>();
  /** Requests and rounds are dealt with one after another. */
  #turn: Promise<unknown> = Promise.resolve();
  #timer: Timer | undefined;
  #early: Timer | undefined;
  #committedAt = -Infinity;
  #stopped = false;
  #status: SourceStatus = {
    name: OTLP_CLUSTER,
    kind: "otlp",
    host: "",
    polls: 0,
    failures: 0,
    lastSuccess: null,
    lastError: null,
    // One who sends what cannot be taken does not make all of this ill.
    failing: false,
    usedMs: 0,
  };

  constructor(options: OtlpSourceOptions) {
    this.#options = options;
    this.#limits = { ...defaultOtlpLimits, ...options.limits };
    this.#bodies = new BodyReader(this.#limits, options.clock);
    this.#shared = {
      limits: this.#limits,
      details: new DetailPool(),
      intervalSeconds: Math.ceil(options.intervalMs / 1000),
      figures: 0,
    };
  }

  /** Answers `POST /v1/metrics`. */
  readonly handler: Handler = (request, from) => this.#answer(request, from);

  /** All that exporters ask for: what is sent besides metrics is thrown away. */
  readonly routes: ReadonlyMap<string, Handler> = new Map([
    ["POST /v1/metrics", this.handler],
    ["POST /v1/traces", (request, from) => this.#discard(request, from)],
    ["POST /v1/logs", (request, from) => this.#discard(request, from)],
  ]);

  /** How it goes: `polls` are requests, `failures` those that could not be taken. */
  get status(): SourceStatus {
    return this.#status;
  }

  start(): void {
    // Nodes that are known from before are gone, and forgotten, in their time.
    const { clock, tree } = this.#options;
    for (const host of tree.cluster(OTLP_CLUSTER).hosts.values()) {
      const { key, nickname, observation, life } = host;
      const heardAt = life.answeredAt ?? clock.monotonic();
      this.#members.set(key, {
        identity: { key, nickname },
        node: new OtlpNode(this.#shared, observation),
        isAttached: life.attachedAt !== undefined,
        heardAt: Number.isFinite(heardAt) ? heardAt : clock.monotonic(),
      });
    }
    this.#schedule();
  }

  /** Ends; what has come and is not in the tree yet is put there. */
  async stop(): Promise<void> {
    this.#timer?.cancel();
    this.#early?.cancel();
    this.#stopped = true;
    await this.#inTurn(() => this.#round());
  }

  retract(): void {
    const { tree } = this.#options;
    for (const { node } of this.#members.values()) node.clear();
    this.#members.clear();
    tree.remove(OTLP_CLUSTER);
    tree.commit(OTLP_CLUSTER);
  }

  get #stateLimits(): StateLimits {
    const { intervalMs, timeoutMs = 20_000 } = this.#options;
    return pollLimits(intervalMs, timeoutMs);
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => {});
    return turn;
  }

  async #answer(request: Request, from: string): Promise<Response> {
    const { clock } = this.#options;
    const began = clock.monotonic();
    const encoding = encodingOf(request);
    this.#set({ polls: this.#status.polls + 1 });
    try {
      if (encoding === undefined) throw unknownType(request);
      if (this.#stopped) throw new BodyError(503, "the gatherer is stopping");
      const rejection = await this.#bodies.read(
        request,
        (body) =>
          this.#inTurn(async () =>
            this.#take(await decoded(body, encoding, this.#limits), from)
          ),
      );
      this.#set({ lastSuccess: clock.now() });
      return success(encoding, rejection);
    } catch (error) {
      const failed = failureOf(error);
      this.#set({
        failures: this.#status.failures + 1,
        lastError: { at: clock.now(), reason: `${from}: ${failed.message}` },
      });
      this.#tell(
        `${from} ${failed.status}`,
        "metrics from {address} are refused: {reason}",
        { address: from, reason: failed.message },
      );
      return refusal(failed, encoding ?? "json");
    } finally {
      const { usedMs } = this.#status;
      this.#set({ usedMs: usedMs + clock.monotonic() - began });
    }
  }

  /** Traces and logs: an exporter that is told that there is no place for them would complain. */
  async #discard(request: Request, from: string): Promise<Response> {
    const { pathname } = new URL(request.url);
    const encoding = encodingOf(request) ?? "json";
    await request.body?.cancel();
    if (!this.#told.has(`discard ${from}`)) {
      this.#remember(`discard ${from}`);
      logger.info(
        "{address} sends to {path}: traces and logs are thrown away here; OTEL_TRACES_EXPORTER=none and OTEL_LOGS_EXPORTER=none, in Deno OTEL_DENO_TRACING=false and OTEL_DENO_CONSOLE=ignore, keep a program from sending them",
        { address: from, path: pathname },
      );
    }
    return success(encoding);
  }

  async #take(
    { resources }: MetricsRequest,
    from: string,
  ): Promise<Rejection | undefined> {
    const { clock } = this.#options;
    const arrival = { now: clock.now(), monotonic: clock.monotonic() };
    const rejected: Rejected = new Map();
    for (const resource of resources) {
      const of = await this.#takeOf(resource, arrival, from);
      for (const [reason, count] of of) reject(rejected, reason, count);
    }
    return rejectionOf(rejected);
  }

  /** Takes what is of one node. */
  async #takeOf(
    resource: ResourceMetrics,
    arrival: Arrival,
    from: string,
  ): Promise<Rejected> {
    const { tree } = this.#options;
    const { scopes, attributes } = resource;
    const identity = identityOf(attributes);
    if (typeof identity === "string") {
      return new Map([[identity, countPoints(resource)]]);
    }
    const { key, nickname, process } = identity;
    const host = tree.host(OTLP_CLUSTER, key);
    if (host?.life.retireReason !== undefined) {
      this.#leave(key);
      this.#tell(
        `retired ${key}`,
        "{nickname} ({tubid}) sends metrics from {address}, but is retired: they are thrown away; to bring it back: gatherer retire {tubid} --undo",
        { ...namesOf(identity), address: from },
      );
      return new Map();
    }
    const member = this.#members.get(key) ?? this.#join(identity);
    if (!member) {
      const reason =
        `there are ${this.#limits.nodes} nodes already, as many as may be`;
      this.#tell("nodes", "metrics from {address} are refused: {reason}", {
        address: from,
        reason,
      });
      return new Map([[reason, countPoints(resource)]]);
    }
    const rejected = await inSteps(
      member.node.take(scopes, process, arrival),
    );
    if (member.node.takenAt === arrival) {
      member.heardAt = arrival.monotonic;
      this.#heard(member, nickname, from);
    }
    for (const [reason, count] of rejected) {
      this.#tell(
        `${key} ${reason}`,
        "{nickname} ({tubid}), from {address}: {count} data points are not taken: {reason}",
        { ...namesOf(identity), address: from, count, reason },
      );
    }
    return rejected;
  }

  /** A new node; `undefined`: there is no room for it. */
  #join(identity: Identity): Member | undefined {
    const { tree } = this.#options;
    if (this.#members.size >= this.#limits.nodes) {
      const gone = [...this.#members.values()].filter((one) => !one.isAttached);
      if (gone.length === 0) return undefined;
      const oldest = gone.reduce((a, b) => a.heardAt <= b.heardAt ? a : b);
      this.#forget(new Set([oldest.identity.key]));
    }
    const { key } = identity;
    const before = tree.host(OTLP_CLUSTER, key)?.observation;
    const member: Member = {
      identity,
      node: new OtlpNode(this.#shared, before),
      isAttached: false,
      heardAt: -Infinity,
    };
    this.#members.set(key, member);
    return member;
  }

  #leave(key: string): void {
    this.#members.get(key)?.node.clear();
    this.#members.delete(key);
  }

  #heard(member: Member, nickname: string, from: string): void {
    const { clock, tree } = this.#options;
    const { key } = member.identity;
    const now = clock.monotonic();
    if (!member.isAttached) {
      member.isAttached = true;
      tree.update(OTLP_CLUSTER, key, { nickname, life: onAttach(now) });
      logger.info("{nickname} ({tubid}) sends metrics from {address}", {
        ...namesOf(member.identity),
        address: from,
      });
      this.#roundSoon();
    }
    const { life } = tree.host(OTLP_CLUSTER, key)!;
    tree.update(OTLP_CLUSTER, key, {
      nickname,
      life: onAnswer(life, this.#stateLimits, now),
    });
  }

  #schedule(): void {
    const { clock, intervalMs } = this.#options;
    this.#timer = clock.setTimer(() => {
      if (this.#stopped) return;
      this.#schedule();
      void this.#inTurn(() => this.#round());
    }, intervalMs);
  }

  #roundSoon(): void {
    if (this.#early || this.#stopped) return;
    const { clock, intervalMs } = this.#options;
    const earliest = this.#committedAt + intervalMs / 6;
    const wait = Math.max(
      Math.min(EARLY_MS, intervalMs / 6),
      earliest - clock.monotonic(),
    );
    this.#early = clock.setTimer(() => {
      void this.#inTurn(() => this.#round());
    }, wait);
  }

  /** Puts into the tree what has come. */
  async #round(): Promise<void> {
    const { clock, tree, onRound } = this.#options;
    this.#early?.cancel();
    this.#early = undefined;
    let changed = this.#detachSilent();
    let figures = 0;
    for (const { identity: { key }, node } of this.#members.values()) {
      const host = tree.host(OTLP_CLUSTER, key);
      if (!host || host.life.retireReason !== undefined) continue;
      const observed = node.observe(clock.monotonic());
      if (!observed) continue;
      changed = true;
      const sequence = (host.observation?.sequence ?? 0) + 1;
      tree.update(OTLP_CLUSTER, key, {
        observation: { ...observed, sequence },
      });
      figures += observed.metrics.length;
      if (figures >= BATCH) {
        figures = 0;
        await setImmediate();
      }
    }
    this.#committedAt = clock.monotonic();
    if (changed) tree.commit(OTLP_CLUSTER);
    onRound?.();
  }

  /** @returns Whether a node has been forgotten. */
  #detachSilent(): boolean {
    const { clock, tree } = this.#options;
    const { goneMs, forgetMs } = this.#limits;
    const now = clock.monotonic();
    const forgotten = new Set<string>();
    for (const member of this.#members.values()) {
      const { key } = member.identity;
      const silence = now - member.heardAt;
      if (member.isAttached && silence >= goneMs) {
        member.isAttached = false;
        const reason = `has sent nothing for ${Math.round(silence / 1000)} s`;
        tree.update(OTLP_CLUSTER, key, { life: onDetach(reason, now) });
        logger.info("{nickname} ({tubid}) is gone: it {reason}", {
          ...namesOf(member.identity),
          reason,
        });
      }
      if (!member.isAttached && silence >= forgetMs) forgotten.add(key);
    }
    if (forgotten.size > 0) this.#forget(forgotten);
    return forgotten.size > 0;
  }

  #forget(keys: ReadonlySet<string>): void {
    const { tree } = this.#options;
    for (const key of keys) this.#leave(key);
    const cluster = tree.cluster(OTLP_CLUSTER);
    const hosts = new Map(
      [...cluster.hosts].filter(([key]) => !keys.has(key)),
    );
    tree.replace({ ...cluster, hosts });
  }

  /** Says something in the log, once. */
  #tell(id: string, text: string, values: Record<string, unknown>): void {
    if (this.#told.has(id)) return;
    this.#remember(id);
    logger.warn(text, values);
  }

  #remember(id: string): void {
    if (this.#told.size >= MOST_TOLD) this.#told.clear();
    this.#told.add(id);
  }

  #set(change: Partial<SourceStatus>): void {
    this.#status = { ...this.#status, ...change };
  }
}

function decoded(
  body: Uint8Array,
  encoding: Encoding,
  limits: OtlpLimits,
): Promise<MetricsRequest> {
  return inSteps(
    encoding === "json"
      ? decodeJson(body, limits.decode)
      : decodeProtobuf(body, limits.decode),
  );
}

/** Carries out steps; others have their turn in between. */
async function inSteps<T>(steps: Generator<void, T>): Promise<T> {
  for (let step = steps.next();; step = steps.next()) {
    if (step.done) return step.value;
    await setImmediate();
  }
}

function countPoints({ scopes }: ResourceMetrics): number {
  let count = 0;
  for (const { metrics } of scopes) {
    for (const { points } of metrics) count += points.length;
  }
  return count;
}

function namesOf(
  { nickname, key }: Pick<Identity, "key" | "nickname">,
): Record<string, string> {
  return { nickname: oneLine(nickname, 100), tubid: oneLine(key, 200) };
}
