/** Every limit of the HTTP server in one place. */
export interface WebLimits {
  /** Bytes of a request's line and header. */
  readonly headerBytes: number;
  /** Milliseconds in which they are to be there, from the connection or the last answer's end. */
  readonly headerMs: number;
  /** Bytes of a request's body; those of all requests together. */
  readonly bodyBytes: number;
  readonly allBodiesBytes: number;
  /** Milliseconds in which the whole request is to be there. */
  readonly requestMs: number;
  /** Milliseconds that a connection is kept for another request; Prometheus asks once a minute. */
  readonly idleMs: number;
  /** Milliseconds in which a client takes nothing of some {@linkcode WebLimits.chunkBytes}. */
  readonly writeMs: number;
  /**
   * Milliseconds that an answer may take. As long as one is under way, the figures that it is made
   * of are kept, though newer ones have come.
   */
  readonly answerMs: number;
  /** Characters that are collected before they are sent; what a slow reader holds here. */
  readonly chunkBytes: number;
  /** Answers of all figures that are made at once. */
  readonly answersAtOnce: number;
  /** Connections at once. */
  readonly connections: number;
  /** Connections at once from one address, so that a single caller cannot take all. */
  readonly connectionsPerAddress: number;
  /** Requests of a connection that are not answered yet. */
  readonly requestsAhead: number;
  /** Milliseconds that a client whose request could not be read has to take the answer to that. */
  readonly lingerMs: number;
  /** Milliseconds that answers under way are given when the server is stopped. */
  readonly stopMs: number;
  /** Whether answers to this machine itself are compressed: time spent for nothing. */
  readonly compressesLocally: boolean;
  /** Milliseconds in which the same is logged of the same address only once. */
  readonly logMs: number;
  /** How many such things are remembered; the rest are taken together. */
  readonly loggedAtOnce: number;
}

/** The limits in force unless a caller sets others. */
export const defaultWebLimits: WebLimits = {
  headerBytes: 16 * 1024,
  headerMs: 10_000,
  bodyBytes: 8 * 1024 * 1024,
  allBodiesBytes: 32 * 1024 * 1024,
  requestMs: 30_000,
  idleMs: 75_000,
  writeMs: 10_000,
  answerMs: 120_000,
  chunkBytes: 64 * 1024,
  answersAtOnce: 8,
  connections: 256,
  connectionsPerAddress: 64,
  requestsAhead: 16,
  lingerMs: 1000,
  stopMs: 1000,
  compressesLocally: false,
  logMs: 60_000,
  loggedAtOnce: 256,
};
