/** What a client is answered. */
export interface Answer {
  readonly status: number;
  /** Header fields, Content-Type among them. */
  readonly headers: Readonly<Record<string, string>>;
  /**
   * The body: whole, or in pieces that are made as they are sent; between two of them, an empty one
   * as well, others may have their turn.
   */
  readonly body: WholeAnswer["body"] | Pieces;
}

/** Texts that are made as they are asked for. */
type Pieces = Generator<string>;

/** An {@linkcode Answer} that is there. */
export interface WholeAnswer extends Answer {
  readonly body: string | Uint8Array;
}

/** A short text, with a line end. */
export function textAnswer(
  status: number,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): WholeAnswer {
  return {
    status,
    headers: { "content-type": "text/plain; charset=utf-8", ...headers },
    body: `${text}\n`,
  };
}
