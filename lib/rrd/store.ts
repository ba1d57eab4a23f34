import { getLogger } from "@logtape/logtape";
import { type Clock, sleep, type Timer } from "../clock.ts";
import { messageOf } from "../errors.ts";
import { oneLine } from "../text.ts";
import { Delays } from "./delays.ts";
import { FailureLog } from "./failure_log.ts";
import { type Job, JobQueue } from "./job_queue.ts";
import {
  type RrdAnswer,
  type RrdUpdate,
  type RrdWriter,
  WriterDown,
  WriterLost,
} from "./writer.ts";

const logger = getLogger(["gatherer", "rrd"]);

/** Values that wait at most: three polls of 5,000 hosts with 30 metrics. */
const MAX_COUNT = 500_000;
const MAX_BYTES = 96 * 1024 * 1024;
/** Values that are given to the writer at a time. */
const MAX_BATCH = 1000;
/** Files that it makes at a time: each is written from end to end. */
const CREATE_BATCH = 50;
/** Longest wait for a writer that is down, in milliseconds. */
const MAX_DELAY_MS = 60_000;
/** How long nothing is tried when a person has to do something first, in milliseconds. */
const ABSENT_MS = 300_000;
/** What a value that comes alone may cost: the writer ended each time it was given it. */
const MAX_LOSSES = 3;
/** How long what waits may still be written when the program ends, in milliseconds. */
const DRAIN_MS = 2500;

/** Values that wait to be written; they are put into words when it is their turn. */
export interface RrdJob extends Job {
  /** Makes them. */
  updates(): RrdUpdate[];
}

/** What a store has done, for the gatherer's own statistics. */
export interface RrdCounts {
  /** Values that were written. */
  readonly updates: number;
  /** Files that were made. */
  readonly creates: number;
  /** Values that could not be written. */
  readonly failures: number;
  /** Values that were dropped because the disk, or rrdcached, does not keep up. */
  readonly dropped: number;
  /** Values that wait. */
  readonly queued: number;
}

/** How a {@linkcode RrdStore} is set up. */
export interface RrdStoreOptions {
  readonly writer: RrdWriter;
  readonly clock: Clock;
  /** What it stores, for the log. */
  readonly name: string;
  /** Values that wait at most (default 500,000). */
  readonly maxCount?: number;
  /** Bytes of memory that these hold at most, roughly (default 96 MiB). */
  readonly maxBytes?: number;
  /** Numbers from [0, 1), for the delays. */
  readonly random?: () => number;
}

/**
 * Writes values into RRDs, at the pace of the disk: who has some only puts them in the queue. A
 * file that is missing is made; one that cannot be written costs its own values only; when the
 * writer is lost, what it has not answered is written again.
 */
export class RrdStore {
  readonly #writer: RrdWriter;
  readonly #clock: Clock;
  readonly #queue: JobQueue<RrdJob>;
  readonly #failures: FailureLog;
  readonly #delays: Delays;
  readonly #stopping = new AbortController();
  /** Taken from the queue, but not settled. */
  #inHand: RrdUpdate[] = [];
  /** Given to a writer that was lost: they may have been written. */
  readonly #doubtful = new Set<RrdUpdate>();
  #batch = MAX_BATCH;
  /** How often the writer was lost in succession over a batch of one. */
  #losses = 0;
  #isDown = false;
  #absentUntil = -Infinity;
  #isStopped = false;
  #drain: Timer | undefined;
  #isRunning = false;
  #running: Promise<void> | undefined;
  #updates = 0;
  #creates = 0;
  #failed = 0;
  #dropped = 0;

