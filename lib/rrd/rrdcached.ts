import type { Clock } from "../clock.ts";
import { messageOf } from "../errors.ts";
import { formatAddress, isLocal, type SocketAddress } from "./address.ts";
import { closeQuietly, connect, writeAll } from "./connection.ts";
import { makeDirectories } from "./directories.ts";
import {
  BatchReader,
  type Reply,
  type ReplyReader,
  StatusesReader,
  StatusReader,
} from "./rrdcached_replies.ts";
import {
  failureOf,
  type RrdAnswer,
  type RrdUpdate,
  type RrdWriter,
  WriterDown,
  WriterLost,
} from "./writer.ts";

/** Milliseconds that connecting may take. */
const CONNECT_MS = 10_000;
/** Without an answer for so long it hangs, in milliseconds: a batch is answered when it is done. */
const SILENCE_MS = 60_000;
/** rrdcached takes no longer commands (`RRD_CMD_MAX`), in bytes. */
const MAX_COMMAND = 4096;
/** Longest line of a reply that is read, in characters: no reply is longer than a command. */
const MAX_REPLY = 16_384;

/** How an {@linkcode RrdcachedWriter} is set up. */
export interface RrdcachedOptions {
  readonly address: SocketAddress;
  readonly clock: Clock;
  /** Makes files where rrdcached cannot (before version 1.5), if it is on this machine. */
  readonly creator?: RrdWriter;
  /** Milliseconds without an answer after which it is taken to hang (default 60,000). */
  readonly silenceMs?: number;
}

/**
 * Writes RRDs through an rrdcached. Commands go in batches, and what was not answered is not
 * taken for done. It makes the files too, so that they belong to the user who writes them;
 * directories are made here if it does not make them itself (`-R`) and is on this machine.
 */
export class RrdcachedWriter implements RrdWriter {
  readonly name: string;
  readonly isLocal: boolean;
  readonly #options: RrdcachedOptions;
  readonly #closing = new AbortController();
  #conversation: Conversation | undefined;

  constructor(options: RrdcachedOptions) {
    this.#options = options;
    this.isLocal = isLocal(options.address);
    this.name = `rrdcached at ${formatAddress(options.address)}`;
  }

  update(updates: readonly RrdUpdate[]): Promise<RrdAnswer[]> {
    return this.#run(updates, updateCommand);
  }

  async create(updates: readonly RrdUpdate[]): Promise<RrdAnswer[]> {
    const answers = await this.#run(updates, createCommand);
    const { creator } = this.#options;
    if (!this.isLocal) return answers;
    await this.#again(updates, answers, /recursively create/, async (some) => {
      const made = await makeDirectories(some);
      const makeable = some.filter((_, index) => !made[index]);
      const created = await this.#run(makeable, createCommand);
      return made.map((answer) => answer ?? created.shift());
    });
    if (creator) {
      await this.#again(
        updates,
        answers,
        /Unknown command|Permission denied/,
        (some) => creator.create(some),
      );
    }
    return answers;
  }

  async close(): Promise<void> {
    const reason = "it was told to stop";
    this.#closing.abort(new Error(reason));
    this.#conversation?.close(reason);
    await this.#options.creator?.close();
  }

  /** Has what failed for a reason done in another way. */
  async #again(
    updates: readonly RrdUpdate[],
    answers: RrdAnswer[],
    pattern: RegExp,
    create: (updates: readonly RrdUpdate[]) => Promise<RrdAnswer[]>,
  ): Promise<void> {
    const failed = answers.flatMap((answer, index) =>
      answer && pattern.test(answer.reason) ? [index] : []
    );
    if (failed.length === 0) return;
    const outcomes = await create(failed.map((index) => updates[index]));
    failed.forEach((index, position) => answers[index] = outcomes[position]);
  }

  async #run(
    updates: readonly RrdUpdate[],
    toCommand: (update: RrdUpdate) => string,
  ): Promise<RrdAnswer[]> {
    const answers: RrdAnswer[] = new Array(updates.length).fill(undefined);
    const sent: number[] = [];
    const commands: string[] = [];
    updates.forEach((update, index) => {
      const command = toCommand(update);
      // Each of its characters is three bytes at most.
      if (command.length < MAX_COMMAND / 3 || isShort(command)) {
        sent.push(index);
        commands.push(command);
      } else answers[index] = { kind: "other", reason: "its path is too long" };
    });
    if (commands.length === 0) return answers;
    const conversation = await this.#connected();
    try {
      const replies = await conversation.run(commands);
      sent.forEach((index, position) => {
        const reply = replies[position];
        if (reply !== undefined) {
          answers[index] = failureOf(reply, updates[index].path);
        }
      });
    } catch (error) {
      conversation.close(messageOf(error));
      throw new WriterLost(messageOf(error));
    }
    return answers;
  }

  async #connected(): Promise<Conversation> {
    if (this.#conversation?.isOpen) return this.#conversation;
    const { address, clock, silenceMs = SILENCE_MS } = this.#options;
    try {
      const connection = await connect(address, {
        clock,
        timeoutMs: CONNECT_MS,
        signal: this.#closing.signal,
      });
      this.#conversation = new Conversation(connection, clock, silenceMs);
    } catch (error) {
      throw new WriterDown(messageOf(error));
    }
    return this.#conversation;
  }
}

