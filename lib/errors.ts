/**
 * A mistake or misfortune that is explained to the person at the terminal: the message is one
 * line that says what was found, where, and how to mend it. The CLI prints it without a stack.
 */
export class UserError extends Error {
  override name = "UserError";

  /**
   * @param message One line for a person.
   * @param exitCode 1 for a failure (default), 2 for wrong usage.
   */
  constructor(
    message: string,
    readonly exitCode: 1 | 2 = 1,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** The message of anything that was thrown, for a log line. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * The exit code of a mistake in something that was given.
 * @param where An option, which begins with `--`: wrong usage. Or a file and line.
 */
export function usageCode(where: string): 1 | 2 {
  return where.startsWith("--") ? 2 : 1;
}
