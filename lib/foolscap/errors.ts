/** What can be wrong with a Banana stream; stable, for tests and for logs. */
export type BananaErrorCode =
  | "header-too-long"
  | "unknown-type-byte"
  | "token-too-large"
  | "message-too-large"
  | "too-many-tokens"
  | "too-deep"
  | "lost-sync"
  | "bad-token"
  | "bad-vocab"
  | "bad-text"
  | "bad-reference"
  | "duplicate-key"
  | "unhashable-key"
  | "remote-error";

/**
 * The stream is broken and cannot be read on: the connection must end.
 * Source of the rules: Foolscap's `banana.py`, where it is `BananaError`.
 */
export class BananaError extends Error {
  override name = "BananaError";

  /**
   * @param code What is wrong.
   * @param offset Where, in bytes since the first Banana byte of the connection.
   */
  constructor(
    readonly code: BananaErrorCode,
    message: string,
    readonly offset: number,
  ) {
    super(`${message} (byte ${offset})`);
  }
}

/**
 * Content that is not acceptable in a stream that is in order: the call or answer is refused,
 * the connection lives on. On the wire its type is `foolscap.tokens.Violation`.
 */
export class Violation extends Error {
  override name = "Violation";
}

/** Greeting, TLS or negotiation went wrong; the connection never came to be. */
export class NegotiationError extends Error {
  override name = "NegotiationError";
}

/** A FURL or location hint that cannot be understood. Its message never quotes the swissnum. */
export class FurlError extends Error {
  /** `"FurlError"`. */
  override name = "FurlError";
}

/** A key or certificate that cannot be used. */
export class CertificateError extends Error {
  override name = "CertificateError";
}

/** The connection ended; every call that was still open on it fails with this. */
export class ConnectionLost extends Error {
  override name = "ConnectionLost";
}

/** The peer answered a call with an error. */
export class RemoteError extends Error {
  override name = "RemoteError";

  /**
   * @param type The qualified class name at the peer, such as `builtins.KeyError`.
   * @param value What the peer's exception says.
   * @param parents The class and its bases.
   */
  constructor(
    readonly type: string,
    readonly value: string,
    readonly parents: readonly string[] = [],
  ) {
    super(`the peer answered with ${type}: ${value}`);
  }
}
