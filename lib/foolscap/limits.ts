/**
 * Every limit of the wire in one place. The reference implementation has few of them
 * (it takes strings, dicts and messages of any size); these bound what one peer can cost.
 */
export interface Limits {
  /** Bytes of a plaintext or negotiation block; Foolscap's own figure. */
  readonly blockBytes: number;
  /** Milliseconds from TCP accept or connect to the end of negotiation; Foolscap's own figure. */
  readonly negotiationMs: number;
  /** Milliseconds that a TCP connect may take. */
  readonly connectMs: number;
  /** Bytes of handshake messages in the TLS handshake, each direction. */
  readonly handshakeBytes: number;
  /** Bytes of a token's header; Foolscap's own figure. */
  readonly headerBytes: number;
  /** Bytes of an ERROR token; Foolscap's own figure. */
  readonly errorBytes: number;
  /** Bytes of a LONGINT or LONGNEG body; Foolscap's own figure with a schema. */
  readonly integerBytes: number;
  /** Bytes of one STRING. */
  readonly stringBytes: number;
  /** OPENs within OPENs. */
  readonly depth: number;
  /** Tokens of one message. */
  readonly messageTokens: number;
  /** Bytes of one message from a peer of which no answer is awaited: a call. */
  readonly callBytes: number;
  /** Bytes of one message while an answer is awaited: 10,000 stats with names of 1,000 bytes fit. */
  readonly answerBytes: number;
  /** Bytes of a peer's own text (a nickname, an error) that are kept. */
  readonly textBytes: number;
  /** Calls of one peer that are being worked on. */
  readonly callsInProgress: number;
  /** References that one peer may make us hold, and we may hold of one peer. */
  readonly references: number;
  /** Calls of `provide` over one connection; a real node makes one. */
  readonly provides: number;
  /** Bytes waiting to be sent to a peer that does not read. */
  readonly pendingBytes: number;
  /** Connections on a listener, finished or not. */
  readonly connections: number;
  /** Connections on a listener that are still negotiating. */
  readonly negotiating: number;
  /**
   * Milliseconds that a connection on a listener has for asking for a Tub, and for all of the
   * negotiation, before it must make room for newcomers when so many are negotiating.
   */
  readonly requestMs: number;
  readonly stuckMs: number;
  /** Milliseconds of silence after which a PING is sent; Foolscap's own figure. */
  readonly keepaliveMs: number;
  /** Milliseconds of silence after which a connection is given up. */
  readonly silenceMs: number;
}

/** The limits in force unless a caller sets others. */
export const defaultLimits: Limits = {
  blockBytes: 4096,
  negotiationMs: 120_000,
  connectMs: 60_000,
  handshakeBytes: 64 * 1024,
  headerBytes: 64,
  errorBytes: 1000,
  integerBytes: 1024,
  stringBytes: 64 * 1024,
  depth: 32,
  messageTokens: 200_000,
  callBytes: 256 * 1024,
  answerBytes: 16 * 1024 * 1024,
  textBytes: 1000,
  callsInProgress: 100,
  references: 1000,
  provides: 20,
  pendingBytes: 32 * 1024 * 1024,
  connections: 20_000,
  negotiating: 4_000,
  requestMs: 5_000,
  stuckMs: 30_000,
  keepaliveMs: 240_000,
  silenceMs: 720_000,
};
