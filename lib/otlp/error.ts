/** What was sent is no OTLP request that can be taken. The message says why, on one line. */
export class OtlpError extends Error {
  override name = "OtlpError";

  /** @param isTooLarge Whether nothing is wrong with it but its size. */
  constructor(message: string, readonly isTooLarge = false) {
    super(message);
  }
}
