/**
 * How a running gatherer is talked to: a unix socket in its base directory, `control.sock`, that is
 * its owner's alone. One JSON object on a line asks, JSON objects on lines answer; the last is
 * `{"done":true}` or `{"error":"…"}`, and the gatherer closes the connection.
 *
 *     {"command":"status"}                         {"status":{…,"nodes":[]}}, {"nodes":[…]}, …
 *     {"command":"reload"}                         {"plan":["keep    munin",…]}
 *     {"command":"retire","pattern":"web*","undo":false}   {"retired":[{…}]}, …
 *     {"command":"stop"}                           {"stopping":true}
 *     {"command":"invocation"}                     {"cwd":"/","args":[…],"supervised":false}
 *
 * @module
 */

/** The socket's name in a base directory. */
export const CONTROL_NAME = "control.sock";

/** What is asked. */
export type ControlRequest =
  | { readonly command: "status" | "reload" | "stop" | "invocation" }
  | {
    readonly command: "retire";
    /** A node's key or nickname, or a pattern of these. */
    readonly pattern: string;
    /** Whether it is brought back instead. */
    readonly undo: boolean;
  };

/** One line of an answer. */
export type ControlLine = Readonly<Record<string, unknown>>;

/** How a gatherer was started. */
export interface Invocation {
  /** The directory that relative paths begin at. */
  readonly cwd: string;
  /** The options of `serve`; `undefined`: it was not started by `serve` or `start`. */
  readonly args: readonly string[] | undefined;
  /** Whether systemd runs it, and must be the one to start it again. */
  readonly supervised: boolean;
}

/** What both sides bear with. */
export const CONTROL_LIMITS = {
  /** Bytes of a request. */
  request: 64 * 1024,
  /** Milliseconds until a request must have come. */
  requestMs: 5000,
  /** Milliseconds until a line of an answer must have been taken. */
  writeMs: 10_000,
  /** Connections at once. */
  connections: 16,
  /** Bytes of a line of an answer. */
  line: 16 * 1024 * 1024,
  /** Bytes of a whole answer. */
  answer: 512 * 1024 * 1024,
  /** Nodes on a line of an answer: writing them down must not hold up all else. */
  nodesALine: 250,
} as const;

/**
 * Reads a request.
 * @returns `undefined` when it is none.
 */
export function parseControlRequest(text: string): ControlRequest | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const { command, pattern, undo = false } = value as Record<string, unknown>;
  switch (command) {
    case "status":
    case "reload":
    case "stop":
    case "invocation":
      return { command };
    case "retire":
      return typeof pattern === "string" && typeof undo === "boolean"
        ? { command, pattern, undo }
        : undefined;
    default:
      return undefined;
  }
}
