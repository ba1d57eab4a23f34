/** A word of the language that stands for something known: how the parser takes it. */
export type WordType = "number" | "condition";

/** What may be named in a condition. */
export interface Vocabulary {
  /** Words with a meaning, such as `value`. */
  readonly words: ReadonlyMap<string, WordType>;
  /** Whether other names are metrics; if not, why not. */
  readonly metrics: true | string;
}

/** A condition as it was understood; `evaluate.ts` gives it a value. */
export type Expression =
  | { readonly kind: "number"; readonly number: number }
  | { readonly kind: "word"; readonly word: string }
  | { readonly kind: "metric"; readonly name: string }
  | { readonly kind: "negate" | "not"; readonly of: Expression }
  | {
    readonly kind: ArithmeticOperator | "and" | "or";
    readonly left: Expression;
    readonly right: Expression;
  }
  /** `1 < value <= 5` is one comparison of three, as in Python. */
  | {
    readonly kind: "compare";
    readonly first: Expression;
    readonly others: readonly {
      readonly operator: Comparison;
      readonly operand: Expression;
    }[];
  };

export type ArithmeticOperator = "+" | "-" | "*" | "/";
export type Comparison = "<" | "<=" | ">" | ">=" | "==" | "!=";

/** What is wrong with a condition, and where in its text. */
export class ExpressionError extends Error {
  /**
   * @param line From 1 on.
   * @param column From 1 on, in characters.
   */
  constructor(
    readonly problem: string,
    readonly line: number,
    readonly column: number,
  ) {
    super(`line ${line}, column ${column}: ${problem}`);
  }
}

/** Characters of a condition. */
const MOST_CHARACTERS = 4096;
/** Parentheses, `not` and signs within each other. */
const MOST_DEPTH = 100;

/**
 * Reads a condition. From loose to tight: `or`, `and`, `not`, comparisons, `+ -`, `* /`, signs. Numbers
 * are decimal; `$val` is `value`; a metric's name stands as it is, or in brackets if it has other
 * characters than letters, digits, `_` and `.` or is a word of the language.
 * @throws ExpressionError where something else stands.
 */
export function parseCondition(
  text: string,
  vocabulary: Vocabulary,
): Expression {
  return new Parser(text, vocabulary).parse();
}

type TokenKind = "number" | "name" | "bracketed" | "operator" | "end";

interface Token {
  readonly kind: TokenKind;
  readonly text: string;
  readonly at: number;
}

/** A part of a condition, with what it is and where it begins. */
interface Part {
  readonly type: WordType;
  readonly expression: Expression;
  readonly at: number;
}

const tokenPattern =
  /\s*(?:((?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))|(\$val\b|[A-Za-z_][\w.]*)|\[([^\]\n]+)\]|(<=|>=|==|!=|[<>+\-*/()])|$)/uy;

const comparisons: ReadonlySet<string> = new Set<Comparison>([
  "<",
  "<=",
  ">",
  ">=",
  "==",
  "!=",
]);
const reserved: ReadonlySet<string> = new Set(["and", "or", "not"]);

class Parser {
  readonly #text: string;
  readonly #vocabulary: Vocabulary;
  #token: Token;
  #next = 0;
  #depth = 0;

  constructor(text: string, vocabulary: Vocabulary) {
    this.#text = text;
    this.#vocabulary = vocabulary;
    if (text.length > MOST_CHARACTERS) {
      this.#fail(`more than ${MOST_CHARACTERS} characters`, MOST_CHARACTERS);
    }
    this.#token = this.#read();
  }

