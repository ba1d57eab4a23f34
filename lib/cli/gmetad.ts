/**
 * The command line of gmetad, for a gatherer that is called by that name.
 *
 * @module
 */
import { UserError } from "../errors.ts";
import type { GmetadConf } from "../ganglia/conf/conf.ts";
import { oneLine } from "../text.ts";

/** Where gmetad's configuration is unless `--conf` says otherwise. Source: gmetad(1). */
export const DEFAULT_CONF = "/etc/ganglia/gmetad.conf";

/** From this level on gmetad-python stays in the foreground; the C one from 1 on. */
const FOREGROUND_LEVEL = 5;

/** What `gmetad --help` says. */
export const gmetadHelp = `\
Usage: gmetad [options]

This is gatherer, called as gmetad: it polls the data sources that gmetad's configuration names, and
answers on gmetad's ports. The options are those of Ganglia's gmetad and gmetad-python.

Options:
  -c, --conf FILE              gmetad's configuration    (default: ${DEFAULT_CONF})
  -d, --debug LEVEL            how much is logged, instead of debug_level
  -f, --foreground             stay in the foreground, as with a level of ${FOREGROUND_LEVEL} or more; else
                               gmetad returns when it is ready, and goes on in the background
  -p, --pid-file FILE          write the process's id to a file
  -l, --logfile FILE           log to a file, too, instead of logfile
  -x, --xml_port PORT          where the whole tree is sent, instead of xml_port
  -i, --interactive_port PORT  where queries are answered, instead of interactive_port
  -h, --help                   this text
  -V, --version                print the version

A long option may be shortened as long as it is clear, and its value may follow "=". "_" and "-" in
names are the same. To see what a configuration means: gatherer check FILE

Started by root it becomes the user that the configuration names (setuid_username, else nobody).
The base directory is beside the RRDs, with gatherer.log, the log of a gmetad in the background, in
it. "gatherer status --basedir DIR" shows how it is.

Example:
  gmetad --conf ${DEFAULT_CONF} --foreground
`;

/** The command line of gmetad. */
export interface GmetadOptions {
  /** What is wanted: that it runs, or only a text. */
  readonly action: "run" | "help" | "version";
  /** Path of the configuration. */
  readonly conf: string;
  readonly debugLevel?: number;
  readonly pidFile?: string;
  readonly foreground: boolean;
  readonly logfile?: string;
  readonly interactivePort?: number;
  readonly xmlPort?: number;
}

interface OptionKind {
  /** The name that messages have. */
  readonly name: string;
  readonly letter: string;
  readonly takesValue: boolean;
}

/** Source: gmetad(1) and the usage text of gmetad-python, whose `pid_file` is the C one's `pid-file`. */
const kinds: readonly OptionKind[] = [
  { name: "conf", letter: "c", takesValue: true },
  { name: "debug", letter: "d", takesValue: true },
  { name: "foreground", letter: "f", takesValue: false },
  { name: "pid-file", letter: "p", takesValue: true },
  { name: "logfile", letter: "l", takesValue: true },
  { name: "xml_port", letter: "x", takesValue: true },
  { name: "interactive_port", letter: "i", takesValue: true },
  { name: "help", letter: "h", takesValue: false },
  { name: "version", letter: "V", takesValue: false },
];

/**
 * Reads the options of gmetad: the C program's and the Python one's.
 *
 * @throws UserError (exit code 2) for an option that is unknown, is given twice, or lacks its value
 *   or has one that cannot be, and for an argument that is none.
 */
export function readGmetadOptions(args: readonly string[]): GmetadOptions {
  const given = readGiven(args);
  return {
    action: given.has("help")
      ? "help"
      : given.has("version")
      ? "version"
      : "run",
    conf: given.get("conf") ?? DEFAULT_CONF,
    foreground: given.has("foreground"),
    ...value("debugLevel", given, "debug", readLevel),
    ...value("pidFile", given, "pid-file", (path) => path),
    ...value("logfile", given, "logfile", (path) => path),
    ...value("xmlPort", given, "xml_port", readPort),
    ...value("interactivePort", given, "interactive_port", readPort),
  };
}

