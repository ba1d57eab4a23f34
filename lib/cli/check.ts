import { readAlertConfig } from "../alert/config.ts";
import { makeConfig } from "../config/config.ts";
import { loadConfigFile } from "../config/file.ts";
import { settings } from "../config/settings.ts";
import { messageOf, UserError } from "../errors.ts";
import type { GmetadConf } from "../ganglia/conf/conf.ts";
import { directiveNames } from "../ganglia/conf/directives.ts";
import { readConfFile, thisMachine } from "../ganglia/conf/load.ts";
import { readGmetadConf } from "../ganglia/conf/parse.ts";
import { placeText, type Remark } from "../ganglia/conf/remarks.ts";
import { oneLine } from "../text.ts";
import { readOptions } from "./options.ts";

/** What `gatherer check` needs of the process around it. */
export interface CheckIo {
  /** Writes to stdout. */
  stdout(text: string): Promise<void> | void;
  /** Whether colours are wanted: stdout is a terminal and `NO_COLOR` is not set. */
  readonly color: boolean;
}

/** What `gatherer check --help` says. */
export const checkHelp = `\
Usage: gatherer check FILE

Explains a configuration file: gatherer's own, whose name ends in .toml, setting by setting; or a
gmetad.conf, the configuration of Ganglia's gmetad, line by line: what each line makes gatherer do;
what is not done, or otherwise than gmetad does it, and why (warnings); what cannot be understood
and how to mend it (errors). It only reads: nothing is started, no name is looked up.

Settings of a .toml file, see docs/configuration.md:
${columns(settings.map(({ key }) => key))}
Directives of a gmetad.conf (case does not count), and sections "ID { … }" for plugins:
${columns(directiveNames)}
Exit code: 0 the file can be used, 1 it has errors or cannot be read, 2 wrong usage.

Examples:
  gatherer check /etc/gatherer/gatherer.toml
  gatherer check /etc/ganglia/gmetad.conf
`;

/**
 * `gatherer check`.
 *
 * @param args What follows `check` on the command line.
 * @returns The exit code: 0, or 1 when the file has errors.
 * @throws UserError code 2 for wrong usage; code 1 when the file cannot be read.
 */
export async function check(
  args: readonly string[],
  io: CheckIo,
): Promise<number> {
  const [path] = readOptions("check", args, { positional: 1 }).positional;
  if (path === undefined) {
    throw new UserError("which file? see gatherer check --help", 2);
  }
  const paint = io.color ? ansi : plain;
  return path.endsWith(".toml")
    ? await checkToml(path, paint, io)
    : await checkGmetadConf(path, paint, io);
}

/** The settings of a file of ours, and what is true where it says nothing. */
async function checkToml(
  path: string,
  paint: Paint,
  io: CheckIo,
): Promise<number> {
  const given = loadConfigFile(path);
  const { complaints } = makeConfig(given);
  const lines: string[] = [];
  for (const { key, help } of settings) {
    const found = given.get(key);
    if (!found) continue;
    const [place] = found.where.split(": ", 1);
    const meaning = help.replaceAll("\n", " ");
    lines.push(
      `${paint.faint(`${place}:`)} ${key} is ${
        oneLine(found.text)
      }: ${meaning}`,
    );
  }
  const defaults = settings.filter(({ key }) => !given.has(key));
  if (defaults.length > 0) {
    const width = Math.max(...defaults.map(({ key }) => key.length));
    lines.push(
      ...(lines.length > 0 ? [""] : []),
      paint.heading("not set, so:"),
      ...defaults.map(({ key, fallback }) =>
        `  ${key.padEnd(width)}  ${fallback}`
      ),
    );
  }
  lines.push("");
  for (const complaint of complaints) {
    lines.push(`${paint.warning("warning:")} ${complaint}`);
  }
  const conf = given.get("ganglia.conf");
  if (conf) lines.push(`gatherer check ${conf.text} explains that file`);
  const counts = plural(complaints.length, "warning");
  lines.push(
    paint.heading(`0 errors, ${counts}: ${oneLine(path)} can be used`),
  );
  await io.stdout(`${lines.join("\n")}\n`);
  return 0;
}

