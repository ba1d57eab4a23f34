/** Runs the plugins of the directory that is its argument, and writes what it saw as JSON. */
import { systemClock } from "../../lib/clock.ts";
import { loadPlugins } from "../../lib/gatherer/plugin_loader.ts";
import { Tree } from "../../lib/tree/tree.ts";
import { captureLog } from "../log_capture.ts";
import { runPlugins } from "./plugin_runner.ts";

const { lines } = await captureLog();
const tree = new Tree();
const loaded = await loadPlugins({
  directory: Deno.args[0],
  configured: true,
  sections: new Map(),
  clock: systemClock,
  limitMs: 500,
});
const plugins = await runPlugins(tree, loaded ? [loaded] : []);
let ticks = 0;
const ticking = setInterval(() => ticks++, 10);
tree.commit("c");
await plugins.flush();
clearInterval(ticking);
tree.commit("c");
await plugins.stop();
const result = JSON.stringify({ lines, timersKeptTime: ticks > 10 });
await Deno.stdout.write(new TextEncoder().encode(result));
