/**
 * One connection of a Munin master. Source of the protocol: what munin-node 2.0 takes and answers
 * (`Munin::Node::Server`), and what munin-update makes of it (`Munin::Master::Node`).
 *
 * @module
 */
import type { Clock } from "../clock.ts";
import { messageOf } from "../errors.ts";
import {
  type ByteStream,
  Conversation,
  ConversationEnd,
} from "../net/conversation.ts";
import { oneLine } from "../text.ts";
import { AnswerWriter, isSafeName, safeLines } from "./answer_writer.ts";
import { CommandReader, LineTooLong } from "./command_reader.ts";
import type { Capabilities, MuninContent } from "./content.ts";
import type { Limits } from "./limits.ts";

/** What sessions have done, all together. */
export interface SessionCounts {
  commands: number;
  /** Bytes sent. */
  bytes: number;
  /** Sessions that ended neither by the client's wish nor by a stop. */
  aborted: number;
  /** Lines and names of the content that would have broken the protocol, and were left out. */
  dropped: number;
}

/** How a {@linkcode Session} is set up. */
export interface SessionOptions {
  readonly stream: ByteStream;
  readonly content: MuninContent;
  /** This program's version, for the command `version`. */
  readonly version: string;
  readonly clock: Clock;
  readonly limits: Limits;
  /** Is counted up. */
  readonly counts: SessionCounts;
  /** Takes what is to be logged of this client. */
  readonly warn: (what: string) => void;
}

/**
 * The commands, by how they begin: munin-node does not mind what comes after. Letters may be of
 * either case. A carriage return is a blank, since it is part of telnet's line end.
 */
const commands = {
  list: /^list[ \t\r]*([^ \t\r]*)/i,
  cap: /^cap(.*)/is,
  quit: /^(?:quit|\.)/i,
  version: /^version/i,
  nodes: /^nodes/i,
  fetch: /^fetch[ \t\r]?([^ \t\r]*)/i,
  config: /^config[ \t\r]?([^ \t\r]*)/i,
  spoolfetch: /^spoolfetch[ \t\r]+(\d+)/i,
};
/** Control characters: no command has them, but TLS and other binary protocols do. */
const BINARY = /[^\P{Cc}\t\r]/u;

/** The protocol with one client, from the banner to the end of the connection. */
export class Session {
  readonly #options: SessionOptions;
  readonly #conversation: Conversation;
  readonly #reader: CommandReader;
  readonly #writer: AnswerWriter;
  #capabilities: Capabilities = { multigraph: false, dirtyconfig: false };
  /** The host that `config` and `fetch` are about. */
  #host: string;
  #commands = 0;
  #dropped = 0;

