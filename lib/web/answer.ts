/** What a client is answered. */
export interface Answer {
  readonly status: number;
  /** Header fields, Content-Type among them. */
  readonly headers: Readonly<Record<string, string>>;
  /**
   * The body: whole, or in pieces that are made as they are sent; between two of them, an empty one
   * as well, others may have their turn.
   */
  readonly body: string | Uint8Array | Iterable<string>;
}

/** A short text, with a line end. */
export function textAnswer(
  status: number,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): Answer {
  return {
    status,
    headers: { "content-type": "text/plain; charset=utf-8", ...headers },
    body: `${text}\n`,
  };
}
