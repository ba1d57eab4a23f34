/**
 * Every limit of gmetad's ports in one place. The C gmetad has only the length of a query; there,
 * four clients that say nothing keep everybody else out.
 */
export interface PortLimits {
  /** Bytes of a query with its line end. */
  readonly queryBytes: number;
  /** Milliseconds from the connection to the end of the query; a front end sends it at once. */
  readonly queryMs: number;
  /** Milliseconds in which a client takes not a single byte of what is being sent. */
  readonly writeMs: number;
  /**
   * Milliseconds that an answer may take. As long as one is under way, the figures that it is
   * made of are kept, though newer ones have come: one slow reader holds those of a few polls.
   */
  readonly answerMs: number;
  /** Bytes, and a host more, that are collected before they are sent; what a reader holds here. */
  readonly chunkBytes: number;
  /** Milliseconds and bytes that are waited for after an answer until the client has read it. */
  readonly farewellMs: number;
  readonly farewellBytes: number;
  /** Connections at once to each port. */
  readonly connections: number;
  /** Connections at once from one address, so that a single caller cannot take all. */
  readonly connectionsPerAddress: number;
  /** Milliseconds in which the same is logged of the same address only once. */
  readonly logMs: number;
  /** How many such things are remembered; the rest are taken together. */
  readonly loggedAtOnce: number;
}

/** The limits in force unless a caller sets others. */
export const defaultPortLimits: PortLimits = {
  queryBytes: 2048,
  queryMs: 5_000,
  writeMs: 10_000,
  answerMs: 60_000,
  chunkBytes: 96 * 1024,
  farewellMs: 2_000,
  farewellBytes: 64 * 1024,
  connections: 256,
  connectionsPerAddress: 128,
  logMs: 60_000,
  loggedAtOnce: 256,
};
