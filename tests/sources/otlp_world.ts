import { OtlpSource, type OtlpSourceOptions } from "../../lib/sources/otlp.ts";
import { statusOf } from "../../lib/tree/state.ts";
import { pollLimits } from "../../lib/tree/state.ts";
import { Tree } from "../../lib/tree/tree.ts";
import type { Value } from "../../lib/value.ts";
import { FakeClock, settle } from "../fake_clock.ts";
import { json } from "../otlp/capture.ts";

/** Nanoseconds of a second, for times in requests. */
export const SECOND = 1_000_000_000n;
/** When the clock of a {@linkcode World} starts, in nanoseconds since the epoch. */
export const BEGAN = 1_700_000_000n * SECOND;

/** A source on a clock that stands still, with what it has put into its tree. */
export class World implements AsyncDisposable {
  readonly clock = new FakeClock();
  readonly tree: Tree;
  readonly source: OtlpSource;
  commits = 0;

  constructor(options: Partial<OtlpSourceOptions> = {}) {
    this.tree = options.tree ?? new Tree();
    this.tree.onCommit(() => this.commits++);
    this.source = new OtlpSource({
      clock: this.clock,
      intervalMs: 60_000,
      ...options,
      tree: this.tree,
    });
    this.source.start();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.source.stop();
  }

  /** Sends a request; gives the status and the answer. */
  async send(
    body: unknown,
    headers: Record<string, string> = { "content-type": "application/json" },
    path = "/v1/metrics",
  ): Promise<{ status: number; answer: string; response: Response }> {
    const request = new Request(`http://127.0.0.1${path}`, {
      method: "POST",
      headers,
      body: body instanceof Uint8Array ? body as BodyInit : json(body),
    });
    const response = await this.source.routes.get(`POST ${path}`)!(
      request,
      "192.0.2.7",
    );
    const { status } = response;
    return { status, answer: await response.clone().text(), response };
  }

  /** What came of a request that was taken, as JSON. */
  async post(body: unknown): Promise<unknown> {
    const { answer } = await this.send(body);
    return JSON.parse(answer);
  }

  /** Waits for a round, whatever is due before. */
  async round(): Promise<void> {
    const before = this.commits;
    await this.clock.advance(60_000);
    // Rounds let others have their turn, by real time.
    for (let i = 0; i < 100 && this.commits === before; i++) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      await settle();
    }
  }

  host(key = "otlp/mailer") {
    return this.tree.host("otlp", key);
  }

  observation(key?: string) {
    return this.host(key)!.observation!;
  }

  /** What a node reports, counters with a `+`. */
  figures(key?: string): Record<string, Value> {
    return Object.fromEntries(
      this.observation(key).metrics.map(({ name, value, slope }) => [
        slope === "positive" ? `+${name}` : name,
        value,
      ]),
    );
  }

  state(key?: string): string {
    const limits = pollLimits(60_000, 20_000);
    return statusOf(this.host(key)!.life, limits, this.clock.monotonic()).state;
  }

  /** The clock's time in nanoseconds since the epoch. */
  get time(): bigint {
    return BigInt(this.clock.now()) * 1_000_000n;
  }
}

/** A data point. */
export function point(
  value: number | string,
  times: { start?: bigint; time?: bigint } = {},
  attributes: Record<string, string> = {},
): unknown {
  return {
    ...(typeof value === "string" ? { asInt: value } : { asDouble: value }),
    ...timesOf(times),
    attributes: Object.entries(attributes).map(([key, value]) => ({
      key,
      value: { stringValue: value },
    })),
  };
}

/** The times of a data point, as OTLP's JSON has them. */
export function timesOf(
  { start = 0n, time = 0n }: { start?: bigint; time?: bigint },
): Record<string, string> {
  return { startTimeUnixNano: `${start}`, timeUnixNano: `${time}` };
}

/** A sum that only grows. */
export function counter(
  name: string,
  dataPoints: unknown[],
  aggregationTemporality = 2,
): unknown {
  return {
    name,
    sum: { isMonotonic: true, aggregationTemporality, dataPoints },
  };
}

export function gauge(name: string, dataPoints: unknown[]): unknown {
  return { name, gauge: { dataPoints } };
}
