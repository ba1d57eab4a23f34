/** What a request may ask for before it, or a part of it, is refused. */
export interface DecodeLimits {
  /** Objects, lists and commas of a JSON document: they decide what it takes in memory. */
  readonly jsonParts: number;
  /** Data points of one request. */
  readonly points: number;
  /** Resources, scopes and metrics of one request, each. */
  readonly groups: number;
  /** Attributes of a resource or data point. */
  readonly attributes: number;
  /** Buckets, or quantiles, of one data point. */
  readonly buckets: number;
  /** Lists and objects within one another in an attribute's value. */
  readonly depth: number;
}

/** Far above what SDKs send. */
export const defaultDecodeLimits: DecodeLimits = {
  jsonParts: 1_000_000,
  points: 50_000,
  groups: 20_000,
  attributes: 128,
  buckets: 1000,
  depth: 8,
};

/** UTF-8 bytes of a figure's name; the wire of nodes that attach keeps as many. */
export const MAX_NAME_BYTES = 1000;