  parse(): Expression {
    const part = this.#or();
    if (this.#token.kind !== "end") {
      this.#fail(
        `expected "and", "or" or the end, found ${this.#found()}`,
        this.#token.at,
      );
    }
    return this.#want("condition", part);
  }

  #or(): Part {
    return this.#joined("or", () => this.#and());
  }

  #and(): Part {
    return this.#joined("and", () => this.#not());
  }

  #joined(word: "and" | "or", operand: () => Part): Part {
    let left = operand();
    while (this.#is("name", word)) {
      this.#advance();
      const right = operand();
      left = {
        type: "condition",
        at: left.at,
        expression: {
          kind: word,
          left: this.#want("condition", left),
          right: this.#want("condition", right),
        },
      };
    }
    return left;
  }

  #not(): Part {
    if (!this.#is("name", "not")) return this.#comparison();
    return this.#within(() => {
      const { at } = this.#token;
      this.#advance();
      const of = this.#want("condition", this.#not());
      return { type: "condition", at, expression: { kind: "not", of } };
    });
  }

  #comparison(): Part {
    const first = this.#sum();
    const others: { operator: Comparison; operand: Expression }[] = [];
    while (
      this.#token.kind === "operator" && comparisons.has(this.#token.text)
    ) {
      const operator = this.#token.text as Comparison;
      this.#advance();
      others.push({ operator, operand: this.#want("number", this.#sum()) });
    }
    if (others.length === 0) return first;
    return {
      type: "condition",
      at: first.at,
      expression: {
        kind: "compare",
        first: this.#want("number", first),
        others,
      },
    };
  }

  #sum(): Part {
    return this.#operation(["+", "-"], () => this.#product());
  }

  #product(): Part {
    return this.#operation(["*", "/"], () => this.#signed());
  }

  #operation(
    operators: readonly ArithmeticOperator[],
    operand: () => Part,
  ): Part {
    let left = operand();
    for (
      let kind;
      (kind = operators.find((text) => this.#is("operator", text)));
    ) {
      this.#advance();
      const right = operand();
      left = {
        type: "number",
        at: left.at,
        expression: {
          kind,
          left: this.#want("number", left),
          right: this.#want("number", right),
        },
      };
    }
    return left;
  }

  #signed(): Part {
    const { at } = this.#token;
    const isMinus = this.#is("operator", "-");
    if (!isMinus && !this.#is("operator", "+")) return this.#primary();
    return this.#within(() => {
      this.#advance();
      const of = this.#want("number", this.#signed());
      const expression: Expression = isMinus ? { kind: "negate", of } : of;
      return { type: "number", at, expression };
    });
  }

  #primary(): Part {
    const { kind, text, at } = this.#token;
    if (kind === "number") {
      const number = Number(text);
      if (!Number.isFinite(number)) this.#fail(`${text} is too large`, at);
      this.#advance();
      return { type: "number", at, expression: { kind: "number", number } };
    }
    if (kind === "bracketed") return this.#metric(text, at);
    if (kind === "name" && !reserved.has(text)) {
      const word = text === "$val" ? "value" : text;
      const type = this.#vocabulary.words.get(word);
      if (type === undefined) return this.#metric(text, at);
      this.#advance();
      return { type, at, expression: { kind: "word", word } };
    }
    if (kind === "operator" && text === "(") {
      return this.#within(() => {
        this.#advance();
        const part = this.#or();
        if (!this.#is("operator", ")")) {
          this.#fail(
            `expected ")", found ${this.#found()}`,
            this.#token.at,
          );
        }
        this.#advance();
        return { ...part, at };
      });
    }
    return this.#fail(
      `expected a number, a name or "(", found ${this.#found()}`,
      at,
    );
  }

  #metric(name: string, at: number): Part {
    const { metrics } = this.#vocabulary;
    if (metrics !== true) this.#fail(`${quoted(name)}: ${metrics}`, at);
    if (name === "$val") {
      this.#fail("$val is of rules with a metric only", at);
    }
    this.#advance();
    if (this.#is("operator", "(")) {
      this.#fail(`there is no function ${quoted(name)}`, at);
    }
    return { type: "number", at, expression: { kind: "metric", name } };
  }

  #within(read: () => Part): Part {
    if (++this.#depth > MOST_DEPTH) {
      this.#fail(`nested more than ${MOST_DEPTH} deep`, this.#token.at);
    }
    const part = read();
    this.#depth--;
    return part;
  }

  #want(type: WordType, part: Part): Expression {
    if (part.type === type) return part.expression;
    return this.#fail(
      type === "number"
        ? "expected a number, but this is a condition"
        : 'expected a condition such as "value > 5", but this is a number',
      part.at,
    );
  }

  #is(kind: TokenKind, text: string): boolean {
    return this.#token.kind === kind && this.#token.text === text;
  }

  #found(): string {
    return this.#token.kind === "end" ? "the end" : quoted(this.#token.text);
  }

  #advance(): void {
    this.#token = this.#read();
  }

  #read(): Token {
    tokenPattern.lastIndex = this.#next;
    const match = tokenPattern.exec(this.#text);
    if (!match) this.#noToken();
    const [whole, number, name, bracketed, operator] = match!;
    this.#next += whole.length;
    const blanks = whole.length - whole.trimStart().length;
    const at = this.#next - whole.length + blanks;
    if (number !== undefined) return { kind: "number", text: number, at };
    if (name !== undefined) return { kind: "name", text: name, at };
    if (bracketed !== undefined) {
      return { kind: "bracketed", text: bracketed.trim(), at };
    }
    if (operator !== undefined) return { kind: "operator", text: operator, at };
    return { kind: "end", text: "", at };
  }

  /** Says why nothing can be read here. */
  #noToken(): never {
    const rest = this.#text.slice(this.#next);
    const text = rest.trimStart();
    const at = this.#next + rest.length - text.length;
    const hint = hints.find(([pattern]) => pattern.test(text))?.[1];
    const shown = /^(?:[\w.]+|&&|\|\||[<>=!*/%]+|.)/su.exec(text)![0];
    return this.#fail(
      `${quoted(shown)} is not understood${hint ? `: ${hint}` : ""}`,
      at,
    );
  }

  #fail(problem: string, at: number): never {
    const before = this.#text.slice(0, at).split("\n");
    throw new ExpressionError(
      problem,
      before.length,
      [...before.at(-1)!].length + 1,
    );
  }
}

/** What people mean who write otherwise. */
const hints: readonly (readonly [pattern: RegExp, hint: string])[] = [
  [/^=/, '"equals" is =='],
  [/^&/, '"and" is written as a word'],
  [/^\|/, '"or" is written as a word'],
  [/^!/, '"not" is written as a word, "differs from" is !='],
  [/^["']/, "texts cannot be compared; names of metrics stand in [brackets]"],
  [/^\[/, "a name in brackets needs a closing bracket on the same line"],
  [/^[\d.]/, "a number has digits, a point and an exponent only"],
  [/^\$/, "the value is $val"],
];

function quoted(text: string): string {
  return `"${text.length > 60 ? `${text.slice(0, 60)}…` : text}"`;
}
