/**
 * Regular expressions of strangers: matched in a time that is at most the product of the pattern's
 * steps, of which there are 256 at most, and the text's length, where the runtime's own would take
 * hours for some (Thompson's construction).
 *
 * Understood are literals, `.`, `[a-z]`, `[^a-z]`, `\d \w \s` and their opposites, `\` before any
 * other sign, `^`, `$`, groups, `|`, `*`, `+`, `?`, `{m}`, `{m,}` and `{m,n}`. Case counts, and a
 * match anywhere in the text will do.
 *
 * @module
 */

/** Steps of a compiled pattern at most; repetitions in braces multiply. */
const MOST_STEPS = 256;
/** Parentheses inside one another at most. */
const MOST_DEPTH = 16;

/** A pattern that cannot be used. The message says why. */
export class PatternError extends Error {
  override name = "PatternError";
}

type Test = (character: string) => boolean;

/** A step: takes a character, goes on at two places, demands a place, or is the end. */
type Step =
  | { readonly kind: "take"; readonly test: Test }
  | { readonly kind: "split"; readonly to: readonly [number, number] }
  | { readonly kind: "start" | "end" | "match" };

/**
 * Compiles a pattern.
 * @throws PatternError when it is malformed or too large.
 */
export function compilePattern(pattern: string): (text: string) => boolean {
  const machine = new Machine(new Compiler(pattern).compile());
  return (text) => machine.matches([...text]);
}

/** Runs the steps of a pattern on a text, all ways through it at once. */
class Machine {
  readonly #steps: readonly Step[];
  /** The states in which a character has found it, and those in which the next will. */
  #states: Uint16Array;
  #next: Uint16Array;
  #count = 0;
  /** The place at which each state was reached last; it is not to be there twice. */
  readonly #reached: Float64Array;
  readonly #open: number[] = [];
  /** A number for every place of every text, so that nothing need be cleared. */
  #place = 0;

  constructor(steps: readonly Step[]) {
    this.#steps = steps;
    this.#states = new Uint16Array(steps.length);
    this.#next = new Uint16Array(steps.length);
    this.#reached = new Float64Array(steps.length);
  }

