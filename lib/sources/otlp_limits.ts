import { SILENT_SECONDS } from "../tree/state.ts";
import { type DecodeLimits, defaultDecodeLimits } from "../otlp/limits.ts";

/** What those who send OTLP may ask for, and for how long it is kept. */
export interface OtlpLimits {
  /** Bytes of a request's body, as it comes and after decompression, each. */
  readonly bodyBytes: number;
  /** Bytes of all bodies that are being received or dealt with. */
  readonly underWayBytes: number;
  /** Milliseconds that a body may take. */
  readonly bodyMs: number;
  readonly decode: DecodeLimits;
  /** Nodes, also such as are gone and not yet forgotten. */
  readonly nodes: number;
  /** Figures of one node. */
  readonly nodeFigures: number;
  /** Figures of all nodes. */
  readonly figures: number;
  /** Milliseconds after which a series that is no longer sent is forgotten. */
  readonly seriesMs: number;
  /** Milliseconds of silence after which a node is gone. */
  readonly goneMs: number;
  /** Milliseconds after which a node that is gone is forgotten. */
  readonly forgetMs: number;
}

/** The limits in force unless a caller sets others. */
export const defaultOtlpLimits: OtlpLimits = {
  bodyBytes: 8 * 1024 * 1024,
  underWayBytes: 64 * 1024 * 1024,
  bodyMs: 30_000,
  decode: defaultDecodeLimits,
  nodes: 10_000,
  nodeFigures: 10_000,
  figures: 1_000_000,
  seriesMs: SILENT_SECONDS * 1000,
  goneMs: 3 * SILENT_SECONDS * 1000,
  forgetMs: 24 * 3600_000,
};