/** A connection to an rrdcached. */
class Conversation {
  isOpen = true;
  readonly #connection: Deno.Conn;
  readonly #clock: Clock;
  readonly #silenceMs: number;
  readonly #encoder = new TextEncoder();
  #reader: ReplyReader | undefined;
  #answered: PromiseWithResolvers<void> | undefined;
  #mayBatch = true;

  constructor(connection: Deno.Conn, clock: Clock, silenceMs: number) {
    this.#connection = connection;
    this.#clock = clock;
    this.#silenceMs = silenceMs;
    void this.#read();
  }

  /**
   * Has commands carried out.
   * @returns What it said of each.
   * @throws Error when the connection is lost before everything was answered.
   */
  async run(commands: readonly string[]): Promise<readonly Reply[]> {
    if (this.#mayBatch) {
      const begun = new StatusReader();
      await this.#ask("BATCH\n", begun);
      // With `-P` it may be told to take updates, but no batches.
      this.#mayBatch = begun.status === 0;
    }
    const { length } = commands;
    const reader = this.#mayBatch
      ? new BatchReader(length)
      : new StatusesReader(length);
    await this.#ask(
      commands.join("") + (this.#mayBatch ? ".\n" : ""),
      reader,
    );
    return reader.replies;
  }

  close(reason: string): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    closeQuietly(this.#connection);
    this.#answered?.reject(new Error(reason));
  }

  async #ask(text: string, reader: ReplyReader): Promise<void> {
    const answered = Promise.withResolvers<void>();
    this.#reader = reader;
    this.#answered = answered;
    if (!this.isOpen) answered.reject(new Error("the connection was closed"));
    const silence = this.#clock.setTimer(
      () => this.close(`it does not answer for ${this.#silenceMs / 1000} s`),
      this.#silenceMs,
    );
    try {
      await Promise.all([
        writeAll(this.#connection, this.#encoder.encode(text)),
        answered.promise,
      ]);
    } finally {
      silence.cancel();
      this.#reader = undefined;
      this.#answered = undefined;
    }
  }

  async #read(): Promise<void> {
    const buffer = new Uint8Array(65_536);
    const decoder = new TextDecoder();
    let rest = "";
    try {
      for (;;) {
        const length = await this.#connection.read(buffer);
        if (length === null) return this.close("the connection was closed");
        rest += decoder.decode(buffer.subarray(0, length), { stream: true });
        const lines = rest.split("\n");
        rest = lines.pop()!;
        if (rest.length > MAX_REPLY) throw new Error("its reply has no end");
        for (const line of lines) {
          if (this.#reader?.take(line)) this.#answered?.resolve();
        }
      }
    } catch (error) {
      this.close(messageOf(error));
    }
  }
}

function isShort(command: string): boolean {
  return new TextEncoder().encode(command).length < MAX_COMMAND;
}

function updateCommand({ path, time, values }: RrdUpdate): string {
  return `UPDATE ${escaped(path)} ${time}:${values}\n`;
}

function createCommand({ path, time, shape }: RrdUpdate): string {
  return `CREATE ${escaped(path)} -s ${shape.step} -b ${time - 1} -O ` +
    `${shape.definitions.join(" ")}\n`;
}

/** A path as one word of a command. */
function escaped(path: string): string {
  return /[\s\\]/.test(path) ? path.replace(/[\s\\]/g, "\\$&") : path;
}
