import { decodeJson } from "../../lib/otlp/json.ts";
import { defaultDecodeLimits } from "../../lib/otlp/limits.ts";
import type { MetricsRequest } from "../../lib/otlp/model.ts";
import { decodeProtobuf } from "../../lib/otlp/protobuf.ts";
import { finish } from "../../lib/otlp/tally.ts";

const directory = new URL("../testdata/otlp/", import.meta.url);

/** The bytes of a request that was really sent; see the README beside them. */
export function capture(name: string): Uint8Array<ArrayBuffer> {
  return Deno.readFileSync(new URL(name, directory));
}

/** The same without gzip. */
export async function inflated(name: string): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([capture(name)]).stream();
  return new Uint8Array(
    await new Response(stream.pipeThrough(new DecompressionStream("gzip")))
      .arrayBuffer(),
  );
}

export function readJson(
  bytes: Uint8Array,
  limits: Partial<typeof defaultDecodeLimits> = {},
): MetricsRequest {
  return finish(decodeJson(bytes, { ...defaultDecodeLimits, ...limits }));
}

export function readProtobuf(
  bytes: Uint8Array,
  limits: Partial<typeof defaultDecodeLimits> = {},
): MetricsRequest {
  return finish(decodeProtobuf(bytes, { ...defaultDecodeLimits, ...limits }));
}

const utf8 = new TextEncoder();

/** The bytes of a JSON value. */
export function json(value: unknown): Uint8Array<ArrayBuffer> {
  return utf8.encode(JSON.stringify(value));
}

/** A request of one metric of one scope of one resource. */
export function requestOf(
  metric: unknown,
  attributes: Record<string, string> = { "service.name": "mailer" },
  scope = "test",
): unknown {
  return {
    resourceMetrics: [{
      resource: { attributes: attributesOf(attributes) },
      scopeMetrics: [{
        scope: { name: scope },
        metrics: Array.isArray(metric) ? metric : [metric],
      }],
    }],
  };
}

/** Attributes as OTLP's JSON has them. */
export function attributesOf(attributes: Record<string, string>): unknown[] {
  return Object.entries(attributes).map(([key, value]) => ({
    key,
    value: { stringValue: value },
  }));
}
