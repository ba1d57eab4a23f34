/**
 * What "gatherer install-munin" is going to do, worked out from what was found. Nothing is read or
 * written here.
 *
 * @module
 */
import { join } from "@std/path";
import { formatManifest, type Manifest, MANIFEST_NAME } from "./manifest.ts";
import {
  inOrder,
  matches,
  parsePluginConf,
  settingsOf,
} from "./plugin_conf.ts";
import {
  isMarked,
  isUnedited,
  makeSnippet,
  sectionLines,
  sectionsFor,
  SNIPPET_NAME,
} from "./snippet.ts";
import type { Action, Found, Plan, Step, Wanted } from "./state.ts";

/**
 * How to get from what was found to what is wanted. The manifest is written before links are made
 * and again after links are removed: whenever this is cut short, every link made is recorded.
 */
export async function planInstall(
  found: Found,
  wanted: Wanted,
): Promise<Plan> {
  const links = planLinks(found, wanted);
  const snippet = await planSnippet(found, wanted, links.plugins);
  const manifests = planManifest(found, {
    plugins: found.pluginsDir,
    links: links.made,
    targets: [wanted.target],
  });
  return {
    steps: [
      ...leftovers(found),
      ...manifests.before,
      snippet.step,
      ...links.removals,
      ...links.steps,
      ...manifests.after,
    ],
    plugins: links.plugins,
    warnings: [...rivalWarnings(found, wanted), ...snippet.warnings],
    obstructed: links.obstructed || snippet.obstructed,
  };
}

/** How to take away everything that was made and is still as it was made. */
export async function planRemove(found: Found): Promise<Plan> {
  const steps = leftovers(found);
  for (const name of recorded(found)) {
    steps.push(...removal(found, name));
  }
  const path = join(found.confDir, SNIPPET_NAME);
  const state = await snippetState(found);
  if (state === "own") {
    const text = found.conf.get(SNIPPET_NAME)!;
    steps.push({
      lines: [`remove ${path}`],
      action: { do: "remove file", path, found: text },
    });
  } else if (state !== "none") {
    steps.push({
      lines: [
        `leave ${path}: ${
          foreign(found, state)
        }; remove it yourself if it is not wanted`,
      ],
    });
  }
  if (found.manifest) steps.push(manifestRemoval(found));
  return { steps, plugins: [], warnings: [], obstructed: false };
}

function leftovers(found: Found): Step[] {
  return found.leftovers.map((path) => ({
    lines: [`remove ${path} (left by a run that was cut short)`],
    action: { do: "remove file", path },
  }));
}

interface LinkPlan {
  /** For links that are not wanted any more. */
  readonly removals: readonly Step[];
  readonly steps: readonly Step[];
  /** Those wanted that are going to be there, made by this command or not. */
  readonly plugins: readonly string[];
  /** Those of them that this command made or makes. */
  readonly made: readonly string[];
  readonly obstructed: boolean;
}

function planLinks(found: Found, { links, target }: Wanted): LinkPlan {
  const steps: Step[] = [];
  const plugins: string[] = [];
  const made: string[] = [];
  for (const name of links) {
    const path = join(found.pluginsDir, name);
    const entry = found.plugins.get(name);
    if (entry === undefined) {
      steps.push({
        lines: [`link ${path} -> ${target}`],
        action: { do: "link", path, target },
      });
      made.push(name);
    } else if (isOwn(found, name)) {
      steps.push(
        entry.target === target ? { lines: [`keep ${path} (already so)`] } : {
          lines: [`link ${path} -> ${target} (instead of ${entry.target})`],
          action: { do: "link", path, target, instead: entry.target },
        },
      );
      made.push(name);
    } else if (entry.target !== undefined && entry.resolved === target) {
      const how = entry.target === target ? "" : `, by way of ${entry.target}`;
      steps.push({
        lines: [`keep ${path} (already so${how}; not made by this command)`],
      });
    } else {
      steps.push({
        lines: [
          `leave ${path}: not made by this command (${entry.what}; remove it yourself if ` +
          "gatherer is to have the name)",
        ],
      });
      continue;
    }
    plugins.push(name);
  }
  const wanted = new Set(links);
  return {
    removals: recorded(found).filter((name) => !wanted.has(name))
      .flatMap((name) => removal(found, name)),
    steps,
    plugins,
    made,
    obstructed: plugins.length < links.length,
  };
}

/** How to remove a link that is in the manifest; nothing if it is gone. */
function removal(found: Found, name: string): Step[] {
  const path = join(found.pluginsDir, name);
  const entry = found.plugins.get(name);
  if (entry === undefined) return [];
  if (isOwn(found, name)) {
    return [{
      lines: [`remove ${path}`],
      action: { do: "remove link", path, target: entry.target! },
    }];
  }
  return [{
    lines: [
      `leave ${path}: changed since this command made it (${entry.what}; remove it yourself if ` +
      "it is not wanted)",
    ],
  }];
}

function recorded(found: Found): readonly string[] {
  return found.manifest?.links ?? [];
}

/** Whether this command made what has that name in the plugins directory. */
function isOwn({ manifest, plugins }: Found, name: string): boolean {
  const target = plugins.get(name)?.target;
  return manifest !== undefined && target !== undefined &&
    manifest.links.includes(name) && manifest.targets.includes(target);
}

type SnippetState = "none" | "own" | "edited" | "foreign";

async function snippetState(found: Found): Promise<SnippetState> {
  if (found.snippet === undefined) return "none";
  const text = found.conf.get(SNIPPET_NAME);
  if (found.snippet.target !== undefined || text === undefined) {
    return "foreign";
  }
  if (await isUnedited(text)) return "own";
  return isMarked(text) ? "edited" : "foreign";
}

