import type { ConfDraft } from "./conf.ts";
import { Mistake, type Place, quote } from "./remarks.ts";
import type { Word } from "./words.ts";

/** Whether the C gmetad takes a text for "on". */
export type CReading = (text: string) => boolean;

/** `setuid` and the like are on in the C gmetad for what begins so, and else off. */
export const cToggle: CReading = (text) => /^(?:[yY1]|on|On|ON)/.test(text);
/** Some are on in the C gmetad unless the text is just this. */
export const cUnlessOff: CReading = (text) => text !== "off";
/** Some are numbers in the C gmetad, on unless 0; what is no number is 0. */
export const cNumber: CReading = (text) => /^[-+]?0*[1-9]/.test(text);

/** What a {@linkcode Directive} does besides. */
export interface DirectiveHooks {
  warn(message: string, place: Place): void;
  /** Is told what the line means, in words. */
  means(meaning: string): void;
}

/** A directive as it stands in the file: helps to take its words, and to say what is wrong. */
export class Directive {
  /** As the documentation spells it. */
  readonly name: string;
  readonly place: Place;
  readonly words: readonly Word[];
  /** What is made of the file. */
  readonly draft: ConfDraft;
  readonly #placeOf: (word: Word) => Place;
  readonly #hooks: DirectiveHooks;

  constructor(
    given: {
      readonly name: string;
      readonly place: Place;
      readonly words: readonly Word[];
      readonly placeOf: (word: Word) => Place;
      readonly draft: ConfDraft;
    },
    hooks: DirectiveHooks,
  ) {
    this.name = given.name;
    this.place = given.place;
    this.words = given.words;
    this.draft = given.draft;
    this.#placeOf = given.placeOf;
    this.#hooks = hooks;
  }

  /** Says in words what the line means. */
  means(meaning: string): void {
    this.#hooks.means(meaning);
  }

  /** Says what is not done, or not as it may have been meant. */
  warn(message: string, word?: Word): void {
    const place = word ? this.#placeOf(word) : this.place;
    this.#hooks.warn(`${this.name}: ${message}`, place);
  }

  /** @throws Mistake always. */
  fail(message: string, word?: Word): never {
    throw new Mistake(
      `${this.name}: ${message}`,
      word ? this.#placeOf(word) : this.place,
    );
  }

  /** Takes the words. The C gmetad bears it that there are none: it is a warning. */
  any(): readonly Word[] {
    const words = this.words.filter((word) => {
      if (word.text !== "") return true;
      this.warn("an empty word is ignored", word);
      return false;
    });
    if (words.length === 0) this.warn("it has no effect: nothing follows it");
    return words;
  }

  /** Takes the words, of which there must be one at least. */
  some(expected: string): readonly Word[] {
    if (this.words.every(({ text }) => text === "")) {
      this.fail(`expected ${expected} after it`);
    }
    return this.any();
  }

  /** Takes the only word. More are ignored with a warning, as the C gmetad does without one. */
  one(expected: string): Word {
    const [word, ignored] = this.words;
    if (word === undefined) this.fail(`expected ${expected} after it`);
    if (word.text === "") {
      this.fail(`expected ${expected}, got an empty text`, word);
    }
    if (ignored !== undefined) {
      this.warn(
        `only ${quote(word.text)} counts; a text with blanks must be in quotes`,
        ignored,
      );
    }
    return word;
  }

  /** Takes a text. */
  text(expected: string): string {
    return this.one(expected).text;
  }

  /**
   * Takes a number as C writes it: `0x` before hexadecimal digits, `0` before octal ones.
   *
   * @param expected What to say of a text that is none, or is not within the bounds.
   * @param octal Whether a number is expected to be octal.
   */
  integer(
    expected: string,
    [least, most]: readonly [number, number],
    octal = false,
  ): number {
    const word = this.one(expected);
    const [, sign, digits, ignored] =
      /^([-+]?)(0x[0-9a-f]+|0[0-7]*|[1-9]\d*)(.*)$/is.exec(word.text) ?? [];
    const isOctal = /^0\d/.test(digits ?? "");
    const number = Number(isOctal ? `0o${digits.slice(1)}` : digits) *
      (sign === "-" ? -1 : 1);
    // A digit that follows is an 8 or 9 after a 0.
    if (!(number >= least && number <= most) || /^\d/.test(ignored)) {
      this.fail(`expected ${expected}, got ${quote(word.text)}`, word);
    }
    if (ignored !== "") {
      this.warn(`${quote(ignored)} after the number is ignored`, word);
    }
    if (isOctal && !octal && number > 7) {
      this.warn(`${digits} is octal, for the 0 before it: ${number}`, word);
    }
    return number;
  }

  /** Takes a port to listen on. */
  port(): number {
    const port = this.integer("a port from 1 to 65535", [0, 65535]);
    if (port === 0) this.warn("0 is any port that is free, at each start");
    return port;
  }

  /**
   * Takes a word that switches something on or off. A number that is not 0 is "on".
   *
   * @param cReading Where the C gmetad reads the word otherwise, there is a warning.
   */
  isOn(cReading: CReading): boolean {
    const word = this.one('"on" or "off"');
    const text = word.text.toLowerCase();
    const isOn = /^(?:on|yes|y|true|[-+]?0*[1-9]\d*)$/.test(text);
    if (!isOn && !/^(?:off|no|n|false|[-+]?0+)$/.test(text)) {
      this.fail(`expected "on" or "off", got ${quote(word.text)}`, word);
    }
    if (cReading(word.text) !== isOn) {
      const [here, there] = isOn ? ["on", "off"] : ["off", "on"];
      this.warn(
        `${quote(word.text)} is ${here}; the C gmetad takes it for "${there}"`,
        word,
      );
    }
    return isOn;
  }
}