/**
 * Whether it stays in the foreground.
 *
 * @param debugLevel What the configuration says, if the command line says nothing.
 */
export function staysInForeground(
  { foreground, debugLevel: level }: GmetadOptions,
  { debugLevel, daemonize }: Pick<GmetadConf, "debugLevel" | "daemonize">,
): boolean {
  return foreground || !daemonize ||
    (level ?? debugLevel ?? 0) >= FOREGROUND_LEVEL;
}

/** The command line of the same options. */
export function gmetadArguments(options: GmetadOptions): string[] {
  const { conf, debugLevel, pidFile, logfile, xmlPort, interactivePort } =
    options;
  const values = {
    conf,
    debug: debugLevel,
    "pid-file": pidFile,
    logfile,
    xml_port: xmlPort,
    interactive_port: interactivePort,
  };
  return [
    ...Object.entries(values).flatMap(([name, value]) =>
      value === undefined ? [] : [`--${name}=${value}`]
    ),
    ...options.foreground ? ["--foreground"] : [],
  ];
}

/** The options by their names, those without a value with an empty one. */
function readGiven(args: readonly string[]): Map<string, string> {
  const given = new Map<string, string>();
  const rest = [...args];
  const take = (
    shown: string,
    { name, takesValue }: OptionKind,
    attached: string | undefined,
  ): void => {
    if (given.has(name)) throw wrong(`${shown} is given more than once`);
    if (!takesValue && attached !== undefined) {
      throw wrong(`${shown} takes no value`);
    }
    const value = takesValue ? attached ?? rest.shift() : "";
    if (takesValue && !value) throw wrong(`${shown} needs a value`);
    given.set(name, value ?? "");
  };
  for (let arg; (arg = rest.shift()) !== undefined;) {
    if (arg.startsWith("--") && arg !== "--") {
      const [, name, attached] = /^--([^=]*)(?:=(.*))?$/s.exec(arg)!;
      take(`--${name}`, findLong(name), attached);
    } else if (/^-[^-]/.test(arg)) {
      // Letters without a value may be joined; what follows one with a value is that.
      for (let at = 1; at < arg.length; at++) {
        const kind = kinds.find(({ letter }) => letter === arg[at]);
        if (!kind) throw wrong(`unknown option -${oneLine(arg[at])}`);
        const attached = kind.takesValue ? arg.slice(at + 1) : "";
        take(`-${kind.letter}`, kind, attached || undefined);
        if (kind.takesValue) break;
      }
    } else throw wrong(`unexpected argument ${quoted(arg)}`);
  }
  return given;
}

function findLong(given: string): OptionKind {
  const name = given.replaceAll("_", "-");
  const fitting = kinds.filter((kind) =>
    kind.name.replaceAll("_", "-").startsWith(name)
  );
  const [kind, another] = fitting;
  if (name === "" || kind === undefined) {
    throw wrong(`unknown option --${oneLine(given)}`);
  }
  if (another === undefined) return kind;
  throw wrong(
    `--${given} may be ${fitting.map(({ name }) => `--${name}`).join(" or ")}`,
  );
}

function value<K extends string, T>(
  key: K,
  given: ReadonlyMap<string, string>,
  name: string,
  read: (text: string, option: string) => T,
): { [Key in K]?: T } {
  const text = given.get(name);
  if (text === undefined) return {};
  return { [key]: read(text, `--${name}`) } as { [Key in K]: T };
}

function readLevel(text: string, option: string): number {
  if (/^[-+]?\d{1,3}$/.test(text)) return Number(text);
  throw wrong(`${option}: ${quoted(text)} is not a level such as 0 or 5`);
}

function readPort(text: string, option: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : NaN;
  if (port <= 65535) return port;
  throw wrong(`${option}: ${quoted(text)} is not a port from 0 to 65535`);
}

function quoted(text: string): string {
  return `"${oneLine(text, 100)}"`;
}

function wrong(text: string): UserError {
  return new UserError(`${text}; see gmetad --help`, 2);
}
