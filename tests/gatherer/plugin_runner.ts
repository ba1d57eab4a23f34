import type { Clock } from "../../lib/clock.ts";
import { Plugins, type Summarize } from "../../lib/gatherer/plugins.ts";
import type { Plugin } from "../../lib/plugins/plugin.ts";
import type { Tree } from "../../lib/tree/tree.ts";
import { FakeClock } from "../fake_clock.ts";

// deno-lint-ignore require-yield
function* noSummary(): ReturnType<Summarize> {
  return { up: 0, down: 0, metrics: new Map() };
}

/** Plugins that are started, and told of what happens in a tree. */
export async function runPlugins(
  tree: Tree,
  plugins: readonly Plugin[],
  { clock = new FakeClock(), summarize = noSummary }: {
    clock?: Clock;
    summarize?: Summarize;
  } = {},
): Promise<Plugins> {
  const running = new Plugins(tree, clock, summarize);
  for (const plugin of plugins) await running.add(plugin);
  return running;
}
