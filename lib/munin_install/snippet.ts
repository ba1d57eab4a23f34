import { encodeHex } from "@std/encoding";
import { escapeValue, matches, parsePluginConf } from "./plugin_conf.ts";

/** The snippet's name in plugin-conf.d. */
export const SNIPPET_NAME = "gatherer";

/** Where the plugins find what they draw; absolute paths. */
export interface Sources {
  /** The snapshot, or the gatherer's base directory. */
  readonly statsfile: string;
  /** The operator's graphs file, if there is one. */
  readonly graphs?: string;
}

/** The sections that are always there; between them they cover all graphs but an operator's. */
export const SECTIONS: readonly string[] = [
  "tahoe_*",
  "gatherer",
  "gatherer_*",
];

const COMMENT = `\
# It makes this file anew, and removes it, unless somebody has edited it. Put other lines for the
# same sections, such as "user", into a file of your own in this directory: munin-node takes them
# together, and reads them only when it starts.
#
# env.statsfile is the gatherer's snapshot, or the directory that it is in. The plugins run as
# nobody, who must be allowed to read it and to pass through every directory above it.
`;

/** The configuration's lines for some sections. */
export function sectionLines(
  sections: readonly string[],
  { statsfile, graphs }: Sources,
): string {
  return sections.map((section) =>
    `[${section}]\nenv.statsfile ${escapeValue(statsfile)}\n` +
    (graphs === undefined ? "" : `env.graphs ${escapeValue(graphs)}\n`)
  ).join("\n");
}

/** The sections for plugins of these names: the constant ones, and one for each other name. */
export function sectionsFor(plugins: readonly string[]): string[] {
  const others = plugins.filter((plugin) =>
    !SECTIONS.some((section) => section === plugin || matches(section, plugin))
  );
  return [...SECTIONS, ...others.sort()];
}

/** The snippet's text, with a checksum in it that tells whether it has been edited. */
export async function makeSnippet(
  sections: readonly string[],
  sources: Sources,
): Promise<string> {
  const body = `${COMMENT}\n${sectionLines(sections, sources)}`;
  return `${MARK}${await checksum(body)}.\n${body}`;
}

/** Whether a text is one of {@linkcode makeSnippet}, still as it was made. */
export async function isUnedited(text: string): Promise<boolean> {
  const found = markLine.exec(text);
  return found !== null &&
    found[1] === await checksum(text.slice(found[0].length));
}

/** Whether a text is one of {@linkcode makeSnippet}, edited or not. */
export function isMarked(text: string): boolean {
  return markLine.test(text);
}

/** The sources that the snippet names, or another file in its place. */
export function sourcesIn(text: string): Partial<Sources> {
  const conf = parsePluginConf([text]);
  const found = SECTIONS.map((section) => conf.get(section))
    .find((keys) => keys?.has("env.statsfile"));
  const graphs = found?.get("env.graphs");
  return {
    ...found && { statsfile: found.get("env.statsfile")! },
    ...graphs !== undefined && { graphs },
  };
}

const MARK = '# Made by "gatherer install-munin", checksum ';
const markLine = new RegExp(`^${MARK}([0-9a-f]{16})\\.\n`);

/** Enough to notice an edit. */
async function checksum(text: string): Promise<string> {
  const bytes = new TextEncoder().encode(text);
  const digest = await crypto.subtle.digest("SHA-256", bytes);
  return encodeHex(digest).slice(0, 16);
}
