import { UserError } from "../errors.ts";

/** What "gatherer install-munin" remembers of the links that it made. */
export interface Manifest {
  /** The plugins directory that they are in. */
  readonly plugins: string;
  /** Their names. */
  readonly links: readonly string[];
  /** What they lead to: one of these. While links are moved from one to another there are two. */
  readonly targets: readonly string[];
}

/**
 * The manifest's name in the directory of the plugins' configuration. munin-node does not read
 * hidden files there; source: process_plugin_configuration_files in Munin 2.0, Munin::Node::Config.
 */
export const MANIFEST_NAME = ".gatherer-links";

const VERSION = 1;

/** The text of the manifest's file: JSON, names and targets sorted. */
export function formatManifest(manifest: Manifest): string {
  return JSON.stringify(
    {
      about:
        'The links that "gatherer install-munin" made. It changes and removes no others.',
      version: VERSION,
      plugins: manifest.plugins,
      links: [...manifest.links].sort(),
      targets: [...manifest.targets].sort(),
    },
    undefined,
    2,
  ) + "\n";
}

/**
 * What a manifest's file says.
 * @throws UserError naming `path` when it is not as {@linkcode formatManifest} writes it.
 */
export function parseManifest(text: string, path: string): Manifest {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  if (isManifest(value)) return value;
  throw new UserError(
    `${
      JSON.stringify(path)
    } is not as this version of gatherer writes it: move it away and run this again; ` +
      "links that were made before then count as made by hand",
  );
}

function isManifest(value: unknown): value is Manifest {
  if (typeof value !== "object" || value === null) return false;
  const { version, plugins, links, targets } = value as Record<string, unknown>;
  return version === VERSION && typeof plugins === "string" &&
    isTexts(links) && isTexts(targets);
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((one) => typeof one === "string");
}
