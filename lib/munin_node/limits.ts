/**
 * Every limit of the Munin node in one place. munin-node has only the third of the times; the
 * others bound what one caller can cost.
 */
export interface Limits {
  /** Bytes of a command with its line end. A real one is a word and a name. */
  readonly lineBytes: number;
  /** Commands of one connection. A Munin master sends two for each service, and four more. */
  readonly commands: number;
  /** Milliseconds from the banner to the end of the first command; a master sends it at once. */
  readonly firstCommandMs: number;
  /**
   * Milliseconds from an answer to the end of the next command. munin-update works on its RRD
   * files between two commands, so it may be long.
   */
  readonly idleMs: number;
  /**
   * Milliseconds that a connection may last, whatever it does: munin-node's `global_timeout`,
   * which masters are made for.
   */
  readonly connectionMs: number;
  /**
   * Milliseconds in which a client takes not a single byte of what is being sent. A master gives
   * up after 120 s without a line, so it does not wait so long either.
   */
  readonly writeMs: number;
  /** Bytes of an answer that are collected before they are sent; what a slow reader holds here. */
  readonly chunkBytes: number;
  /** Connections at once. */
  readonly connections: number;
  /**
   * Connections at once from one address, so that a single caller cannot take all: twice the
   * default of munin-update's `max_processes`, each of which has one connection.
   */
  readonly connectionsPerAddress: number;
  /** Milliseconds in which the same is logged of the same address only once. */
  readonly logMs: number;
  /** How many such things are remembered; the rest are taken together. */
  readonly loggedAtOnce: number;
}

/** The limits in force unless a caller sets others. */
export const defaultLimits: Limits = {
  lineBytes: 1024,
  commands: 50_000,
  firstCommandMs: 60_000,
  idleMs: 300_000,
  connectionMs: 900_000,
  writeMs: 60_000,
  chunkBytes: 32 * 1024,
  connections: 64,
  connectionsPerAddress: 32,
  logMs: 60_000,
  loggedAtOnce: 256,
};