  constructor(options: SessionOptions) {
    const { stream, content, clock, limits } = options;
    this.#options = options;
    this.#conversation = new Conversation(stream, clock);
    this.#host = content.hostName;
    this.#reader = new CommandReader(
      (buffer) => this.#conversation.unlessEnded(stream.read(buffer)),
      limits.lineBytes,
    );
    this.#writer = new AnswerWriter(
      (bytes) => this.#send(bytes),
      limits.chunkBytes,
    );
  }

  /** Holds the session, once. Resolves when it has ended and the stream is closed. */
  async run(): Promise<void> {
    const { limits, counts, warn } = this.#options;
    const deadline = this.#conversation.within(
      limits.connectionMs,
      "not finished within",
    );
    const fault = await this.#conversation.hold(() => this.#talk());
    deadline.cancel();
    if (fault !== undefined) {
      counts.aborted++;
      warn(`cut off: ${fault}`);
    }
    if (this.#dropped > 0) {
      counts.dropped += this.#dropped;
      warn(
        `${this.#dropped} lines or names that would have broken the protocol were left out`,
      );
    }
  }

  /** Ends the session at once, whatever it is doing. */
  stop(): void {
    this.#conversation.stop();
  }

  async #talk(): Promise<void> {
    const { content, counts, limits } = this.#options;
    await this.#writer.add(`# munin node at ${oneLine(content.hostName)}\n`);
    while (true) {
      const command = await this.#nextCommand();
      if (command === undefined) break;
      if (BINARY.test(command)) {
        throw new ConversationEnd("it sent control characters");
      }
      const { name, argument } = parseCommand(command);
      if (name === "quit") break;
      if (++this.#commands > limits.commands) {
        throw new ConversationEnd(`more than ${limits.commands} commands`);
      }
      counts.commands++;
      await this.#execute(name, argument);
    }
    await this.#writer.flush();
  }

  /** Sends what is to be sent and waits for a command; `undefined` at the end. */
  async #nextCommand(): Promise<string | undefined> {
    const { firstCommandMs, idleMs } = this.#options.limits;
    let command = this.#reader.take();
    if (command !== undefined) return command;
    await this.#writer.flush();
    const timer = this.#conversation.within(
      this.#commands === 0 ? firstCommandMs : idleMs,
      "no command within",
    );
    try {
      while ((command = this.#reader.take()) === undefined) {
        if (!await this.#reader.more()) return this.#reader.rest();
      }
      return command;
    } catch (error) {
      if (error instanceof ConversationEnd) throw error;
      if (error instanceof LineTooLong) {
        throw new ConversationEnd(error.message);
      }
      // The client is gone. It has had all its answers.
      throw new ConversationEnd();
    } finally {
      timer.cancel();
    }
  }

  async #execute(
    name: keyof typeof commands | undefined,
    argument: string,
  ): Promise<void> {
    const { content, version } = this.#options;
    const writer = this.#writer;
    const host = this.#host;
    const capabilities = this.#capabilities;
    switch (name) {
      case "list":
        return await this.#list(argument);
      case "cap": {
        const known = argument.split(/[ \t\r]+/);
        this.#capabilities = {
          multigraph: known.includes("multigraph"),
          dirtyconfig: known.includes("dirtyconfig"),
        };
        const spool = content.spoolfetch ? " spool" : "";
        return await writer.add(`cap multigraph dirtyconfig${spool}\n`);
      }
      case "version":
        return await writer.add(
          oneLine(`munins node on ${content.hostName} version: ${version}`) +
            "\n",
        );
      case "nodes":
        for (const host of this.#safe(content.hosts())) {
          await writer.add(`${host}\n`);
        }
        return await writer.add(".\n");
      case "fetch":
        return await this.#answer(
          `fetch ${argument}`,
          () => content.fetch(host, argument, capabilities),
        );
      case "config":
        return await this.#answer(
          `config ${argument}`,
          () => content.config(host, argument, capabilities),
        );
      case "spoolfetch": {
        if (!content.spoolfetch) break;
        const epoch = Math.min(Number(argument), Number.MAX_SAFE_INTEGER);
        return await this.#answer(name, () => content.spoolfetch?.(epoch));
      }
    }
    await writer.add(
      "# Unknown command. Try cap, list, nodes, config, fetch, version or quit\n",
    );
  }

  async #list(name: string): Promise<void> {
    const { content } = this.#options;
    const host = name === "" ? content.hostName : this.#hostNamed(name);
    const services = host === undefined
      ? undefined
      : content.services(host, this.#capabilities);
    if (host !== undefined && services) {
      this.#host = host;
      let blank = "";
      for (const service of this.#safe(services)) {
        await this.#writer.add(`${blank}${service}`);
        blank = " ";
      }
    }
    await this.#writer.add("\n");
  }

  #hostNamed(name: string): string | undefined {
    const hosts = this.#options.content.hosts();
    if (hosts.includes(name)) return name;
    const wanted = name.toLowerCase();
    return hosts.find((host) => host.toLowerCase() === wanted);
  }

  #safe(names: readonly string[]): readonly string[] {
    const safe = names.filter(isSafeName);
    this.#dropped += names.length - safe.length;
    return safe;
  }

  /**
   * Answers with the lines of the content and a dot. If the content fails, munin-node's comment
   * stands for them; but with some of them sent, only the end of the connection keeps the master
   * from taking half an answer for a whole one.
   */
  async #answer(
    command: string,
    open: () => AsyncIterable<string> | undefined,
  ): Promise<void> {
    const writer = this.#writer;
    // What is discarded below must be of this answer.
    await writer.flush();
    const before = writer.sent;
    try {
      const pieces = open();
      if (pieces) await this.#copy(pieces);
      else await writer.add("# Unknown service\n");
    } catch (error) {
      if (error instanceof ConversationEnd) throw error;
      const failure = `${oneLine(command, 100)} failed: ${messageOf(error)}`;
      if (writer.sent > before) throw new ConversationEnd(failure);
      this.#options.warn(failure);
      writer.discard();
      await writer.add("# Bad exit\n");
    }
    await writer.add(".\n");
    await writer.flush();
  }

  async #copy(pieces: AsyncIterable<string>): Promise<void> {
    const iterator = pieces[Symbol.asyncIterator]();
    let whole = false;
    try {
      while (true) {
        const { value, done } = await this.#conversation.unlessEnded(
          iterator.next(),
        );
        if (done) break;
        const { text, dropped } = safeLines(value);
        this.#dropped += dropped;
        await this.#writer.add(text);
      }
      whole = true;
    } finally {
      // Not waited for: content that hangs would hold the session.
      if (!whole) void closeIterator(iterator);
    }
  }

  #send(bytes: Uint8Array): Promise<void> {
    const { limits, counts } = this.#options;
    return this.#conversation.send(bytes, limits.writeMs, (count) => {
      counts.bytes += count;
    });
  }
}

/** Which command it is, and the word after it, or all for `cap`. */
function parseCommand(
  command: string,
): { name: keyof typeof commands | undefined; argument: string } {
  for (const [name, pattern] of Object.entries(commands)) {
    const match = pattern.exec(command);
    if (match) {
      return { name: name as keyof typeof commands, argument: match[1] ?? "" };
    }
  }
  return { name: undefined, argument: "" };
}

async function closeIterator(iterator: AsyncIterator<string>): Promise<void> {
  try {
    await iterator.return?.();
  } catch {
    // The answer is given up already, and why has been said.
  }
}
