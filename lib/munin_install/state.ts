/**
 * What there is, what is wanted, and what is going to be done about it.
 *
 * @module
 */
import type { Manifest } from "./manifest.ts";
import type { Sources } from "./snippet.ts";

/**
 * The name of everything that is not yet in its place. Munin's node reads hidden files neither as
 * plugins nor as configuration.
 */
export const TEMPORARY_NAME = ".gatherer-install.tmp";

/** Something in the plugins directory, or in the snippet's place. */
export interface Entry {
  /** In words: "a symlink to /x", "a directory". */
  readonly what: string;
  /** Where a symlink leads to, as it is written in it. */
  readonly target?: string;
  /** The file that a symlink leads to in the end; left out when there is none. */
  readonly resolved?: string;
}

/** What is there before anything is done. */
export interface Found {
  /** The plugins directory, an absolute path. */
  readonly pluginsDir: string;
  /** The directory of the plugins' configuration, an absolute path. */
  readonly confDir: string;
  /** All that is in the plugins directory, by name. */
  readonly plugins: ReadonlyMap<string, Entry>;
  /** The texts of the files in `confDir` that munin-node reads, by name. */
  readonly conf: ReadonlyMap<string, string>;
  /** What is in the snippet's place. */
  readonly snippet?: Entry;
  readonly manifest?: Manifest;
  /** What a run that was cut short has left, besides. */
  readonly leftovers: readonly string[];
}

/** What there is to be in the end. */
export interface Wanted {
  /** The names of the links. */
  readonly links: readonly string[];
  /** What they lead to. */
  readonly target: string;
  readonly sources: Sources;
  /** Those of `sources` that were asked for; others are no reason to find fault with a file. */
  readonly asked: ReadonlySet<keyof Sources>;
  /** Whether a plugin of that name shows what one of `links` shows, too. */
  readonly isRival: (name: string) => boolean;
  /** What one does about such plugins, besides removing them. */
  readonly againstRivals: string;
}

/** A change. What it is to change must still be as it was found. */
export type Action =
  /** `found`: the text that is replaced, `null` when there is no file; left out: whatever. */
  | {
    readonly do: "write";
    readonly path: string;
    readonly text: string;
    readonly found?: string | null;
  }
  /** `instead`: where the link led to, if there is one. */
  | {
    readonly do: "link";
    readonly path: string;
    readonly target: string;
    readonly instead?: string;
  }
  | {
    readonly do: "remove link";
    readonly path: string;
    readonly target: string;
  }
  /** `found`: what is in it; left out: whatever, and it may be gone. */
  | {
    readonly do: "remove file";
    readonly path: string;
    readonly found?: string;
  };

/** A change, or why there is none, and the lines that say so. */
export interface Step {
  readonly lines: readonly string[];
  readonly action?: Action;
}

/** All that is going to be done, in this order. */
export interface Plan {
  readonly steps: readonly Step[];
  /** The plugins that munin-node will have because of this. */
  readonly plugins: readonly string[];
  /** One line each. */
  readonly warnings: readonly string[];
  /** Whether something is in the way that has to be left alone. */
  readonly obstructed: boolean;
}
