import type {
  ArithmeticOperator,
  Comparison,
  Expression,
} from "./expression.ts";

/** What conditions are about. `undefined`: not known. */
export interface Facts {
  /** What a word of the language stands for; a condition's is a truth, else a number. */
  word(word: string): number | boolean | undefined;
  /** The number of a metric of the host. */
  metric(name: string): number | undefined;
}

/** A condition that can be asked. */
export interface Condition {
  /** Whether it holds; `undefined`: what it rests on is not known. */
  readonly holds: (facts: Facts) => boolean | undefined;
  /** The metrics that it names. */
  readonly metrics: ReadonlySet<string>;
  /** As it was written. */
  readonly text: string;
}

type Truth = (facts: Facts) => boolean | undefined;
type Figure = (facts: Facts) => number | undefined;

/**
 * Makes a condition of what was read. What is not known makes no truth: `false and ?` is false,
 * `true or ?` is true, all else that has it in it is not known, and so is what has no finite number.
 */
export function conditionOf(expression: Expression, text: string): Condition {
  const metrics = new Set<string>();
  return { holds: truthOf(expression, metrics), metrics, text };
}

function truthOf(expression: Expression, metrics: Set<string>): Truth {
  switch (expression.kind) {
    case "word": {
      const { word } = expression;
      return (facts) => facts.word(word) as boolean | undefined;
    }
    case "not": {
      const of = truthOf(expression.of, metrics);
      return (facts) => {
        const truth = of(facts);
        return truth === undefined ? undefined : !truth;
      };
    }
    case "and":
    case "or": {
      const left = truthOf(expression.left, metrics);
      const right = truthOf(expression.right, metrics);
      // The one that decides alone.
      const decisive = expression.kind === "or";
      return (facts) => {
        const first = left(facts);
        if (first === decisive) return decisive;
        const second = right(facts);
        if (second === decisive) return decisive;
        return first === undefined ? undefined : second;
      };
    }
    case "compare": {
      const first = numberOf(expression.first, metrics);
      const others = expression.others.map(({ operator, operand }) => ({
        compare: comparisons[operator],
        operand: numberOf(operand, metrics),
      }));
      return (facts) => {
        let left = first(facts);
        let all: boolean | undefined = true;
        for (const { compare, operand } of others) {
          const right = operand(facts);
          if (left === undefined || right === undefined) all = undefined;
          else if (!compare(left, right)) return false;
          left = right;
        }
        return all;
      };
    }
    default:
      throw new TypeError(`${expression.kind} is no condition`);
  }
}

function numberOf(expression: Expression, metrics: Set<string>): Figure {
  switch (expression.kind) {
    case "number":
      return () => expression.number;
    case "word": {
      const { word } = expression;
      return (facts) => facts.word(word) as number | undefined;
    }
    case "metric": {
      const { name } = expression;
      metrics.add(name);
      return (facts) => facts.metric(name);
    }
    case "negate": {
      const of = numberOf(expression.of, metrics);
      return (facts) => {
        const number = of(facts);
        return number === undefined ? undefined : -number;
      };
    }
    case "+":
    case "-":
    case "*":
    case "/": {
      const left = numberOf(expression.left, metrics);
      const right = numberOf(expression.right, metrics);
      const operate = operations[expression.kind];
      return (facts) => {
        const first = left(facts);
        const second = right(facts);
        if (first === undefined || second === undefined) return undefined;
        const result = operate(first, second);
        return Number.isFinite(result) ? result : undefined;
      };
    }
    default:
      throw new TypeError(`${expression.kind} is no number`);
  }
}

const comparisons: Record<Comparison, (a: number, b: number) => boolean> = {
  "<": (a, b) => a < b,
  "<=": (a, b) => a <= b,
  ">": (a, b) => a > b,
  ">=": (a, b) => a >= b,
  "==": (a, b) => a === b,
  "!=": (a, b) => a !== b,
};

const operations: Record<
  ArithmeticOperator,
  (a: number, b: number) => number
> = {
  "+": (a, b) => a + b,
  "-": (a, b) => a - b,
  "*": (a, b) => a * b,
  "/": (a, b) => a / b,
};
