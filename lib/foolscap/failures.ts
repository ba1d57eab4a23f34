import { Violation } from "./errors.ts";
import type { FailureText } from "./slicers.ts";

/** The type of a Violation on the wire. */
export const VIOLATION = "foolscap.tokens.Violation";

/** There is nothing of that name; on the wire, Python's `KeyError`. */
export class KeyError extends Error {}

/** More was given back than there is; on the wire, Python's `AssertionError`. */
export class AssertionError extends Error {}

/** What the peer is told of an error: its kind and message, never where in our code it arose. */
export function describe(error: Error): FailureText {
  const type = error instanceof Violation
    ? VIOLATION
    : error instanceof KeyError
    ? "builtins.KeyError"
    : error instanceof AssertionError
    ? "builtins.AssertionError"
    : "builtins.Exception";
  return {
    type,
    value: error.message,
    traceback: "Traceback unavailable\n",
    parents: type === VIOLATION
      ? [VIOLATION, "builtins.Exception"]
      : [...new Set([type, "builtins.Exception"])],
  };
}
