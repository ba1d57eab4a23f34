import { parseArgs } from "@std/cli";
import { UserError } from "../errors.ts";

/** A command's options: those with a value, and those without. */
export interface OptionSpec {
  readonly value?: readonly string[];
  /** Those with a value that may be given several times. */
  readonly repeat?: readonly string[];
  readonly flag?: readonly string[];
  /** How many arguments that are no options it takes at the most. */
  readonly positional?: number;
}

/** What was found on a command line. */
export interface Options {
  readonly values: Readonly<Record<string, string | undefined>>;
  readonly lists: Readonly<Record<string, readonly string[]>>;
  readonly flags: Readonly<Record<string, boolean>>;
  readonly positional: readonly string[];
}

/**
 * Reads a subcommand's options.
 * @throws UserError (exit code 2) for an option that is unknown, is given twice or lacks its
 *   value, and for an argument too many.
 */
export function readOptions(
  command: string,
  args: readonly string[],
  spec: OptionSpec,
): Options {
  const wrong = (text: string): never => {
    throw new UserError(`${text}; see gatherer ${command} --help`, 2);
  };
  const value = spec.value ?? [];
  const repeat = spec.repeat ?? [];
  const flag = spec.flag ?? [];
  const parsed = parseArgs(args, {
    string: ["_", ...value, ...repeat],
    boolean: flag,
    collect: [...value, ...repeat],
    unknown: (arg, key) => {
      if (key === undefined) return true;
      const close = [...value, ...repeat, ...flag].find((name) =>
        name.startsWith(key.slice(0, 3))
      );
      return wrong(
        `unknown option ${arg.split("=", 1)[0]}` +
          (close ? `, did you mean --${close}?` : ""),
      );
    },
  });
  const values: Record<string, string> = {};
  const lists: Record<string, readonly string[]> = {};
  for (const name of [...value, ...repeat]) {
    const given: string[] = parsed[name] ?? [];
    if (given.includes("")) wrong(`--${name} needs a value`);
    if (repeat.includes(name)) lists[name] = given;
    else if (given.length > 1) wrong(`--${name} is given more than once`);
    else if (given.length === 1) values[name] = given[0];
  }
  const flags: Record<string, boolean> = {};
  for (const name of flag) flags[name] = parsed[name] === true;
  const positional = parsed._.map(String);
  if (positional.length > (spec.positional ?? 0)) {
    wrong(`unexpected argument "${positional[spec.positional ?? 0]}"`);
  }
  return { values, lists, flags, positional };
}

/**
 * A duration in seconds, as milliseconds.
 * @throws UserError (exit code 2) when it is none, or shorter than `least`.
 */
export function readSeconds(
  option: string,
  text: string,
  least: number,
): number {
  const seconds = /^\d+(\.\d+)?$/.test(text) ? Number(text) : NaN;
  if (!(seconds >= least && seconds <= 86_400)) {
    throw new UserError(
      `--${option}: "${text}" is not a number of seconds from ${least} to 86400`,
      2,
    );
  }
  return seconds * 1000;
}
