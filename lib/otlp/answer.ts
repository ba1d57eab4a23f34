/**
 * What an exporter is answered, in the encoding of its request. Sources: OTLP specification 1,
 * "OTLP/HTTP Response"; `metrics_service.proto`; `google/rpc/status.proto` and `code.proto`.
 *
 * @module
 */

/** An encoding of requests and answers. */
export type Encoding = "json" | "protobuf";

/** The media type of an encoding. */
export const MEDIA_TYPES: Readonly<Record<Encoding, string>> = {
  json: "application/json",
  protobuf: "application/x-protobuf",
};

/** What of a request was not taken. */
export interface Rejection {
  /** Data points. */
  readonly count: number;
  /** Why, for people. */
  readonly reason: string;
}

/** Codes of `google.rpc.Code`. */
export const Code = {
  invalidArgument: 3,
  deadlineExceeded: 4,
  resourceExhausted: 8,
  unimplemented: 12,
  unavailable: 14,
} as const;

const utf8 = new TextEncoder();

/** The body of an answer to a request that was taken, but for some data points perhaps. */
export function encodeSuccess(
  encoding: Encoding,
  rejection?: Rejection,
): Uint8Array<ArrayBuffer> {
  if (encoding === "json") {
    return utf8.encode(JSON.stringify(
      rejection === undefined ? {} : {
        partialSuccess: {
          rejectedDataPoints: `${rejection.count}`,
          errorMessage: rejection.reason,
        },
      },
    ));
  }
  if (rejection === undefined) return new Uint8Array();
  return Uint8Array.from(field(1, [
    ...integerField(1, rejection.count),
    ...field(2, utf8.encode(rejection.reason)),
  ]));
}

/** The body of an answer that says why a request failed. */
export function encodeStatus(
  encoding: Encoding,
  code: number,
  message: string,
): Uint8Array<ArrayBuffer> {
  return encoding === "json"
    ? utf8.encode(JSON.stringify({ code, message }))
    : Uint8Array.from([
      ...integerField(1, code),
      ...field(2, utf8.encode(message)),
    ]);
}

function integerField(number: number, value: number): number[] {
  return [number << 3, ...varint(value)];
}

function field(number: number, content: Iterable<number>): number[] {
  const bytes = [...content];
  return [(number << 3) | 2, ...varint(bytes.length), ...bytes];
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let left = value;
  while (left >= 0x80) {
    bytes.push((left % 0x80) | 0x80);
    left = Math.floor(left / 0x80);
  }
  return [...bytes, left];
}
