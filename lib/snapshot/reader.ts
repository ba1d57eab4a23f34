import type { Value } from "../value.ts";

/** A node as a snapshot holds it. */
export interface SnapshotNode {
  /** Its tubid. */
  key: string;
  /** When its values were measured, in seconds since the epoch; `NaN` if the file does not say. */
  timestamp: number;
  nickname: string;
  /** The incarnation of its program, new with each process; left out where it is not known. */
  incarnation?: string;
  /** When that began, in seconds since the epoch; left out where it is not known. */
  began?: number;
  /** What only ever grows. */
  counters: ReadonlyMap<string, Value>;
  /** What goes up and down. */
  stats: ReadonlyMap<string, Value>;
}

/**
 * A walk over the one shape that snapshots have, in either format. Every method throws
 * `SnapshotError` where the bytes are not in order.
 */
export interface Reader {
  /** Whether the next item is a map. */
  atMap(): boolean;
  /** Whether the next item is a text. */
  atText(): boolean;
  /** Takes a map: calls `entry` at each key; it must take that key and its value. */
  map(entry: () => void): void;
  /** Takes a key of a map. */
  key(): string;
  /**
   * Takes a map and gives the value of `name`, whose UTF-8 is `bytes`; `undefined` when it has
   * none, or one that is neither a number nor null. The rest is skipped.
   */
  lookUp(name: string, bytes: Uint8Array): Value | undefined;
  /** Takes a text. */
  text(): string;
  /** Takes any item; `undefined` when it is neither a number nor null. */
  value(): Value | undefined;
  /** Takes any item, without building anything. */
  skip(): void;
  /** Makes sure that nothing follows. */
  end(): void;
  /** Where the next item is, in bytes from the start of the file. */
  readonly offset: number;
  /** Refuses what is at `offset`. */
  fail(message: string, offset: number): never;
}

/**
 * Reads all nodes.
 *
 * @param strict Whether anything that is not as we write it is refused. Otherwise entries that are
 *   no nodes (not a map, no nickname, no stats) and values that are no numbers are left out, and
 *   of two entries of one name the later counts, as in Python.
 */
export function readNodes(reader: Reader, strict: boolean): SnapshotNode[] {
  const nodes = new Map<string, SnapshotNode>();
  reader.map(() => {
    const at = reader.offset;
    const key = reader.key();
    if (strict && nodes.has(key)) reader.fail("a node is here twice", at);
    const node = readNode(reader, key, strict);
    if (node) nodes.set(key, node);
    else nodes.delete(key);
  });
  reader.end();
  return [...nodes.values()];
}

function readNode(
  reader: Reader,
  key: string,
  strict: boolean,
): SnapshotNode | undefined {
  if (!strict && !reader.atMap()) {
    reader.skip();
    return undefined;
  }
  const at = reader.offset;
  let timestamp: number | undefined;
  let nickname: string | undefined;
  let incarnation: string | undefined;
  let began: number | undefined;
  let halves: Halves | undefined;
  reader.map(() => {
    switch (reader.key()) {
      case "timestamp":
        timestamp = readTimestamp(reader, strict);
        break;
      case "incarnation":
        incarnation = readIncarnation(reader);
        break;
      case "began":
        began = readTimestamp(reader, false);
        break;
      case "nickname":
        nickname = strict || reader.atText() ? reader.text() : undefined;
        if (nickname === undefined) reader.skip();
        break;
      case "stats":
        halves = strict || reader.atMap()
          ? readHalves(reader, strict)
          : undefined;
        if (!halves) reader.skip();
        break;
      default:
        reader.skip();
    }
  });
  if (nickname === undefined || !halves) {
    if (strict) reader.fail("a node has no nickname or no stats", at);
    return undefined;
  }
  return {
    key,
    timestamp: timestamp ?? NaN,
    nickname,
    ...(incarnation ? { incarnation } : {}),
    ...(began === undefined || Number.isNaN(began) ? {} : { began }),
    ...halves,
  };
}

/**
 * Takes an incarnation; `undefined` if it is no text. Files were written without it for a while,
 * and nothing is lost without it but certainty.
 */
export function readIncarnation(reader: Reader): string | undefined {
  if (reader.atText()) return reader.text();
  reader.skip();
  return undefined;
}

type Halves = Record<"counters" | "stats", Map<string, Value>>;

function readHalves(reader: Reader, strict: boolean): Halves {
  const halves: Halves = { counters: new Map(), stats: new Map() };
  reader.map(() => {
    const name = reader.key();
    if (name === "counters" || name === "stats") {
      halves[name] = readHalf(reader, strict);
    } else {
      reader.skip();
    }
  });
  return halves;
}

function readHalf(reader: Reader, strict: boolean): Map<string, Value> {
  const half = new Map<string, Value>();
  if (!strict && !reader.atMap()) {
    reader.skip();
    return half;
  }
  reader.map(() => {
    const name = reader.key();
    const at = reader.offset;
    const value = reader.value();
    if (value !== undefined) half.set(name, value);
    else if (strict) reader.fail("expected a number or nil", at);
    else half.delete(name);
  });
  return half;
}

/** Takes a timestamp; `NaN` when it is nil or, unless `strict`, no finite number. */
export function readTimestamp(reader: Reader, strict: boolean): number {
  const at = reader.offset;
  const value = reader.value();
  if (strict && value === undefined) {
    reader.fail("expected a number as timestamp", at);
  }
  const seconds = value === undefined || value === null ? NaN : Number(value);
  return Number.isFinite(seconds) ? seconds : NaN;
}
