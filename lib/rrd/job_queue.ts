import { getLogger } from "@logtape/logtape";

const logger = getLogger(["gatherer", "plugins"]);

/** Something that waits to be done. */
export interface Job {
  /** How many values it is, at most. */
  readonly count: number;
  /** How much memory it holds, roughly. */
  readonly bytes: number;
}

/** How a {@linkcode JobQueue} is set up. */
export interface JobQueueOptions {
  /** What it is for, for the log. */
  readonly name: string;
  /** Values that it holds at most. */
  readonly maxCount: number;
  /** Bytes that it holds at most. */
  readonly maxBytes: number;
}

/** Jobs in order. When it is full, the oldest are dropped: the newest figures are worth most. */
export class JobQueue<J extends Job> {
  readonly #options: JobQueueOptions;
  readonly #jobs: (J | undefined)[] = [];
  #first = 0;
  #count = 0;
  #bytes = 0;
  #dropped = 0;
  /** Dropped since the queue was last half empty. */
  #droppedNow = 0;

  constructor(options: JobQueueOptions) {
    this.#options = options;
  }

  /** Values that wait. */
  get count(): number {
    return this.#count;
  }

  /** Values that were dropped, ever. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Adds a job, and drops the oldest until there is room; one that is too large by itself too. */
  push(job: J): void {
    this.#jobs.push(job);
    this.#count += job.count;
    this.#bytes += job.bytes;
    const { maxCount, maxBytes, name } = this.#options;
    if (this.#count <= maxCount && this.#bytes <= maxBytes) return;
    if (this.#droppedNow === 0) {
      logger.warn(
        "{name} cannot keep up: {count} values wait, the oldest are dropped",
        { name, count: this.#count },
      );
    }
    while (this.#count > maxCount || this.#bytes > maxBytes) {
      const { count } = this.#take()!;
      this.#dropped += count;
      this.#droppedNow += count;
    }
  }

  /** Takes out the oldest job. */
  shift(): J | undefined {
    const job = this.#take();
    const { maxCount, maxBytes, name } = this.#options;
    if (
      this.#droppedNow > 0 && this.#count <= maxCount / 2 &&
      this.#bytes <= maxBytes / 2
    ) {
      logger.info("{name} keeps up again; {count} values were dropped", {
        name,
        count: this.#droppedNow,
      });
      this.#droppedNow = 0;
    }
    return job;
  }

  /** Drops everything; not a word about it. */
  clear(): void {
    for (let job = this.#take(); job; job = this.#take()) {
      this.#dropped += job.count;
    }
    this.#droppedNow = 0;
  }

  #take(): J | undefined {
    const job = this.#jobs[this.#first];
    if (!job) return undefined;
    this.#jobs[this.#first++] = undefined;
    if (this.#first > 1000 && this.#first > this.#jobs.length / 2) {
      this.#jobs.splice(0, this.#first);
      this.#first = 0;
    }
    this.#count -= job.count;
    this.#bytes -= job.bytes;
    return job;
  }
}
