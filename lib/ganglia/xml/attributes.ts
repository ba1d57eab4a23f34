import { ATTRIBUTE_NAMES, attributeTable } from "./names.ts";
import { secondsOf } from "./numbers.ts";
import { attributeText } from "./text.ts";
import { PER_ATTRIBUTE, type Tokenizer } from "./tokenizer.ts";

/** The word of the C gmetad for a text that was not sent. */
export const UNSPECIFIED = "unspecified";

/**
 * The attributes of the tag that a tokenizer has found last, by their numbers in `Attribute`. They
 * can be read until the tokenizer goes on.
 */
export class Attributes {
  readonly #tokenizer: Tokenizer;
  /** For each known attribute its place among those of the tag, or -1. */
  readonly #places = new Int8Array(ATTRIBUTE_NAMES.length);

  constructor(tokenizer: Tokenizer) {
    this.#tokenizer = tokenizer;
  }

  /**
   * Looks at the tag.
   * @returns What is wrong with it: an attribute comes twice.
   */
  take(): string | undefined {
    const { attributes, attributeCount, window } = this.#tokenizer;
    this.#places.fill(-1);
    for (let place = 0; place < attributeCount; place++) {
      const slot = place * PER_ATTRIBUTE;
      const number = attributeTable.find(
        window.bytes,
        attributes[slot],
        attributes[slot + 1],
      );
      if (number < 0) continue;
      if (this.#places[number] >= 0) {
        return `${ATTRIBUTE_NAMES[number]} comes twice`;
      }
      this.#places[number] = place;
    }
    return undefined;
  }

  has(attribute: number): boolean {
    return this.#places[attribute] >= 0;
  }

  /** Where its value begins, as an index. */
  start(attribute: number): number {
    const place = this.#places[attribute];
    return this.#tokenizer.attributes[place * PER_ATTRIBUTE + 2];
  }

  /** Where its value ends, as an index. */
  end(attribute: number): number {
    const place = this.#places[attribute];
    return this.#tokenizer.attributes[place * PER_ATTRIBUTE + 3];
  }

  /** @param old What it was last time, to be given back if it is still that. */
  text(attribute: number, missing = UNSPECIFIED, old?: string): string {
    if (!this.has(attribute)) return missing;
    return attributeText(
      this.#tokenizer.window.bytes,
      this.start(attribute),
      this.end(attribute),
      old,
    );
  }

  /** @returns `undefined` if it is there but no number of seconds. */
  seconds(attribute: number, missing = 0): number | undefined {
    if (!this.has(attribute)) return missing;
    return secondsOf(
      this.#tokenizer.window.bytes,
      this.start(attribute),
      this.end(attribute),
    );
  }
}
