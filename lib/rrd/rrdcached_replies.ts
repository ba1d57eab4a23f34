/**
 * The replies of rrdcached, as far as they concern updates. Source: rrdcached's manual, "Protocol",
 * and what version 1.7.2 was seen to send.
 *
 * @module
 */

/** What rrdcached said of a command: `undefined` when it carried it out, else why not. */
export type Reply = string | undefined;

/** Takes a reply line by line, without the line ends. */
export interface ReplyReader {
  /**
   * @returns Whether that was the last line.
   * @throws Error when it is none of rrdcached's.
   */
  take(line: string): boolean;
}

/** The answer to a single command: a status line, and more lines if its number is above nought. */
export class StatusReader implements ReplyReader {
  /** Below nought it is a failure. */
  status = 0;
  message = "";
  #more: number | undefined;

  take(line: string): boolean {
    if (this.#more === undefined) {
      const { number, text } = parse(line);
      this.status = number;
      this.message = text;
      this.#more = Math.max(0, number);
    } else this.#more--;
    return this.#more === 0;
  }
}

/** The answers to commands that were sent one after the other, each with a status of its own. */
export class StatusesReader implements ReplyReader {
  readonly replies: Reply[] = [];
  readonly #count: number;
  #status = new StatusReader();

  /** @param count How many commands they were. */
  constructor(count: number) {
    this.#count = count;
  }

  take(line: string): boolean {
    // Failures with a reason of two lines are announced like those with one.
    if (!isReply(line)) return false;
    if (this.#status.take(line)) {
      const { status, message } = this.#status;
      this.replies.push(status < 0 ? message : undefined);
      this.#status = new StatusReader();
    }
    return this.replies.length === this.#count;
  }
}

/** What follows the end of a batch: how many lines there are, then the commands that failed. */
export class BatchReader implements ReplyReader {
  readonly replies: Reply[];
  #more: number | undefined;
  #last = 0;

  /** @param count How many commands were in the batch. */
  constructor(count: number) {
    this.replies = new Array(count).fill(undefined);
  }

  take(line: string): boolean {
    if (this.#more === undefined) {
      const { number } = parse(line);
      if (number < 0) throw new Error(`rrdcached refuses a batch: ${line}`);
      this.#more = number;
      return number === 0;
    }
    const { number, text } = isReply(line)
      ? parse(line)
      : { number: 0, text: "" };
    // What does not begin with a later command's number goes on from the line before.
    if (number > this.#last && number <= this.replies.length) {
      this.#last = number;
      this.replies[number - 1] = text;
    }
    return --this.#more === 0;
  }
}

function isReply(line: string): boolean {
  return /^-?\d+ /.test(line);
}

function parse(line: string): { number: number; text: string } {
  const match = /^(-?\d{1,9}) +(.*)$/.exec(line);
  if (!match) throw new Error("it does not answer as rrdcached does");
  return { number: Number(match[1]), text: match[2] };
}
