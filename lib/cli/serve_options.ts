/**
 * The options of `gatherer serve`, and of all that starts one: the settings of `lib/config`, and
 * the file that has the rest of them.
 *
 * @module
 */
import { join } from "node:path";
import { type Config, makeConfig } from "../config/config.ts";
import { CONFIG_NAME, loadConfigFile } from "../config/file.ts";
import type { Given, GivenSettings } from "../config/given.ts";
import { type Setting, settings } from "../config/settings.ts";
import { UserError } from "../errors.ts";
import { readOptions } from "./options.ts";

/** A configuration, and where it came from. */
export interface LoadedConfig extends Config {
  /** The file; `undefined`: there was none. */
  readonly file: string | undefined;
}

/**
 * Reads the configuration that a command line asks for: its options, and what they leave open from
 * the file that `--config` names, or that is in the base directory. Can be called again to see what
 * the files say by then.
 *
 * @param command For messages: the command whose options they are.
 * @throws UserError naming what is wrong.
 */
export function loadConfig(
  command: string,
  args: readonly string[],
): LoadedConfig {
  const { given, config } = readGiven(command, args);
  const basedir = given.get("basedir")?.text ?? "gatherer";
  const file = config ?? found(join(basedir, CONFIG_NAME));
  const inFile: GivenSettings = file === undefined
    ? new Map()
    : loadConfigFile(file);
  const home = inFile.get("basedir");
  if (home && config === undefined) {
    throw new UserError(
      `${home.where}: this file was found in the base directory ${basedir}; ` +
        "leave basedir out, or name the file with --config",
    );
  }
  return { ...makeConfig(new Map([...inFile, ...given])), file };
}

/** The base directory that a command line means, for commands that do not start anything. */
export function basedirOf(
  { basedir, config }: { basedir?: string; config?: string },
): string {
  if (basedir !== undefined) return basedir;
  const inFile = config === undefined
    ? undefined
    : loadConfigFile(config).get("basedir");
  return inFile?.text ?? "gatherer";
}

function readGiven(
  command: string,
  args: readonly string[],
): { given: GivenSettings; config: string | undefined } {
  const { values, flags } = readOptions(command, withLongNames(args), {
    value: [
      "config",
      "debug",
      ...settings.filter(({ kind }) => kind !== "switch")
        .map(({ option }) => option),
    ],
    flag: settings.filter(({ kind }) => kind === "switch")
      .map(({ option }) => option),
  });
  const given = new Map<string, Given>();
  for (const { key, option, kind } of settings) {
    const text = kind === "switch"
      ? flags[option] ? "true" : undefined
      : values[option];
    if (text !== undefined) given.set(key, { text, where: `--${option}` });
  }
  if (values.debug !== undefined) {
    if (given.has("log.level")) {
      throw new UserError("--debug and --log-level say the same: give one", 2);
    }
    given.set("log.level", { text: values.debug, where: "--debug" });
  }
  return { given, config: values.config };
}

/** `-d N` and `-dN` are gmetad's. */
function withLongNames(args: readonly string[]): string[] {
  const long: string[] = [];
  for (let at = 0; at < args.length; at++) {
    const match = /^-d(\d*)$/.exec(args[at]);
    if (!match) long.push(args[at]);
    else long.push(`--debug=${match[1] === "" ? args[++at] ?? "" : match[1]}`);
  }
  return long;
}

function found(path: string): string | undefined {
  try {
    Deno.statSync(path);
    return path;
  } catch (error) {
    // Whatever else is the matter shows when it is read.
    return error instanceof Deno.errors.NotFound ||
        error instanceof Deno.errors.NotADirectory
      ? undefined
      : path;
  }
}

const headings: Readonly<Record<string, string>> = {
  "": "Options",
  munin: "Options for Munin, which is answered without munin-node and plugins",
  http: "Options for HTTP",
  log: "Options for the log, which is on stderr",
};
/** The tables whose options stand under the first heading. */
const plain = ["foolscap", "ganglia", "statistics"];

/** The options, as `--help` shows them. */
export function optionsHelp(): string {
  const groups = new Map<string, string[]>();
  for (const setting of settings) {
    const table = setting.key.includes(".") ? setting.key.split(".")[0] : "";
    const group = plain.includes(table) ? "" : table;
    const lines = groups.get(group) ?? [];
    groups.set(group, lines);
    lines.push(optionHelp(setting));
  }
  groups.get("")?.push(
    row("--config FILE", `where settings are that no option gives`, [
      `default: ${CONFIG_NAME} in the base directory, if it is there`,
    ]),
    row("--help", "this text", []),
  );
  groups.get("log")?.push(
    row("-d, --debug N", "the level as gmetad has it: 0 fatal … 5 debug", []),
  );
  return [...groups].map(([group, lines]) =>
    `${headings[group] ?? `Options for ${group}`}:\n${lines.join("")}`
  ).join("\n");
}

const HELP_COLUMN = 29;
const WIDTH = 100;

function optionHelp({ option, value, help, fallback, kind }: Setting): string {
  return row(
    `--${option}${value === "" ? "" : ` ${value}`}`,
    help,
    kind === "switch" ? [] : [`default: ${fallback}`],
  );
}

/** An option and its text, which goes on in further lines where it must. */
function row(option: string, text: string, more: string[]): string {
  const words = [
    ...text.split(/\s+/),
    // Stays together if it can.
    ...more.map((part) => `(${part.replaceAll(" ", "\u00a0")})`),
  ];
  const lines: string[] = [];
  let line = `  ${option}`.padEnd(HELP_COLUMN - 1);
  for (const word of words) {
    if (line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = " ".repeat(HELP_COLUMN - 1);
    }
    line += ` ${word}`;
  }
  lines.push(line);
  return lines.map((line) => `${line.replaceAll("\u00a0", " ").trimEnd()}\n`)
    .join("");
}
