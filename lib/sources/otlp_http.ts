/**
 * What of OTLP/HTTP is about requests and answers: encodings, statuses, and what an exporter is told.
 *
 * @module
 */
import {
  Code,
  encodeStatus,
  encodeSuccess,
  type Encoding,
  MEDIA_TYPES,
  type Rejection,
} from "../otlp/answer.ts";
import { OtlpError } from "../otlp/error.ts";
import { oneLine } from "../text.ts";
import { BodyError } from "./otlp_body.ts";
import type { Rejected } from "./otlp_node.ts";

/** Reasons that an exporter is told. */
const MOST_REASONS = 3;
/** Seconds after which an exporter that was sent away may come again. */
const RETRY_SECONDS = 5;

/** The encoding of a request, by its media type. */
export function encodingOf(request: Request): Encoding | undefined {
  const [type] = (request.headers.get("content-type") ?? "").split(";");
  const given = type.trim().toLowerCase();
  return (Object.keys(MEDIA_TYPES) as Encoding[]).find((encoding) =>
    MEDIA_TYPES[encoding] === given
  );
}

/** That a request has a media type that cannot be read. */
export function unknownType(request: Request): BodyError {
  const given = oneLine(request.headers.get("content-type") ?? "none", 60);
  return new BodyError(
    415,
    `the content type ${
      JSON.stringify(given)
    } is not known here; send application/x-protobuf or application/json (OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf or http/json)`,
  );
}

/** What went wrong, with its status; what is nobody's fault but ours is thrown on. */
export function failureOf(error: unknown): BodyError {
  if (error instanceof BodyError) return error;
  if (error instanceof OtlpError) {
    return new BodyError(error.isTooLarge ? 413 : 400, error.message);
  }
  throw error;
}

const CODES: Readonly<Record<BodyError["status"], number>> = {
  400: Code.invalidArgument,
  408: Code.deadlineExceeded,
  413: Code.resourceExhausted,
  415: Code.unimplemented,
  503: Code.unavailable,
};

/** The answer that says why a request failed. */
export function refusal(
  { status, message }: BodyError,
  encoding: Encoding,
): Response {
  const response = respond(
    encoding,
    status,
    encodeStatus(encoding, CODES[status], message),
  );
  if (status === 503) response.headers.set("retry-after", `${RETRY_SECONDS}`);
  return response;
}

/** The answer to a request that was taken, but for some data points perhaps. */
export function success(encoding: Encoding, rejection?: Rejection): Response {
  return respond(encoding, 200, encodeSuccess(encoding, rejection));
}

function respond(
  encoding: Encoding,
  status: number,
  body: Uint8Array<ArrayBuffer>,
): Response {
  const headers = { "content-type": MEDIA_TYPES[encoding] };
  return new Response(body, { status, headers });
}

/** What an exporter is told of what was not taken; `undefined`: all was. */
export function rejectionOf(rejected: Rejected): Rejection | undefined {
  if (rejected.size === 0) return undefined;
  const reasons = [...rejected].map(([reason, count]) => `${count}: ${reason}`);
  const more = reasons.length > MOST_REASONS ? "; and others" : "";
  return {
    count: rejected.values().reduce((sum, count) => sum + count, 0),
    reason: `data points that were not taken: ${
      reasons.slice(0, MOST_REASONS).join("; ")
    }${more}`,
  };
}
