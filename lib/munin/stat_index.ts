import type { SnapshotNode } from "../snapshot/codec.ts";
import type { StatGroup } from "../snapshot/scan.ts";
import { smash } from "./fields.ts";

/** Which statistics there are: those that some node has a figure of, `null` being none. */
export class StatIndex {
  readonly #names = { counters: new Set<string>(), stats: new Set<string>() };
  readonly #bySmashed: {
    [Group in StatGroup]?: ReadonlyMap<string, readonly string[]>;
  } = {};

  /** @param nodes More may be added, before anything is asked. */
  constructor(nodes: Iterable<SnapshotNode> = []) {
    for (const node of nodes) this.add(node);
  }

  add(node: SnapshotNode): void {
    for (const group of ["counters", "stats"] as const) {
      const names = this.#names[group];
      for (const [name, value] of node[group]) {
        if (value !== null) names.add(name);
      }
    }
  }

  /** Another one with the same names, to which more may be added. */
  copy(): StatIndex {
    const copy = new StatIndex();
    for (const group of ["counters", "stats"] as const) {
      for (const name of this.#names[group]) copy.addName(group, name);
    }
    return copy;
  }

  /** Adds a name that is known otherwise. */
  addName(group: StatGroup, name: string): void {
    this.#names[group].add(name);
  }

  has(group: StatGroup, name: string): boolean {
    return this.#names[group].has(name);
  }

  /**
   * The names, sorted, by how they look when all but letters and digits is `_`.
   */
  names(group: StatGroup): ReadonlyMap<string, readonly string[]> {
    return this.#bySmashed[group] ??= groupAlike(
      [...this.#names[group]].sort(),
    );
  }
}

function groupAlike(names: readonly string[]): Map<string, string[]> {
  const bySmashed = new Map<string, string[]>();
  for (const name of names) {
    const smashed = smash(name);
    const alike = bySmashed.get(smashed);
    if (alike) alike.push(name);
    else bySmashed.set(smashed, [name]);
  }
  return bySmashed;
}
