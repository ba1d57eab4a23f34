import type { Criteria } from "./decide.ts";
import { type Condition, conditionOf } from "./evaluate.ts";
import { parseCondition, type Vocabulary } from "./expression.ts";

/** What a rule watches. */
export type Subject = "metric" | "host" | "source";

/** What is to be watched, when that is worth saying, and to whom. */
export interface Rule extends Criteria {
  readonly name: string;
  readonly subject: Subject;
  /** Whether a cluster is one of those that it watches. */
  readonly cluster: Selector;
  readonly host: Selector;
  /** Any, where the subject is not a metric. */
  readonly metric: Selector;
  /** Any, where the subject is not a source. */
  readonly source: Selector;
  /** Names of actions. */
  readonly actions: readonly string[];
  /** Text for people, in which `{value}` and the like are replaced; may be empty. */
  readonly message: string;
  /** Written as `metricrule`, for mails in the form of gmetad-python's. */
  readonly isMetricrule: boolean;
}

/** Whether a name is one of those that are meant. */
export type Selector = (name: string) => boolean;

/** Any name is meant. */
export const ANY: Selector = () => true;

/** What conditions may name, by what the rule watches. `docs/alerts.md` explains them. */
const VOCABULARIES: Readonly<Record<Subject, Vocabulary>> = {
  metric: {
    words: new Map([
      ["value", "number"],
      ["age", "number"],
      ["silent", "condition"],
    ]),
    metrics: true,
  },
  host: {
    words: new Map([["age", "number"], ["silent", "condition"]]),
    metrics: true,
  },
  source: {
    words: new Map([["age", "number"], ["down", "condition"]]),
    metrics: "a source has no metrics; there are age and down",
  },
};

/**
 * Reads a condition for a rule that watches such things.
 * @throws ExpressionError where it is wrong.
 */
export function readCondition(text: string, subject: Subject): Condition {
  return conditionOf(parseCondition(text, VOCABULARIES[subject]), text);
}

/** What may stand in braces in a message. */
export interface MessageFields {
  readonly rule: string;
  readonly cluster: string;
  readonly host: string;
  readonly metric: string;
  readonly source: string;
  readonly value: string;
  readonly age: string;
}

/** Puts texts in the place of names in braces; other braces stay. */
export function fillMessage(message: string, fields: MessageFields): string {
  return message.replace(
    /\{([a-z]+)\}/g,
    (whole, name) => fields[name as keyof MessageFields] ?? whole,
  );
}

/** The names of {@linkcode MessageFields}. */
export const MESSAGE_FIELDS: readonly (keyof MessageFields)[] = [
  "rule",
  "cluster",
  "host",
  "metric",
  "source",
  "value",
  "age",
];