  constructor(options: RrdStoreOptions) {
    const { writer, clock, name, random } = options;
    this.#writer = writer;
    this.#clock = clock;
    this.#queue = new JobQueue({
      name,
      maxCount: options.maxCount ?? MAX_COUNT,
      maxBytes: options.maxBytes ?? MAX_BYTES,
    });
    this.#failures = new FailureLog(clock);
    this.#delays = new Delays(MAX_DELAY_MS, random);
  }

  get counts(): RrdCounts {
    return {
      updates: this.#updates,
      creates: this.#creates,
      failures: this.#failed,
      dropped: this.#queue.dropped + this.#dropped,
      queued: this.#queue.count + this.#inHand.length,
    };
  }

  /** Takes values to write; returns at once. */
  add(job: RrdJob): void {
    if (this.#isStopped || this.#clock.monotonic() < this.#absentUntil) {
      this.#dropped += job.count;
      return;
    }
    this.#queue.push(job);
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#running = this.#run();
  }

  /** Not much more will come: from now on there are only a few seconds for what waits. */
  stopping(): void {
    if (this.#stopping.signal.aborted) return;
    this.#stopping.abort(new Error("stopped"));
    this.#drain = this.#clock.setTimer(
      () => void this.#writer.close(),
      DRAIN_MS,
    );
  }

  /** Writes what waits, as far as that is possible in these seconds, and ends the writer. */
  async stop(): Promise<void> {
    this.stopping();
    this.#isStopped = true;
    await this.#running;
    this.#drain?.cancel();
    await this.#writer.close();
    this.#failures.flush();
  }

  /** Writes until nothing waits. Never rejects. */
  async #run(): Promise<void> {
    while (this.#takeInHand()) {
      try {
        await this.#writeBatch();
        this.#worked();
      } catch (error) {
        await this.#failedToWrite(error);
      }
    }
    this.#isRunning = false;
  }

  /** @returns Whether there is anything to do. */
  #takeInHand(): boolean {
    while (this.#inHand.length < this.#batch) {
      const job = this.#queue.shift();
      if (!job) break;
      for (const update of job.updates()) this.#inHand.push(update);
    }
    return this.#inHand.length > 0;
  }

  async #writeBatch(): Promise<void> {
    let missing = await this.#update(this.#inHand.slice(0, this.#batch));
    // They stand at the beginning now.
    while (missing > 0) {
      const count = Math.min(missing, CREATE_BATCH);
      await this.#createAndUpdate(this.#inHand.slice(0, count));
      missing -= count;
    }
  }

  /** @returns How many could not be written because there is no file; they are still in hand. */
  async #update(updates: readonly RrdUpdate[]): Promise<number> {
    let answers: readonly RrdAnswer[] = [];
    try {
      answers = await this.#writer.update(updates);
    } catch (error) {
      if (error instanceof WriterLost) {
        answers = error.answers;
        for (const update of updates.slice(answers.length)) {
          this.#doubtful.add(update);
        }
      }
      throw error;
    } finally {
      this.#settle(
        updates,
        (index) => index < answers.length && answers[index]?.kind !== "missing",
        (index) => answers[index],
      );
    }
    return answers.filter((answer) => answer?.kind === "missing").length;
  }

  async #createAndUpdate(updates: readonly RrdUpdate[]): Promise<void> {
    const answers = await this.#writer.create(updates);
    const isMade = (index: number) =>
      !answers[index] || answers[index].kind === "exists";
    this.#creates += answers.filter((answer) => !answer).length;
    this.#settle(
      updates,
      (index) => !isMade(index),
      (index) => answers[index],
    );
    const made = updates.filter((_, index) => isMade(index));
    if (made.length === 0) return;
    const missing = await this.#update(made);
    // rrdtool 1.7.2 says OK when the disk has no room for a file.
    this.#settle(
      this.#inHand.slice(0, missing),
      () => true,
      () => ({
        kind: "other",
        reason: "it was made, but is not there: is the disk full?",
      }),
    );
  }

  /**
   * Says what became of some that are first in hand, and lets go of them.
   * @param isSettled Whether anything is known of one.
   */
  #settle(
    updates: readonly RrdUpdate[],
    isSettled: (index: number) => boolean,
    answerOf: (index: number) => RrdAnswer,
  ): void {
    const kept = updates.filter((update, index) => {
      if (!isSettled(index)) return true;
      const answer = answerOf(index);
      const isDoubtful = this.#doubtful.delete(update);
      if (!answer || (isDoubtful && answer.kind === "old")) {
        this.#updates++;
        this.#failures.worked(update.path);
      } else {
        this.#failed++;
        this.#failures.failed(update.path, answer.reason);
      }
      return false;
    });
    this.#inHand = kept.concat(this.#inHand.slice(updates.length));
  }

  #worked(): void {
    this.#delays.reset();
    this.#losses = 0;
    this.#batch = Math.min(MAX_BATCH, this.#batch * 2);
    if (!this.#isDown) return;
    this.#isDown = false;
    logger.info("{writer} works again", { writer: this.#writer.name });
  }

  async #failedToWrite(error: unknown): Promise<void> {
    const reason = oneLine(messageOf(error), 500);
    const { signal } = this.#stopping;
    if (signal.aborted) {
      const count = this.#dropAll();
      logger.warn("{writer}: {reason}; {count} values are lost at the end", {
        writer: this.#writer.name,
        reason,
        count,
      });
      return;
    }
    const isAbsent = error instanceof WriterDown && error.isAbsent;
    if (!this.#isDown) {
      logger.warn("{writer}: {reason}; {what}", {
        writer: this.#writer.name,
        reason,
        what: isAbsent
          ? "nothing is stored in RRDs; tried again every 5 minutes"
          : "what is not written waits",
      });
    }
    this.#isDown = true;
    if (isAbsent) {
      this.#absentUntil = this.#clock.monotonic() + ABSENT_MS;
      this.#dropAll();
      return;
    }
    if (!(error instanceof WriterDown)) this.#lost(reason);
    await sleep(this.#clock, this.#delays.next(), signal).catch(() => {});
  }

  /**
   * The writer was lost over the values in hand. If it is one of them that ends it, that one is
   * found by giving it one at a time at first.
   */
  #lost(reason: string): void {
    if (this.#batch > 1) {
      this.#batch = 1;
      this.#losses = 0;
    } else if (++this.#losses === MAX_LOSSES) {
      this.#losses = 0;
      this.#settle(
        this.#inHand.slice(0, 1),
        () => true,
        () => ({ kind: "other", reason: `it ends the writer: ${reason}` }),
      );
    }
  }

  #dropAll(): number {
    const before = this.counts.dropped;
    this.#dropped += this.#inHand.length;
    this.#inHand = [];
    this.#doubtful.clear();
    this.#queue.clear();
    return this.counts.dropped - before;
  }
}
