import { OtlpError } from "./error.ts";
import type { DecodeLimits } from "./limits.ts";

/** Points after which a decoder lets others have their turn. */
const STEP = 250;

/** Counts what is decoded of one request, against its limits. */
export class Tally {
  readonly limits: DecodeLimits;
  #points = 0;
  #groups = 0;

  constructor(limits: DecodeLimits) {
    this.limits = limits;
  }

  /** Counts a resource, scope or metric. */
  group(): void {
    if (++this.#groups > this.limits.groups) {
      throw new OtlpError(
        `more than ${this.limits.groups} resources, scopes and metrics in one request`,
        true,
      );
    }
  }

  /** @returns Whether it is time for a step. */
  point(): boolean {
    if (++this.#points > this.limits.points) {
      throw new OtlpError(
        `more than ${this.limits.points} data points in one request`,
        true,
      );
    }
    return this.#points % STEP === 0;
  }
}

/** Carries out all steps at once. */
export function finish<T>(steps: Generator<void, T>): T {
  while (true) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}
