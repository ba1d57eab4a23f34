/**
 * The configuration file, `gatherer.toml`: TOML 1.0 with the settings of `settings.ts`.
 * `docs/configuration.md` is its reference.
 *
 * @module
 */
import { dirname, isAbsolute, join } from "node:path";
import { parse, TomlError } from "smol-toml";
import { closest } from "../closest.ts";
import { UserError } from "../errors.ts";
import { reasonOf } from "../secret_file.ts";
import { oneLine } from "../text.ts";
import type { Given, GivenSettings } from "./given.ts";
import { type Setting, settingsByKey } from "./settings.ts";

/** Its name in a base directory, where it is found without being named. */
export const CONFIG_NAME = "gatherer.toml";

/** Bytes of a file. */
const MAX_BYTES = 1024 * 1024;

/**
 * Reads the configuration file at `path`.
 *
 * @throws UserError with path and line: it cannot be read, is no TOML, or has a setting that does
 *   not exist or has a value of the wrong type.
 */
export function loadConfigFile(path: string): GivenSettings {
  return parseConfigFile(readText(path), path);
}

/**
 * The settings that the text of a configuration file gives.
 *
 * @param path Where it is from: for messages, and for paths that are not absolute.
 * @throws UserError as {@linkcode loadConfigFile} does.
 */
export function parseConfigFile(text: string, path: string): GivenSettings {
  const shown = oneLine(path);
  const lines = linesOfKeys(text);
  const given = new Map<string, Given>();
  for (const [key, value] of flatten(parseToml(text, shown))) {
    const line = lines.get(key) ?? lines.get(key.split(".", 1)[0]);
    const where = `${shown}${line === undefined ? "" : `:${line}`}: ${key}`;
    const setting = settingsByKey.get(key);
    if (!setting) throw unknown(key, where);
    const words = textOf(setting, value, where);
    given.set(key, {
      text: setting.kind === "path" && !isAbsolute(words)
        ? join(dirname(path), words)
        : words,
      where,
    });
  }
  return given;
}

function readText(path: string): string {
  const shown = JSON.stringify(oneLine(path));
  let bytes: Uint8Array;
  try {
    if (Deno.statSync(path).size > MAX_BYTES) {
      throw new UserError(
        `cannot use ${shown}: it has more than ${MAX_BYTES} bytes`,
      );
    }
    bytes = Deno.readFileSync(path);
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`cannot read ${shown}: ${reasonOf(error)}`);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new UserError(`cannot use ${shown}: it is not UTF-8 text`);
  }
}

function parseToml(text: string, shown: string): Record<string, unknown> {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    // Its first line says what is wrong; the others show the place.
    const what = error.message.split("\n", 1)[0]
      .replace(/^Invalid TOML document: /, "");
    throw new UserError(
      `${shown}:${error.line}:${error.column}: ${oneLine(what)}`,
      1,
      { cause: error },
    );
  }
}

function* flatten(
  table: object,
  prefix = "",
): Generator<[key: string, value: unknown]> {
  for (const [name, value] of Object.entries(table)) {
    const key = `${prefix}${name}`;
    const isTable = typeof value === "object" && !Array.isArray(value) &&
      !(value instanceof Date);
    if (isTable) yield* flatten(value, `${key}.`);
    else yield [key, value];
  }
}

/** The value as it would stand on a command line. */
function textOf({ kind }: Setting, value: unknown, where: string): string {
  const type = typeof value;
  const wrong = (expected: string): UserError =>
    new UserError(
      `${where}: expected ${expected}, found ${shownValue(value)}`,
    );
  switch (kind) {
    case "switch":
      if (type !== "boolean") throw wrong("true or false");
      break;
    case "seconds":
      if (type !== "number") throw wrong("a number of seconds, such as 60");
      break;
    case "number":
      if (type !== "number") throw wrong("a number");
      break;
    case "size":
      if (type !== "number" && type !== "string") {
        throw wrong('bytes, or text such as "512M"');
      }
      break;
    case "path":
      if (type !== "string" || value === "") throw wrong("a path in quotes");
      break;
    case "list":
      if (Array.isArray(value) && value.every((v) => typeof v === "string")) {
        return value.join(",");
      }
      if (type !== "string") throw wrong('texts, such as ["one", "another"]');
      break;
    case "text":
      if (type !== "string" && type !== "number") throw wrong("text in quotes");
      break;
  }
  return String(value);
}

function shownValue(value: unknown): string {
  if (value instanceof Date) return "a date";
  return oneLine(JSON.stringify(value), 60);
}

function unknown(key: string, where: string): UserError {
  const [like] = closest(key, settingsByKey.keys());
  const table = key.slice(0, key.lastIndexOf(".") + 1);
  const inTable = [...settingsByKey.keys()].filter((other) =>
    table !== "" && other.startsWith(table)
  );
  // In a table of ours all begin alike.
  const [near] = closest(
    key.slice(table.length),
    inTable.map((other) => other.slice(table.length)),
  );
  // The option's name, or the name alone, is what people try first.
  const named = [...settingsByKey.values()].find((setting) =>
    setting.option === key || setting.key.endsWith(`.${key}`)
  );
  const better = named?.key ??
    (inTable.length === 0 ? like : near && `${table}${near}`);
  return new UserError(
    better === undefined
      ? `${where} is not a setting; see docs/configuration.md`
      : `${where} is not a setting; did you mean ${better}?`,
  );
}

/**
 * The line of each key, counted from 1, for messages only: it knows headers and plain keys, which
 * is what people write. A key that it does not find has the line of its table.
 */
function linesOfKeys(text: string): Map<string, number> {
  const lines = new Map<string, number>();
  const note = (key: string, line: number) => {
    if (!lines.has(key)) lines.set(key, line);
  };
  let table = "";
  for (const [index, line] of text.split("\n").entries()) {
    const header = /^\s*\[\s*([\w.-]+)\s*\]/.exec(line);
    const key = /^\s*([\w-]+(?:\.[\w-]+)*)\s*=/.exec(line);
    if (header) {
      table = header[1];
      note(table, index + 1);
    } else if (key) {
      note(table === "" ? key[1] : `${table}.${key[1]}`, index + 1);
    }
  }
  return lines;
}