/** Why the snippet's place is left alone. */
function foreign(found: Found, state: SnippetState): string {
  return state === "edited"
    ? "edited since this command made it"
    : `not made by this command (${found.snippet!.what})`;
}

async function planSnippet(
  found: Found,
  wanted: Wanted,
  plugins: readonly string[],
): Promise<{ step: Step; warnings: string[]; obstructed: boolean }> {
  const path = join(found.confDir, SNIPPET_NAME);
  const sections = sectionsFor(plugins);
  const text = await makeSnippet(sections, wanted.sources);
  const state = await snippetState(found);
  if (state === "none" || state === "own") {
    const old = found.conf.get(SNIPPET_NAME) ?? null;
    const step: Step = old === text
      ? { lines: [`keep ${path} (already so)`] }
      : {
        lines: [`write ${path}`],
        action: { do: "write", path, text, found: old },
      };
    const warnings = overrideWarnings(found, wanted, plugins, text);
    return { step, warnings, obstructed: false };
  }
  const needed = neededSections(found, wanted, plugins, sections);
  if (needed.length === 0) {
    const why = foreign(found, state);
    const line = `keep ${path} (${why}; it has what is needed)`;
    return { step: { lines: [line] }, warnings: [], obstructed: false };
  }
  const lines = [
    `leave ${path}: ${
      foreign(found, state)
    }; these lines are needed in that directory:`,
    ...sectionLines(needed, wanted.sources).trimEnd().split("\n")
      .map((line) => line === "" ? "" : `    ${line}`),
  ];
  return { step: { lines }, warnings: [], obstructed: true };
}

/** Of `sections` those for plugins that do not get, from any file, what they should. */
function neededSections(
  found: Found,
  { sources, asked }: Wanted,
  plugins: readonly string[],
  sections: readonly string[],
): string[] {
  const conf = parsePluginConf(inOrder(found.conf));
  const lacking = plugins.filter((plugin) => {
    const settings = settingsOf(conf, plugin);
    return (["statsfile", "graphs"] as const).some((key) => {
      const value = settings.get(`env.${key}`);
      return asked.has(key)
        ? value !== sources[key]
        : value === undefined && sources[key] !== undefined;
    });
  });
  return sections.filter((section) =>
    lacking.some((plugin) => section === plugin || matches(section, plugin))
  );
}

/** Other files have precedence over the snippet, when their sections are longer or come later. */
function overrideWarnings(
  found: Found,
  { sources }: Wanted,
  plugins: readonly string[],
  snippet: string,
): string[] {
  const conf = parsePluginConf(
    inOrder(new Map([...found.conf, [SNIPPET_NAME, snippet]])),
  );
  const others = new Map<string, string[]>();
  for (const plugin of plugins) {
    const value = settingsOf(conf, plugin).get("env.statsfile")!;
    if (value === sources.statsfile) continue;
    others.set(value, [...others.get(value) ?? [], plugin]);
  }
  return [...others].map(([value, plugins]) =>
    `another file in ${found.confDir} has env.statsfile ${value} for ${
      plugins.join(", ")
    }, which has precedence over ${join(found.confDir, SNIPPET_NAME)}`
  );
}

function rivalWarnings(found: Found, wanted: Wanted): string[] {
  const links = new Set(wanted.links);
  const rivals = [...found.plugins.keys()].sort().filter((name) =>
    !links.has(name) && !isOwn(found, name) && wanted.isRival(name)
  );
  if (rivals.length === 0) return [];
  const list = rivals.map((name) =>
    `${join(found.pluginsDir, name)} (${found.plugins.get(name)!.what})`
  );
  return [
    `${
      list.join(", ")
    }: not made by this command, and shows the same graphs as ${
      wanted.links.length === 1 ? wanted.links[0] : "the links"
    }; Munin's master would report a "Service collision" and drop the data of one of them: ` +
    `remove what this names, or ${wanted.againstRivals}`,
  ];
}

/** The steps for the manifest: before everything else, and after. */
function planManifest(
  found: Found,
  final: Manifest,
): { before: Step[]; after: Step[] } {
  const path = join(found.confDir, MANIFEST_NAME);
  const current = found.manifest;
  const between: Manifest = {
    plugins: found.pluginsDir,
    links: [...new Set([...recorded(found), ...final.links])],
    targets: [...new Set([...current?.targets ?? [], ...final.targets])],
  };
  const write = (manifest: Manifest): Action => ({
    do: "write",
    path,
    text: formatManifest(manifest),
  });
  const line = `write ${path}`;
  const before: Step[] = [];
  const after: Step[] = [];
  if (between.links.length > 0 && !isSame(current, between)) {
    before.push({ lines: [line], action: write(between) });
  }
  if (final.links.length === 0) {
    if (current) after.push(manifestRemoval(found));
  } else if (!isSame(between, final)) {
    // It has been named once if it was written before.
    const lines = before.length > 0 ? [] : [line];
    after.push({ lines, action: write(final) });
  } else if (before.length === 0) {
    before.push({ lines: [`keep ${path} (already so)`] });
  }
  return { before, after };
}

function isSame(one: Manifest | undefined, other: Manifest): boolean {
  return one !== undefined && formatManifest(one) === formatManifest(other);
}

function manifestRemoval(found: Found): Step {
  const path = join(found.confDir, MANIFEST_NAME);
  return { lines: [`remove ${path}`], action: { do: "remove file", path } };
}
