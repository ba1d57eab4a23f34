/**
 * What two Tubs say to each other before Banana: the plaintext upgrade, the hellos, the decision.
 * Pure: bytes in, bytes out. Source of every rule: Foolscap's `negotiate.py`, version 21.7.0.
 */

import { NegotiationError } from "./errors.ts";
import { BananaSender } from "./slicers.ts";
import { type VocabTable, vocabTables } from "./banana.ts";

const BANANA_VERSION = 3;
const INTERNAL_ERROR = "internal server error, see logs";
const latin1 = new TextDecoder("latin1");
const utf8 = new TextDecoder("utf-8", { fatal: true });
const encoder = new TextEncoder();

/** Collects one block of lines: everything up to and including the first empty line. */
export class BlockReader {
  #bytes = new Uint8Array(0);

  /** @param limit Bytes that a block may have, its empty line included. */
  constructor(readonly limit: number) {}

  /**
   * Takes a chunk.
   * @returns The block's lines and the bytes that follow it, or `undefined`: more is needed.
   * @throws NegotiationError when `limit` bytes have come without an end.
   */
  feed(
    chunk: Uint8Array,
  ): { block: Uint8Array; rest: Uint8Array } | undefined {
    const bytes = new Uint8Array(this.#bytes.length + chunk.length);
    bytes.set(this.#bytes);
    bytes.set(chunk, this.#bytes.length);
    const from = Math.max(0, this.#bytes.length - 3);
    for (let i = from; i + 3 < bytes.length && i + 4 <= this.limit; i++) {
      if (
        bytes[i] === 13 && bytes[i + 1] === 10 && bytes[i + 2] === 13 &&
        bytes[i + 3] === 10
      ) {
        this.#bytes = new Uint8Array(0);
        return { block: bytes.subarray(0, i + 4), rest: bytes.subarray(i + 4) };
      }
    }
    if (bytes.length > this.limit) {
      throw new NegotiationError(
        `the peer sent more than ${this.limit} bytes without ending a block`,
      );
    }
    this.#bytes = bytes;
    return undefined;
  }
}

/** The client's first block: asks the server for the Tub `tubid` and an upgrade to TLS. */
export function formatUpgradeRequest(tubid: string, host: string): Uint8Array {
  return encoder.encode(
    `GET /id/${tubid} HTTP/1.1\r\nHost: ${host}\r\nUpgrade: TLS/1.0\r\n` +
      `Connection: Upgrade\r\n\r\n`,
  );
}

/** What a server answers to the client's first block, and whether it goes on to TLS. */
export interface UpgradeReply {
  readonly reply: Uint8Array;
  readonly accepted: boolean;
  /** For the log, where not accepted. */
  readonly reason: string;
}

/** Answers an upgrade request as the Tub `tubid`. */
export function answerUpgradeRequest(
  block: Uint8Array,
  tubid: string,
): UpgradeReply {
  const refuse = (text: string, reason: string) => ({
    reply: encoder.encode(
      `HTTP/1.1 500 Internal Server Error: ${text}\r\n\r\n`,
    ),
    accepted: false,
    reason,
  });
  let line: string;
  try {
    line = utf8.decode(block).split("\r\n", 1)[0];
  } catch {
    return refuse(INTERNAL_ERROR, "the request is not UTF-8");
  }
  const words = line.split(/\s+/).filter((word) => word !== "");
  if (
    words.length !== 3 || words[0] !== "GET" || !words[1].startsWith("/id/")
  ) {
    return refuse(INTERNAL_ERROR, "the request is not for a Tub");
  }
  const wanted = words[1].slice("/id/".length);
  if (wanted === "") {
    return refuse(
      "secure Tubs require encryption",
      "the request names no Tub",
    );
  }
  if (wanted !== tubid) {
    return refuse(`unknown TubID ${wanted}`, "the request is for another Tub");
  }
  return {
    reply: encoder.encode(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: TLS/1.0, PB/1.0\r\n" +
        "Connection: Upgrade\r\n\r\n",
    ),
    accepted: true,
    reason: "",
  };
}

/**
 * Checks the server's answer to {@linkcode formatUpgradeRequest}.
 * @throws NegotiationError when it is no leave to start TLS.
 */
export function checkUpgradeReply(block: Uint8Array): void {
  const text = latin1.decode(block);
  const line = text.split("\r\n", 1)[0];
  if (line.split(" ")[1] !== "101" || !text.includes("Upgrade: TLS/1.0")) {
    throw new NegotiationError(
      `the peer refused the upgrade to TLS: ${
        JSON.stringify(line.slice(0, 100))
      }`,
    );
  }
}

/** A connection of the past, as its slave remembers it: the master's incarnation and counter. */
export interface ConnectionId {
  readonly incarnation: string;
  readonly seqnum: number;
}

/** What a Tub says of itself as soon as TLS is up. */
export interface Hello {
  readonly tubid: string;
  /** Empty when the peer sent none. */
  readonly incarnation: string;
  /** `"none"`: sent as `none 0`; `undefined`: the line was missing. */
  readonly lastConnection: ConnectionId | "none" | undefined;
  readonly vocabRange: readonly [number, number];
}

function formatBlock(lines: Record<string, string>): Uint8Array {
  const text = Object.keys(lines).sort().map((key) =>
    `${key}: ${lines[key]}\r\n`
  );
  return encoder.encode(text.join("") + "\r\n");
}

function parseBlock(block: Uint8Array): Map<string, string> {
  const lines = new Map<string, string>();
  for (const line of latin1.decode(block.subarray(0, -4)).split("\r\n")) {
    const colon = line.indexOf(":");
    if (colon < 0) {
      throw new NegotiationFailure(
        "the peer's block has a line without a colon",
        INTERNAL_ERROR,
      );
    }
    lines.set(
      line.slice(0, colon).toLowerCase(),
      line.slice(colon + 1).trimStart(),
    );
  }
  return lines;
}

function parseRange(text: string): [number, number] {
  const match = /^(\d{1,9}) (\d{1,9})\s*$/.exec(text);
  if (!match) {
    throw new NegotiationFailure(
      "the peer sent a range that is none",
      INTERNAL_ERROR,
    );
  }
  return [Number(match[1]), Number(match[2])];
}

/** Negotiation failed; `wireText` is what the other side may be told. */
class NegotiationFailure extends NegotiationError {
  constructor(message: string, readonly wireText: string | undefined) {
    super(message);
  }
}

/** Negotiation is over and Banana begins. */
export interface Agreement {
  /** Whether we are the one who decided. */
  readonly master: boolean;
  readonly vocab: VocabTable;
  readonly peer: Hello;
  /** Bytes that came after the last block: the first of Banana. */
  readonly rest: Uint8Array;
  /** The connection's name: ours to remember as slave, ours to compare with as master. */
  readonly connection: ConnectionId | undefined;
}

/** What {@linkcode Negotiation} needs to know and ask. */
export interface NegotiationOptions {
  readonly ownTubid: string;
  readonly ownIncarnation: string;
  /** The peer's tubid as its certificate proves it. */
  readonly peerTubid: string;
  /** As client: the tubid that the FURL names. */
  readonly expectedTubid?: string;
  readonly role: "client" | "server";
  /** As client: the last connection with this peer in which the peer decided. */
  readonly lastConnection?: ConnectionId;
  readonly blockBytes: number;
  /**
   * As master: may this connection be? Called once, at the moment of the decision.
   * @returns The connection's number, or `undefined` to refuse it as a duplicate.
   */
  decide(hello: Hello): number | undefined;
}

/**
 * One side of the negotiation inside TLS (hello and decision).
 * The Tub with the higher tubid is the master, whoever dialled.
 */
export class Negotiation {
  readonly #options: NegotiationOptions;
  readonly #blocks: BlockReader;
  readonly #master: boolean;
  #hello: Hello | undefined;

  constructor(options: NegotiationOptions) {
    this.#options = options;
    this.#blocks = new BlockReader(options.blockBytes);
    this.#master = options.ownTubid > options.peerTubid;
  }

  /** Our hello, to be sent at once. */
  hello(): Uint8Array {
    const { role, ownTubid, ownIncarnation, lastConnection } = this.#options;
    const last = lastConnection
      ? `${lastConnection.incarnation} ${lastConnection.seqnum}`
      : "none 0";
    return formatBlock({
      "banana-negotiation-range": `${BANANA_VERSION} ${BANANA_VERSION}`,
      "initial-vocab-table-range": `0 ${vocabTables.length - 1}`,
      "my-incarnation": ownIncarnation,
      "my-tub-id": ownTubid,
      ...(role === "client" ? { "last-connection": last } : {}),
    });
  }

  /**
   * Takes what the peer sent inside TLS.
   * @returns `send`: bytes to send now; `agreement`: set once negotiation is over;
   *   `error`: set when it has failed, after `send` the connection must be closed.
   */
  feed(chunk: Uint8Array): {
    send?: Uint8Array;
    agreement?: Agreement;
    error?: NegotiationError;
  } {
    try {
      const read = this.#blocks.feed(chunk);
      if (!read) return {};
      if (this.#hello) {
        return { agreement: this.#readDecision(read.block, read.rest) };
      }
      this.#hello = this.#readHello(read.block);
      if (this.#master) return this.#decide(this.#hello, read.rest);
      return read.rest.length > 0 ? this.feed(read.rest) : {};
    } catch (error) {
      if (!(error instanceof NegotiationError)) throw error;
      return { error, send: this.#farewell(error) };
    }
  }

  #farewell(error: NegotiationError): Uint8Array | undefined {
    const text = error instanceof NegotiationFailure
      ? error.wireText
      : INTERNAL_ERROR;
    if (text === undefined) return undefined;
    // A slave that awaits the decision is expected to speak Banana.
    if (this.#hello && !this.#master) {
      return new BananaSender(vocabTables[0]).errorToken(text);
    }
    return formatBlock({ "banana-decision-version": "1", error: text });
  }

  #readHello(block: Uint8Array): Hello {
    const lines = parseBlock(block);
    const { peerTubid, expectedTubid } = this.#options;
    refuseError(lines);
    const range = lines.get("banana-negotiation-range");
    if (range === undefined) {
      fail("No valid banana-negotiation sequence seen");
    }
    const [low, high] = parseRange(range);
    const version = Math.min(high, BANANA_VERSION);
    if (version < BANANA_VERSION) {
      fail(`I can't handle banana version ${version}`);
    }
    if (low > version) fail(`You can't handle banana version ${version}`);
    const tubid = lines.get("my-tub-id");
    if (tubid !== peerTubid) {
      throw new NegotiationFailure(
        "the peer calls itself another Tub than its certificate proves",
        INTERNAL_ERROR,
      );
    }
    if (expectedTubid !== undefined && tubid !== expectedTubid) {
      throw new NegotiationFailure(
        "the peer is another Tub than the FURL names",
        INTERNAL_ERROR,
      );
    }
    return {
      tubid,
      incarnation: lines.get("my-incarnation") ?? "",
      lastConnection: parseConnection(lines.get("last-connection")),
      vocabRange: parseRange(lines.get("initial-vocab-table-range") ?? "0 0"),
    };
  }

  #decide(hello: Hello, rest: Uint8Array): {
    send: Uint8Array;
    agreement?: Agreement;
    error?: NegotiationError;
  } {
    const [low, high] = hello.vocabRange;
    const index = Math.min(high, vocabTables.length - 1);
    if (low > index) fail(`You can't handle initial vocab set ${index}`);
    const vocab = vocabTables[index];
    const seqnum = this.#options.decide(hello);
    if (seqnum === undefined) {
      throw new NegotiationFailure(
        "a connection with this peer is up already",
        "Duplicate connection",
      );
    }
    const connection = { incarnation: this.#options.ownIncarnation, seqnum };
    return {
      send: formatBlock({
        "banana-decision-version": String(BANANA_VERSION),
        "current-connection": `${connection.incarnation} ${seqnum}`,
        "initial-vocab-table-index": `${vocab.index} ${vocab.hash}`,
      }),
      agreement: { master: true, vocab, peer: hello, rest, connection },
    };
  }

  #readDecision(block: Uint8Array, rest: Uint8Array): Agreement {
    const lines = parseBlock(block);
    refuseError(lines);
    const version = lines.get("banana-decision-version");
    if (version === undefined) fail("No banana-decision-version value");
    if (version.trim() !== String(BANANA_VERSION)) {
      throw new NegotiationFailure(
        "the peer decided for an unknown version",
        INTERNAL_ERROR,
      );
    }
    const [index, hash] = (lines.get("initial-vocab-table-index") ?? "0 da39")
      .split(/\s+/);
    const vocab = vocabTables[Number(index)];
    if (!vocab) {
      fail(`I can't handle initial vocab table index ${index.slice(0, 9)}`);
    }
    if (hash === undefined) {
      throw new NegotiationFailure(
        "the peer's decision names a vocab table without its hash",
        INTERNAL_ERROR,
      );
    }
    if (vocab.index > 0 && hash !== vocab.hash) {
      fail(
        `Our hash for vocab-table-index ${vocab.index} (${vocab.hash}) does not match ` +
          `your hash (${hash.slice(0, 40)})`,
      );
    }
    const connection = parseConnection(lines.get("current-connection"));
    return {
      master: false,
      vocab,
      peer: this.#hello!,
      rest,
      connection: connection === "none" ? undefined : connection,
    };
  }
}

/** Fails with a text that the peer is told in the reference's own words. */
function fail(text: string): never {
  throw new NegotiationFailure(text, text);
}

function refuseError(lines: Map<string, string>): void {
  const error = lines.get("error");
  if (error === undefined) return;
  throw new NegotiationFailure(
    `the peer refused the connection: ${JSON.stringify(error.slice(0, 200))}`,
    undefined,
  );
}

/** What has another form counts as missing: the reference looks at it only when it needs it. */
function parseConnection(
  text: string | undefined,
): ConnectionId | "none" | undefined {
  const match = /^(\S{1,64})\s+(\d{1,15})\s*$/.exec(text ?? "");
  if (!match) return undefined;
  const [, incarnation, seqnum] = match;
  return incarnation === "none"
    ? "none"
    : { incarnation, seqnum: Number(seqnum) };
}

/**
 * Whether a master that has a connection with this peer already lets the new one take its place.
 * Source: Foolscap's `compareOfferAndExisting`.
 * @param old What was noted when the old connection was made: the slave's incarnation, our counter.
 * @param ownIncarnation The master's present incarnation.
 */
export function mayReplace(
  old: { readonly peerIncarnation: string; readonly seqnum: number },
  hello: Hello,
  ownIncarnation: string,
): boolean {
  if (hello.incarnation === "" || hello.lastConnection === undefined) {
    return false;
  }
  if (hello.incarnation !== old.peerIncarnation) return true;
  if (hello.lastConnection === "none") return false;
  if (hello.lastConnection.incarnation !== ownIncarnation) return true;
  return hello.lastConnection.seqnum === old.seqnum;
}