async function checkGmetadConf(
  path: string,
  paint: Paint,
  io: CheckIo,
): Promise<number> {
  const { conf, remarks } = readGmetadConf(
    readConfFile(path),
    path,
    thisMachine,
  );
  const alerts = alertRemarks(conf);
  const lines = [
    ...remarks.map((remark) => remarkText(remark, paint)),
    ...alerts.map(({ kind, text }) => textWith(paint[kind](`${kind}:`), text)),
  ];
  const count = (kind: Remark["kind"]) =>
    [...remarks, ...alerts].filter((remark) => remark.kind === kind).length;
  const errors = count("error");
  if (lines.length > 0) lines.push("");
  if (errors === 0) lines.push(summary(conf));
  const counts = `${plural(errors, "error")}, ${
    plural(count("warning"), "warning")
  }`;
  lines.push(
    errors === 0
      ? paint.heading(`${counts}: ${oneLine(path)} can be used`)
      : paint.error(
        `${counts}: ${
          oneLine(path)
        } cannot be used until the errors are mended`,
      ),
  );
  await io.stdout(`${lines.join("\n")}\n`);
  return errors === 0 ? 0 : 1;
}

/** How the parts of a line are set off; sense never depends on it. */
interface Paint {
  heading(text: string): string;
  faint(text: string): string;
  warning(text: string): string;
  error(text: string): string;
}

const plain: Paint = {
  heading: (text) => text,
  faint: (text) => text,
  warning: (text) => text,
  error: (text) => text,
};

const ansi: Paint = {
  heading: (text) => `\x1b[1m${text}\x1b[0m`,
  faint: (text) => `\x1b[2m${text}\x1b[0m`,
  warning: (text) => `\x1b[1;33m${text}\x1b[0m`,
  error: (text) => `\x1b[1;31m${text}\x1b[0m`,
};

function remarkText({ kind, message, place }: Remark, paint: Paint): string {
  if (kind === "meaning") {
    return `${paint.faint(`${oneLine(place.path)}:${place.line}:`)} ${message}`;
  }
  return `${paint.faint(`${placeText(place)}:`)} ${
    paint[kind](`${kind}:`)
  } ${message}`;
}

/** What there is to say against the section `alert`, which is read here as at a start. */
function alertRemarks(
  { sections }: GmetadConf,
): { readonly kind: "warning" | "error"; readonly text: string }[] {
  const section = sections.get("alert");
  if (!section) return [];
  try {
    const { warnings } = readAlertConfig(section);
    return warnings.map((text) => ({ kind: "warning", text }));
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return [{ kind: "error", text: messageOf(error) }];
  }
}

/** A text with a word behind the place that it begins with, if it does. */
function textWith(word: string, text: string): string {
  const [, place = "", rest = text] = /^(.*?:\d+:\d+: )(.*)$/s.exec(text) ?? [];
  return `${place}${word} ${rest}`;
}

/** What the whole file amounts to, what it does not say included. */
function summary(conf: GmetadConf): string {
  const { dataSources, trustedHosts, xmlPort, interactivePort } = conf;
  const hosts = dataSources.reduce((sum, { hosts }) => sum + hosts.length, 0);
  const others =
    trustedHosts.filter((host) => host !== "127.0.0.1" && host !== "localhost")
      .length;
  const who = conf.allTrusted
    ? "anyone"
    : others === 0
    ? "this machine only"
    : `this machine and ${plural(others, "trusted host")}`;
  return [
    `grid ${JSON.stringify(oneLine(conf.gridname))}`,
    `${plural(dataSources.length, "data source")} with ${
      plural(hosts, "host")
    }`,
    `XML on port ${xmlPort}, queries on port ${interactivePort}, for ${who}`,
    conf.writeRrds ? "RRDs are written" : "no RRDs",
    ...(conf.carbon ? [`carbon on ${oneLine(conf.carbon.server)}`] : []),
    ...(conf.sections.size === 0
      ? []
      : [`sections for ${oneLine([...conf.sections.keys()].join(", "))}`]),
  ].join("; ");
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** Names in three columns, for the help. */
function columns(names: readonly string[]): string {
  const width = Math.max(...names.map(({ length }) => length)) + 2;
  let text = "";
  for (let at = 0; at < names.length; at += 3) {
    const row = names.slice(at, at + 3).map((name) => name.padEnd(width));
    text += `  ${row.join("").trimEnd()}\n`;
  }
  return text;
}