  matches(text: readonly string[]): boolean {
    const steps = this.#steps;
    const last = steps.length - 1;
    this.#place++;
    this.#count = 0;
    for (let at = 0;; at++) {
      // A match may begin anywhere.
      this.#reach(this.#states, 0, at, text.length);
      if (this.#reached[last] === this.#place) return true;
      if (at === text.length) return false;
      const states = this.#states;
      const count = this.#count;
      this.#place++;
      this.#count = 0;
      for (let i = 0; i < count; i++) {
        const step = steps[states[i]];
        if (step.kind === "take" && step.test(text[at])) {
          this.#reach(this.#next, states[i] + 1, at + 1, text.length);
        }
      }
      [this.#states, this.#next] = [this.#next, states];
    }
  }

  /** Adds a state, and all those that are reached from it without a character. */
  #reach(
    states: Uint16Array,
    first: number,
    at: number,
    length: number,
  ): void {
    const open = this.#open;
    open.push(first);
    for (let state; (state = open.pop()) !== undefined;) {
      if (this.#reached[state] === this.#place) continue;
      this.#reached[state] = this.#place;
      states[this.#count++] = state;
      const step = this.#steps[state];
      if (step.kind === "split") open.push(step.to[0], step.to[1]);
      else if (
        (step.kind === "start" && at === 0) ||
        (step.kind === "end" && at === length)
      ) open.push(state + 1);
    }
  }
}

/** A part of a pattern, as steps whose jumps are counted from its own beginning. */
type Part = readonly Step[];

const CLASSES: Readonly<Record<string, Test>> = {
  d: (character) => /^\d$/.test(character),
  w: (character) => /^\w$/.test(character),
  s: (character) => /^\s$/.test(character),
  D: (character) => !/^\d$/.test(character),
  W: (character) => !/^\w$/.test(character),
  S: (character) => !/^\s$/.test(character),
};

class Compiler {
  readonly #pattern: readonly string[];
  #at = 0;
  #depth = 0;

  constructor(pattern: string) {
    this.#pattern = [...pattern];
  }

  compile(): readonly Step[] {
    const part = this.#alternatives();
    if (this.#at < this.#pattern.length) {
      throw new PatternError("a ) without a (");
    }
    return limited([...part, { kind: "match" }]);
  }

  #alternatives(): Part {
    let part = this.#sequence();
    while (this.#takes("|")) part = either(part, this.#sequence());
    return part;
  }

  #sequence(): Part {
    let part: Part = [];
    while (this.#at < this.#pattern.length && !this.#sees("|", ")")) {
      part = joined(part, this.#repeated());
    }
    return part;
  }

  #repeated(): Part {
    let part = this.#one();
    while (true) {
      if (this.#takes("*")) part = repeated(part, 0, Infinity);
      else if (this.#takes("+")) part = repeated(part, 1, Infinity);
      else if (this.#takes("?")) part = repeated(part, 0, 1);
      else if (this.#takes("{")) {
        const [least, most] = this.#bounds();
        part = repeated(part, least, most);
      } else return part;
    }
  }

  #bounds(): [number, number] {
    const end = this.#pattern.indexOf("}", this.#at);
    const text = this.#pattern.slice(this.#at, end).join("");
    const form = /^(\d{1,3})(,?)(\d{0,3})$/.exec(text);
    if (end < 0 || !form || (form[2] === "" && form[3] !== "")) {
      throw new PatternError("braces that are no {m}, {m,} or {m,n}");
    }
    this.#at = end + 1;
    const least = Number(form[1]);
    const most = form[2] === ""
      ? least
      : form[3] === ""
      ? Infinity
      : Number(form[3]);
    if (most < least) throw new PatternError(`the bounds {${text}}`);
    return [least, most];
  }

  #one(): Part {
    const character = this.#next();
    switch (character) {
      case "(":
        return this.#group();
      case "[":
        return [{ kind: "take", test: this.#set() }];
      case ".":
        return [{ kind: "take", test: () => true }];
      case "^":
        return [{ kind: "start" }];
      case "$":
        return [{ kind: "end" }];
      case "*":
      case "+":
      case "?":
      case "{":
        throw new PatternError(`nothing before ${character}`);
      case "\\":
        return [{ kind: "take", test: this.#escape() }];
    }
    return [{ kind: "take", test: (found) => found === character }];
  }

  #group(): Part {
    if (++this.#depth > MOST_DEPTH) {
      throw new PatternError(`more than ${MOST_DEPTH} groups in one another`);
    }
    if (this.#takes("?") && !this.#takes(":")) {
      throw new PatternError("a group with (? other than (?:");
    }
    const part = this.#alternatives();
    if (!this.#takes(")")) throw new PatternError("a ( without a )");
    this.#depth--;
    return part;
  }

  #escape(): Test {
    const character = this.#next();
    const known = CLASSES[character];
    if (known) return known;
    if (/^[a-z0-9]$/i.test(character)) {
      throw new PatternError(`unknown \\${character}`);
    }
    return (found) => found === character;
  }

  #set(): Test {
    const negated = this.#takes("^");
    const tests: Test[] = [];
    // A bracket right at the start is one of the characters.
    for (let first = true; first || !this.#takes("]"); first = false) {
      if (this.#takes("\\")) tests.push(this.#escape());
      else tests.push(this.#range(this.#next()));
    }
    // A step takes no longer for a long set, nor does one that braces repeat.
    const known = new Map<string, boolean>();
    return (character) => {
      let fits = known.get(character);
      if (fits === undefined) {
        fits = tests.some((test) => test(character)) !== negated;
        known.set(character, fits);
      }
      return fits;
    };
  }

  #range(from: string): Test {
    const isRange = this.#sees("-") && this.#pattern[this.#at + 1] !== "]";
    if (!isRange) return (found) => found === from;
    this.#at++;
    const to = this.#next();
    const [first, last] = [from.codePointAt(0)!, to.codePointAt(0)!];
    if (first > last) throw new PatternError(`the range ${from}-${to}`);
    return (found) => {
      const code = found.codePointAt(0)!;
      return code >= first && code <= last;
    };
  }

  #sees(...characters: string[]): boolean {
    return characters.includes(this.#pattern[this.#at]);
  }

  #takes(character: string): boolean {
    if (!this.#sees(character)) return false;
    this.#at++;
    return true;
  }

  #next(): string {
    const character = this.#pattern[this.#at++];
    if (character === undefined) throw new PatternError("it ends too early");
    return character;
  }
}

function limited(part: Part): Part {
  if (part.length > MOST_STEPS) {
    throw new PatternError(`more than ${MOST_STEPS} steps`);
  }
  return part;
}

/** A part that is moved by some steps. */
function moved(part: Part, by: number): Part {
  return part.map((step) =>
    step.kind === "split"
      ? { kind: "split", to: [step.to[0] + by, step.to[1] + by] }
      : step
  );
}

function joined(first: Part, second: Part): Part {
  return limited([...first, ...moved(second, first.length)]);
}

function either(first: Part, second: Part): Part {
  const atSecond = first.length + 2;
  const end = atSecond + second.length;
  return limited([
    { kind: "split", to: [1, atSecond] },
    ...moved(first, 1),
    { kind: "split", to: [end, end] },
    ...moved(second, atSecond),
  ]);
}

function repeated(part: Part, least: number, most: number): Part {
  let whole: Part = [];
  for (let i = 0; i < least; i++) whole = joined(whole, part);
  if (most === Infinity) {
    const end = part.length + 2;
    return joined(whole, [
      { kind: "split", to: [1, end] },
      ...moved(part, 1),
      { kind: "split", to: [0, end] },
    ]);
  }
  for (let i = least; i < most; i++) {
    const end = part.length + 1;
    whole = joined(whole, [
      { kind: "split", to: [1, end] },
      ...moved(part, 1),
    ]);
  }
  return whole;
}
